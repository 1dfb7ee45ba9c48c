//! What takes the place of the rest in a tool that cannot open sealed logs.

use std::path::PathBuf;

use spanline::read::{Lines, Segment};

use crate::report::Report;

/// What opens sealed logs: nothing.
#[derive(Clone, Debug)]
pub(crate) enum Key {}

/// The option that says what is missing.
#[derive(clap::Args)]
pub(crate) struct KeyArgs {
    #[arg(long, value_name = "KEYFILE", hide = true)]
    key: Vec<PathBuf>,
}

impl KeyArgs {
    /// Returns no key, or what is wrong: there is an option.
    pub(crate) fn key(&self, _: &Report) -> Result<Option<Key>, String> {
        match self.key.first() {
            None => Ok(None),
            Some(_) => {
                Err("--key: this tool was built without the feature `sealed`; build it with that feature".into())
            }
        }
    }

    /// Returns whether a key is read from stdin.
    pub(crate) fn reads_stdin(&self) -> bool {
        false
    }
}

pub(crate) fn with_key(lines: Lines, _: Option<&Key>) -> Lines {
    lines
}

#[cfg(feature = "find")]
pub(crate) fn is_sealed(_: &Segment) -> bool {
    false
}

pub(crate) fn warn_of_plain(_: &[Segment], _: &Report) {}
