//! `Console` gives one line for an event, and what controls a terminal in it is the log's own.

use spanline::Output;
use spanline::metrics::Reason;
use spanline::schema::{Color, Console};
use spanline::sink::Memory;

use crate::input::{EVENTS, Scene, ended};
use crate::support::strict;

pub fn console(data: &[u8]) {
    let scene = Scene::new(data);
    let [plain, coloured] = [Memory::new(), Memory::new()];
    let output = |memory: &Memory, color| {
        Output::new(memory.clone()).schema(Console::new().utc().color(color)).queue_bytes(1 << 20)
    };
    let builder = scene.builder().max_line_bytes(1 << 20).output(output(&plain, Color::Never));
    let Some((dispatch, handle)) = ended(builder.output(output(&coloured, Color::Always))) else { return };
    scene.play(&dispatch);

    let plain = String::from_utf8(plain.take()).unwrap();
    let coloured = String::from_utf8(coloured.take()).unwrap();
    let output = handle.metrics().outputs.remove(0);
    assert_eq!(output.dropped.reason(Reason::Rejected).total(), 0);
    assert_eq!(plain.split_terminator('\n').count(), EVENTS, "{plain:?}");
    assert!(plain.ends_with('\n'));
    let bad = plain.chars().find(|char| *char != '\n' && strict::is_unsafe(*char));
    assert_eq!(bad, None, "{plain:?}");
    assert_eq!(without_colours(&coloured), plain);
}

/// Without the sequences that the log itself writes.
fn without_colours(text: &str) -> String {
    const OWN: [&str; 8] = ["0m", "1m", "2m", "1;31m", "33m", "32m", "34m", "35m"];
    let mut pieces = text.split("\u{1b}[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| {
        let own = OWN.iter().find_map(|own| piece.strip_prefix(own));
        text + own.unwrap_or_else(|| panic!("a colour that is not the log's own: {piece:?}"))
    })
}
