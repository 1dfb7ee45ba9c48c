//! Waits until there is something to do.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use spanline::read::Follow;

use super::source::Source;

/// What there is besides lines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Woken {
    /// Stdout has no reader.
    pub(super) is_gone: bool,
    /// Something can be read from where keys come from.
    pub(super) has_keys: bool,
}

/// Waits until something can be read, files are to be looked at again, or `timeout` is over.
///
/// # Errors
/// The system refuses to wait.
pub(super) fn wait(sources: &mut [Source], timeout: Duration, keys: Option<BorrowedFd<'_>>) -> io::Result<Woken> {
    let timeout = timeout.min(Follow::DEFAULT_INTERVAL);
    let stdout = io::stdout();
    let numbered = |(number, source): (usize, &Source)| source.descriptor().is_some().then_some(number);
    let numbers: Vec<usize> = sources.iter().enumerate().filter_map(numbered).collect();
    let descriptors = numbers.iter().filter_map(|number| sources.get(*number)?.descriptor());
    let mut polled = vec![PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty())];
    polled.extend(descriptors.map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN)));
    polled.extend(keys.map(|keys| PollFd::from_borrowed_fd(keys, PollFlags::IN)));
    let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(timeout.subsec_nanos()) };
    match poll(&mut polled, Some(&timeout)) {
        Err(Errno::INTR) => return Ok(Woken::default()),
        result => result?,
    };
    let mut ready = polled.iter().map(|polled| !polled.revents().is_empty()).collect::<Vec<_>>().into_iter();
    let is_gone = ready.next() == Some(true);
    for number in numbers {
        if ready.next() == Some(true)
            && let Some(source) = sources.get_mut(number)
        {
            source.ready();
        }
    }
    Ok(Woken { is_gone, has_keys: ready.next() == Some(true) })
}
