//! What takes the place of the rest in a tool that cannot open sealed logs.

use std::ffi::OsString;

use spanline::read::{Lines, Segment};

use crate::report::Report;

/// What opens sealed logs: nothing.
#[derive(Clone, Debug)]
pub(crate) enum Key {}

/// The options that say what is missing.
#[derive(clap::Args)]
pub(crate) struct KeyArgs {
    #[arg(long, value_name = "KEYFILE", hide = true)]
    key: Vec<OsString>,
    #[arg(long, value_name = "N", hide = true)]
    key_fd: Vec<OsString>,
    #[arg(long, value_name = "NAME", hide = true)]
    key_env: Vec<OsString>,
    #[arg(long, value_name = "COMMAND", hide = true)]
    key_command: Vec<OsString>,
    #[arg(long, value_name = "N", hide = true)]
    passphrase_fd: Vec<OsString>,
    #[arg(long, value_name = "NAME", hide = true)]
    passphrase_env: Vec<OsString>,
    #[arg(long, value_name = "COMMAND", hide = true)]
    passphrase_command: Vec<OsString>,
}

impl KeyArgs {
    /// Returns no key, or what is wrong: there is an option.
    pub(crate) fn key(&self, _: &Report) -> Result<Option<Key>, String> {
        let options = [
            ("--key", &self.key),
            ("--key-fd", &self.key_fd),
            ("--key-env", &self.key_env),
            ("--key-command", &self.key_command),
            ("--passphrase-fd", &self.passphrase_fd),
            ("--passphrase-env", &self.passphrase_env),
            ("--passphrase-command", &self.passphrase_command),
        ];
        match options.into_iter().find(|(_, values)| !values.is_empty()) {
            None => Ok(None),
            Some((name, _)) => {
                Err(format!("{name}: this tool was built without the feature `sealed`; build it with that feature"))
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
