//! Levels as text: the valid ones, and what people type instead.

use tracing::level_filters::LevelFilter;

use crate::advice::nearest;

/// The names of the levels, most severe first.
const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// Names of levels elsewhere, and abbreviations: in Python, Java, .NET, Go, npm, Android and syslog.
const ALIASES: &[(&str, &str)] = &[
    ("warning", "warn"),
    ("warnings", "warn"),
    ("wrn", "warn"),
    ("critical", "error"),
    ("crit", "error"),
    ("fatal", "error"),
    ("severe", "error"),
    ("emerg", "error"),
    ("emergency", "error"),
    ("alert", "error"),
    ("err", "error"),
    ("errors", "error"),
    ("exception", "error"),
    ("inf", "info"),
    ("information", "info"),
    ("informational", "info"),
    ("notice", "info"),
    ("normal", "info"),
    ("default", "info"),
    ("dbg", "debug"),
    ("debugging", "debug"),
    ("fine", "debug"),
    ("finer", "trace"),
    ("finest", "trace"),
    ("trc", "trace"),
    ("verbose", "trace"),
    ("vrb", "trace"),
    ("silly", "trace"),
    ("notset", "trace"),
    ("all", "trace"),
    ("everything", "trace"),
    ("max", "trace"),
    ("on", "trace"),
    ("yes", "trace"),
    ("true", "trace"),
    ("none", "off"),
    ("no", "off"),
    ("false", "off"),
    ("null", "off"),
    ("silent", "off"),
    ("quiet", "off"),
    ("disable", "off"),
    ("disabled", "off"),
];

/// A name from elsewhere that is at least this long may have a slip in it. A shorter one would be near real targets.
const MIN_LONG_ALIAS: usize = 7;

/// Crates whose name is near that of a level: their names are targets.
const CRATES: [&str; 2] = ["tracer", "warp"];

/// Reads a level: its name in upper or lower case, or its number from 0 (off) to 5 (trace).
pub(super) fn level(text: &str) -> Option<LevelFilter> {
    let numbered = (0..).map(|number: u8| char::from(b'0' + number)).zip(LEVELS);
    let is_number = |digit: char| text.len() == 1 && text.starts_with(digit);
    let mut levels = numbered.map(|(digit, (name, level))| (is_number(digit), name, level));
    levels.find(|(is_number, name, _)| *is_number || name.eq_ignore_ascii_case(text)).map(|(.., level)| level)
}

/// Returns the level that a word stands for which is none: a name from elsewhere, or one with a slip in it.
///
/// A slip seldom changes the first letter, so `grace` is a target.
pub(super) fn meant(word: &str) -> Option<&'static str> {
    if let Some((_, level)) = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(word)) {
        return Some(level);
    }
    let begins_alike = |name: &&(&str, &str)| {
        let first = |text: &str| text.chars().next().map(|first| first.to_ascii_lowercase());
        word.chars().take(2).any(|char| Some(char.to_ascii_lowercase()) == first(name.0))
    };
    let names = LEVELS.map(|(name, _)| (name, name));
    let long = ALIASES.iter().filter(|(alias, _)| alias.len() >= MIN_LONG_ALIAS);
    let candidates = names.iter().chain(long).filter(begins_alike).copied();
    if CRATES.contains(&word) { None } else { nearest(word, 1, candidates) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_name_in_any_case_or_a_digit() {
        for (number, (name, expected)) in LEVELS.into_iter().enumerate() {
            for text in [name.to_owned(), name.to_uppercase(), number.to_string()] {
                assert_eq!(level(&text), Some(expected), "{text}");
            }
        }
        for text in ["", "6", "-1", "+3", "03", "info ", "information", "ｉｎｆｏ"] {
            assert_eq!(level(text), None, "{text}");
        }
    }

    #[test]
    fn a_word_from_elsewhere_or_with_a_slip_means_a_level() {
        for (word, level) in ALIASES {
            assert_eq!(meant(word), Some(*level), "{word}");
            assert_eq!(meant(&word.to_uppercase()), Some(*level), "{word}");
        }
        for (word, level) in
            [("wran", "warn"), ("inof", "info"), ("tarce", "trace"), ("wanring", "warn"), ("of", "off")]
        {
            assert_eq!(meant(word), Some(level), "{word}");
        }
    }

    #[test]
    fn the_name_of_a_crate_means_no_level() {
        let crates = [
            "grace",
            "track_api",
            "trading",
            "tracking",
            "miner",
            "server",
            "client",
            "barn",
            "mirror",
            "tracing",
            "warp",
            "tracer",
            "web",
            "axum",
            "hyper",
            "log",
            "sqlx",
            "http",
            "h2",
            "tower",
            "tokio",
            "mio",
            "rustls",
            "orders",
            "my_crate",
            "api",
            "app",
            "db",
            "info_service",
            "errors_v2",
            "tracing_core",
            "warden",
            "infra",
            "debugger",
            "traceroute",
            "config",
            "core",
            "main",
            "auth",
            "ring",
            "sled",
            "tide",
            "want",
            "rayon",
            "serde",
        ];
        for name in crates {
            assert_eq!(meant(name), None, "{name}");
        }
    }
}
