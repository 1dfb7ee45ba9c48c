//! Copies of a file that was truncated after it was copied, as logrotate does with `copytruncate`.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::super::open::{identity, open};
use super::tail::Tail;

/// Returns the same place in a copy of the truncated file; `None` if there is no copy that reaches that place.
pub(super) fn find(truncated: &mut Tail) -> Option<Tail> {
    let directory = truncated.path().parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let name = truncated.path().file_name().and_then(OsStr::to_str)?.to_owned();
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned();
    let mut newest: Option<(Option<SystemTime>, PathBuf, File, Metadata)> = None;
    for entry in fs::read_dir(directory).ok()?.flatten() {
        let is_near = entry.file_name().to_str().is_some_and(|other| other != name && other.starts_with(&stem));
        if !is_near {
            continue;
        }
        let path = entry.path();
        let Ok(file) = open(&path) else { continue };
        let Ok(metadata) = file.metadata() else { continue };
        let is_other = identity(&metadata) != truncated.identity();
        let written_at = metadata.modified().ok();
        let is_newer = newest.as_ref().is_none_or(|(time, ..)| written_at > *time);
        if is_other && is_newer && truncated.is_copied_in(&file) {
            newest = Some((written_at, path, file, metadata));
        }
    }
    let (_, path, file, metadata) = newest?;
    Some(truncated.in_copy(&path, Arc::new(file), &metadata))
}
