//! What the bytes of a line must have, so that most lines need not be read.

use std::collections::BTreeSet;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

use super::tokens::Operator;
use super::{Comparison, Expression, Filter, Literal, Subject};
use crate::entry::{Number, Part};

/// Texts of which a line has one. What has none of them need not be read; what has one is still to be judged.
#[derive(Clone, Debug)]
pub(crate) struct Needle(Regex);

impl Needle {
    /// Returns what finds the lines that have one of these ids, also in other letter case, with escapes, and as the decimal
    /// number that Datadog writes for a trace. `None`: an id may be spelled in a way that this does not find.
    pub(crate) fn of_ids<'i>(ids: impl IntoIterator<Item = &'i str>) -> Option<Self> {
        let mut texts = BTreeSet::new();
        for id in ids {
            if !is_findable(id) {
                return None;
            }
            texts.insert(id.to_ascii_lowercase());
            let low = id.get(id.len().saturating_sub(16)..);
            texts.extend(low.and_then(|low| u64::from_str_radix(low, 16).ok()).map(|low| low.to_string()));
        }
        Self::of_any(&texts)
    }

    /// Returns what finds one of these texts, in any letter case, also with escapes.
    fn of_any(texts: &BTreeSet<String>) -> Option<Self> {
        if texts.is_empty() {
            return None;
        }
        // JSON has other escapes only for characters that no text has here.
        let bytes: BTreeSet<u8> =
            texts.iter().flat_map(|text| text.bytes()).flat_map(|byte| [byte, byte.to_ascii_uppercase()]).collect();
        let escaped: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let texts: Vec<_> = texts.iter().map(|text| regex::escape(text)).collect();
        Self::of_pattern(&format!(r"(?i-u:{})|\\u00(?i-u:{})", texts.join("|"), escaped.join("|")))
    }

    /// Returns what finds these bytes.
    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let escaped = String::from_utf8(bytes.to_vec()).ok().map(|text| regex::escape(&text))?;
        Self::of_pattern(&escaped)
    }

    fn of_pattern(pattern: &str) -> Option<Self> {
        RegexBuilder::new(pattern).build().ok().map(Self)
    }

    /// Returns where the first of the texts is.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<usize> {
        self.0.find(bytes).map(|found| found.start())
    }

    pub(crate) fn is_in(&self, line: &[u8]) -> bool {
        self.0.is_match(line)
    }
}

impl Filter {
    /// Returns what lines have that meet all conditions, if that is known.
    pub(crate) fn needle(&self) -> Option<Needle> {
        let ids = |ids: &[String]| Needle::of_ids(ids.iter().map(String::as_str));
        ids(&self.requests)
            .or_else(|| ids(&self.traces))
            .or_else(|| self.grep.iter().find_map(|regex| Needle::of_bytes(&required(regex)?)))
            .or_else(|| Needle::of_any(&self.expression.as_ref()?.texts()?))
    }
}

impl Expression {
    /// Returns texts of which a line has one that meets it, if there are such texts.
    fn texts(&self) -> Option<BTreeSet<String>> {
        match self {
            Self::Or(any) => {
                any.iter().try_fold(BTreeSet::new(), |texts, one| Some(one.texts()?.into_iter().chain(texts).collect()))
            }
            Self::And(all) => all.iter().find_map(Self::texts),
            Self::Not(_) | Self::Has(_) => None,
            Self::Compare(comparison) => comparison.text().map(|text| BTreeSet::from([text])),
        }
    }
}

impl Comparison {
    /// Returns a text that a line has that meets it.
    fn text(&self) -> Option<String> {
        let Literal::Text(text) = &self.literal else { return None };
        // Most lines have the name of a level, a service or a target, and trace ids are spelled in several ways.
        let is_rare = match self.subject {
            Subject::Level | Subject::Time => false,
            Subject::Part(part) => matches!(part, Part::Message | Part::Request),
            Subject::Field(_) => true,
        };
        // Numbers, booleans, objects and arrays are compared as what they mean.
        let is_text = Number::of(text.as_bytes()).is_none() && !matches!(text.as_str(), "true" | "false");
        (self.operator == Operator::Equal && is_rare && is_text && is_findable(text)).then(|| text.to_ascii_lowercase())
    }
}

