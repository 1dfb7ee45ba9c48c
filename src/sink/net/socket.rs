//! A socket that a sink holds open.

use std::io;

#[cfg(unix)]
use crate::process::Descriptor;

/// A socket. Each use fails once the program has closed its descriptor: its number may be that of a file of the program,
/// which must be neither written to nor closed.
#[derive(Debug)]
pub(in crate::sink) struct HeldSocket<T: Held>(#[cfg(unix)] Descriptor<T>, #[cfg(not(unix))] T);

/// What a descriptor is of.
#[cfg(unix)]
pub(in crate::sink) trait Held:
    std::os::fd::AsFd + From<std::os::fd::OwnedFd> + Into<std::os::fd::OwnedFd>
{
}
#[cfg(unix)]
impl<T: std::os::fd::AsFd + From<std::os::fd::OwnedFd> + Into<std::os::fd::OwnedFd>> Held for T {}
#[cfg(not(unix))]
pub(in crate::sink) trait Held {}
#[cfg(not(unix))]
impl<T> Held for T {}

#[allow(clippy::unnecessary_wraps, reason = "as on Unix")]
impl<T: Held> HeldSocket<T> {
    pub(in crate::sink) fn new(socket: T) -> io::Result<Self> {
        #[cfg(unix)]
        let socket = Descriptor::new(socket)?;
        Ok(Self(socket))
    }

    /// Returns the socket.
    ///
    /// # Errors
    /// The program has closed it.
    pub(in crate::sink) fn get(&self) -> io::Result<&T> {
        #[cfg(unix)]
        return self.0.get().map(|(socket, _)| socket);
        #[cfg(not(unix))]
        Ok(&self.0)
    }
}
