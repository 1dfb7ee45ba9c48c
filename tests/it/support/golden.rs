//! Compares lines with the files in `tests/golden`: the diff is the review.
//!
//! `SPANLINE_BLESS=1 cargo test golden` rewrites the files. `Flat` renders each scenario into `<name>.jsonl` and `Console`
//! into `<name>.txt`. Where colours matter, `Console` also renders it into `<name>.color.txt`, with `␛` for the escape
//! character.

use spanline::schema::{Color, Console, Flat};
use spanline::sink::Memory;
use spanline::{Builder, Output};
use tracing::subscriber::with_default;
use tracing_subscriber::prelude::*;

use crate::support::places::root;
use crate::support::stage::fixed;
use crate::support::strict;

pub(crate) struct Golden {
    name: &'static str,
    builder: Builder,
    flat: Flat,
    coloured: bool,
    cut: bool,
}

pub(crate) fn golden(name: &'static str) -> Golden {
    Golden { name, builder: fixed(), flat: Flat::new(), coloured: false, cut: false }
}

impl Golden {
    pub(crate) fn builder(mut self, change: impl FnOnce(Builder) -> Builder) -> Self {
        self.builder = change(self.builder);
        self
    }

    pub(crate) fn flat(mut self, flat: Flat) -> Self {
        self.flat = flat;
        self
    }

    /// Lines are cut. Colours count as well, so coloured lines have less text.
    pub(crate) fn cut(mut self) -> Self {
        self.cut = true;
        self
    }

    pub(crate) fn coloured(mut self) -> Self {
        self.coloured = true;
        self
    }

    /// Compares what `run` logs with the files.
    #[track_caller]
    pub(crate) fn run(self, run: impl FnOnce()) {
        let (flat, console, coloured) = (Memory::new(), Memory::new(), Memory::new());
        let (layer, guard) = self
            .builder
            .output(Output::new(flat.clone()).schema(self.flat))
            .output(Output::new(console.clone()).schema(Console::new().utc().color(Color::Never)))
            .output(Output::new(coloured.clone()).schema(Console::new().utc().color(Color::Always)))
            .build()
            .unwrap();
        with_default(tracing_subscriber::registry().with(layer), run);
        guard.close().unwrap();
        flat.lines().iter().for_each(|line| drop(strict::line(line)));
        assert_eq!(console.lines().len(), flat.lines().len(), "one line an event");
        compare(&format!("{}.jsonl", self.name), &flat.text());
        compare(&format!("{}.txt", self.name), &console.text());
        let visible = coloured.text().replace('\u{1b}', "␛");
        if self.coloured {
            compare(&format!("{}.color.txt", self.name), &visible);
        }
        let mut plain = visible;
        for style in ["0", "1", "2", "1;31", "31", "32", "33", "34", "35"] {
            plain = plain.replace(&format!("␛[{style}m"), "");
        }
        if !self.cut {
            assert_eq!(plain, console.text(), "colours change nothing but the colour");
        }
    }
}

#[track_caller]
pub(crate) fn compare(file: &str, is: &str) {
    let path = root().join("tests/golden").join(file);
    if std::env::var_os("SPANLINE_BLESS").is_some() {
        std::fs::write(&path, is).unwrap();
        return;
    }
    let should = std::fs::read_to_string(&path).unwrap_or_default();
    if is != should {
        panic!("tests/golden/{file} differs (- the file, + now); SPANLINE_BLESS=1 rewrites it\n{}", diff(&should, is));
    }
}

/// Both texts line by line, what they begin and end with in common left out.
fn diff(should: &str, is: &str) -> String {
    let (should, is): (Vec<_>, Vec<_>) = (should.lines().collect(), is.lines().collect());
    let same = should.iter().zip(&is).take_while(|(should, is)| should == is).count();
    let (should, is) = (&should[same..], &is[same..]);
    let end = should.iter().rev().zip(is.iter().rev()).take_while(|(should, is)| should == is).count();
    let mut text = format!("from line {} on:\n", same + 1);
    let (should, is) = (&should[..should.len() - end], &is[..is.len() - end]);
    for at in 0..should.len().max(is.len()) {
        match (should.get(at), is.get(at)) {
            (Some(should), Some(is)) if should == is => text += &format!("  {is}\n"),
            (should, is) => {
                text += &should.map_or(String::new(), |line| format!("- {line}\n"));
                text += &is.map_or(String::new(), |line| format!("+ {line}\n"));
            }
        }
    }
    text
}
