//! Adds to a system error what failed, and at which path.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::error::Error;

/// Adds the path to an error. A wrong path is an invalid setting; everything else can be retried.
pub(super) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |error| {
        let doing = format!("{doing} {}", path.display());
        match error.kind() {
            ErrorKind::InvalidInput => Error::invalid(doing).with_source(error),
            _ => Error::io(doing, error),
        }
    }
}
