//! Who asks for a change.

use crate::values::FieldValue;

/// Who asks for a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The program itself, through a handle.
    Program,
    /// Another process, through the control socket.
    #[cfg(all(unix, feature = "control"))]
    Peer(Peer),
}

/// Another process, as the system knows it.
#[cfg(all(unix, feature = "control"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) uid: u32,
    /// `None` where the system does not tell.
    pub(super) pid: Option<u32>,
    /// The name of its program, which that program can choose.
    pub(super) command: Option<String>,
    /// What it says.
    pub(super) reason: Option<String>,
}

impl By {
    /// Adds who it is to the fields of a line.
    pub(super) fn describe<'a>(&'a self, fields: &mut Vec<(&'static str, FieldValue<'a>)>) {
        match self {
            Self::Program => fields.push(("by", "program".into())),
            #[cfg(all(unix, feature = "control"))]
            Self::Peer(Peer { uid, pid, command, reason }) => {
                fields.push(("by_uid", u64::from(*uid).into()));
                fields.extend(pid.map(|pid| ("by_pid", u64::from(pid).into())));
                fields.extend(command.as_deref().map(|command| ("by_command", command.into())));
                fields.extend(reason.as_deref().map(|reason| ("reason", reason.into())));
            }
        }
    }
}
