//! Numbers of things.

/// Returns a number and the word for what is counted, such as `1 line`.
pub(crate) fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", plural(count, one, several))
}

/// Returns the word for this number of things.
pub(crate) fn plural<'w>(count: u64, one: &'w str, several: &'w str) -> &'w str {
    if count == 1 { one } else { several }
}
