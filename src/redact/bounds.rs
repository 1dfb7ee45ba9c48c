//! Where a piece of a text ends: a run of bytes, a string, a bracket.
//!
//! All that looks along a text does it here, so that it can be counted how far.

/// Where the run of bytes that are `of` a kind ends.
#[inline]
pub(super) fn run(text: &[u8], from: usize, of: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let length = rest.iter().position(|byte| !of(*byte)).unwrap_or(rest.len());
    #[cfg(test)]
    STEPS.set(STEPS.get() + length + 1);
    from + length
}

/// Where the run of such bytes begins that ends with the text.
#[inline]
pub(super) fn run_back(text: &[u8], of: impl Fn(u8) -> bool) -> usize {
    let start = text.iter().rposition(|byte| !of(*byte)).map_or(0, |at| at + 1);
    #[cfg(test)]
    STEPS.set(STEPS.get() + text.len() - start + 1);
    start
}

#[cfg(test)]
thread_local! {
    /// Bytes looked at, for the proof that they are no more than some times those of the text.
    pub(super) static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// What is at `at`; a space beyond the text.
#[inline]
pub(super) fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(b' ')
}

#[inline]
pub(super) fn starts(text: &[u8], at: usize, with: &[u8]) -> bool {
    text.get(at..).is_some_and(|rest| rest.starts_with(with))
}

pub(super) fn backslashes_at_end(text: &[u8]) -> usize {
    text.len() - run_back(text, |byte| byte == b'\\')
}

/// Where a string's content ends that began behind a quote with so many backslashes before it: at the quote that
/// closes it or the text around it, else with the text. Inside of it, each quote has more of them.
pub(super) fn string_end(text: &[u8], from: usize, quote: u8, backslashes: usize) -> usize {
    let mut at = from;
    loop {
        let end = run(text, at, |byte| byte != quote);
        if end >= text.len() {
            return text.len();
        }
        let before = text.get(at..end).unwrap_or_default();
        let run = backslashes_at_end(before);
        if run < backslashes {
            return end - run;
        }
        if run % (2 * (backslashes + 1)) == backslashes {
            return end - backslashes;
        }
        at = end + 1;
    }
}

/// Where a bracket closes again, behind it: strings inside are passed over.
pub(super) fn group_end(text: &[u8], open: usize) -> usize {
    let opening = byte(text, open);
    let closing = match opening {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    };
    let (mut depth, mut at) = (0usize, open);
    while at < text.len() {
        let step = match byte(text, at) {
            one if one == opening => {
                depth += 1;
                1
            }
            one if one == closing => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
                1
            }
            b'"' => {
                let backslashes = backslashes_at_end(text.get(open..at).unwrap_or_default());
                string_end(text, at + 1, b'"', backslashes) + backslashes + 1 - at
            }
            // A character, which may be a bracket.
            b'\'' if byte(text, at + 2) == b'\'' => 3,
            b'\'' if byte(text, at + 1) == b'\\' && byte(text, at + 3) == b'\'' => 4,
            _ => {
                let of = |byte: u8| byte != opening && byte != closing && !matches!(byte, b'"' | b'\'');
                run(text, at + 1, of) - at
            }
        };
        at += step;
    }
    text.len()
}
