//! Starts one output: its name, its file, its lane.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::builder::Builder;
use super::output::{JournalPrefix, Output};
use crate::appender::Appender;
use crate::complaint::Complaints;
use crate::control::{Deadlines, Guard};
use crate::error::Error;
use crate::limit::Share;
use crate::outputs::Outputs;
use crate::queue::Overflow;
use crate::record::Clock;
use crate::redaction::Redactor;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use crate::schema::Rows;
use crate::schema::{Flat, WithPrefix};
#[cfg(feature = "sealed")]
use crate::sealing::Sealing;
use crate::sink::resolved;
use crate::time_zone;
use crate::worker::{Common, Lane, LaneConfig};

/// A smaller queue could not hold a few lines.
pub(super) const MIN_QUEUE_BYTES: u64 = 4 << 10;
/// A queue's offsets have 32 bits.
pub(super) const MAX_QUEUE_BYTES: u64 = 1 << 30;

impl Output {
    /// Makes a writer for another formatter, in place of `tracing_appender::non_blocking`.
    ///
    /// The schema renders only the loss notices: `Flat` by default, or `Console` for plain-text logs.
    ///
    /// # Errors
    /// A limit is out of bounds, or the sink cannot be opened; its path and the cause are in the error. Also if the
    /// output has a filter or a `journal_prefix`, which cannot apply to lines that another formatter makes, or writes
    /// to a database.
    pub fn appender(self) -> Result<(Appender, Guard), Error> {
        if self.filter.is_some() {
            return Err(Error::invalid(
                "an appender has no filter; remove `output_filter`, and set a filter on the layer that writes to it",
            ));
        }
        if self.below.is_some() || self.record_filter.is_some() {
            return Err(Error::invalid(
                "an appender has no filter; remove `below` and `record_filter`, and set a filter on the layer that writes \
                 to it",
            ));
        }
        if self.deduplicates {
            return Err(Error::invalid(
                "an appender gets lines with their times, which are never equal; remove `deduplicate`",
            ));
        }
        if self.strips_ansi {
            return Err(Error::invalid("the lines of an appender are not changed; remove `strip_ansi`"));
        }
        if self.journal_prefix.is_some() {
            return Err(Error::invalid(
                "an appender has no priorities; remove `journal_prefix`, and let the formatter write them",
            ));
        }
        #[cfg(any(feature = "postgres", feature = "sqlite"))]
        if self.profile.columns.rows.is_some() {
            return Err(Error::invalid(
                "an appender gets lines without columns, which a database needs; log to it with spanline's layer",
            ));
        }
        if self.profile.is_schema_fixed {
            return Err(Error::invalid(
                "an appender gets lines that another formatter makes, and this sink takes only its own; log to it with \
                 spanline's layer",
            ));
        }
        let uses_local_time = self.uses_local_time();
        let complaints = Arc::new(Complaints::default());
        let clock = Clock::default();
        let name = self.name_among(&std::iter::empty())?;
        let common = Common {
            max_line_bytes: usize::try_from(Builder::DEFAULT_MAX_LINE_BYTES).unwrap_or(usize::MAX),
            statics: Arc::default(),
            clock: clock.clone(),
            complaints: Arc::clone(&complaints),
            evidence: Arc::default(),
            rules: None,
            #[cfg(feature = "sealed")]
            sealed: Arc::default(),
            held: None,
        };
        let lane = self.start(name, None, Vec::new(), &common)?;
        let outputs = Arc::new(Outputs::new(vec![lane], common.max_line_bytes, false));
        let guard = Guard::new(Deadlines::default(), complaints, Arc::clone(&outputs));
        complain_of_time_zone(&guard, uses_local_time);
        Ok((Appender::new(outputs, clock), guard))
    }

    /// Tells the sink which files the other outputs write to.
    pub(super) fn avoid(&self, others: &[PathBuf]) {
        self.profile.avoids.iter().for_each(|paths| drop(paths.set(others.to_vec())));
    }

    pub(super) fn wants_thread(&self) -> bool {
        #[cfg(any(feature = "postgres", feature = "sqlite"))]
        if self.profile.columns.rows.as_ref().is_some_and(Rows::wants_thread) {
            return true;
        }
        let schema = self.schema.as_ref().or(self.profile.schema.as_ref());
        schema.is_some_and(|schema| schema.wants_thread())
    }

    /// Returns whether the time zone of the process matters: to the lines or to the files.
    pub(super) fn uses_local_time(&self) -> bool {
        let schema = self.schema.as_ref().or(self.profile.schema.as_ref());
        self.profile.clock.is_local || schema.is_some_and(|schema| schema.wants_local_time())
    }

    pub(super) fn queue_size(&self) -> u64 {
        self.queue_bytes.as_u64()
    }

