//! A disk that takes a millisecond for each write, as network disks and busy ones do.

use std::io::{self, Write};
use std::time::Duration;

const WRITE: Duration = Duration::from_millis(1);

/// Writes into another writer, slowly.
pub(super) struct Slow<W>(pub(super) W);

impl<W: Write> Write for Slow<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        std::thread::sleep(WRITE);
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
