//! Removes terminal sequences from texts: colours, movements of the cursor, titles, links.
//!
//! A sequence begins with ESC or with a C1 control, which is ESC and a letter in one character. What remains is what a
//! terminal would show. A string, such as a title, that has no end or holds a control character hides nothing: only its
//! beginning is removed.
//!
//! The time is linear: a sequence ends at the next ESC or C1 control at the latest, and no byte is read more than twice.
//!
//! Source: ECMA-48, sections 5.3 to 5.6; xterm's BEL as the end of an OSC.

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;

/// What C1 controls begin with in UTF-8. The second byte is that of the control.
const C1: u8 = 0xc2;

/// Returns whether a text has a terminal sequence.
#[inline]
pub(crate) fn has_sequence(text: &[u8]) -> bool {
    // Nearly no text has these bytes, and the compiler turns this search into vector instructions.
    text.iter().fold(false, |found, byte| found | (*byte == ESC) | (*byte == C1)) && next_sequence(text).is_some()
}

/// Writes a text without its terminal sequences to `out`, in place of what is there.
pub(crate) fn strip(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = text;
    while let Some(at) = next_sequence(rest) {
        let (plain, sequence) = rest.split_at(at);
        out.extend_from_slice(plain);
        rest = behind_sequence(sequence);
    }
    out.extend_from_slice(rest);
}

/// Returns where the next sequence begins.
fn next_sequence(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.iter().position(|byte| matches!(*byte, ESC | C1))?;
        if matches!(text.get(at..)?, [ESC, ..] | [C1, 0x90 | 0x98 | 0x9b..=0x9f, ..]) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Returns what is behind the sequence with which a text begins.
fn behind_sequence(text: &[u8]) -> &[u8] {
    let (control, rest) = match text {
        [ESC, control @ 0x40..=0x5f, rest @ ..] => (*control, rest),
        [C1, control @ 0x80..=0x9f, rest @ ..] => (*control - 0x40, rest),
        [_, rest @ ..] => return behind(behind_all(rest, 0x20..=0x2f), 0x30..=0x7e),
        [] => return text,
    };
    match control {
        b'[' => behind(behind_all(behind_all(rest, 0x30..=0x3f), 0x20..=0x2f), 0x40..=0x7e),
        b'P' | b'X' | b']' | b'^' | b'_' => behind_string(rest, control == b']').unwrap_or(rest),
        _ => rest,
    }
}

type Bytes = std::ops::RangeInclusive<u8>;

fn behind_all(text: &[u8], bytes: Bytes) -> &[u8] {
    let end = text.iter().position(|byte| !bytes.contains(byte)).unwrap_or(text.len());
    text.get(end..).unwrap_or_default()
}

fn behind(text: &[u8], byte: Bytes) -> &[u8] {
    text.split_first().filter(|(first, _)| byte.contains(first)).map_or(text, |(_, rest)| rest)
}

/// Returns what is behind a control string; `None` if it has no end or holds a control character.
fn behind_string(text: &[u8], ends_at_bel: bool) -> Option<&[u8]> {
    let mut rest = text;
    loop {
        let at = rest.iter().position(|byte| matches!(*byte, ..0x20 | C1))?;
        rest = match rest.get(at..)? {
            [ESC, b'\\', rest @ ..] | [C1, 0x9c, rest @ ..] => return Some(rest),
            [BEL, rest @ ..] if ends_at_bel => return Some(rest),
            [C1, byte, rest @ ..] if *byte >= 0xa0 => rest,
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{has_sequence, strip};

    fn stripped(text: &str) -> String {
        let mut out = b"before".to_vec();
        strip(text.as_bytes(), &mut out);
        assert_eq!(has_sequence(text.as_bytes()), out != text.as_bytes());
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn sequences_are_removed_and_the_rest_stays() {
        for (text, shown) in [
            ("", ""),
            ("no sequence, é, §, \u{85}, [31m", "no sequence, é, §, \u{85}, [31m"),
            ("\x1b[1;31mred\x1b[0m and \x1b[38;2;1;2;3mmore\x1b[m", "red and more"),
            ("\x1b[?25l\x1b[2J\x1b[10;20Hhome\x1b[!p", "home"),
            ("\u{9b}31mred\u{9b}0m", "red"),
            ("\x1b]0;title\x07shown", "shown"),
            ("\x1b]8;;https://example.org/a\x1b\\link\x1b]8;;\x1b\\ end", "link end"),
            ("\u{9d}0;Grüße § \u{9c}shown", "shown"),
            ("\x1bPq#0;2;0~\x1b\\image\x1b_app\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\", "image"),
            ("\x1b(B\x1b#8\x1b7\x1b8\x1b=\x1bctext", "text"),
            ("\x1b\x1b[31mé", "é"),
            ("lone \x1b", "lone "),
            ("\x1bé \x1b\n", "é \n"),
            ("\u{9c}\x1b\\end", "end"),
        ] {
            assert_eq!(stripped(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_sequence_without_an_end_hides_nothing_behind_it() {
        for (text, shown) in [
            ("\x1b[31", ""),
            ("\x1b[31\nnext line", "\nnext line"),
            ("\x1b[12é", "é"),
            ("\x1b]0;title", "0;title"),
            ("\x1b]0;title\nnext line\x07", "0;title\nnext line\x07"),
            ("\x1b]0;title\x1b[31mred", "0;titlered"),
            ("\x1bPdata\x07more", "data\x07more"),
            ("\u{9d}a\u{9d}b\u{9d}c", "abc"),
            ("\x1b]a\x1b]b\x1b\\c", "ac"),
        ] {
            assert_eq!(stripped(text), shown, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_sequence_remains_in_any_text(
            parts in proptest::collection::vec(
                prop_oneof![any::<String>(), "[\u{1b}\u{7}\u{90}-\u{9f}\u{a0}\\[\\]P\\\\0-9;m ]{0,12}"], 0..8),
        ) {
            let text = parts.concat();
            let shown = stripped(&text);
            prop_assert!(!has_sequence(shown.as_bytes()), "{shown:?}");
            prop_assert_eq!(stripped(&shown), shown);
        }

        #[test]
        fn a_text_without_controls_stays(text in "[^\u{1b}\u{80}-\u{9f}]*") {
            prop_assert_eq!(stripped(&text), text);
        }
    }
}