/// Returns whether a text stands in a line as it is, or with the escapes of [`Needle::of_any`].
fn is_findable(text: &str) -> bool {
    // Syslog escapes a bracket, and JSON the others. A text in braces may stand for an object.
    text.len() >= 3
        && text
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'/' | b'[' | b']' | b'{'))
}

/// Returns bytes that are in each text that matches a regular expression, if that is known.
fn required(regex: &Regex) -> Option<Vec<u8>> {
    let hir = regex_syntax::ParserBuilder::new().utf8(false).build().parse(regex.as_str()).ok()?;
    let bytes = longest(&hir).to_vec();
    // What is between the records of OTLP's requests is not in the line as it is searched.
    let is_between = |byte: &u8| matches!(byte, b'\n' | b'{' | b'}' | b'[' | b']');
    (bytes.len() >= 3 && !bytes.iter().any(is_between)).then_some(bytes)
}

fn longest(hir: &Hir) -> &[u8] {
    match hir.kind() {
        HirKind::Literal(literal) => &literal.0,
        HirKind::Capture(capture) => longest(&capture.sub),
        HirKind::Concat(all) => all.iter().map(longest).max_by_key(|bytes| bytes.len()).unwrap_or_default(),
        HirKind::Repetition(repetition) if repetition.min > 0 => longest(&repetition.sub),
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use spanline::record::Timestamp;

    use super::super::{grep, parse};
    use super::*;

    const ID: &str = "4BF92F3577B34DA6A3CE929D0E0E4736";

    #[test]
    fn no_line_with_an_id_is_passed_over() {
        let needle = Needle::of_ids([ID, "r-1"]).unwrap();
        for line in [
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "projects/p/traces/4BF92F3577B34DA6A3CE929D0E0E4736",
            "\"dd.trace_id\":\"11803532876627986230\"",
            r"\u0034bf92f3577b34da6a3ce929d0e0e4736",
            r"r\u002D1",
            "\u{f6} R-1",
        ] {
            assert!(needle.is_in(line.as_bytes()), "{line}");
        }
        for line in ["4bf92f3577b34da6a3ce929d0e0e4737", r"\u001b[31m", r"a \n b", "r_1", ""] {
            assert!(!needle.is_in(line.as_bytes()), "{line}");
        }
        for id in ["", "5", "a/b", "a\"b", "gr\u{f6}\u{df}e", "a]b"] {
            assert!(Needle::of_ids([ID, id]).is_none(), "{id}");
        }
        assert!(Needle::of_ids([]).is_none());
    }

    #[test]
    fn an_expression_has_a_needle_only_if_each_line_that_meets_it_has_one_of_its_texts() {
        for (text, texts) in [
            ("user = 'Anna'", Some("anna")),
            ("status > 5 and (user = 'anna' or message = 'all sold')", Some("all sold|anna")),
            ("user = 'anna' or status > 5", None),
            ("not user = 'anna'", None),
            ("user != 'anna'", None),
            ("user = '500'", None),
            ("user = 'true'", None),
            ("user = '{}x'", None),
            ("user < 'anna'", None),
            ("user ~ 'anna'", None),
            ("service = 'anna'", None),
            ("level = 'info'", None),
            ("has anna", None),
        ] {
            let found = parse(text, Timestamp::now()).unwrap().texts();
            let found = found.map(|texts| texts.into_iter().collect::<Vec<_>>().join("|"));
            assert_eq!(found.as_deref(), texts, "{text}");
        }
    }

    #[test]
    fn a_pattern_has_a_needle_only_if_each_match_has_it() {
        for (pattern, bytes) in [
            ("order lost", "order lost"),
            (r"^a(bcd)+\d+ef$", "bcd"),
            (r"panicked at '[^']+' in module", "panicked at '"),
            (r"id=\d+ \(user\)", " (user)"),
            ("abc|abd", ""),
            ("(?i)order", ""),
            ("(order)?", ""),
            ("(order)*x", ""),
            ("gr\u{f6}\u{df}e", "gr\u{f6}\u{df}e"),
            ("ab", ""),
        ] {
            let found = required(&grep(pattern).unwrap()).unwrap_or_default();
            assert_eq!(String::from_utf8_lossy(&found), bytes, "{pattern}");
        }
    }
}
