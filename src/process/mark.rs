//! Stands for descriptors that another library holds.

use std::io;
#[cfg(unix)]
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

#[cfg(unix)]
use super::Descriptor;

/// Stands for the descriptors of a library, which does not tell their numbers.
///
/// The program may close all descriptors and reuse their numbers, as daemons do. The mark is lost then, and the library
/// must neither use nor close its descriptors: it would reach the program's files. Descriptors that the program closes one
/// by one are not noticed.
#[derive(Debug)]
pub(crate) struct Mark(#[cfg(unix)] Descriptor<UnixDatagram>);

impl Mark {
    /// Opens a socket that nobody uses.
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        #[cfg(unix)]
        let mark = Self(Descriptor::new(UnixDatagram::unbound()?)?);
        #[cfg(not(unix))]
        let mark = Self();
        Ok(Arc::new(mark))
    }

    /// Returns whether the program has closed it.
    pub(crate) fn is_lost(&self) -> bool {
        #[cfg(unix)]
        return self.0.is_lost();
        #[cfg(not(unix))]
        false
    }

    /// Closes it, as the program may.
    #[cfg(all(unix, test, feature = "http"))]
    pub(crate) fn lose(&self) {
        drop(self.0.take_number());
    }
}
