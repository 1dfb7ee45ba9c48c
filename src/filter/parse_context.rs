//! The parser of directives with spans and fields: `target[span{field=value,…}]=level`, in the syntax of `EnvFilter`.
//!
//! The target, the span's name and the fields may be missing. A value in quotes is exactly that text. `value*` is the
//! beginning of a text, `field=~"…"` a regular expression. Without a level, it is TRACE.

use tracing::level_filters::LevelFilter;

use super::in_context::{FieldTest, InContext, Test};
use super::level::level;
use super::pattern::Pattern;
use crate::advice::quoted;

/// More fields are a mistake.
const MAX_FIELDS: usize = 16;

/// What is expected, as advice ends.
const EXPECTED: &str = "expected, for example, `[request{request_id=\"r-42\"}]=debug`";

/// Returns the directives of a text: separated by commas that are not in brackets or quotes.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (directive, others) = match find(text, ',', false) {
            Some(end) => (text.get(..end)?, text.get(end + 1..)),
            None => (text, None),
        };
        rest = others;
        Some(directive)
    })
}

/// Returns where `wanted` stands first, outside brackets and quotes. Quotes outside brackets are a mistake, and hide
/// nothing, unless `text` is from inside some.
fn find(text: &str, wanted: char, is_inside: bool) -> Option<usize> {
    let (mut depth, mut is_quoted, mut is_escaped) = (usize::from(is_inside), false, false);
    for (at, char) in text.char_indices() {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' if depth > 0 => is_quoted = !is_quoted,
            _ if is_quoted => {}
            _ if char == wanted && depth == usize::from(is_inside) => return Some(at),
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Reads a directive with brackets or braces.
///
/// # Errors
/// What is wrong, and what to write.
pub(super) fn read_in_context(directive: &str) -> Result<InContext, String> {
    let (target, rest) = directive.split_once('[').ok_or_else(|| match directive.split_once('{') {
        Some(_) => format!("fields stand in brackets and braces; {EXPECTED}"),
        None => format!("the `[` is missing; {EXPECTED}"),
    })?;
    let end =
        find(rest, ']', true).ok_or_else(|| format!("the `]` is missing, or a quote or brace is open; {EXPECTED}"))?;
    let (inside, after) = (rest.get(..end).unwrap_or_default(), rest.get(end + 1..).unwrap_or_default());
    let level = read_level(after.trim())?;
    let target = target.trim();
    if target.contains(['*', '"', '\'', '=', ']', '}']) && !is_beginning(target) {
        return Err(format!("{} is not a target; {EXPECTED}", quoted(target)));
    }
    let (span, fields) = match inside.split_once('{') {
        Some((span, fields)) => {
            let fields = fields.trim_end().strip_suffix('}');
            (span, read_fields(fields.ok_or_else(|| format!("the `}}` is missing; {EXPECTED}"))?)?)
        }
        None => (inside, Vec::new()),
    };
    let span = span.trim();
    if span.contains(['"', '\'', '=', '}', '[']) {
        return Err(format!("{} is not a span's name; fields stand in braces: {EXPECTED}", quoted(span)));
    }
    if span.is_empty() && fields.is_empty() {
        let all = if target.is_empty() { "debug".to_owned() } else { format!("{target}=debug") };
        return Err(format!("it names neither a span nor a field; for all events, write {}", quoted(&all)));
    }
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(InContext { target: some(target), span: some(span), fields, level })
}

/// Whether a target is the beginning of some.
fn is_beginning(target: &str) -> bool {
    target
        .strip_suffix('*')
        .is_some_and(|beginning| !beginning.is_empty() && !beginning.contains(['*', '"', '\'', '=']))
}

fn read_level(text: &str) -> Result<LevelFilter, String> {
    if text.is_empty() {
        return Ok(LevelFilter::TRACE);
    }
    let word = text
        .strip_prefix('=')
        .map(str::trim)
        .ok_or_else(|| format!("after the `]`, {} is not expected; expected a level: {EXPECTED}", quoted(text)))?;
    match level(word) {
        Some(LevelFilter::OFF) => {
            Err("a directive for a span adds lines, so `off` has no effect; remove it".to_owned())
        }
        Some(level) => Ok(level),
        None => Err(format!("{} is not a level; expected `error`, `warn`, `info`, `debug` or `trace`", quoted(word))),
    }
}

fn read_fields(text: &str) -> Result<Vec<FieldTest>, String> {
    let mut rest = Some(text);
    let mut fields = Vec::new();
    while let Some(text) = rest {
        let end = find(text, ',', true);
        let field = text.get(..end.unwrap_or(text.len())).unwrap_or_default().trim();
        rest = end.and_then(|end| text.get(end + 1..));
        if !field.is_empty() {
            fields.push(read_field(field)?);
        }
    }
    match fields.len() {
        0 => Err(format!("the braces are empty; {EXPECTED}")),
        1..=MAX_FIELDS => Ok(fields),
        many => Err(format!("it has {many} fields; expected at most {MAX_FIELDS}")),
    }
}

fn read_field(field: &str) -> Result<FieldTest, String> {
    let (name, value) = match field.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (field, None),
    };
    if name.is_empty() || name.contains(['"', '\'', '*', '{', '}']) || name.contains(char::is_whitespace) {
        return Err(format!("{} is not a field's name; {EXPECTED}", quoted(name)));
    }
    let value = match value {
        None => Test::Present,
        Some(value) => read_value(name, value)?,
    };
    Ok(FieldTest { name: name.to_owned(), value })
}

fn read_value(name: &str, value: &str) -> Result<Test, String> {
    if let Some(pattern) = value.strip_prefix('~') {
        return read_pattern(name, pattern.trim_start()).map(Test::Pattern);
    }
    let (value, is_beginning) = match value.strip_suffix('*') {
        Some(beginning) => (beginning, true),
        None => (value, false),
    };
    let in_quotes = value.strip_prefix('"').map(|rest| rest.strip_suffix('"'));
    match (in_quotes, is_beginning) {
        (Some(None), _) => Err(format!("the second quote of {} is missing, or not at its end", quoted(name))),
        (Some(Some(text)), false) => Ok(Test::Text(unescaped(text))),
        (Some(Some(text)), true) => Ok(Test::Prefix(unescaped(text))),
        (None, _) if value.is_empty() && !is_beginning => {
            Err(format!("the value of {} is missing; for any value, write {}", quoted(name), quoted(name)))
        }
        (None, _) if value.contains(['"', '\'', '*', '{', '}']) => {
            Err(format!("the value {} needs quotes: write {}", quoted(value), quoted(&format!("{name}={value:?}"))))
        }
        (None, true) => Ok(Test::Prefix(value.to_owned())),
        (None, false) => Ok(Test::Word { text: value.to_owned(), number: value.parse().ok() }),
    }
}

/// Reads a regular expression in quotes. Of its backslashes, only one before a quote is not the expression's.
fn read_pattern(name: &str, value: &str) -> Result<Pattern, String> {
    match value.strip_prefix('"').map(|rest| rest.strip_suffix('"')) {
        Some(Some(text)) => Pattern::new(text.replace("\\\"", "\"")),
        Some(None) => Err(format!("the second quote of {} is missing, or not at its end", quoted(name))),
        None => {
            let (pattern, text) = (format!("{name}=~\"{value}\""), format!("{name}=\"~{value}\""));
            Err(format!(
                "a regular expression stands in quotes: write {}, or {} for that text",
                quoted(&pattern),
                quoted(&text)
            ))
        }
    }
}

/// Removes the backslash before a quote and before another one.
fn unescaped(text: &str) -> String {
    let mut rest = text.chars();
    let next = || match rest.next()? {
        '\\' => rest.next(),
        char => Some(char),
    };
    std::iter::from_fn(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> InContext {
        read_in_context(text).expect(text)
    }

    #[test]
    fn a_directive_names_target_span_and_fields() {
        let all = read(r#"orders::db*[request{request_id="r-\"4,]}2", n=-1.5,user=ada*,paid}]=debug"#);
        assert_eq!(all.target.as_deref(), Some("orders::db*"));
        assert_eq!(all.span.as_deref(), Some("request"));
        assert_eq!(all.level, LevelFilter::DEBUG);
        let tests: Vec<_> = all.fields.iter().map(|field| (field.name.as_str(), &field.value)).collect();
        let [id, number, user, paid] = &tests[..] else { panic!("{tests:?}") };
        assert_eq!(*id, ("request_id", &Test::Text("r-\"4,]}2".to_owned())));
        assert_eq!(*number, ("n", &Test::Word { text: "-1.5".to_owned(), number: Some(-1.5) }));
        assert_eq!(*user, ("user", &Test::Prefix("ada".to_owned())));
        assert_eq!(*paid, ("paid", &Test::Present));
        assert_eq!(read("[request]").level, LevelFilter::TRACE);
        assert_eq!(read("[{tenant=acme}]=TRACE").span, None);
        assert_eq!(read("orders[{ok=true}]=info").target.as_deref(), Some("orders"));
    }

    #[test]
    fn commas_in_brackets_and_quotes_separate_nothing() {
        let text = r#"info,[a{x="1,\"2,",y=2}]=debug,db=warn,"a,b"#;
        let parts: Vec<_> = split(text).collect();
        assert_eq!(parts, ["info", r#"[a{x="1,\"2,",y=2}]=debug"#, "db=warn", "\"a", "b"]);
        assert_eq!(split("").collect::<Vec<_>>(), [""]);
        assert_eq!(split("é,[ü").collect::<Vec<_>>(), ["é", "[ü"]);
    }

    #[test]
    fn a_mistake_says_what_to_write() {
        for (text, advice) in [
            ("[request=debug", "the `]` is missing"),
            ("request]=debug", "the `[` is missing"),
            ("{tenant=acme}=debug", "fields stand in brackets and braces"),
            ("[request{id=1]=debug", "the `]` is missing"),
            ("[]=debug", "write `debug`"),
            ("db[]=debug", "write `db=debug`"),
            ("[request]=off", "`off` has no effect"),
            ("[request]=loud", "`loud` is not a level"),
            ("[request]debug", "expected a level"),
            ("[request{}]=debug", "the braces are empty"),
            ("[request{=1}]=debug", "not a field's name"),
            ("[request{id=}]=debug", "for any value, write `id`"),
            ("[request{id=\"1}]=debug", "the `]` is missing"),
            ("[request{id=a'b}]=debug", "needs quotes"),
            ("[id=1]=debug", "fields stand in braces"),
            ("a*b[request]=debug", "not a target"),
            ("[{id=~r-4}]=debug", "write `id=~\"r-4\"`, or `id=\"~r-4\"` for that text"),
        ] {
            let error = read_in_context(text).expect_err(text);
            assert!(error.contains(advice), "{text}: {error}");
        }
        let many = format!("[{{{}}}]", "a,".repeat(17));
        assert!(read_in_context(&many).expect_err("fields").contains("17 fields"));
    }
}
