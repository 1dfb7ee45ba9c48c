//! When lines for people are coloured.

use std::ffi::OsString;

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Color {
    /// When the sink is a terminal that can: `TERM=dumb` cannot. `NO_COLOR` turns colours off, `CLICOLOR_FORCE` turns
    /// them on.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Returns whether to colour under [`Color::Auto`]. A non-empty `NO_COLOR` turns colours off. `CLICOLOR_FORCE` other
/// than `0` turns them on, also when the sink is not a terminal. A terminal called `dumb` cannot show them.
pub(super) fn auto_color(is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    let is_dumb = set("TERM").is_some_and(|name| name == "dumb");
    is_terminal && !is_dumb || set("CLICOLOR_FORCE").is_some_and(|value| value != "0")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::auto_color;

    #[test]
    fn colour_follows_the_terminal_unless_a_variable_says_otherwise() {
        let with =
            |name: &'static str, value: &'static str| move |asked: &str| (asked == name).then(|| OsString::from(value));
        assert!(auto_color(true, |_| None));
        assert!(!auto_color(false, |_| None));
        assert!(!auto_color(true, with("NO_COLOR", "1")));
        assert!(auto_color(true, with("NO_COLOR", "")), "empty does not count");
        assert!(auto_color(false, with("CLICOLOR_FORCE", "1")));
        assert!(!auto_color(false, with("CLICOLOR_FORCE", "0")));
        assert!(!auto_color(true, with("TERM", "dumb")) && auto_color(true, with("TERM", "xterm")));
    }
}
