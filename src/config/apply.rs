//! Entry points: builders whose settings a text completes.

use std::path::PathBuf;
use std::sync::Arc;

use super::running::Running;
use super::source::{self, CONFIG, ENVIRONMENT};
use super::{log, sinks};
use crate::builder::{Builder, Configured, Source, builder};
use crate::error::Error;
use crate::filter::IntoFilter;
use crate::schema::Schema;
use crate::settings::{
    MakeSchema, MakeSink, Place, Registered, Section, Selected, Settings, Table, Text, Walk, complaint, select,
};
use crate::sink::Sink;

impl Builder {
    /// Creates a builder whose settings a TOML file completes, or a JSON file if its name ends in `.json`.
    ///
    /// The file is read by [`init`](Self::init) and [`build`](Self::build). The last of these wins: defaults, the setters
    /// of this builder in any order, the file, the overlay of the [environment](Self::environment), and the variable
    /// `RUST_LOG`. What [`force`](Self::force) sets overrides all of them. An output of the file replaces one with the same
    /// name, or changes it if it has no `sink`. `{env}` in the path stands for the environment's name. [The page on
    /// configuration](crate::docs::configuration) has all keys.
    ///
    /// # Errors
    /// `init` and `build` refuse a file with mistakes: the error lists all of them with line, column and key. They also
    /// refuse a file that cannot be read, that is larger than 1 MiB, or that users other than root and the process's own
    /// can write to; see [`allow_writable_file`](Self::allow_writable_file).
    ///
    /// # Examples
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("spanline.toml");
    /// # std::fs::write(&path, "filter = \"warn\"\n[output.file]\nsink = \"stdout\"")?;
    /// use spanline::Builder;
    ///
    /// let builder = Builder::from_file(path).service("orders");
    /// # let (_layer, guard) = builder.build::<tracing_subscriber::Registry>()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        from(Source::File(path.into()))
    }

    /// Creates a builder whose settings a TOML text completes, as [`from_file`](Self::from_file) does.
    ///
    /// # Errors
    /// `init` and `build` refuse a text with mistakes.
    ///
    /// # Examples
    /// ```
    /// use spanline::Builder;
    ///
    /// let error = Builder::from_toml("fliter = \"warn\"").build::<tracing_subscriber::Registry>().err().unwrap();
    /// assert!(error.to_string().starts_with("configuration:1:1: fliter: unknown key `fliter`; did you mean `filter`?"));
    /// ```
    pub fn from_toml(text: impl Into<String>) -> Self {
        from(Source::Toml(text.into()))
    }

    /// Creates a builder whose settings a JSON text completes, as [`from_file`](Self::from_file) does.
    ///
    /// # Errors
    /// `init` and `build` refuse a text with mistakes.
    pub fn from_json(text: impl Into<String>) -> Self {
        from(Source::Json(text.into()))
    }

    /// Creates a builder whose settings the file completes that the variable `SPANLINE_CONFIG` names.
    ///
    /// The value is a path, and `{env}` in it stands for the [environment](Self::environment): `conf/{env}.toml`. Without
    /// the variable, the builder is like any other.
    ///
    /// # Errors
    /// `init` and `build` return those of [`from_file`](Self::from_file).
    pub fn from_env() -> Self {
        from(Source::Variable)
    }

    /// Selects the environment, whose overlay applies: `[env.prod]`. By default, the variable `SPANLINE_ENV` does.
    ///
    /// If none is selected, or one that the file does not define, `[env.default]` applies. The second case is one complaint.
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.configured().environment = Some(name.into());
        self
    }

    /// Accepts a configuration file that users other than root and the process's own can write to.
    ///
    /// Such a user can then choose which files the process writes, and where its lines go.
    pub fn allow_writable_file(mut self) -> Self {
        self.configured().allows_writers = true;
        self
    }

    /// Makes settings that no file overrides.
    ///
    /// # Examples
    /// ```
    /// use spanline::Builder;
    ///
    /// Builder::from_env().force(|builder| builder.max_line_bytes(16 << 10).log_panics(true));
    /// ```
    pub fn force(mut self, settings: impl FnOnce(Self) -> Self + Send + 'static) -> Self {
        self.configured().forced.push(Box::new(settings));
        self
    }

    /// Sets a global filter that neither a file nor a variable overrides.
    pub fn force_filter(self, filter: impl IntoFilter + Send + 'static) -> Self {
        self.force(|builder| builder.filter(filter).filter_variable(None))
    }

    /// Sets the service's name; no file overrides it.
    pub fn force_service(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.force(|builder| builder.service(name))
    }

    /// Gives a sink of the program a name, for files: `sink = { kafka = "broker:9092" }`.
    ///
    /// `open` makes the sink from its table. The table has the sink's name as a key. A sink of this crate with the same name
    /// is replaced.
    ///
    /// # Examples
    /// ```
    /// use spanline::Builder;
    /// use spanline::sink::Memory;
    ///
    /// let memory = Memory::new();
    /// let sink = memory.clone();
    /// let text = "[output.memory]\nsink = { ours = true }";
    /// let builder = Builder::from_toml(text).register_sink("ours", move |settings| {
    ///     settings.flag("ours");
    ///     Ok(Box::new(sink.clone()))
    /// });
    /// # let (_layer, guard) = builder.build::<tracing_subscriber::Registry>()?;
    /// # Ok::<(), spanline::Error>(())
    /// ```
    pub fn register_sink<F>(mut self, name: impl Into<String>, open: F) -> Self
    where
        F: Fn(&mut Settings<'_, '_>) -> Result<Box<dyn Sink>, Error> + Send + Sync + 'static,
    {
        self.configured().registered.sinks.push((name.into(), MakeSink(Arc::new(open))));
        self
    }

    /// Gives a schema of the program a name, for files: `schema = "ours"`, or `{ name = "ours", … }`.
    ///
    /// `new` makes the schema from its table, which is empty if the file has only the name. A schema of this crate with the
    /// same name is replaced.
    pub fn register_schema<F>(mut self, name: impl Into<String>, new: F) -> Self
    where
        F: Fn(&mut Settings<'_, '_>) -> Result<Box<dyn Schema>, Error> + Send + Sync + 'static,
    {
        self.configured().registered.schemas.push((name.into(), MakeSchema(Arc::new(new))));
        self
    }
}

