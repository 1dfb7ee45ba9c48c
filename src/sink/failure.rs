//! What an error of the system means for a sink: the one table.

use std::io::{self, ErrorKind};

use crate::error::Error;

/// What a sink does about a failed write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A signal came first: the same call again.
    Interrupted,
    /// The same write may succeed later.
    Transient,
    /// The destination has ended. The output ends with one complaint, and a reopen revives it.
    Closed,
    /// A datagram cannot hold the lines: they go out one by one, and a line that is too large alone is rejected.
    MessageTooLarge,
}

impl Failure {
    /// Classifies an error of a destination that can be opened again, or may recover: all but those below.
    pub(super) fn of(error: &io::Error) -> Self {
        if is_message_too_large(error) {
            return Self::MessageTooLarge;
        }
        if error.kind() == ErrorKind::Interrupted { Self::Interrupted } else { Self::Transient }
    }

    /// Classifies an error of standard output or error. The process inherited them and cannot open them again, so a reader
    /// that is gone does not come back.
    pub(super) fn of_standard_stream(error: &io::Error) -> Self {
        if is_gone(error) { Self::Closed } else { Self::of(error) }
    }

    pub(super) fn into_error(self, doing: &str, error: io::Error) -> Error {
        match self {
            Self::Interrupted | Self::Transient => Error::io(doing, error),
            Self::Closed => Error::closed(doing).with_source(error),
            Self::MessageTooLarge => Error::rejected(doing).with_source(error),
        }
    }
}

#[cfg(unix)]
fn is_message_too_large(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::MSGSIZE)
}

#[cfg(windows)]
fn is_message_too_large(error: &io::Error) -> bool {
    /// `WSAEMSGSIZE`
    const MESSAGE_SIZE: i32 = 10_040;

    error.raw_os_error() == Some(MESSAGE_SIZE)
}

/// The reader of a pipe or socket, the terminal, the device or the descriptor itself is gone.
#[cfg(unix)]
fn is_gone(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let gone = [
        // The reader of a pipe or socket.
        Errno::PIPE,
        Errno::CONNRESET,
        Errno::CONNABORTED,
        Errno::NOTCONN,
        Errno::SHUTDOWN,
        Errno::DESTADDRREQ,
        // A terminal that was hung up.
        Errno::IO,
        // A device that was removed.
        Errno::NXIO,
        Errno::NODEV,
        // The descriptor: closed, or open for reading only.
        Errno::BADF,
    ];
    Errno::from_io_error(error).is_some_and(|errno| gone.contains(&errno)) || error.kind() == ErrorKind::BrokenPipe
}

#[cfg(not(unix))]
fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn each_error_of_the_system_has_its_class() {
        use Failure::{Closed, Interrupted, MessageTooLarge, Transient};
        let table = [
            // Error, of a standard stream, of any other destination.
            (Errno::INTR, Interrupted, Interrupted),
            (Errno::AGAIN, Transient, Transient),
            (Errno::NOSPC, Transient, Transient),
            (Errno::DQUOT, Transient, Transient),
            (Errno::FBIG, Transient, Transient),
            (Errno::ROFS, Transient, Transient),
            (Errno::STALE, Transient, Transient),
            (Errno::NOBUFS, Transient, Transient),
            (Errno::NOMEM, Transient, Transient),
            (Errno::MFILE, Transient, Transient),
            (Errno::TIMEDOUT, Transient, Transient),
            (Errno::CONNREFUSED, Transient, Transient),
            (Errno::HOSTUNREACH, Transient, Transient),
            (Errno::PIPE, Closed, Transient),
            (Errno::CONNRESET, Closed, Transient),
            (Errno::NOTCONN, Closed, Transient),
            (Errno::DESTADDRREQ, Closed, Transient),
            (Errno::IO, Closed, Transient),
            (Errno::NXIO, Closed, Transient),
            (Errno::NODEV, Closed, Transient),
            (Errno::BADF, Closed, Transient),
            (Errno::MSGSIZE, MessageTooLarge, MessageTooLarge),
        ];
        for (errno, of_standard_stream, of_others) in table {
            let error = io::Error::from(errno);
            assert_eq!(Failure::of_standard_stream(&error), of_standard_stream, "{errno:?}");
            assert_eq!(Failure::of(&error), of_others, "{errno:?}");
        }
    }
}
