//! The process's standard output and error.
//!
//! The sink writes to the descriptor itself, without the buffer and the lock of [`std::io::stdout`]. A thread that holds
//! that lock does not stop the sink, and a sink with a slow reader does not stop `println!`. One call writes whole lines
//! only, so they do not mix with the output of `println!`. A pipe is given as many lines as it takes at once or not at
//! all, so the books are right even if its reader is stuck.
//!
//! When the reader is gone (`app | head -1`), the sink is closed. This is reported once, and other outputs continue. A
//! write that would block is retried.

#![expect(clippy::disallowed_methods, reason = "the sink `Stderr`")]

use std::fs::File;
use std::io::{self, IsTerminal, Write};

use super::{Control, Lines, Next, Profile, Sink};
use crate::error::Error;

macro_rules! stdio {
    ($(#[$doc:meta])* $name:ident, $stream:ident, $text:literal) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $name(Option<(Descriptor, usize)>);

        impl $name {
            /// Creates the sink. The output opens it.
            pub fn new() -> Self {
                Self::default()
            }
        }

        impl Sink for $name {
            fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
                if self.0.is_none() {
                    self.control(Control::Open)?;
                }
                let Some((descriptor, at_once)) = &mut self.0 else { return Ok(Next::Done) };
                let written = write_pieces(descriptor, lines, *at_once, concat!("write to ", $text));
                written.map_err(|error| if error.is_broken_pipe() { error.into_closed() } else { error })
            }

            fn control(&mut self, control: Control) -> Result<(), Error> {
                if control == Control::Open {
                    let opened = descriptor(&io::$stream());
                    let failed = |error| Error::io(concat!("open ", $text), error).into_invalid();
                    let opened = opened.map_err(failed)?;
                    let at_once = if is_pipe(&opened) { PIPE_BYTES } else { usize::MAX };
                    self.0 = Some((opened, at_once));
                }
                Ok(())
            }

            fn profile(&self) -> Profile {
                Profile::new($text).terminal(io::$stream().is_terminal()).plain()
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

/// `PIPE_BUF`: a pipe takes a write of this size at once or not at all. POSIX promises 512.
const PIPE_BYTES: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

#[cfg(unix)]
fn is_pipe(descriptor: &Descriptor) -> bool {
    use std::os::unix::fs::FileTypeExt;
    descriptor.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo())
}

#[cfg(windows)]
fn is_pipe(_: &Descriptor) -> bool {
    false
}

/// Writes lines until all are written or a write fails. The cursor is behind what was written in both cases.
pub(super) fn write_all(writer: &mut impl Write, lines: &mut Lines, doing: &str) -> Result<Next, Error> {
    write_pieces(writer, lines, usize::MAX, doing)
}

/// The same, with at most `at_once` bytes in one call: the whole lines that fit, or a part of a longer line.
fn write_pieces(writer: &mut impl Write, lines: &mut Lines, at_once: usize, doing: &str) -> Result<Next, Error> {
    while !lines.is_empty() {
        let bytes = lines.as_bytes();
        let piece = match bytes.get(..at_once) {
            Some(start) => start.iter().rposition(|byte| *byte == b'\n').map_or(start, |end| &bytes[..=end]),
            None => bytes,
        };
        match writer.write(piece) {
            Ok(0) => return Err(Error::retry(format!("{doing}: nothing was taken"))),
            Ok(written) => lines.advance(written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io(doing, error)),
        }
    }
    Ok(Next::Done)
}
