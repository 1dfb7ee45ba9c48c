//! An error with any number of sources.

use std::error::Error;
use std::fmt;

#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String, pub(crate) Option<Box<Failed>>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}
