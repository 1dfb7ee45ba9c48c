//! The one parser of directives, and its advice about what is none.
//!
//! A directive is a level, for all targets; `target=level`; a target alone, at TRACE; or one with spans and fields, which
//! `parse_context` reads. A word that only a slip or another library's name separates from a level is a mistake. As a
//! target, it would hide everything else.

use tracing::level_filters::LevelFilter;

use super::directives::Directives;
use super::level::{level, meant};
use super::parse_context::{read_in_context, split};
use crate::advice::quoted;
use crate::error::Error;

/// Parses directives, set in code.
///
/// # Errors
/// The text has no directive, or a mistake: the error names the first one and says what to write.
pub(crate) fn parse(text: &str) -> Result<Directives, Error> {
    let Lenient { directives, mistakes, first } = parse_leniently(text);
    match first {
        Some(mistake) => Err(Error::invalid(mistake)),
        None if directives.is_empty() && mistakes == 0 => Err(Error::invalid(EMPTY)),
        None => Ok(directives),
    }
}

/// What is wrong with a filter that lets nothing pass, although nobody said so.
pub(super) const EMPTY: &str = "the filter is empty; expected a level, such as `info`, or `off` to log nothing";

/// What a text says, apart from its mistakes.
#[derive(Debug)]
pub(crate) struct Lenient {
    /// The directives without a mistake. Empty if there is none.
    pub(crate) directives: Directives,
    pub(crate) mistakes: usize,
    /// What the first mistake is, and what to write.
    pub(crate) first: Option<String>,
}

/// Parses directives and leaves out those with a mistake.
pub(crate) fn parse_leniently(text: &str) -> Lenient {
    let mut lenient = Lenient { directives: Directives::default(), mistakes: 0, first: None };
    for directive in split(text).map(str::trim).filter(|directive| !directive.is_empty()) {
        let set = &mut lenient.directives;
        let result = match directive.contains(['[', ']', '{', '}']) {
            true => read_in_context(directive).map(|found| set.add_in_context(found)),
            false => match read(directive) {
                Ok((target, level)) => {
                    match target {
                        Some(target) => set.set(target, level),
                        None => set.set_others(level),
                    }
                    Ok(())
                }
                // Advice costs more than a look, and is read once.
                Err(why) => Err(if lenient.first.is_none() { why.advice() } else { String::new() }),
            },
        };
        if let Err(advice) = result {
            lenient.mistakes += 1;
            lenient.first.get_or_insert_with(|| format!("filter directive {}: {advice}", quoted(directive)));
        }
    }
    lenient.directives = lenient.directives.finished();
    lenient
}

