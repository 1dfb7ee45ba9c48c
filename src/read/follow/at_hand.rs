//! The file that is read.

use std::path::{Path, PathBuf};

use super::super::segment_lines::SegmentLines;
use super::tail::Tail;

/// The file at hand.
pub(super) enum AtHand {
    Plain(Box<Tail>),
    Packed(PathBuf, Box<SegmentLines>),
    /// It cannot be read, which was reported.
    Refused(PathBuf, Option<(u64, u64)>),
}

impl AtHand {
    pub(super) fn tail(&self) -> Option<&Tail> {
        match self {
            Self::Plain(tail) => Some(tail),
            Self::Packed(..) | Self::Refused(..) => None,
        }
    }

    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        match self {
            Self::Plain(tail) => tail.identity(),
            Self::Packed(..) => None,
            Self::Refused(_, identity) => *identity,
        }
    }

    pub(super) fn line(&self) -> &[u8] {
        match self {
            Self::Plain(tail) => tail.line(),
            Self::Packed(_, lines) => lines.line(),
            Self::Refused(..) => &[],
        }
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Plain(tail) => tail.path(),
            Self::Packed(path, _) | Self::Refused(path, _) => path,
        }
    }
}
