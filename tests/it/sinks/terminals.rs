//! Writers that lead to a terminal.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use spanline::schema::{Color, Console};
use spanline::sink::Writer;
use spanline::{Output, Stdout};
use tracing::info;
use tracing::subscriber::with_default;
use tracing_subscriber::prelude::*;

use crate::support::child::child;
use crate::support::stage::fixed;
use crate::support::wait::PATIENCE;

/// A terminal, or what draws on it.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<u8>>>);

impl Write for Shown {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a log with this schema shows through a writer that is a terminal, or is not.
fn shown(is_terminal: Option<bool>, schema: Console) -> String {
    let shown = Shown::default();
    let writer = || Writer::new(shown.clone());
    let writer = is_terminal.map_or_else(writer, |is_terminal| writer().terminal(is_terminal));
    let (layer, guard) = fixed().output(Output::new(writer).schema(schema)).build().unwrap();
    with_default(tracing_subscriber::registry().with(layer), || info!("text"));
    guard.close().unwrap();
    let bytes = shown.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_writer_colours_if_it_says_that_it_is_a_terminal() {
    let inside = || {
        let is_coloured = |is_terminal| shown(is_terminal, Console::new()).contains('\u{1b}');
        assert_eq!([None, Some(false), Some(true)].map(is_coloured), [false, false, true]);
        assert!(!shown(Some(true), Console::new().color(Color::Never)).contains('\u{1b}'));
    };
    child(this_test!(), &[("NO_COLOR", ""), ("TERM", "xterm"), ("CLICOLOR_FORCE", "")], inside);
}

#[test]
fn a_terminal_that_wants_no_colours_gets_none() {
    let inside = || assert!(!shown(Some(true), Console::new()).contains('\u{1b}'));
    child(this_test!(), &[("NO_COLOR", "1"), ("TERM", "xterm")], inside);
}

#[test]
fn a_synchronous_output_and_println_keep_their_order() {
    let inside = || {
        let output = Output::new(Stdout::new()).schema(Console::new()).synchronous(PATIENCE);
        let guard = spanline::builder().output(output).init().unwrap();
        for turn in 0..20 {
            println!("prompt {turn}");
            info!("answer {turn}");
        }
        guard.close().unwrap();
    };
    let Some(output) = child(this_test!(), &[], inside) else { return };
    let stdout = String::from_utf8(output.stdout).unwrap();
    let places = |word: &str| stdout.match_indices(word).map(|(at, _)| at).collect::<Vec<_>>();
    let (prompts, answers) = (places("prompt "), places("answer "));
    assert_eq!((prompts.len(), answers.len()), (20, 20), "{stdout}");
    let turns = prompts.iter().zip(&answers).zip(prompts.iter().skip(1).chain([&usize::MAX]));
    assert!(turns.into_iter().all(|((prompt, answer), next)| prompt < answer && answer < next), "{stdout}");
}
