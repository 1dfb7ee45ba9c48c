//! `spanline config`: checks and explains the file that describes a log.

use std::io::{self, Write};
use std::path::PathBuf;

use spanline::config;

use crate::escape::{escaped, escaped_text};
use crate::report::Report;

/// Check and explain the file that describes a log
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Check files, each with all of its environments
    ///
    /// Prints each mistake with its line, column and key, and what was probably meant. Nothing is opened and no server is
    /// asked. Sinks and schemas that a program registers are unknown here. Whether other users can write to the file is not
    /// checked.
    Check {
        /// Files in TOML, or in JSON if their name ends in `.json`
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Show every value in force, and where it comes from
    ///
    /// The last of these wins: defaults, what the program sets in code (which is not known here), the file, the overlay of
    /// the environment, and RUST_LOG for the filter. Only what the program forces overrides them.
    Explain {
        /// The file; by default, the one that SPANLINE_CONFIG names
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// The environment; by default, the one that SPANLINE_ENV names
        #[arg(long, value_name = "NAME")]
        env: Option<String>,
        /// Only values that are not defaults, and those that an overlay has unset
        #[arg(long)]
        set: bool,
    },
    /// Apply a file to running processes
    ///
    /// First, all of them check it. Only if all accept it, it is applied. It stays until a process reads its file again or
    /// restarts.
    #[cfg(all(unix, feature = "control"))]
    Push {
        /// A file in TOML, or in JSON if its name ends in `.json`
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Why, for the line in the log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        select: crate::control::Select,
    },
    /// Print the JSON Schema of such files, for editors
    Schema,
}

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    match &args.command {
        Command::Check { files } => {
            for file in files {
                match config::check(file) {
                    Ok(()) => writeln!(output, "{}: no mistakes", escaped(file))?,
                    Err(error) => report.mistakes(&format!("{error:#}")),
                }
            }
        }
        Command::Explain { file, env, set } => match config::explain(file.as_deref(), env.as_deref()) {
            Ok(mut rows) => {
                rows.retain(|row| !*set || row.source != "default");
                let width = |text: fn(&config::Explained) -> &str| {
                    rows.iter().map(|row| escaped_text(text(row)).chars().count()).max().unwrap_or(0)
                };
                let key = width(|row| &row.key).max("KEY".len());
                let source = width(|row| &row.source).max("SOURCE".len());
                writeln!(output, "{:key$}  {:source$}  VALUE", "KEY", "SOURCE")?;
                for row in &rows {
                    let [name, from, value] = [&row.key, &row.source, &row.value].map(|text| escaped_text(text));
                    writeln!(output, "{name:key$}  {from:source$}  {value}")?;
                }
            }
            Err(error) => report.mistakes(&format!("{error:#}")),
        },
        #[cfg(all(unix, feature = "control"))]
        Command::Push { file, reason, select } => super::push::run(file, reason.as_deref(), select, output, report)?,
        Command::Schema => output.write_all(config::json_schema().as_bytes())?,
    }
    Ok(())
}
