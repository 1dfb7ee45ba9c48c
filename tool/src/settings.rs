//! The tool's own configuration file: defaults for the options that say how output looks.
//!
//! It is `$SPANLINE_TOOL_CONFIG`, or else `spanline/tool.toml` in `$XDG_CONFIG_HOME` or `~/.config`. An option on the command line
//! comes first. What a script gets does not change: `format` counts only on a terminal.

use std::env;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use clap::builder::ArgPredicate;
use clap::{Arg, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::escape::escaped;
use crate::nearest::unknown;

/// The keys: each is an option, except the pager.
const KEYS: [&str; 6] = ["color", "format", "pager", "theme", "time", "time-zone"];

const MAX_BYTES: u64 = 1 << 20;

/// What the file says.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// The command that shows long output.
    pub(crate) pager: Option<String>,
    /// Options and their defaults.
    defaults: Vec<(&'static str, String)>,
}

impl Settings {
    /// Reads the file, if there is one. `cli`: has the options.
    ///
    /// # Errors
    /// The mistakes in the file, one a line.
    pub(crate) fn read(cli: &Command) -> Result<Self, String> {
        let Some((path, is_named)) = path() else { return Ok(Self::default()) };
        match text(&path) {
            Ok(text) => Self::parse(&text, cli).map_err(|mistakes| {
                let place = |(offset, mistake): (usize, String)| {
                    let before = text.get(..offset).unwrap_or_default();
                    let line = before.matches('\n').count() + 1;
                    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                    format!("{}:{line}:{column}: {mistake}", escaped(&path))
                };
                mistakes.into_iter().map(place).collect::<Vec<_>>().join("\n")
            }),
            Err(error) if error.kind() == ErrorKind::NotFound && !is_named => Ok(Self::default()),
            // `HOME` may be that of another user, as for `sudo`.
            Err(error)
                if error.kind() == ErrorKind::PermissionDenied && !is_named && path.symlink_metadata().is_err() =>
            {
                Ok(Self::default())
            }
            Err(error) => Err(format!("{}: {error}", escaped(&path))),
        }
    }

    /// Returns the settings, or the mistakes and where they are.
    fn parse(text: &str, cli: &Command) -> Result<Self, Vec<(usize, String)>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let syntax = errors.iter().map(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            (offset, format!("no TOML: {}", error.message()))
        });
        let mut mistakes: Vec<_> = syntax.collect();
        let mut settings = Self::default();
        if mistakes.is_empty() {
            for (key, value) in table.get_ref() {
                if let Err(mistake) = settings.put(key.get_ref(), value, cli) {
                    mistakes.push(match mistake {
                        Wrong::Key(text) => (key.span().start, text),
                        Wrong::Value(text) => (value.span().start, text),
                    });
                }
            }
        }
        mistakes.sort();
        if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
    }

    fn put(&mut self, key: &str, value: &Spanned<DeValue<'_>>, cli: &Command) -> Result<(), Wrong> {
        let Some(key) = KEYS.into_iter().find(|known| *known == key) else {
            return Err(Wrong::Key(unknown("key", key, &KEYS)));
        };
        let DeValue::String(text) = value.get_ref() else {
            return Err(Wrong::Value(format!("expected a text in quotes for `{key}`")));
        };
        if key == "pager" {
            self.pager = Some(text.to_string());
            return Ok(());
        }
        let values =
            cli.get_subcommands().find_map(|command| values(command.get_arguments().find(|arg| is(arg, key))?));
        if let Some(values) = values.filter(|values| !values.iter().any(|known| *known == **text)) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            return Err(Wrong::Value(unknown(key, text, &values)));
        }
        self.defaults.push((key, text.to_string()));
        Ok(())
    }

    /// Makes the settings the defaults of the options. `is_terminal`: whether stdout is one.
    pub(crate) fn apply(&self, mut cli: Command, is_terminal: bool) -> Command {
        let names: Vec<String> = cli.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        let defaults = self.defaults.iter().filter(|(key, _)| *key != "format" || is_terminal);
        // Once for each process.
        let defaults: Vec<(&str, &'static str)> = defaults.map(|(key, value)| (*key, &*value.clone().leak())).collect();
        for name in names {
            cli = cli.mut_subcommand(name, |command| {
                command.mut_args(|arg| {
                    let default = defaults.iter().find(|(key, _)| is(&arg, key)).map(|(_, value)| *value);
                    let takes =
                        |value: &&str| values(&arg).is_some_and(|values| values.iter().any(|known| known == value));
                    match default.filter(takes) {
                        // Options of other formats choose theirs.
                        Some(value) if is(&arg, "format") => arg
                            .default_value_ifs([
                                ("fields", ArgPredicate::IsPresent, Some("csv")),
                                ("template", ArgPredicate::IsPresent, Some("template")),
                            ])
                            .default_value(value),
                        Some(value) => arg.default_value(value),
                        None => arg,
                    }
                })
            });
        }
        cli
    }
}

/// What is wrong with a line.
enum Wrong {
    Key(String),
    Value(String),
}

/// Returns whether an option has this name.
fn is(arg: &Arg, name: &str) -> bool {
    arg.get_long() == Some(name)
}

/// Returns the values that an option takes; `None` if it takes any.
fn values(arg: &Arg) -> Option<Vec<String>> {
    let values: Vec<_> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    (!values.is_empty()).then_some(values)
}

/// Returns where the file is, and whether the user has named it.
fn path() -> Option<(PathBuf, bool)> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if env::var_os("SPANLINE_TOOL_CONFIG").is_some() {
        return variable("SPANLINE_TOOL_CONFIG").map(|path| (path, true));
    }
    let directory = variable("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let directory = directory.or_else(|| Some(variable("HOME")?.join(".config")))?;
    Some((directory.join("spanline").join("tool.toml"), false))
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(ErrorKind::InvalidData, "expected at most 1 MiB, found more"));
    }
    Ok(text)
}
