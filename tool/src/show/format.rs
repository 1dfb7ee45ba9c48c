//! The formats that entries are printed in.

use clap::ValueEnum;

/// How entries are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The bytes of the line; the default unless stdout is a terminal
    Raw,
    /// An object with the same keys for all loggers
    Json,
    /// For people; the default on a terminal
    Pretty,
    /// `key=value` pairs
    Logfmt,
    /// A table of the columns that `--fields` names
    Csv,
    /// As `--template` has it
    Template,
}
