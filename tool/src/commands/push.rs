//! `spanline config push`: another configuration in running processes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::control::{Reply, Select, ask_all, config_request, finish};
use crate::escape::escaped;
use crate::report::Report;

/// The largest file that a process takes.
const MAX_BYTES: u64 = 1 << 20;

pub(super) fn run(
    file: &Path,
    reason: Option<&str>,
    select: &Select,
    output: &mut impl Write,
    report: &mut Report,
) -> io::Result<()> {
    let text = match read(file) {
        Ok(text) => text,
        Err(error) => {
            report.failure(&format!("read {}: {error}", escaped(file)));
            return Ok(());
        }
    };
    let processes = select.processes(report);
    if processes.is_empty() {
        return Ok(());
    }
    let is_json = file.extension().is_some_and(|extension| extension == "json");
    let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let request = |applies| config_request(&name, &text, reason, is_json, applies);
    let checked = ask_all(&processes, &request(false));
    if checked.iter().any(|(_, reply)| !matches!(reply, Reply::Done(_))) {
        // Those that would accept it have not changed, either.
        return finish(&checked, "not applied: another process does not accept it", select.json, output, report);
    }
    finish(&ask_all(&processes, &request(true)), "applied", select.json, output, report)
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}
