//! Each segment once, however many paths lead to it.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use spanline::read::{Compression, Segment};

/// The segments met so far.
///
/// `logs/*` names the closed segments of a log, and also its active file, which stands for all of them.
#[derive(Default)]
pub(crate) struct Once(HashSet<PathBuf>);

impl Once {
    /// Returns whether the segment is met for the first time.
    pub(crate) fn is_first(&mut self, segment: &Segment) -> bool {
        self.0.insert(identity(segment))
    }
}

/// Returns the same path for a segment before and after its compression, from any working directory.
fn identity(segment: &Segment) -> PathBuf {
    let path = segment.path();
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if segment.period().is_some() && segment.compression() != Compression::Plain {
        path.with_extension("")
    } else {
        path
    }
}
