//! What a mistyped word may have meant.

/// Returns the error's text about a word that is not among `names`.
pub(crate) fn unknown(what: &str, word: &str, names: &[&str]) -> String {
    let near = names.iter().map(|name| (distance(word, name), *name)).min().filter(|(far, _)| *far <= 2);
    let hint = near.map_or("; ".to_owned(), |(_, name)| format!("; did you mean `{name}`? "));
    format!("unknown {what} `{}`{hint}expected one of: {}", shown(word), names.join(", "))
}

/// Returns a word as an error repeats it.
fn shown(word: &str) -> String {
    word.chars().take(40).flat_map(char::escape_debug).collect()
}

/// Counts the characters by which two words differ. Long words differ much.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().take(40).collect(), other.chars().take(40).collect());
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, char) in one.iter().enumerate() {
        let mut last = at;
        let mut next = vec![at + 1];
        for (column, (old, of)) in row.iter().skip(1).zip(&other).enumerate() {
            let left = next.get(column).copied().unwrap_or_default();
            next.push((left + 1).min(old + 1).min(last + usize::from(char != of)));
            last = *old;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_word_gets_the_nearest_name() {
        let names = ["files", "console", "sqlite"];
        assert_eq!(
            unknown("output", "consol", &names),
            "unknown output `consol`; did you mean `console`? expected one of: files, console, sqlite"
        );
        assert_eq!(
            unknown("output", "kafka", &names),
            "unknown output `kafka`; expected one of: files, console, sqlite"
        );
        assert_eq!((distance("abc", "abc"), distance("", "ab"), distance("kitten", "sitting")), (0, 2, 3));
    }
}
