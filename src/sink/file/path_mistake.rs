//! Paths that can only be a mistake: they name a stream, or expect something to be expanded that is not.

use std::ffi::OsStr;
use std::path::{Component, Path};

use crate::rotation::PathPattern;

/// Returns what to write instead of `path`; `None` for a path that may be meant.
pub(super) fn path_mistake(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    let stream = |name| Some(format!("this is a stream, not a file; write `Output::new({name}::new())`"));
    match text {
        "-" | "/dev/stdout" | "/dev/tty" | "/dev/fd/1" | "/proc/self/fd/1" => return stream("Stdout"),
        "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => return stream("Stderr"),
        _ => {}
    }
    if let Some(path) = text.strip_prefix("file://") {
        return Some(format!("this is a URL; write the path alone: `{}`", path.escape_debug()));
    }
    let mut parts = path.components().filter_map(|part| match part {
        Component::Normal(part) => part.to_str(),
        _ => None,
    });
    if text.starts_with('~') && parts.clone().next() == Some("~") {
        return Some("only a shell expands `~`; expected the whole path, such as from the variable `HOME`".to_owned());
    }
    let is_dated = matches!(PathPattern::parse(path), Ok(Some(_)));
    let is_wrong = |part: &&str| is_variable(part) && !(is_dated && part.starts_with('%'));
    if let Some(variable) = parts.clone().find(is_wrong) {
        return Some(format!(
            "only a shell expands `{}`; expected the whole path, such as from `std::env::var`",
            variable.escape_debug()
        ));
    }
    // The name of a temporary directory may have any letters.
    let has_letters = path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.contains("YYYY"));
    let dated = parts.any(|part| ["%F", "%D", "{date}"].iter().any(|pattern| part.contains(pattern)));
    (has_letters || dated).then(|| {
        "the name has a pattern for the date, which is not expanded; write `%Y-%m-%d` and `daily()`, or a plain name and \
         `daily()`, which gives closed files their date"
            .to_owned()
    })
}

/// Returns whether a part of a path begins with a variable, such as `$HOME`, `${HOME}` or `%APPDATA%`.
fn is_variable(part: &str) -> bool {
    let name = |text: &str| text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    match (part.strip_prefix('$'), part.strip_prefix('%')) {
        (Some(rest), _) => name(rest.strip_prefix('{').unwrap_or(rest)),
        (_, Some(rest)) => rest.split_once('%').is_some_and(|(variable, _)| {
            let is_word = variable.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            name(variable) && is_word && variable.len() > 1
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_can_only_be_a_mistake_has_advice() {
        for (path, advice) in [
            ("/dev/stdout", "Output::new(Stdout::new())"),
            ("-", "Output::new(Stdout::new())"),
            ("/dev/fd/2", "Output::new(Stderr::new())"),
            ("/proc/self/fd/2", "Output::new(Stderr::new())"),
            ("~/a.log", "`HOME`"),
            ("$HOME/a.log", "`$HOME`"),
            ("logs/${APP}.log", "`${APP}.log`"),
            ("%APPDATA%/a.log", "`%APPDATA%`"),
            ("file:///var/log/a.log", "`/var/log/a.log`"),
            ("logs/a-%F.log", "`%Y-%m-%d` and `daily()`"),
            ("logs/a-{date}.log", "`daily()`"),
            ("%APPDATA%/a-%Y.log", "`%APPDATA%`"),
        ] {
            let text = path_mistake(Path::new(path)).expect(path);
            assert!(text.contains(advice), "{text}");
        }
        for path in [
            "a.log",
            "./-",
            "logs/~a.log",
            "./~/a.log",
            "a$b.log",
            "100%.log",
            "%41%.log",
            "/var/log/a.log",
            "$",
            "%Y-%m-%d.log",
            "%Y_%m.log",
        ] {
            assert_eq!(path_mistake(Path::new(path)), None, "{path}");
        }
    }
}
