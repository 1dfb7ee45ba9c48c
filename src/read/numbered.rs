//! The segments called `.1`, `.2` and so on.
//!
//! A rotation gives them other names, so each is opened when it is listed.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::open::{is_same, open};
use super::segment::{Segment, Stored};
use crate::rotation::{Compression, Segment as Position, SegmentNames};

/// One file of a numbered segment.
#[derive(Debug)]
pub(super) struct Numbered {
    place: (Position, Compression),
    path: PathBuf,
    metadata: Metadata,
    /// `None` if it could not be opened: reading it reports why.
    file: Option<Arc<File>>,
}

impl Numbered {
    pub(super) fn into_segment(self) -> Segment {
        Segment::numbered(self.path, self.place, self.file, Stored::of(&self.metadata))
    }

    pub(super) fn stored(&self) -> Stored {
        Stored::of(&self.metadata)
    }
}

/// Returns the numbered segments in `directory`, oldest first, each in one form: the plain one while both are there.
pub(super) fn collect(directory: &Path, names: &SegmentNames) -> io::Result<Vec<Numbered>> {
    let names = names.numbered();
    let mut found = Vec::new();
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(place) = name.to_str().and_then(|name| names.parse(name)) else { continue };
        let path = directory.join(&name);
        let inspected = match open(&path) {
            Ok(file) => file.metadata().map(|metadata| (metadata, Some(Arc::new(file)))),
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(_) => fs::symlink_metadata(&path).map(|metadata| (metadata, None)),
        };
        match inspected {
            Ok((metadata, file)) if metadata.is_file() => found.push(Numbered { place, path, metadata, file }),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    found.sort_by_key(|file| file.place);
    found.dedup_by_key(|file| file.place.0);
    Ok(found)
}

/// Returns whether two passes found the same files at the same numbers: no rotation came between.
pub(super) fn are_same(one: &[Numbered], other: &[Numbered]) -> bool {
    let is_equal =
        |(one, other): (&Numbered, &Numbered)| one.place == other.place && is_same(&one.metadata, &other.metadata);
    one.len() == other.len() && one.iter().zip(other).all(is_equal)
}