    /// The name that was set, or one after the sink that no other output has.
    pub(super) fn name_among<'a>(
        &self,
        others: &(impl Iterator<Item = &'a Arc<Lane>> + Clone),
    ) -> Result<String, Error> {
        let taken = |name: &str| others.clone().any(|other| other.name == name);
        match &self.name {
            Some(name) if taken(name) => {
                Err(Error::invalid(format!("two outputs are called `{name}`; give one of them another name")))
            }
            Some(name) if name.is_empty() || name.contains('\0') => Err(Error::invalid(format!(
                "no output can be called `{}`; expected a name that is not empty and has no NUL character",
                name.escape_debug()
            ))),
            Some(name) => Ok(name.clone()),
            None => {
                let numbered = (2..).map(|number| format!("{}-{number}", self.profile.name));
                let mut names = std::iter::once(self.profile.name.clone()).chain(numbered);
                Ok(names.find(|name| !taken(name)).unwrap_or_default())
            }
        }
    }

    /// Opens the sink and starts the worker, which waits for the end of `predecessors`.
    ///
    /// # Errors
    /// A limit is out of bounds, or the sink cannot be opened.
    pub(super) fn start(
        self,
        name: String,
        limit: Option<Share>,
        predecessors: Vec<Arc<Lane>>,
        common: &Common,
    ) -> Result<Arc<Lane>, Error> {
        let max_bytes = self.queue_bytes.within("queue_bytes", MIN_QUEUE_BYTES, MAX_QUEUE_BYTES);
        let max_bytes = max_bytes.map_err(|error| error.of_output(&name))?;
        if self.synchronous == Some(Duration::ZERO) {
            let wrong = "synchronous has a max_wait of zero; expected more, such as 100 ms";
            return Err(Error::invalid(wrong).of_output(&name));
        }
        if self.overflow == (Overflow::Block { max_wait: Duration::ZERO }) {
            let wrong = "overflow blocks for no time; expected a max_wait such as 100 ms, or `Overflow::DropNewest`";
            return Err(Error::invalid(wrong).of_output(&name));
        }
        let is_prefixed = match (self.journal_prefix, self.profile.is_journal) {
            (None, _) => false,
            (Some(JournalPrefix::Always), _) => true,
            (Some(JournalPrefix::IfJournal), Some(is_journal)) => is_journal,
            (Some(JournalPrefix::IfJournal), None) => {
                let wrong = "journal_prefix is for `Stdout` and `Stderr`; remove it, or set `JournalPrefix::Always` if \
                    systemd's journal gets the lines of this sink";
                return Err(Error::invalid(wrong).of_output(&name));
            }
        };
        if self.profile.is_schema_fixed && self.schema.is_some() {
            let wrong = "the sink brings the only schema that it takes; remove `Output::schema`";
            return Err(Error::invalid(wrong).of_output(&name));
        }
        let schema = self.schema.or(self.profile.schema).unwrap_or_else(|| Box::new(Flat::new()));
        let mut schema = self.edits.on(schema);
        if is_prefixed {
            schema = Box::new(WithPrefix::new(schema));
        }
        #[cfg(any(feature = "postgres", feature = "sqlite"))]
        if let Some(rows) = &self.profile.columns.rows {
            schema = rows.around(schema);
        }
        schema.terminal(self.profile.is_terminal);
        Lane::start(LaneConfig {
            name,
            schema,
            sink: self.sink,
            overflow: self.overflow,
            synchronous: self.synchronous,
            durability: self.durability,
            queue_bytes: max_bytes,
            batching: self.profile.batch,
            own_threads: self.profile.own_threads,
            is_plain: self.profile.is_plain,
            spools: self.profile.spools,
            acts_by_clock: self.profile.clock.acts,
            logs_nothing: self.profile.logs_nothing,
            record_filter: self.record_filter,
            deduplicates: self.deduplicates,
            columns: self.profile.columns,
            limit,
            redactor: Redactor::new(common.rules.as_ref(), self.strips_ansi),
            #[cfg(feature = "sealed")]
            sealing: Sealing::new(&common.sealed, self.unseals, common.max_line_bytes),
            path: self.profile.path.as_deref().map(resolved),
            #[cfg(feature = "sealed")]
            head: self.profile.head,
            predecessors,
            common: common.clone(),
        })
    }
}

/// Complains once if `TZ` is mistyped and an output uses local times.
pub(super) fn complain_of_time_zone(guard: &Guard, is_used: bool) {
    if let Some(wrong) = is_used.then(time_zone::mistake).flatten() {
        guard.complain("time zone", &wrong);
    }
}

/// Returns the paths that outputs write to.
///
/// # Errors
/// Two outputs write to one file.
pub(super) fn different_paths(outputs: &[Output]) -> Result<Vec<PathBuf>, Error> {
    let mut seen = Vec::new();
    for path in outputs.iter().filter_map(|output| output.profile.path.as_deref()) {
        let known = resolved(path);
        if seen.contains(&known) {
            return Err(Error::invalid(format!(
                "two outputs write to {}; use one output, or a file for each",
                path.display()
            )));
        }
        seen.push(known);
    }
    Ok(seen)
}

/// Checks that no two outputs write to one file: they would mix their lines and rotate it under each other.
///
/// # Errors
/// Names the path.
pub(super) fn check_paths(outputs: &[Output]) -> Result<(), Error> {
    let seen = different_paths(outputs)?;
    for output in outputs {
        let own = output.profile.path.as_deref().map(resolved);
        output.avoid(&seen.iter().filter(|path| Some(*path) != own.as_ref()).cloned().collect::<Vec<_>>());
    }
    Ok(())
}
