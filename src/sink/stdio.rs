//! The process's standard output and error.
//!
//! Lines are written straight to the descriptor, past the buffer and the lock of [`std::io::stdout`]: a program that
//! holds that lock, or a reader that does not read, stops neither the other. Whole lines go out in one call each
//! batch, so they do not mix with what `println!` writes, as long as the pipe has room.
//!
//! When the reader is gone (`app | head -1`), the sink is closed: one report, everything else goes on. A descriptor
//! that would block is tried again.

#![expect(clippy::disallowed_methods, reason = "the sink `Stderr`")]

use std::fs::File;
use std::io::{self, IsTerminal, Write};

use super::{Control, Lines, Sink};
use crate::error::Error;

macro_rules! stdio {
    ($(#[$doc:meta])* $name:ident, $stream:ident, $text:literal) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $name(Option<Descriptor>);

        impl $name {
            /// Opens nothing yet.
            pub fn new() -> Self {
                Self::default()
            }
        }

        impl Sink for $name {
            fn write(&mut self, lines: &mut Lines) -> Result<(), Error> {
                match &mut self.0 {
                    Some(descriptor) => write_all(descriptor, lines, concat!("write to ", $text)),
                    None => self.control(Control::Open),
                }
            }

            fn control(&mut self, control: Control) -> Result<(), Error> {
                if control == Control::Open {
                    let opened = descriptor(&io::$stream());
                    self.0 = Some(opened.map_err(|error| Error::io(concat!("open ", $text), error))?);
                }
                Ok(())
            }

            fn is_terminal(&self) -> bool {
                io::$stream().is_terminal()
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

#[cfg(unix)]
type Descriptor = File;

#[cfg(unix)]
fn descriptor(stream: &impl std::os::fd::AsFd) -> io::Result<Descriptor> {
    stream.as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
type Descriptor = File;

#[cfg(windows)]
fn descriptor(stream: &impl std::os::windows::io::AsHandle) -> io::Result<Descriptor> {
    stream.as_handle().try_clone_to_owned().map(File::from)
}

/// Writes lines until all are written or an error comes; what was written is passed either way.
pub(super) fn write_all(writer: &mut impl Write, lines: &mut Lines, doing: &str) -> Result<(), Error> {
    while !lines.is_empty() {
        match writer.write(lines.as_bytes()) {
            Ok(0) => return Err(Error::retry(format!("{doing}: nothing was taken"))),
            Ok(written) => lines.advance(written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io(doing, error)),
        }
    }
    Ok(())
}
