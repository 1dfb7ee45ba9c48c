//! The file that is read.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::segment_lines::SegmentLines;
use super::tail::Tail;

/// The file at hand.
pub(super) enum AtHand {
    Plain(Box<Tail>),
    Packed(PathBuf, Box<SegmentLines>),
    /// It cannot be read, which was reported. If it stays open, no other file has its identity.
    Refused(PathBuf, Option<(u64, u64)>, #[expect(dead_code, reason = "stays open")] Option<Arc<File>>),
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
            Self::Refused(_, identity, _) => *identity,
        }
    }

    pub(super) fn line(&self) -> &[u8] {
        match self {
            Self::Plain(tail) => tail.line(),
            Self::Packed(_, lines) => lines.line(),
            Self::Refused(..) => &[],
        }
    }

    /// Returns whether the line was longer.
    pub(super) fn is_cut(&self) -> bool {
        match self {
            Self::Plain(tail) => tail.is_cut(),
            Self::Packed(_, lines) => lines.is_cut(),
            Self::Refused(..) => false,
        }
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Plain(tail) => tail.path(),
            Self::Packed(path, _) | Self::Refused(path, ..) => path,
        }
    }
}
