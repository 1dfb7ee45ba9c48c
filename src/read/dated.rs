//! The files of a log with a date in its path, one for each period.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::log::Log;
use super::open::failed;
use super::segment::Segment;
use crate::error::Error;
use crate::rotation::{Found, Label, PathPattern, SegmentNames};

/// Lists the segments of all periods in the order they were written. The last file is the active one.
pub(super) fn segments(pattern: &PathPattern) -> Result<Vec<Segment>, Error> {
    let mut periods = BTreeMap::new();
    let base = match pattern.base() {
        base if base == Path::new("") => Path::new("."),
        base => base,
    };
    visit(base, pattern, 0, &Found::default(), &mut periods).map_err(failed("list", base))?;
    let last = periods.last_key_value().map(|(label, _)| *label);
    let mut all = Vec::new();
    for (label, path) in periods {
        let mut segments = Log::of_file(path).segments()?;
        if Some(label) != last
            && let Some(whole) = segments.last_mut().filter(|segment| segment.is_active())
        {
            whole.end(label);
        }
        all.append(&mut segments);
    }
    Ok(all)
}

fn visit(
    directory: &Path,
    pattern: &PathPattern,
    depth: usize,
    known: &Found,
    periods: &mut BTreeMap<Label, PathBuf>,
) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if depth + 1 < pattern.depth() {
            if let Some(known) = pattern.enter(depth, name, known)
                && entry.file_type().is_ok_and(|kind| kind.is_dir())
            {
                visit(&entry.path(), pattern, depth + 1, &known, periods)?;
            }
            continue;
        }
        // The file of a period may be gone while segments of it are left.
        let active = SegmentNames::of_segment(name).map_or(name.to_owned(), |(names, ..)| names.active().to_owned());
        let label = pattern.enter(depth, &active, known).and_then(|known| PathPattern::label(&known));
        if let Some(label) = label.filter(|_| entry.file_type().is_ok_and(|kind| kind.is_file())) {
            periods.insert(label, directory.join(&active));
        }
    }
    Ok(())
}
