//! The password of ClickHouse's user. No message has it.

use std::env;
use std::fs;
use std::path::Path;

use crate::escape::escaped;

/// The variable that has it, unless a file is named.
const VARIABLE: &str = "CLICKHOUSE_PASSWORD";

/// Reads the password: that of a file, else that of `CLICKHOUSE_PASSWORD`.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn password(file: Option<&Path>) -> Result<Option<String>, String> {
    let Some(path) = file else { return Ok(env::var(VARIABLE).ok()) };
    let text = fs::read_to_string(path).map_err(|error| format!("read the password in {}: {error}", escaped(path)))?;
    Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
}
