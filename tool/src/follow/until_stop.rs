//! Stdin for a pass that a signal ends.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::signals::END_PATIENCE;

/// Reads stdin to its end. After a signal, it reads what has arrived, and then is at its end.
pub(crate) struct UntilStop {
    stdin: File,
    stop: Arc<AtomicBool>,
    stopped: Option<Instant>,
    is_stopped: Arc<AtomicBool>,
}

impl UntilStop {
    /// `stop`: what a signal sets.
    ///
    /// # Errors
    /// Stdin is closed.
    pub(crate) fn stdin(stop: Arc<AtomicBool>) -> io::Result<Self> {
        // Without the buffer of the standard library, whose bytes nothing waits for.
        let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(Self { stdin, stop, stopped: None, is_stopped: Arc::default() })
    }

    /// Returns what is set when the signal came before the end.
    pub(crate) fn is_stopped(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_stopped)
    }
}

impl Read for UntilStop {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            let stops = self.stop.load(Ordering::Relaxed);
            if stops && self.stopped.get_or_insert_with(Instant::now).elapsed() >= END_PATIENCE {
                self.is_stopped.store(true, Ordering::Relaxed);
                return Ok(0);
            }
            let timeout = Timespec { tv_sec: 0, tv_nsec: if stops { 0 } else { 100_000_000 } };
            match poll(&mut [PollFd::new(&self.stdin, PollFlags::IN)], Some(&timeout)) {
                Ok(0) if stops => {
                    self.is_stopped.store(true, Ordering::Relaxed);
                    return Ok(0);
                }
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return self.stdin.read(bytes),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
