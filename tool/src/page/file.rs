//! The file of a page.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::escape::escaped;
use crate::report::Report;

/// Returns whether a page is not written to a path, which it reports.
pub(crate) fn is_refused(path: &Path, force: bool, report: &mut Report) -> bool {
    let why = refusal(path, force);
    if let Some(why) = why {
        report.failure(&format!("write {}: {why}", escaped(path)));
    }
    why.is_some()
}

/// Writes a page, and reports a failure.
pub(crate) fn write_page(path: &Path, bytes: &[u8], force: bool, report: &mut Report) {
    if let Err(error) = write(path, bytes, force) {
        report.failure(&format!("write {}: {error}", escaped(path)));
    }
}

/// Returns why a page is not written to a path: what is there would be lost, or is no file.
fn refusal(path: &Path, force: bool) -> Option<&'static str> {
    let there = fs::symlink_metadata(path).ok().filter(|_| path != Path::new("-"))?;
    if !there.is_file() {
        return Some("expected a new file or a regular one, found something else; `-` is stdout");
    }
    (!force).then_some("the file exists; pass --force to replace it")
}

/// Writes a new file. With `force`, it takes the place of the one that is there, all at once.
fn write(path: &Path, bytes: &[u8], force: bool) -> io::Result<()> {
    if !force {
        return File::create_new(path)?.write_all(bytes);
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let mut file = File::create_new(&new)?;
    let written = file.write_all(bytes).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // What could not be written is of no use.
        let _ = fs::remove_file(&new);
    }
    written
}
