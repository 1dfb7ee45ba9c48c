//! Which engine answers: the files, or ClickHouse.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::clickhouse::{Address, Engine, password};
use crate::report::Report;

/// Which engine answers.
#[derive(clap::Args)]
#[command(next_help_heading = "Engine")]
pub(super) struct EngineArgs {
    /// Where the lines are
    #[arg(long, value_enum, value_name = "ENGINE", default_value_t, requires_if("clickhouse", "url"))]
    engine: Kind,
    /// A node that logs were loaded to: `clickhouse://[user@]host[:8123]/database`
    // Not read by the parser, which would repeat a password.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A file with the user's password; without it, that of `CLICKHOUSE_PASSWORD`
    #[arg(long, value_name = "FILE", requires = "url")]
    password_file: Option<PathBuf>,
    /// Print the SQL, and which conditions spanline judges itself, without asking
    #[arg(long, requires = "url")]
    explain: bool,
}

/// What has the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Files, and stdin
    #[default]
    Files,
    /// ClickHouse, which `spanline load` has loaded logs to
    Clickhouse,
}

/// What was chosen.
pub(super) enum Chosen {
    Files,
    Stored(Box<Engine>),
    /// Only the SQL is wanted.
    Explain(Address),
}

impl EngineArgs {
    /// Returns whether files answer.
    #[cfg(all(unix, feature = "follow"))]
    pub(super) fn reads_files(&self) -> bool {
        self.engine == Kind::Files
    }

    /// Connects to the engine. Reports why it cannot.
    ///
    /// `has_key`: whether a key of sealed logs is given.
    pub(super) fn choose(self, paths: &[PathBuf], has_key: bool, report: &mut Report) -> Option<Chosen> {
        let url = match (self.engine, self.url) {
            (Kind::Files, None) => return Some(Chosen::Files),
            (Kind::Clickhouse, _) if has_key => {
                report.usage::<()>(Err("--engine clickhouse has no sealed lines; remove the key".to_owned()));
                return None;
            }
            (Kind::Clickhouse, Some(url)) if paths.is_empty() => url,
            (Kind::Clickhouse, _) => {
                report.usage::<()>(Err("--engine clickhouse reads no files; remove the paths".to_owned()));
                return None;
            }
            (Kind::Files, Some(_)) => {
                report.usage::<()>(Err("--url: add --engine clickhouse".to_owned()));
                return None;
            }
        };
        let address = report.usage(Address::parse(&url).map_err(|why| format!("--url: {why}")))?;
        if self.explain {
            return Some(Chosen::Explain(address));
        }
        let engine = password(self.password_file.as_deref()).and_then(|password| Engine::connect(&address, password));
        match engine {
            Ok(engine) => Some(Chosen::Stored(Box::new(engine))),
            Err(why) => {
                report.failure(&why);
                None
            }
        }
    }
}