fn from(source: Source) -> Builder {
    let mut builder = builder();
    let configured = builder.configured();
    configured.source = Some(source);
    configured.apply = Some(apply);
    builder
}

/// Where the texts of a log come from, and what they can name.
#[derive(Debug)]
pub(super) struct Origin {
    source: Option<Source>,
    environment: Option<String>,
    allows_writers: bool,
    registered: Registered,
}

impl Origin {
    /// Returns the file; `None` if the text is not in one.
    ///
    /// # Errors
    /// The environment's name would change the directory, or the variable is not UTF-8.
    pub(super) fn path(&self) -> Result<Option<PathBuf>, Error> {
        let environment = self.environment.as_deref();
        match &self.source {
            Some(Source::File(path)) => match path.to_str() {
                Some(text) => source::path(text, environment).map(Some),
                None => Ok(Some(path.clone())),
            },
            Some(Source::Variable) => {
                source::variable(CONFIG)?.map(|path| source::path(&path, environment)).transpose()
            }
            _ => Ok(None),
        }
    }

    /// Returns the text; `None` if there is none.
    ///
    /// # Errors
    /// The file cannot be read, or is not trusted.
    pub(super) fn text(&self) -> Result<Option<Text>, Error> {
        let inline = |text: &String, is_json| Text { name: "configuration".to_owned(), text: text.clone(), is_json };
        match &self.source {
            Some(Source::Toml(text)) => Ok(Some(inline(text, false))),
            Some(Source::Json(text)) => Ok(Some(inline(text, true))),
            Some(Source::Variable) => {
                let text = self.path()?.map(|path| source::read(&path, self.allows_writers)).transpose();
                text.map_err(|error| error.of(CONFIG))
            }
            _ => self.path()?.map(|path| source::read(&path, self.allows_writers)).transpose(),
        }
    }

    /// Reads a text on top of `builder`.
    ///
    /// # Errors
    /// As [`read`].
    pub(super) fn read(&self, text: &Text, builder: Builder) -> Result<Read, Error> {
        let walk = Walk { registered: self.registered.clone(), ..Walk::default() };
        read(text, self.environment.as_deref(), walk, builder)
    }
}

/// Applies the text that `configured` names.
fn apply(mut builder: Builder, configured: Configured) -> Result<Builder, Error> {
    let environment = match configured.environment {
        Some(name) => Some(name),
        None => source::variable(ENVIRONMENT)?,
    };
    let Configured { mut source, allows_writers, registered, own_filter, .. } = configured;
    if matches!(source, Some(Source::Variable)) && source::is_foreign(CONFIG) {
        source = None;
        builder.configured().notes.push(source::FOREIGN.to_owned());
    }
    let origin = Origin { source, environment, allows_writers, registered };
    let program = builder.program(own_filter);
    let mut table = Table::default();
    if let Some(text) = origin.text()? {
        let read = origin.read(&text, builder)?;
        builder = read.builder.ok_or_else(|| text.error(read.walk.mistakes))?;
        if let Some(undefined) = read.selected.undefined.filter(|_| read.has_environments) {
            builder.configured().notes.push(complaint(&text.name, &undefined, read.selected.name.as_deref()));
        }
        table = read.table;
    }
    let running = Running::new(origin, program, table, builder.static_fields());
    builder.configured().running = Some(Arc::new(running));
    Ok(builder)
}

/// What a text says.
pub(super) struct Read {
    /// `None` if there are mistakes.
    pub(super) builder: Option<Builder>,
    pub(super) walk: Walk,
    pub(super) selected: Selected,
    /// The text with its overlay.
    pub(super) table: Table,
    /// The text has overlays.
    has_environments: bool,
}

/// Reads a text on top of `builder`, with what `walk` has registered.
///
/// # Errors
/// Mistakes of syntax. Other mistakes are in the result.
pub(super) fn read(text: &Text, environment: Option<&str>, mut walk: Walk, builder: Builder) -> Result<Read, Error> {
    let mut table: Table = text.parse()?;
    // Where a JSON file names its schema, for editors.
    table.take("$schema");
    let names_kind = |name: &str| {
        matches!(name, "name" | "template") || sinks::is_built_in(name) || walk.registered.sink(name).is_some()
    };
    let has_environments = table.get("env").is_some();
    let mut mistakes = Vec::new();
    let selected = select(&mut table, environment, &names_kind, &mut mistakes);
    walk.mistakes = mistakes;
    let mut section = Section::new(&table, Place::default(), "", &mut walk);
    let builder = log::log(&mut section, builder);
    section.finish();
    let builder = walk.mistakes.is_empty().then_some(builder);
    Ok(Read { builder, walk, selected, table, has_environments })
}