/// What is wrong with a directive.
#[derive(Clone, Copy, Debug)]
enum Mistake<'a> {
    Quotes(&'a str),
    Separator(&'a str),
    WhiteSpace(&'a str),
    /// The name of the variable.
    Variable(&'a str),
    NoTarget(&'a str),
    NoLevel(&'a str),
    AllTargets(&'a str),
    Star(&'a str),
    Equals,
    Regex(&'a str),
    /// `target=level` with a level that is none.
    NotALevel {
        target: &'a str,
        level: &'a str,
    },
    /// A word that is near a level.
    Near {
        word: &'a str,
        level: &'static str,
    },
    /// A word that can be neither a level nor a target.
    Neither(&'a str),
}

/// Reads one directive: a target, if it names one, and a level.
fn read(directive: &str) -> Result<(Option<&str>, LevelFilter), Mistake<'_>> {
    if directive.contains(['"', '\'', '`']) {
        return Err(Mistake::Quotes(directive));
    }
    if directive.contains([';', '|', '&']) {
        return Err(Mistake::Separator(directive));
    }
    if directive.contains(char::is_whitespace) {
        return Err(Mistake::WhiteSpace(directive));
    }
    match directive.split_once('=') {
        Some((target, text)) => read_pair(target, text),
        None => read_word(directive),
    }
}

fn read_pair<'a>(target: &'a str, text: &'a str) -> Result<(Option<&'a str>, LevelFilter), Mistake<'a>> {
    if target == "RUST_LOG" {
        return Err(Mistake::Variable(text));
    }
    if text.is_empty() {
        return Err(Mistake::NoLevel(target));
    }
    if text.contains('=') {
        return Err(Mistake::Equals);
    }
    let Some(level) = level(text) else {
        return Err(if text.contains('/') { Mistake::Regex(text) } else { Mistake::NotALevel { target, level: text } });
    };
    match target {
        "" => Err(Mistake::NoTarget(text)),
        "*" => Err(Mistake::AllTargets(text)),
        _ if stars_within(target) => Err(Mistake::Star(target)),
        _ => Ok((Some(target), level)),
    }
}

fn read_word(word: &str) -> Result<(Option<&str>, LevelFilter), Mistake<'_>> {
    if let Some(level) = level(word) {
        return Ok((None, level));
    }
    if let Some(level) = meant(word) {
        return Err(Mistake::Near { word, level });
    }
    match word {
        "*" => Err(Mistake::AllTargets("trace")),
        _ if stars_within(word) => Err(Mistake::Star(word)),
        _ if word.contains('/') => Err(Mistake::Regex(word)),
        _ if can_be_target(word) => Ok((Some(word), LevelFilter::TRACE)),
        _ => Err(Mistake::Neither(word)),
    }
}

/// Returns whether a `*` stands before the end.
fn stars_within(target: &str) -> bool {
    target.strip_suffix('*').unwrap_or(target).contains('*')
}

/// Returns whether a word without a level looks like a module path or the like, such as `orders::db`, `access-log` or
/// `hyper*`.
fn can_be_target(word: &str) -> bool {
    let word = word.strip_suffix('*').unwrap_or(word);
    let begins_well = word.starts_with(|first: char| first.is_alphabetic() || first == '_');
    let is_part = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.');
    begins_well && word.replace("::", "").chars().all(is_part)
}

impl Mistake<'_> {
    /// Returns what is wrong and what to write.
    fn advice(self) -> String {
        match self {
            Self::Quotes(text) => {
                format!("the quotes are part of the text; write {}", quoted(&text.replace(['"', '\'', '`'], "")))
            }
            Self::Separator(text) => {
                format!("commas separate directives; write {}", quoted(&text.replace([';', '|', '&'], ",")))
            }
            Self::WhiteSpace(text) => {
                let words = text.split_whitespace().collect::<Vec<_>>().join(",");
                let joined = words.replace(",=", "=").replace("=,", "=");
                format!("it contains white space; commas separate directives, so write {}", quoted(&joined))
            }
            Self::Variable(text) => format!("it begins with the name of the variable; write {}", quoted(text)),
            Self::NoTarget(text) => format!("the target is missing; for all targets, write {}", quoted(text)),
            Self::NoLevel(target) => format!("the level is missing; write {}", quoted(&format!("{target}=debug"))),
            Self::AllTargets(text) => format!("`*` alone is not a target; for all targets, write {}", quoted(text)),
            Self::Star(target) => {
                let prefix = target.split('*').next().unwrap_or_default();
                format!("a `*` is allowed only at the end of a target, as in {}", quoted(&format!("{prefix}*=debug")))
            }
            Self::Equals => "it contains two `=`; expected `target=level`".to_owned(),
            Self::Regex(text) => format!(
                "{} is not a level, and patterns for messages are not supported; expected `target=level`",
                quoted(text)
            ),
            Self::NotALevel { target, level: text } => not_a_level(target, text),
            Self::Near { word, level } => format!(
                "{} is not a level; did you mean `{level}`? For a target of that name, write {}",
                quoted(word),
                quoted(&format!("{word}=trace"))
            ),
            Self::Neither(word) => {
                let separate = word.split([':', '>']).map(|part| part.trim_end_matches('-'));
                let parts: Vec<&str> = separate.filter(|part| !part.is_empty()).collect();
                match parts[..] {
                    [target, text] if level(text).is_some() => {
                        format!("expected `target=level`; write {}", quoted(&format!("{target}={text}")))
                    }
                    _ => format!("it is neither a level nor a target; expected {LEVELS}, or `target=level`"),
                }
            }
        }
    }
}

const LEVELS: &str = "`off`, `error`, `warn`, `info`, `debug` or `trace`";

fn not_a_level(target: &str, text: &str) -> String {
    let found = quoted(text);
    match meant(text) {
        Some(level) => {
            format!("{found} is not a level; did you mean {}?", quoted(&format!("{target}={level}")))
        }
        None if level(target).is_some() => {
            format!("{found} is not a level; the target comes first: write {}", quoted(&format!("{text}={target}")))
        }
        None => format!("{found} is not a level; expected {LEVELS}"),
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn each_mistake_has_advice_that_is_right() {
        for (text, advice) in [
            (
                "warning",
                "`warning` is not a level; did you mean `warn`? For a target of that name, write `warning=trace`",
            ),
            ("CRITICAL", "did you mean `error`? For a target of that name, write `CRITICAL=trace`"),
            ("inof", "did you mean `info`?"),
            ("info;orders=debug", "commas separate directives; write `info,orders=debug`"),
            ("info|orders=debug", "write `info,orders=debug`"),
            ("info orders=debug", "write `info,orders=debug`"),
            ("orders = debug", "write `orders=debug`"),
            ("'info'", "the quotes are part of the text; write `info`"),
            ("*=debug", "for all targets, write `debug`"),
            ("*", "for all targets, write `trace`"),
            ("=debug", "the target is missing; for all targets, write `debug`"),
            ("orders=", "the level is missing; write `orders=debug`"),
            ("orders=warning", "`warning` is not a level; did you mean `orders=warn`?"),
            ("debug=orders", "the target comes first: write `orders=debug`"),
            ("orders=loud", "`loud` is not a level; expected `off`"),
            ("a=b=info", "two `=`"),
            ("RUST_LOG=debug", "the name of the variable; write `debug`"),
            ("orders:debug", "write `orders=debug`"),
            ("orders->debug", "write `orders=debug`"),
            ("/needle", "patterns for messages are not supported"),
            ("orders=debug/needle", "patterns for messages are not supported"),
            ("or*ders=debug", "only at the end of a target, as in `or*=debug`"),
            ("[span=debug", "the `]` is missing"),
            ("--verbose", "neither a level nor a target"),
            ("7", "neither a level nor a target"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(advice) && error.contains(text), "{error}");
            // Advice in backquotes that replaces the whole text is itself accepted.
            if let Some((_, write)) = error.rsplit_once("write `") {
                let write = write.split('`').next().unwrap_or_default();
                parse(write).expect(write);
            }
        }
    }

    #[test]
    fn a_target_alone_is_wanted_at_trace() {
        for target in ["my_crate", "orders::db", "warp", "access-log", "kafka.consumer", "hyper*", "_x", "größe"] {
            let directives = parse(target).expect(target);
            assert!(directives.enables(target.trim_end_matches('*'), Level::TRACE), "{target}");
            assert!(!directives.enables("another", Level::ERROR), "{target}");
        }
    }

    #[test]
    fn no_directive_is_an_error_in_code_and_no_mistake_in_a_variable() {
        for text in ["", " , ", ",,"] {
            assert!(parse(text).expect_err(text).to_string().contains("the filter is empty"));
            let lenient = parse_leniently(text);
            assert!(lenient.directives.is_empty() && lenient.first.is_none());
        }
    }

    #[test]
    fn the_first_mistake_is_named_and_the_others_are_counted() {
        let lenient = parse_leniently("info,orders=loud,[span=debug],db=debug,");
        assert_eq!(lenient.mistakes, 2);
        assert!(lenient.first.expect("a mistake").contains("orders=loud"));
        assert!(lenient.directives.enables("db", Level::DEBUG) && lenient.directives.enables("x", Level::INFO));
        let long = "x;".repeat(if cfg!(miri) { 1 << 10 } else { 1 << 20 });
        assert!(parse(&long).expect_err("separators").to_string().len() < 500);
    }
}
