//! What is found: the conditions of a command line.

use std::path::PathBuf;

use chrono::Local;
use regex::bytes::Regex;
use spanline::record::Timestamp;

use crate::loggers::LineLevel;
use crate::loggers::zone::Zone;
use crate::nearest::unknown;
use crate::query::{self, Expression, Filter};
use crate::sealed::KeyArgs;

/// The description of `--where`, for the end of the help.
pub(super) const LANGUAGE: &str = r#"The language of --where:
  status >= 500 and elapsed_ms > 10    =, !=, <, <=, >, >=; and, or, not, parentheses
  path ~ "/orders/[0-9]+"              ~ and !~ match a regular expression somewhere in the text
  has user_id and not user_id = null   whether there is a field
  level >= warn or labels.user_id = 7  levels by rank; dots lead into objects, unless a key has them
  time >= "today 14:00"                times as for --since
  Names: level, time, service, target, message, request_id, trace_id, and every field. A comparison with a field that a
  line lacks is false. Unusual names are put in quotes."#;

/// Which lines of which logs count.
#[derive(clap::Args)]
pub(super) struct Selection {
    /// A log, one file of it, a directory with logs in it, or `-` for stdin; without one: stdin if it is a pipe or a file,
    /// else the working directory
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) conditions: Conditions,
    #[command(flatten)]
    pub(super) keys: KeyArgs,
}

/// What is found.
#[derive(clap::Args)]
#[command(next_help_heading = "Conditions")]
pub(super) struct Conditions {
    /// Only lines of this level and more severe ones
    #[arg(long, short, value_name = "LEVEL", value_parser = level)]
    level: Option<LineLevel>,
    /// Only lines of this service; can be repeated, as the next three
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// Only lines of this target, or of a module in it
    #[arg(long, value_name = "TARGET")]
    target: Vec<String>,
    /// Only lines of the request with this id
    #[arg(long, value_name = "ID")]
    request: Vec<String>,
    /// Only lines of the trace with this id
    #[arg(long, value_name = "ID")]
    trace: Vec<String>,
    /// Only lines from this time on: `2026-11-20T10:15:38Z`, `2026-11-20 14:00`, `10m`, `2 days`, `today 14:00`, `yesterday`
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Only lines before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
    /// Only lines that meet this expression; the language is described below
    #[arg(long = "where", value_name = "EXPRESSION", value_parser = expression)]
    expression: Option<Expression>,
    /// Only lines that match this regular expression as they are written; if repeated, all of them
    #[arg(long, value_name = "REGEX", value_parser = query::grep)]
    grep: Vec<Regex>,
    #[command(flatten)]
    zone: ZoneArgs,
}

/// How times are read.
#[derive(clap::Args)]
pub(super) struct ZoneArgs {
    /// The zone of times in lines that name none, such as Europe/Berlin, UTC or +02:00; by default, that of this machine
    #[arg(long, value_name = "ZONE")]
    zone: Option<Zone>,
}

impl ZoneArgs {
    /// Makes it the zone of all lines that this process reads.
    pub(super) fn apply(&self) {
        if let Some(zone) = self.zone {
            zone.of_lines();
        }
    }
}

impl Conditions {
    /// Returns the filter. Lines are read in the zone of the command line from now on.
    pub(super) fn filter(self) -> Filter {
        self.zone.apply();
        Filter {
            level: self.level,
            services: self.service,
            targets: self.target,
            requests: self.request,
            traces: self.trace.iter().flat_map(|id| query::trace_forms(id)).collect(),
            since: self.since,
            until: self.until,
            expression: self.expression,
            grep: self.grep,
        }
    }
}

fn level(text: &str) -> Result<LineLevel, String> {
    LineLevel::named(text).ok_or_else(|| unknown("level", text, &LineLevel::NAMES))
}

fn time(text: &str) -> Result<i64, String> {
    query::when(text, Timestamp::now(), &Local)
}

pub(super) fn expression(text: &str) -> Result<Expression, query::Mistake> {
    query::parse(text, Timestamp::now())
}
