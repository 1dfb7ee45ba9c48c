//! How wide texts are on a terminal, and where they are folded.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A room that is narrower than this is left for the next line.
const MIN_ROOM: usize = 16;

/// Returns how many columns a text takes that has no controls.
pub(super) fn width(text: &[u8]) -> usize {
    if text.is_ascii() { text.len() } else { str::from_utf8(text).map_or(text.len(), UnicodeWidthStr::width) }
}

/// Folds the text at the end of `out`, from `start` on. `column`: where it begins; `indent`: where its other lines begin;
/// `limit`: how wide the terminal is. Returns where it ends.
pub(super) fn fold(out: &mut Vec<u8>, start: usize, column: usize, indent: usize, limit: usize) -> usize {
    let taken = width(out.get(start..).unwrap_or_default());
    if column + taken <= limit {
        return column + taken;
    }
    let text = String::from_utf8_lossy(&out.split_off(start.min(out.len()))).into_owned();
    let (mut rest, mut column) = (text.as_str(), column);
    if column > indent && limit.saturating_sub(column) < MIN_ROOM {
        column = begin_line(out, indent);
    }
    loop {
        let (end, taken) = first_line(rest, limit.saturating_sub(column).max(1));
        let (line, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if behind.is_empty() {
            out.extend_from_slice(line.as_bytes());
            return column + taken;
        }
        out.extend_from_slice(line.trim_end().as_bytes());
        column = begin_line(out, indent);
        rest = behind;
    }
}

/// Begins another line; removes the space at the end of this one.
pub(super) fn begin_line(out: &mut Vec<u8>, indent: usize) -> usize {
    while out.pop_if(|last| *last == b' ').is_some() {}
    out.push(b'\n');
    put_spaces(out, indent);
    indent
}

pub(super) fn put_spaces(out: &mut Vec<u8>, count: usize) {
    out.extend(std::iter::repeat_n(b' ', count));
}

/// Returns where the first line of a text ends, and how wide it is. It ends behind a space, if one is in its second half.
fn first_line(text: &str, room: usize) -> (usize, usize) {
    let mut taken = 0;
    let mut space = (0, 0);
    for (at, char) in text.char_indices() {
        let wider = taken + char.width().unwrap_or(0);
        if wider > room && char == ' ' {
            return (at + 1, taken);
        }
        if wider > room && at > 0 {
            return if space.1 * 2 > room { space } else { (at, taken) };
        }
        taken = wider;
        if char == ' ' {
            space = (at + 1, taken);
        }
    }
    (text.len(), taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str, column: usize, indent: usize, limit: usize) -> (String, usize) {
        let mut out = b"> ".to_vec();
        out.extend_from_slice(text.as_bytes());
        let end = fold(&mut out, 2, column, indent, limit);
        (String::from_utf8(out).unwrap(), end)
    }

    #[test]
    fn texts_are_folded_behind_spaces_and_else_anywhere() {
        assert_eq!(folded("one two three", 2, 4, 40), ("> one two three".to_owned(), 15));
        assert_eq!(
            folded("one two three four five six", 2, 4, 20),
            ("> one two three four\n    five six".to_owned(), 12)
        );
        let digits = "0123456789".repeat(4);
        let expected = format!("> {}\n    {}\n    {}", &digits[..18], &digits[18..34], &digits[34..]);
        assert_eq!(folded(&digits, 2, 4, 20), (expected, 10));
        // Wide characters are never cut, and something is on each line.
        assert_eq!(folded("日志日志", 0, 0, 5).0, "> 日志\n日志");
        assert_eq!(folded("日志", 0, 0, 1).0, "> 日\n志");
        assert_eq!(folded("far behind", 18, 4, 20).0, ">\n    far behind");
    }
}
