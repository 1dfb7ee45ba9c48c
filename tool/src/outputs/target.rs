//! One output: its text, and the sink that it stands for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use spanline::schema::Console;
use spanline::sink::{Http, Postgres, Route, Secret, Sqlite};
use spanline::{Builder, ByteSize, Error, Output, Overflow, RollingFile, Stdout};

use crate::nearest::unknown;

const NAMES: [&str; 6] = ["files", "console", "sqlite", "postgres", "clickhouse", "clickhouse+https"];

#[cfg(all(unix, feature = "follow"))]
const DATABASES: [&str; 4] = ["sqlite", "postgres", "clickhouse", "clickhouse+https"];

/// As many rows as other databases get at once.
const BATCH_LINES: usize = 10_000;

/// One output. Its text may hold a password.
#[derive(Clone)]
pub(crate) enum Target {
    Files(PathBuf),
    Console,
    Sqlite(PathBuf),
    Postgres(String),
    ClickHouse { url: String, user: Option<String>, table: String },
}

/// How outputs are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Making<'m> {
    /// Bytes of a file, after which `files` starts the next one.
    pub(crate) rotate_bytes: ByteSize,
    pub(crate) keep_files: usize,
    pub(crate) open_files: usize,
    pub(crate) password_file: Option<&'m Path>,
    pub(crate) queue_bytes: u64,
    /// How long a record waits for room in a queue.
    pub(crate) max_wait: Duration,
}

impl Making<'_> {
    /// Adds outputs to a log, each with the name of its kind, and a number if there are several.
    pub(crate) fn add_to(self, builder: Builder, targets: &[Target]) -> Builder {
        let mut kinds = HashMap::new();
        targets.iter().fold(builder, |builder, target| {
            let number: &mut u32 = kinds.entry(target.kind()).or_default();
            *number += 1;
            let name = if *number == 1 { target.kind().to_owned() } else { format!("{}-{number}", target.kind()) };
            let wait = Overflow::Block { max_wait: self.max_wait };
            builder.output(target.output(&self).name(name).queue_bytes(self.queue_bytes).overflow(wait))
        })
    }
}

/// Reads the values of `--to`. Not the parser of the command line does so: it would repeat a password.
///
/// # Errors
/// Says what to write.
pub(crate) fn targets(to: &[String]) -> Result<Vec<Target>, Error> {
    let parse = |to: &String| to.parse::<Target>().map_err(|error| Error::invalid(format!("--to: {error}")));
    to.iter().map(parse).collect()
}

/// Reads the values of `--to` where only databases are written to, in directories that exist.
///
/// # Errors
/// Says what to write.
#[cfg(all(unix, feature = "follow"))]
pub(crate) fn databases(to: &[String]) -> Result<Vec<Target>, Error> {
    let parse = |to: &String| {
        let target = Target::parse(to, &DATABASES)?;
        match &target {
            Target::Files(_) | Target::Console => Err(Error::invalid(
                "expected a database: sqlite:FILE, postgres://… or clickhouse://…; `spanline find --format json` writes files",
            )),
            Target::Sqlite(path) => match path.parent().filter(|parent| *parent != Path::new("") && !parent.is_dir()) {
                Some(parent) => {
                    Err(Error::invalid(format!("found no directory {}; create it first", parent.display())))
                }
                None => Ok(target),
            },
            _ => Ok(target),
        }
    };
    to.iter().map(|to| parse(to).map_err(|error| Error::invalid(format!("--to: {error}")))).collect()
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text, &NAMES)
    }
}

impl Target {
    /// `names`: what is expected.
    fn parse(text: &str, names: &[&str]) -> Result<Self, Error> {
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
            _ => Err(Error::invalid(unknown("output", name, names))),
        }
    }

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

    /// Returns whether it may need a password.
    pub(crate) fn takes_password(&self) -> bool {
        matches!(self, Self::Postgres(_) | Self::ClickHouse { user: Some(_), .. })
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

    /// Returns what says which file a service has, if each has one.
    pub(crate) fn route(&self, rotate_bytes: ByteSize, keep_files: usize) -> Option<Route> {
        let Self::Files(folder) = self else { return None };
        Some(files(folder, rotate_bytes, keep_files))
    }

    fn output(&self, making: &Making<'_>) -> Output {
        match self {
            Self::Files(folder) => {
                Output::new(files(folder, making.rotate_bytes, making.keep_files).open_files(making.open_files))
            }
            Self::Console => Output::new(Stdout::new()).schema(Console::new().service()),
            Self::Sqlite(path) => Output::new(Sqlite::new(path)),
            Self::Postgres(url) => {
                let sink = Postgres::new(url).create_table();
                let password = making.password_file.map(Secret::file);
                Output::new(password.into_iter().fold(sink, Postgres::password))
            }
            Self::ClickHouse { url, user, table } => {
                let sink =
                    Http::clickhouse(url, table).batch(BATCH_LINES, Http::DEFAULT_BATCH_BYTES, Http::DEFAULT_LINGER);
                let sink = match (user, making.password_file) {
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

/// Returns a file for each service in a folder.
fn files(folder: &Path, rotate_bytes: ByteSize, keep_files: usize) -> Route {
    let folder = folder.to_owned();
    Route::by_field("service", move |service| {
        let file = RollingFile::new(folder.join(format!("{service}.log")));
        file.daily().rotate_bytes(rotate_bytes).keep_files(keep_files).gzip()
    })
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
