//! What an error suggests instead of a text that it does not know: the nearest of the names that are valid.
//!
//! Two names are near if few characters differ. Each name may have aliases, which people type because another library
//! calls it so.

/// The most bytes of a wrong text that an error repeats.
const MAX_QUOTED_BYTES: usize = 80;

/// Returns `text` as an error repeats it: on one line, shortened, in backquotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut end = text.len().min(MAX_QUOTED_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let cut = if end < text.len() { "…" } else { "" };
    let mut quoted = String::from("`");
    for char in text.get(..end).unwrap_or_default().chars() {
        match char {
            '"' | '\'' => quoted.push(char),
            _ => quoted.extend(char.escape_debug()),
        }
    }
    quoted + cut + "`"
}

/// Returns an error's text about a name that is not among `names`: what was found, the nearest name, all names.
///
/// `what`: what the name stands for, such as `schema`. `aliases`: what people type, and the name for it.
pub(crate) fn unknown<'n>(
    what: &str,
    found: &str,
    names: impl IntoIterator<Item = &'n str> + Clone,
    aliases: &[(&'n str, &'n str)],
) -> String {
    let candidates = names.clone().into_iter().map(|name| (name, name)).chain(aliases.iter().copied());
    let meant = nearest(found.trim(), 2, candidates).map(quoted);
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    format!("unknown {what} {}{}", quoted(found), expected(meant, &format!("one of: {names}")))
}

/// Returns the end of an error's text: what was probably meant, if that is known, and what is expected.
pub(crate) fn expected(meant: Option<String>, expected: &str) -> String {
    match meant {
        Some(meant) => format!("; did you mean {meant}? Expected {expected}"),
        None => format!("; expected {expected}"),
    }
}

/// Returns what stands beside the nearest of `candidates`, if at most `slips` separate it from `found`. Upper and lower
/// case are equal.
pub(crate) fn nearest<'n>(
    found: &str,
    slips: usize,
    candidates: impl Iterator<Item = (&'n str, &'n str)>,
) -> Option<&'n str> {
    let found = found.to_lowercase();
    let near = candidates.filter_map(|(spelled, meant)| Some((distance(&found, spelled, slips)?, meant)));
    near.min_by_key(|(distance, _)| *distance).map(|(_, meant)| meant)
}

/// The most bytes of one character in UTF-8.
const MAX_CHAR_BYTES: usize = 4;

/// Returns how many characters were inserted, removed, replaced or swapped between two words; `None` if more than `slips`,
/// or more than one in three.
fn distance(found: &str, name: &str, slips: usize) -> Option<usize> {
    if found.len().abs_diff(name.len()) > slips * MAX_CHAR_BYTES {
        return None;
    }
    let (found, name): (Vec<char>, Vec<char>) = (found.chars().collect(), name.to_lowercase().chars().collect());
    let allowed = slips.min(name.len() / 3);
    // Optimal string alignment: the last three rows of the table.
    let mut before = vec![0; name.len() + 1];
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (i, a) in found.iter().enumerate() {
        let mut next = vec![i + 1; name.len() + 1];
        for (j, b) in name.iter().enumerate() {
            let replaced = row.get(j)? + usize::from(a != b);
            let mut least = replaced.min(row.get(j + 1)? + 1).min(next.get(j)? + 1);
            if i > 0 && j > 0 && found.get(i - 1) == Some(b) && name.get(j - 1) == Some(a) {
                least = least.min(before.get(j - 1)? + 1);
            }
            *next.get_mut(j + 1)? = least;
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().filter(|distance| *distance <= allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let near = [("wran", "warn"), ("inof", "info"), ("EROR", "error"), ("dbug", "debug"), ("critcal", "critical")];
        for (found, name) in near {
            assert_eq!(nearest(found, 2, [(name, name)].into_iter()), Some(name), "{found}");
        }
        for (found, name) in [("orders", "error"), ("hyper", "error"), ("web", "warn"), ("", "off"), ("of_x", "off")] {
            assert_eq!(nearest(found, 2, [(name, name)].into_iter()), None, "{found}");
        }
        let all = [("info", "info"), ("information", "info"), ("warn", "warn")];
        assert_eq!(nearest("informtion", 2, all.into_iter()), Some("info"));
    }

    #[test]
    fn the_text_says_what_was_found_the_nearest_name_and_all_names() {
        let text = |found| unknown("schema", found, ["flat", "ecs"], &[("json", "flat")]);
        assert_eq!(text("esc"), "unknown schema `esc`; did you mean `ecs`? Expected one of: flat, ecs");
        assert_eq!(text("jsn"), "unknown schema `jsn`; did you mean `flat`? Expected one of: flat, ecs");
        assert_eq!(text("x\ny"), "unknown schema `x\\ny`; expected one of: flat, ecs");
        assert!(text(&"é".repeat(1000)).len() < 200);
    }
}
