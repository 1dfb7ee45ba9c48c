//! Colours, where they are wanted.

use std::env;
use std::fmt::Write;

use clap::ValueEnum;

use crate::loggers::LineLevel;

/// Whether output has colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`
    #[default]
    Auto,
    Always,
    Never,
}

impl ColorChoice {
    /// Returns whether there are colours. `is_terminal`: whether stdout is one.
    pub(crate) fn paint(self, is_terminal: bool) -> Paint {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Paint {
            is_on: match self {
                Self::Auto => is_terminal && !is_set("NO_COLOR") && !is_dumb,
                Self::Always => true,
                Self::Never => false,
            },
        }
    }
}

/// Writes texts in colours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    is_on: bool,
}

/// What a text is, which gives it a colour.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ink {
    Faint,
    Name,
    /// One of several services, by its number.
    Service(usize),
    Level(LineLevel),
}

/// The colours of services: none that a level has, and readable on light and dark.
const SERVICES: [&str; 10] = [
    "38;5;37", "38;5;133", "38;5;136", "38;5;67", "38;5;103", "38;5;172", "38;5;72", "38;5;168", "38;5;98", "38;5;101",
];

impl Ink {
    /// Returns the parameters of the terminal's `SGR` control.
    fn code(self) -> &'static str {
        match self {
            Self::Faint | Self::Level(LineLevel::Trace) => "2",
            Self::Name => "36",
            Self::Service(number) => SERVICES.get(number % SERVICES.len()).copied().unwrap_or_default(),
            Self::Level(LineLevel::Debug) => "34",
            Self::Level(LineLevel::Info | LineLevel::Notice) => "32",
            Self::Level(LineLevel::Warn) => "33",
            Self::Level(LineLevel::Error) => "31",
            Self::Level(_) => "1;31",
        }
    }
}

impl Paint {
    pub(crate) fn put(self, out: &mut String, ink: Ink, text: &str) {
        self.put_with(out, ink, |out| out.push_str(text));
    }

    /// Writes what `put` writes.
    pub(crate) fn put_with(self, out: &mut String, ink: Ink, put: impl FnOnce(&mut String)) {
        if !self.is_on {
            return put(out);
        }
        let _ = write!(out, "\x1b[{}m", ink.code());
        put(out);
        out.push_str("\x1b[0m");
    }
}
