//! The characters that a waterfall is drawn with.

use std::env;

use super::span::Event;

/// A set of characters, each one column wide.
#[derive(Debug)]
pub(super) struct Signs {
    pub(super) is_ascii: bool,
    /// The bar of a span of the longest chain, and of any other.
    pub(super) chain: &'static str,
    pub(super) span: &'static str,
    pub(super) gap: &'static str,
    /// A line, a warning, and an error.
    events: [&'static str; 3],
    pub(super) arrow: &'static str,
    /// The end of a text that was cut.
    pub(super) cut: &'static str,
    pub(super) at_least: &'static str,
    pub(super) micro: &'static str,
    pub(super) legend: &'static str,
}

static UNICODE: Signs = Signs {
    is_ascii: false,
    chain: "█",
    span: "▒",
    gap: "┄",
    events: ["│", "!", "✖"],
    arrow: "→",
    cut: "…",
    at_least: "≥ ",
    micro: "µs",
    legend: "█ longest chain  ▒ other spans  │ line  ! warning  ✖ error  ┄ gap  ≥ at least, from lines",
};

static ASCII: Signs = Signs {
    is_ascii: true,
    chain: "#",
    span: "=",
    gap: "-",
    events: ["|", "!", "x"],
    arrow: "->",
    cut: "~",
    at_least: ">= ",
    micro: "us",
    legend: "# longest chain  = other spans  | line  ! warning  x error  - gap  >= at least, from lines",
};

impl Signs {
    /// Returns ASCII if it is asked for, or if the locale is not UTF-8.
    pub(super) fn new(is_ascii: bool) -> &'static Self {
        if is_ascii || !is_utf8() { &ASCII } else { &UNICODE }
    }

    /// Returns the sign of an event, and how much it counts beside others in the same place.
    pub(super) fn of(&self, event: &Event) -> (&'static str, u8) {
        let [line, warning, error] = self.events;
        match event {
            event if event.is_error() => (error, 3),
            event if event.is_severe() => (warning, 2),
            _ => (line, 1),
        }
    }
}

/// Returns whether the characters of the terminal are UTF-8, as POSIX has it: the first variable that is set decides.
#[cfg(unix)]
fn is_utf8() -> bool {
    let variables = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(env::var_os);
    let locale = variables.map(|value| value.to_string_lossy().to_ascii_lowercase()).find(|value| !value.is_empty());
    locale.is_some_and(|locale| locale.contains("utf-8") || locale.contains("utf8"))
}

#[cfg(not(unix))]
fn is_utf8() -> bool {
    env::var_os("LC_ALL").is_none_or(|locale| locale != "C")
}
