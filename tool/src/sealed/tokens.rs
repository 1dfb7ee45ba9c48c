//! Texts that are no secrets, given themselves or in a file.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use crate::escape::escaped;

/// Returns the texts that begin with `prefix`, each once: the one that was given, or those in the file that was. `-` stands for
/// stdin.
pub(crate) fn texts(given: &str, prefix: &str) -> Result<Vec<String>, String> {
    if given.starts_with(prefix) {
        return Ok(vec![given.to_owned()]);
    }
    let path = Path::new(given);
    let found = match given {
        "-" => find(io::stdin().lock(), prefix),
        _ => File::open(path).and_then(|file| find(BufReader::new(file), prefix)),
    };
    let found = found.map_err(|error| format!("read {}: {error}", escaped(path)))?;
    if found.is_empty() {
        return Err(format!("read {}: expected a text that begins with `{prefix}`, found none", escaped(path)));
    }
    Ok(found)
}

fn find(mut source: impl BufRead, prefix: &str) -> io::Result<Vec<String>> {
    let is_part = |char: char| char.is_ascii_alphanumeric() || [':', '-', '_'].contains(&char);
    let mut found: Vec<String> = Vec::new();
    let mut line = Vec::new();
    while source.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        for (start, _) in text.match_indices(prefix) {
            let token: String = text.split_at(start).1.chars().take_while(|char| is_part(*char)).collect();
            if !found.contains(&token) {
                found.push(token);
            }
        }
        line.clear();
    }
    Ok(found)
}
