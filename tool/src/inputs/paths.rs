//! The logs that paths lead to.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use spanline::read::{self, Lines};

use super::source::Source;
use crate::log_paths::{expanded, logs_at};
use crate::once::Once;
use crate::report::Report;
use crate::scan::{Input, Stream};
use crate::sealed::{Key, is_sealed, warn_of_plain, with_key};

/// Returns the logs at the paths, those in directories there, and stdin for `-`. Without a path: stdin if something is
/// passed to it, else the logs of the working directory. `key` opens those that are sealed. What cannot be listed is reported.
pub(crate) fn sources(paths: &[PathBuf], key: Option<&Key>, report: &mut Report) -> Vec<Source> {
    let (has_stdin, logs) = listed(paths, key, report);
    // Once, however often it is named: a second lock of it would wait for the first.
    let stdin = has_stdin.then(|| Source::stdin(key));
    let log = |segments| Source::log(with_key(Lines::new(segments), key));
    stdin.into_iter().chain(logs.into_iter().map(log)).collect()
}

/// Returns the same as inputs of a pass over all lines: stdin, and each segment.
pub(crate) fn inputs(paths: &[PathBuf], key: Option<&Key>, report: &mut Report) -> Vec<Input> {
    let (has_stdin, logs) = listed(paths, key, report);
    let stdin = has_stdin.then(|| Input::Stdin(Stream::new(io::stdin()), key.cloned()));
    let input = |segment| match key.filter(|_| is_sealed(&segment)) {
        Some(key) => Input::Sealed(segment, key.clone()),
        None => Input::Segment(segment),
    };
    stdin.into_iter().chain(logs.into_iter().flatten().map(input)).collect()
}

/// Returns the same as inputs of a search, for each log, if all are files that need no key. What cannot be listed is reported
/// once: where this returns `None`, it reports nothing.
pub(crate) fn searchable(paths: &[PathBuf], report: &mut Report) -> Option<Vec<Vec<Input>>> {
    if reads_stdin(paths) {
        return None;
    }
    let (_, logs) = listed(paths, None, report);
    Some(logs.into_iter().map(|segments| segments.into_iter().map(Input::Segment).collect()).collect())
}

/// Returns the segments of the logs at the paths. What cannot be listed is reported.
pub(crate) fn segments(paths: &[PathBuf], report: &mut Report) -> Vec<read::Segment> {
    let (_, logs) = listed(paths, None, report);
    logs.into_iter().flatten().collect()
}

/// A log and those of its segments that are read.
#[cfg(feature = "clickhouse")]
#[derive(Debug)]
pub(crate) struct LogSegments {
    /// The path of its active file.
    pub(crate) path: PathBuf,
    pub(crate) segments: Vec<read::Segment>,
}

/// Returns whether stdin is meant, and the segments of each log, with the path of its active file.
#[cfg(feature = "clickhouse")]
pub(crate) fn logs(paths: &[PathBuf], report: &mut Report) -> (bool, Vec<LogSegments>) {
    let (has_stdin, logs) = named(paths, None, report);
    (has_stdin, logs.into_iter().map(|(path, segments)| LogSegments { path, segments }).collect())
}

/// Returns whether stdin is meant, and the segments of each log.
fn listed(paths: &[PathBuf], key: Option<&Key>, report: &mut Report) -> (bool, Vec<Vec<read::Segment>>) {
    let (has_stdin, logs) = named(paths, key, report);
    (has_stdin, logs.into_iter().map(|(_, segments)| segments).collect())
}

/// Returns whether stdin is meant, and the segments of each log behind the path of its active file.
fn named(paths: &[PathBuf], key: Option<&Key>, report: &mut Report) -> (bool, Vec<(PathBuf, Vec<read::Segment>)>) {
    let paths = or_default(paths.to_vec());
    let mut has_stdin = false;
    let mut logs: Vec<(PathBuf, Vec<read::Segment>)> = Vec::new();
    let mut once = Once::default();
    for path in expanded(&paths, report) {
        if path == Path::new("-") {
            has_stdin = true;
            continue;
        }
        for log in logs_at(&path, report) {
            let mut segments = report.check(log.segments()).unwrap_or_default();
            segments.retain(|segment| once.is_first(segment));
            let active = log.active_path();
            // `logs/*` names all files of a log.
            match logs.iter_mut().find(|(known, _)| *known == active) {
                Some((_, known)) => known.append(&mut segments),
                None => logs.push((active, segments)),
            }
        }
    }
    logs.iter().for_each(|(_, segments)| key.into_iter().for_each(|_| warn_of_plain(segments, report)));
    logs.retain(|(_, segments)| !segments.is_empty());
    (has_stdin, logs)
}

/// Returns the paths that [`sources`] reads if it is given these.
pub(crate) fn or_default(paths: Vec<PathBuf>) -> Vec<PathBuf> {
    if paths.is_empty() { vec![PathBuf::from(if is_passed() { "-" } else { "." })] } else { paths }
}

/// Returns whether [`sources`] reads stdin.
pub(crate) fn reads_stdin(paths: &[PathBuf]) -> bool {
    if paths.is_empty() { is_passed() } else { paths.iter().any(|path| path == Path::new("-")) }
}

/// Returns whether stdin is a pipe, a socket or a file.
#[cfg(unix)]
pub(crate) fn is_passed() -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileTypeExt;

    let stdin = io::stdin();
    let kind = stdin.as_fd().try_clone_to_owned().and_then(|stdin| std::fs::File::from(stdin).metadata());
    let is_input = |kind: std::fs::FileType| kind.is_fifo() || kind.is_socket() || kind.is_file();
    !stdin.is_terminal() && kind.is_ok_and(|metadata| is_input(metadata.file_type()))
}

/// Returns whether stdin is no terminal.
#[cfg(not(unix))]
pub(crate) fn is_passed() -> bool {
    !io::stdin().is_terminal()
}
