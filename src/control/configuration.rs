//! The configuration of a running log, which a text changes.
//!
//! `config` implements it. It imports this module, not the other way round.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::handle::Handle;
use super::shutdown::WeakLog;
use crate::error::Error;
use crate::filter::Directives;
use crate::record::{FieldValue, discard};

/// What a log was started from, and can be changed by.
pub(crate) trait Configuration: fmt::Debug + Send + Sync {
    /// The log has started.
    fn started(&self, started: Started);

    /// Watches the file, and reloads when it changes, until the log ends.
    ///
    /// # Errors
    /// There is no file, or no thread can be started.
    fn watch(&self, log: WeakLog) -> Result<(), Error>;

    /// Watches again, in a forked child.
    fn watch_in_child(&self, log: WeakLog);

    /// Changes the log to a text; to that of the file without one. All or nothing.
    ///
    /// # Errors
    /// Nothing has changed.
    fn change(&self, handle: &Handle, text: Option<NewText>) -> Result<Reloaded, Error>;
}

/// What is known of a log when it has started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Started {
    /// The names of all outputs.
    pub(crate) outputs: Vec<String>,
    /// The only output is the one that a log has without any.
    pub(crate) has_default_output: bool,
    /// The variable that overrides the filter.
    pub(crate) filter_variable: Option<String>,
    /// What the program has forced, which no text overrides.
    pub(crate) forces_filter: bool,
    pub(crate) forced_fields: Vec<String>,
}

/// A whole configuration that takes the place of the file's until the next reload.
#[derive(Clone, Debug)]
pub(crate) struct NewText {
    /// What errors call it.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) is_json: bool,
    /// It is only compared with what is in force.
    pub(crate) is_check: bool,
}

/// What a reload has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// The keys that have another value now, such as `output.file`. Empty if the text says what was in force already.
    pub changed: Vec<String>,
    /// Keys whose new value has no effect, because something overrides it, each with what does.
    pub masked: Vec<String>,
}

impl Handle {
    /// Reads the configuration file again, and changes the log to it. All or nothing.
    ///
    /// A changed filter takes effect at once. New outputs open, and changed ones are replaced. Those that are gone drain
    /// and close, which goes on after the return. Queued lines go where they were to go. Only `filter`, `output` and
    /// `static_fields` can change while the log runs.
    ///
    /// Outputs and filters that the program has set up in code stay. A replaced output's counters begin anew.
    ///
    /// # Errors
    /// Nothing has changed: the log was not started from a file, the file has mistakes, a sink cannot be opened, or a key
    /// cannot change while the log runs. The error names the key.
    ///
    /// # Blocking
    /// As long as it takes to read the file and to open new sinks. Waits for other changes of the outputs.
    pub fn reload(&self) -> Result<Reloaded, Error> {
        self.reconfigure(None, vec![("by", "program".into())])
    }

    /// Changes the log to a text, and reports that: in a line of the log, and a failure also as a complaint. `by`: the
    /// fields that say who asked for it.
    pub(crate) fn reconfigure<'a>(
        &self,
        text: Option<NewText>,
        by: Vec<(&'a str, FieldValue<'a>)>,
    ) -> Result<Reloaded, Error> {
        let configuration = self.configuration()?;
        let is_check = text.as_ref().is_some_and(|text| text.is_check);
        // It calls sinks, schemas and layers of the program.
        let changed = catch_unwind(AssertUnwindSafe(|| configuration.change(self, text))).unwrap_or_else(|payload| {
            discard(payload);
            Err(Error::invalid("the program's own code panicked while the configuration was applied"))
        });
        if !is_check {
            self.report(by, &changed);
        }
        changed
    }

    fn report<'a>(&self, by: Vec<(&'a str, FieldValue<'a>)>, reloaded: &'a Result<Reloaded, Error>) {
        let Ok(layer) = self.layer("has no configuration") else { return };
        let mut fields = by;
        match reloaded {
            Ok(reloaded) if *reloaded == Reloaded::default() => {}
            Ok(reloaded) => {
                let (changed, masked) = (reloaded.changed.join(", "), reloaded.masked.join(", "));
                fields.push(("changed", changed.into()));
                fields.extend((!masked.is_empty()).then(|| ("masked", masked.into())));
                layer.core.announce("configuration reloaded", &fields);
            }
            Err(error) => {
                let text = format!("{error:#}");
                layer.common.complaints.say("reload", &format!("the configuration is not reloaded: {text}"));
                fields.push(("error", text.into()));
                layer.core.announce("configuration not reloaded", &fields);
            }
        }
    }

    /// Replaces the configured filter, unless the program has forced one. Returns what overrides it.
    pub(crate) fn configure_filter(
        &self,
        global: Option<&Directives>,
        source: &str,
        is_forced: bool,
    ) -> Result<Option<String>, Error> {
        if is_forced {
            return Ok(Some("the program".to_owned()));
        }
        let is_masked = self.filter_control()?.set_configured(global, source);
        self.complain_of_levels();
        Ok(is_masked.then(|| "control".to_owned()))
    }

    /// Returns what changes by a text.
    ///
    /// # Errors
    /// The log was not started from one.
    pub(crate) fn configuration(&self) -> Result<&dyn Configuration, Error> {
        let configuration = self.layer("has no configuration")?.configuration.as_deref();
        configuration.ok_or_else(|| {
            Error::invalid(
                "the log was not started from a configuration; begin with `Builder::from_env` or `Builder::from_file` of the \
                 feature `config`",
            )
        })
    }
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.changed.as_slice() {
            [] => f.write_str("nothing changed")?,
            changed => write!(f, "changed: {}", changed.join(", "))?,
        }
        match self.masked.as_slice() {
            [] => Ok(()),
            masked => write!(f, "; without effect: {}", masked.join(", ")),
        }
    }
}
