//! Colours, where they are wanted.

use std::env;

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

/// Which colours output has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Theme {
    /// For a dark background
    #[default]
    Dark,
    /// For a light background
    Light,
    /// Bold, faint and inverse text instead of colours
    Mono,
    /// Neither
    None,
}

/// How many colours a terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    Eight,
    Many,
    True,
}

/// The parameters of the terminal's `SGR` control for each [`Ink`], in their order. An empty one changes nothing.
type Codes = [&'static str; 8];

const PLAIN: Codes = [""; 8];
const MONO: Codes = ["2", "", "2", "", "", "1", "1", "1;7"];
const DARK: Codes = ["2", "36", "2", "34", "32", "33", "31", "1;31"];
const DARK_MANY: Codes =
    ["38;5;245", "38;5;73", "38;5;243", "38;5;75", "38;5;114", "38;5;221", "38;5;203", "1;38;5;197"];
const DARK_TRUE: Codes = [
    "38;2;139;148;158",
    "38;2;121;192;201",
    "38;2;125;133;144",
    "38;2;108;182;255",
    "38;2;126;200;130",
    "38;2;240;196;94",
    "38;2;255;123;114",
    "1;38;2;255;85;120",
];
const LIGHT: Codes = ["2", "34", "2", "36", "32", "35", "31", "1;31"];
const LIGHT_MANY: Codes =
    ["38;5;242", "38;5;24", "38;5;244", "38;5;25", "38;5;28", "38;5;130", "38;5;160", "1;38;5;160"];
const LIGHT_TRUE: Codes = [
    "38;2;101;109;118",
    "38;2;5;80;118",
    "38;2;110;119;129",
    "38;2;9;105;218",
    "38;2;26;127;55",
    "38;2;154;85;0",
    "38;2;207;34;46",
    "1;38;2;164;14;38",
];

impl ColorChoice {
    /// Returns the usual colours, if there are any. `is_terminal`: whether stdout is one.
    pub(crate) fn paint(self, is_terminal: bool) -> Paint {
        self.paint_as(Theme::default(), is_terminal)
    }

    /// Returns the colours of a theme, if there are any.
    pub(crate) fn paint_as(self, theme: Theme, is_terminal: bool) -> Paint {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_on = match self {
            Self::Auto => is_terminal && !is_set("NO_COLOR") && !is_dumb,
            Self::Always => true,
            Self::Never => false,
        };
        Paint { codes: if is_on { theme.codes(depth()) } else { &PLAIN } }
    }
}

impl Theme {
    fn codes(self, depth: Depth) -> &'static Codes {
        match (self, depth) {
            (Self::None, _) => &PLAIN,
            (Self::Mono, _) => &MONO,
            (Self::Dark, Depth::Eight) => &DARK,
            (Self::Dark, Depth::Many) => &DARK_MANY,
            (Self::Dark, Depth::True) => &DARK_TRUE,
            (Self::Light, Depth::Eight) => &LIGHT,
            (Self::Light, Depth::Many) => &LIGHT_MANY,
            (Self::Light, Depth::True) => &LIGHT_TRUE,
        }
    }
}

/// Returns how many colours the terminal has, as its variables say.
fn depth() -> Depth {
    let text = |name| env::var(name).unwrap_or_default();
    if matches!(text("COLORTERM").as_str(), "truecolor" | "24bit") {
        Depth::True
    } else if text("TERM").contains("256color") {
        Depth::Many
    } else {
        Depth::Eight
    }
}

/// Writes texts in colours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    codes: &'static Codes,
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
    /// Returns its place among the codes: that of a service is for themes without colours.
    fn place(self) -> usize {
        match self {
            Self::Faint | Self::Service(_) => 0,
            Self::Name => 1,
            Self::Level(LineLevel::Trace) => 2,
            Self::Level(LineLevel::Debug) => 3,
            Self::Level(LineLevel::Info | LineLevel::Notice) => 4,
            Self::Level(LineLevel::Warn) => 5,
            Self::Level(LineLevel::Error) => 6,
            Self::Level(_) => 7,
        }
    }
}

impl Paint {
    /// Writes a text in a colour.
    pub(crate) fn put(self, out: &mut String, ink: Ink, text: &str) {
        match self.code(ink) {
            "" => out.push_str(text),
            code => out.extend(["\x1b[", code, "m", text, "\x1b[0m"]),
        }
    }

    fn code(self, ink: Ink) -> &'static str {
        match ink {
            // Themes without colours have no codes for names.
            Ink::Service(number) if !self.codes.get(Ink::Name.place()).is_none_or(|code| code.is_empty()) => {
                SERVICES.get(number % SERVICES.len()).copied().unwrap_or_default()
            }
            _ => self.codes.get(ink.place()).copied().unwrap_or_default(),
        }
    }

    /// Writes what `put` writes, in a colour.
    pub(super) fn put_with(self, out: &mut Vec<u8>, ink: Ink, put: impl FnOnce(&mut Vec<u8>)) {
        let code = self.code(ink);
        if code.is_empty() {
            return put(out);
        }
        out.extend_from_slice(b"\x1b[");
        out.extend_from_slice(code.as_bytes());
        out.push(b'm');
        put(out);
        out.extend_from_slice(b"\x1b[0m");
    }
}
