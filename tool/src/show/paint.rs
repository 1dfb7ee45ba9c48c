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

/// The control that begins each [`Ink`] on a terminal, in their order. An empty one changes nothing.
type Codes = [&'static str; 8];

/// Ends all colours.
const END: &str = "\x1b[0m";

const PLAIN: Codes = [""; 8];
const MONO: Codes = ["\x1b[2m", "", "\x1b[2m", "", "", "\x1b[1m", "\x1b[1m", "\x1b[1;7m"];
const DARK: Codes = ["\x1b[2m", "\x1b[36m", "\x1b[2m", "\x1b[34m", "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[1;31m"];
const DARK_MANY: Codes = [
    "\x1b[38;5;245m",
    "\x1b[38;5;73m",
    "\x1b[38;5;243m",
    "\x1b[38;5;75m",
    "\x1b[38;5;114m",
    "\x1b[38;5;221m",
    "\x1b[38;5;203m",
    "\x1b[1;38;5;197m",
];
const DARK_TRUE: Codes = [
    "\x1b[38;2;139;148;158m",
    "\x1b[38;2;121;192;201m",
    "\x1b[38;2;125;133;144m",
    "\x1b[38;2;108;182;255m",
    "\x1b[38;2;126;200;130m",
    "\x1b[38;2;240;196;94m",
    "\x1b[38;2;255;123;114m",
    "\x1b[1;38;2;255;85;120m",
];
const LIGHT: Codes = ["\x1b[2m", "\x1b[34m", "\x1b[2m", "\x1b[36m", "\x1b[32m", "\x1b[35m", "\x1b[31m", "\x1b[1;31m"];
const LIGHT_MANY: Codes = [
    "\x1b[38;5;242m",
    "\x1b[38;5;24m",
    "\x1b[38;5;244m",
    "\x1b[38;5;25m",
    "\x1b[38;5;28m",
    "\x1b[38;5;130m",
    "\x1b[38;5;160m",
    "\x1b[1;38;5;160m",
];
const LIGHT_TRUE: Codes = [
    "\x1b[38;2;101;109;118m",
    "\x1b[38;2;5;80;118m",
    "\x1b[38;2;110;119;129m",
    "\x1b[38;2;9;105;218m",
    "\x1b[38;2;26;127;55m",
    "\x1b[38;2;154;85;0m",
    "\x1b[38;2;207;34;46m",
    "\x1b[1;38;2;164;14;38m",
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
#[derive(Clone, Copy, Debug, PartialEq)]
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
    "\x1b[38;5;37m",
    "\x1b[38;5;133m",
    "\x1b[38;5;136m",
    "\x1b[38;5;67m",
    "\x1b[38;5;103m",
    "\x1b[38;5;172m",
    "\x1b[38;5;72m",
    "\x1b[38;5;168m",
    "\x1b[38;5;98m",
    "\x1b[38;5;101m",
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
            code => out.extend([code, text, END]),
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
        out.extend_from_slice(code.as_bytes());
        put(out);
        out.extend_from_slice(END.as_bytes());
    }
}
