//! The group and permission bits that the log's files get.

use super::trust::Entry;

/// The group and permission bits of a file; without effect where there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), allow(dead_code))]
pub(in super::super) struct Attributes {
    pub(super) mode: u32,
    /// `None`: as the system chooses.
    pub(super) group: Option<u32>,
}

/// What the settings say about new files and directories.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct NewFiles {
    /// `None`: as the active file has it, or the default.
    pub(in super::super) mode: Option<u32>,
    /// `None`: as the active file has it, or as the system chooses.
    pub(in super::super) group: Option<u32>,
    pub(in super::super) default_mode: u32,
    pub(in super::super) directory_mode: u32,
}

impl Attributes {
    /// All bits that a file of a log may have: no one executes it, and others do not write to it.
    pub(in super::super) const MODE_MASK: u32 = 0o664;
}

impl NewFiles {
    /// Returns the attributes of a new file when there is no active file to follow.
    pub(in super::super) fn attributes(&self) -> Attributes {
        Attributes { mode: self.mode.unwrap_or(self.default_mode) & Attributes::MODE_MASK, group: self.group }
    }

    /// Returns the attributes of the files that follow `active`: its own, where the settings leave them open.
    pub(in super::super) fn following(&self, active: &Entry) -> Attributes {
        Attributes {
            mode: self.mode.unwrap_or(active.mode) & Attributes::MODE_MASK,
            group: self.group.or(Some(active.group)),
        }
    }
}
