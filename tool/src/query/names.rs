//! Names of fields outside an expression: in lists, and in templates.

use super::mistake::Mistake;
use super::tokens::{is_word, quoted};
use crate::entry::Path;

/// Reads names with commas between them.
pub(crate) fn names(text: &str) -> Result<Vec<String>, Mistake> {
    let mut names = Vec::new();
    let (mut rest, mut column) = (text, 1);
    loop {
        let (name, behind, end) = name(rest, column)?;
        names.push(name);
        (rest, column) = (behind, end);
        match rest.chars().next() {
            None => return Ok(names),
            Some(',') => (rest, column) = (rest.get(1..).unwrap_or_default(), column + 1),
            Some(other) => {
                return Err(Mistake::new(column, format!("expected a comma or the end, found {other:?}")));
            }
        }
    }
}

/// Reads the name at the beginning of `rest`, with the space around it. Returns also what is behind it, and the column there.
pub(crate) fn name(rest: &str, column: usize) -> Result<(String, &str, usize), Mistake> {
    let trimmed = rest.trim_start();
    let start = column + rest.chars().count() - trimmed.chars().count();
    let (name, bytes) = match trimmed.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(trimmed, quote).map_err(|text| Mistake::new(start, text))?,
        Some(first) if is_word(first) => {
            // A colon separates a name from what follows it in a template.
            let end = trimmed.find(|char| !is_word(char) || char == ':').unwrap_or(trimmed.len());
            (trimmed.get(..end).unwrap_or_default().to_owned(), end)
        }
        other => {
            let found = other.map_or("the end".to_owned(), |other| format!("{other:?}"));
            let text = format!("expected the name of a field, found {found}; put unusual names in quotes");
            return Err(Mistake::new(start, text));
        }
    };
    if name.split('.').count() > Path::MAX_PARTS {
        return Err(Mistake::new(start, format!("expected a name of at most {} parts", Path::MAX_PARTS)));
    }
    let (read, behind) = trimmed.split_at_checked(bytes).unwrap_or((trimmed, ""));
    let space = behind.len() - behind.trim_start().len();
    Ok((name, behind.trim_start(), start + read.chars().count() + space))
}
