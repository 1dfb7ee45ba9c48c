//! The logs that the paths on a command line lead to.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use glob::MatchOptions;
use spanline::read::{self, Log};

use crate::escape::{escaped, escaped_text};
use crate::report::Report;

/// Matches as a shell does.
const AS_SHELL: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Returns the log at `path`, or the logs in the directory there.
pub(crate) fn logs_at(path: &Path, report: &mut Report) -> Vec<Log> {
    if !path.is_dir() {
        return report.check(Log::open(path)).into_iter().collect();
    }
    let logs = report.check(read::logs(path));
    if logs.as_ref().is_some_and(Vec::is_empty) {
        let advice = "pass the path of a log whose name does not end in .log";
        report.failure(&format!("list {}: found no log in this directory; {advice}", escaped(path)));
    }
    logs.unwrap_or_default()
}

/// Returns the paths, with what matches it instead of each pattern, such as `logs/*.log`. A pattern without a match is
/// reported.
pub(crate) fn expanded<'p>(paths: &'p [PathBuf], report: &mut Report) -> Vec<Cow<'p, Path>> {
    let mut all = Vec::with_capacity(paths.len());
    for path in paths {
        match pattern(path) {
            Some(pattern) => all.extend(matches(pattern, report).into_iter().map(Cow::Owned)),
            None => all.push(Cow::Borrowed(path.as_path())),
        }
    }
    all
}

/// Returns a path as a pattern; `None` if it is the path of a file.
fn pattern(path: &Path) -> Option<&str> {
    let text = path.to_str().filter(|text| text.contains(['*', '?', '[']))?;
    fs::symlink_metadata(path).is_err().then_some(text)
}

/// Returns what matches a pattern, sorted by name.
fn matches(pattern: &str, report: &mut Report) -> Vec<PathBuf> {
    let shown = escaped_text(pattern);
    let found = match glob::glob_with(pattern, AS_SHELL) {
        Ok(found) => found,
        Err(error) => {
            let why = format!("expected a pattern such as logs/*.log; {} at its byte {}", error.msg, error.pos + 1);
            report.failure(&format!("open {shown}: {why}"));
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    let mut has_failed = false;
    for path in found {
        match path {
            Ok(path) => paths.push(path),
            Err(error) => {
                has_failed = true;
                report.failure(&format!("list {}: {}", escaped(error.path()), error.error()));
            }
        }
    }
    if paths.is_empty() && !has_failed {
        report.failure(&format!("open {shown}: found no file that matches this pattern"));
    }
    paths
}
