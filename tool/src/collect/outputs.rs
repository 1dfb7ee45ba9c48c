//! Where received lines go: `files:logs`, `console`, `sqlite:log.db`, `postgres://…`, `clickhouse://…`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use spanline::schema::Console;
use spanline::sink::{Http, Postgres, Route, Secret, Sqlite};
use spanline::{Builder, ByteSize, Error, Guard, Output, Overflow, RollingFile, Stdout};
use tracing_subscriber::Registry;

use super::limits::Limits;
use super::reporter::Reporter;
use crate::nearest::unknown;

/// The memory of an output's queue. Batches of all senders fit, because each is flushed before the next.
const QUEUE_BYTES: u64 = 64 << 20;

/// How long a record waits for room in a queue.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Settings of the command line.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Outputs")]
pub(crate) struct Writing {
    /// Where lines go; repeat it for several outputs
    ///
    /// files:DIR writes a rotating file for each service; console prints them; sqlite:FILE, postgres://user@host/database and
    /// clickhouse://host:8123/table store them in a table.
    #[arg(long = "to", value_name = "OUTPUT", required = true)]
    to: Vec<String>,
    /// Bytes of a file, after which `files` starts the next one; it does so every day, too
    #[arg(long, value_name = "BYTES", default_value = "100MiB")]
    rotate_bytes: ByteSize,
    /// Closed files of each service that `files` keeps, besides the one that grows
    #[arg(long, value_name = "COUNT", default_value_t = 14)]
    keep_files: usize,
    /// Files that `files` has open at once
    #[arg(long, value_name = "COUNT", default_value_t = 256)]
    pub(super) open_files: usize,
    /// A file with the password for postgres and clickhouse
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Acknowledge lines when they are durable, where an output has a sync: they survive a power cut
    #[arg(long)]
    pub(super) sync: bool,
}

impl Writing {
    /// Returns whether an output has a file for each service.
    pub(super) fn has_files(&self) -> bool {
        self.to.iter().any(|to| to.starts_with("files:"))
    }
}

/// One output. Its text may hold a password.
#[derive(Clone)]
enum Target {
    Files(PathBuf),
    Console,
    Sqlite(PathBuf),
    Postgres(String),
    ClickHouse { url: String, user: Option<String>, table: String },
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, rest) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let path = |example: &str| match rest {
            Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
            _ => Err(Error::invalid(format!("no path; expected one such as {example}"))),
        };
        match (name, rest) {
            ("files", _) => Ok(Self::Files(path("files:logs")?)),
            ("sqlite", _) => Ok(Self::Sqlite(path("sqlite:log.db")?)),
            ("console", None) => Ok(Self::Console),
            ("console", Some(_)) => Err(Error::invalid("console takes nothing behind it; expected `console`")),
            ("postgres" | "postgresql", _) => Ok(Self::Postgres(text.to_owned())),
            ("clickhouse", Some(rest)) => Self::clickhouse("http", rest),
            ("clickhouse+https", Some(rest)) => Self::clickhouse("https", rest),
            _ => {
                let names = ["files", "console", "sqlite", "postgres", "clickhouse", "clickhouse+https"];
                Err(Error::invalid(unknown("output", name, &names)))
            }
        }
    }
}

impl Target {
    /// Takes a URL apart: `//user@host:8123/table`.
    fn clickhouse(scheme: &str, rest: &str) -> Result<Self, Error> {
        let expected = || Error::invalid("expected clickhouse://user@host:8123/table, also with database.table");
        let (server, table) = rest.strip_prefix("//").and_then(|rest| rest.split_once('/')).ok_or_else(expected)?;
        if server.is_empty() || table.is_empty() || table.contains(['/', '?', '#']) {
            return Err(expected());
        }
        let user = server.rsplit_once('@').map(|(user, _)| user.to_owned()).filter(|user| !user.contains(':'));
        Ok(Self::ClickHouse { url: format!("{scheme}://{server}/"), user, table: table.to_owned() })
    }

