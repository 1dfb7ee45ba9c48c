//! What was found in the files of a log.

/// What has happened to a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Followed<'a> {
    /// A line, without its newline.
    Line(&'a [u8]),
    /// A file was truncated. What was not read before is missing, unless it `is_copied`: then the lines that are returned
    /// next are from the copy, which `copytruncate` of logrotate makes.
    Truncated {
        /// Whether a copy of the file has the lines that were not read before.
        is_copied: bool,
    },
}

/// Where the last line is.
#[derive(Clone, Copy)]
pub(super) enum Last {
    None,
    AtHand { is_torn: bool },
    Lingering { is_torn: bool },
}

/// Whether the file at hand can be left.
pub(super) enum Leave {
    Now,
    /// After its last line, which is torn.
    Torn,
    /// The last line may be on its way.
    Later,
}

/// What one step has found.
pub(super) enum Found {
    Line,
    Truncated { is_copied: bool },
    Nothing,
}
