//! The process's standard output and error.
//!
//! Lines are written straight to descriptor 1 or 2, whatever it leads to at that moment, past the buffer and the lock of
//! [`std::io::stdout`]. A program that holds that lock does not stop the log, and a reader that does not read does not
//! stop the program. Each batch goes out in one call, so its lines do not mix with what `println!` writes. A pipe takes
//! each piece wholly or not at all, so it is known which lines are in it even when its reader is stuck.
//!
//! When the reader or the terminal is gone (`app | head -1`), the sink ends. This is reported once, and other outputs
//! continue. A write that would block is retried.

#![expect(clippy::disallowed_methods, reason = "the sink `Stderr`")]

use std::io::{self, IsTerminal, Write};

use super::failure::Failure;
use super::{Control, Lines, Next, Profile, Sink};
use crate::error::Error;

macro_rules! stdio {
    ($(#[$doc:meta])* $name:ident, $stream:ident, $text:literal) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $name(());

        impl $name {
            /// Creates the sink. The output opens it.
            pub fn new() -> Self {
                Self::default()
            }
        }

        impl Sink for $name {
            fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
                let stream = io::$stream();
                let mut standard = Standard::of(&stream);
                let at_once = if standard.is_pipe() { PIPE_BYTES } else { usize::MAX };
                write_pieces(&mut standard, lines, at_once, concat!("write to ", $text), Failure::of_standard_stream)
            }

            fn control(&mut self, control: Control) -> Result<(), Error> {
                if control == Control::Open {
                    let opened = Standard::check(&io::$stream());
                    opened.map_err(|error| Error::io(concat!("open ", $text), error).into_invalid())?;
                }
                Ok(())
            }

            fn profile(&self) -> Profile {
                let stream = io::$stream();
                let is_journal = Standard::of(&stream).is_journal();
                Profile::new($text).terminal(stream.is_terminal()).journal(is_journal).plain()
            }
        }
    };
}

stdio! {
    /// Writes to the process's standard output.
    Stdout, stdout, "stdout"
}

stdio! {
    /// Writes to the process's standard error.
    Stderr, stderr, "stderr"
}

/// `PIPE_BUF`: a pipe takes a write of this size at once or not at all. POSIX promises 512.
const PIPE_BYTES: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

/// Descriptor 1 or 2 as it is now.
#[cfg(unix)]
struct Standard<'a>(std::os::fd::BorrowedFd<'a>);

#[cfg(unix)]
impl<'a> Standard<'a> {
    fn of(stream: &'a impl std::os::fd::AsFd) -> Self {
        Self(stream.as_fd())
    }

    fn check(stream: &impl std::os::fd::AsFd) -> io::Result<()> {
        Ok(rustix::fs::fstat(stream).map(drop)?)
    }

    /// Returns whether systemd's journal reads it: the variable `JOURNAL_STREAM` has its device and its inode.
    fn is_journal(&self) -> bool {
        let named = std::env::var("JOURNAL_STREAM").ok();
        rustix::fs::fstat(self.0)
            .is_ok_and(|stat| named.is_some_and(|named| named == format!("{}:{}", stat.st_dev, stat.st_ino)))
    }

    fn is_pipe(&self) -> bool {
        let mode = rustix::fs::fstat(self.0).map(|stat| stat.st_mode);
        mode.is_ok_and(|mode| rustix::fs::FileType::from_raw_mode(mode) == rustix::fs::FileType::Fifo)
    }
}

#[cfg(unix)]
impl Write for Standard<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The stream of the standard library, whose lock is taken for each piece.
#[cfg(not(unix))]
struct Standard<'a, S>(&'a S);

#[cfg(not(unix))]
impl<'a, S> Standard<'a, S> {
    fn of(stream: &'a S) -> Self {
        Self(stream)
    }

    fn check(_: &S) -> io::Result<()> {
        Ok(())
    }

    fn is_journal(&self) -> bool {
        false
    }

    fn is_pipe(&self) -> bool {
        false
    }
}

#[cfg(not(unix))]
impl<'a, S> Write for Standard<'a, S>
where
    &'a S: Write,
{
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.0.flush()?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes lines until all are written or a write fails. The cursor is behind what was written in both cases.
pub(super) fn write_all(writer: &mut impl Write, lines: &mut Lines, doing: &str) -> Result<Next, Error> {
    write_pieces(writer, lines, usize::MAX, doing, Failure::of)
}

/// The same, with no more than `at_once` bytes in one call: as many whole lines as that holds.
fn write_pieces(
    writer: &mut impl Write,
    lines: &mut Lines,
    at_once: usize,
    doing: &str,
    classify: fn(&io::Error) -> Failure,
) -> Result<Next, Error> {
    let mut at_once = at_once;
    while let Some(first) = lines.first() {
        let first_bytes = first.bytes.len();
        let bytes = lines.as_bytes();
        let piece = match bytes.get(..at_once) {
            Some(start) => match start.iter().rposition(|byte| *byte == b'\n') {
                Some(end) => bytes.get(..=end).unwrap_or(start),
                // A message that is too large as a whole has to go out whole.
                None if at_once == ONE_LINE => bytes.get(..first_bytes).unwrap_or(bytes),
                None => start,
            },
            None => bytes,
        };
        let (is_one_line, error) = match writer.write(piece) {
            Ok(0) => return Err(Error::retry(format!("{doing}: nothing was taken"))),
            Ok(written) => {
                lines.advance(written);
                continue;
            }
            Err(error) => (piece.len() <= first_bytes, error),
        };
        match classify(&error) {
            Failure::Interrupted => {}
            Failure::MessageTooLarge if !is_one_line => at_once = ONE_LINE,
            failure => return Err(failure.into_error(doing, error)),
        }
    }
    Ok(Next::Done)
}

/// As `at_once`: each line alone.
const ONE_LINE: usize = 1;