    /// Returns what kind of output it is.
    fn kind(&self) -> &'static str {
        match self {
            Self::Files(_) => "files",
            Self::Console => "console",
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
            Self::ClickHouse { .. } => "clickhouse",
        }
    }

    fn output(&self, writing: &Writing) -> Output {
        match self {
            Self::Files(folder) => {
                let (folder, rotate_bytes, keep_files) = (folder.clone(), writing.rotate_bytes, writing.keep_files);
                let route = Route::by_field("service", move |service| {
                    let file = RollingFile::new(folder.join(format!("{service}.log")));
                    file.daily().rotate_bytes(rotate_bytes).keep_files(keep_files).gzip()
                });
                Output::new(route.open_files(writing.open_files))
            }
            Self::Console => Output::new(Stdout::new()).schema(Console::new().service()),
            Self::Sqlite(path) => Output::new(Sqlite::new(path)),
            Self::Postgres(url) => {
                let sink = Postgres::new(url).create_table();
                let password = writing.password_file.as_ref().map(Secret::file);
                Output::new(password.into_iter().fold(sink, Postgres::password))
            }
            Self::ClickHouse { url, user, table } => {
                let sink = Http::clickhouse(url, table);
                let sink = match (user, &writing.password_file) {
                    (Some(user), Some(file)) => sink.basic(user, Secret::file(file)),
                    _ => sink,
                };
                Output::new(sink)
            }
        }
    }
}

/// Shows no URL: it may have a password.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

impl Writing {
    /// Checks what can be checked without opening anything.
    ///
    /// # Errors
    /// Says what to write.
    pub(super) fn check(&self) -> Result<(), Error> {
        let targets = self.targets()?;
        let consoles = targets.iter().filter(|target| matches!(target, Target::Console)).count();
        if consoles > 1 {
            return Err(Error::invalid("--to console is there twice; lines would be printed twice"));
        }
        let takes_password =
            |target: &Target| matches!(target, Target::Postgres(_) | Target::ClickHouse { user: Some(_), .. });
        if self.password_file.is_some() && !targets.iter().any(takes_password) {
            return Err(Error::invalid(
                "--password-file: no output takes a password; expected --to postgres://user@host/database or \
                 clickhouse://user@host:8123/table",
            ));
        }
        Ok(())
    }

    fn targets(&self) -> Result<Vec<Target>, Error> {
        // Not by the parser of the command line, which would repeat a password.
        let parse = |to: &String| to.parse::<Target>().map_err(|error| Error::invalid(format!("--to: {error}")));
        self.to.iter().map(parse).collect()
    }
}

/// The running outputs.
pub(super) struct Log {
    pub(super) guard: Guard,
    /// The log takes records while it exists.
    _layer: Box<dyn std::any::Any + Send>,
}

/// Starts the outputs.
///
/// # Errors
/// An output cannot be opened.
pub(super) fn start(writing: &Writing, limits: &Limits, reporter: &Reporter) -> Result<Log, Error> {
    // A line that is rendered as JSON grows. What grows more is cut by the library.
    let max_line = 2 * limits.max_line_bytes as u64 + (64 << 10);
    let queue = (8 * max_line).clamp(QUEUE_BYTES, 1 << 30);
    let reporter = reporter.clone();
    let mut builder: Builder = spanline::builder()
        .filter("trace")
        .filter_variable(None)
        .without_log()
        .max_line_bytes(max_line.min(1 << 30))
        .shutdown_timeout(limits.writing_at_end(), limits.writing_at_end())
        .on_complaint(move |complaint| reporter.pass_on(complaint));
    let mut kinds = HashMap::new();
    for target in writing.targets()? {
        let wait = Overflow::Block { max_wait: MAX_WAIT.min(limits.write_timeout) };
        let number: &mut u32 = kinds.entry(target.kind()).or_default();
        *number += 1;
        let name = if *number == 1 { target.kind().to_owned() } else { format!("{}-{number}", target.kind()) };
        builder = builder.output(target.output(writing).name(name).queue_bytes(queue).overflow(wait));
    }
    let (layer, guard) = builder.build::<Registry>()?;
    Ok(Log { guard, _layer: Box::new(layer) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_output_is_refused_with_what_was_expected() {
        for (text, part) in [
            ("file:logs", "did you mean `files`?"),
            ("consol", "did you mean `console`?"),
            ("kafka://x", "expected one of: files, console,"),
            ("files:", "no path; expected one such as files:logs"),
            ("sqlite", "no path; expected one such as sqlite:log.db"),
            ("console:x", "expected `console`"),
            ("clickhouse://user:hunter2@host", "expected clickhouse://user@host:8123/table"),
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(part) && !error.contains("hunter2"), "{text}: {error}");
        }
        for text in ["files:logs", "console", "sqlite:a.db", "postgres://a@b/c", "clickhouse://h:8123/d.t"] {
            assert!(text.parse::<Target>().is_ok(), "{text}");
        }
        let target: Target = "clickhouse://u@h:8123/d.t".parse().unwrap();
        let Target::ClickHouse { url, user, table } = &target else { panic!("{target:?}") };
        assert_eq!((url.as_str(), user.as_deref(), table.as_str()), ("http://u@h:8123/", Some("u"), "d.t"));
    }
}
