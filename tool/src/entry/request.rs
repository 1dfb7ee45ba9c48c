//! Lines that are export requests of OTLP/JSON, as the file exporter of OpenTelemetry's Collector writes them: each of their records
//! is an entry.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>, and the exporter's `format: json`.
//!
//! A record becomes a line with the resource and the scope that it belongs to, as the schema [`Otel`](spanline::schema::Otel) writes
//! it. The memory for that is in proportion to the line. Of a line whose end is missing, the records that are whole count.

use std::ops::Range;

/// The lines of a request have at most this many times the bytes of the request. Behind that, they lack the resource: a large one
/// with thousands of tiny records would take time without bounds.
const MOST_TIMES: usize = 16;

/// A small request may have longer lines, in bytes.
const MIN_BUDGET: usize = 1 << 20;

/// The records of one request, as places in its line.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// The resource and the scope of some records.
    origins: Vec<[Option<Range<u32>>; 2]>,
    /// The number of its origin, and where it begins and ends.
    records: Vec<(u32, Range<u32>)>,
    next: usize,
    /// How many bytes the lines may still have.
    budget: usize,
    line: Vec<u8>,
}

impl Request {
    /// Returns whether a line is a request with several records, which [`next`](Self::next) returns.
    pub(crate) fn open(&mut self, line: &[u8]) -> bool {
        let Some(start) = begins(line) else {
            self.next = self.records.len();
            return false;
        };
        self.next = 0;
        self.origins.clear();
        self.records.clear();
        self.read(line, start);
        self.budget = line.len().saturating_mul(MOST_TIMES).max(MIN_BUDGET);
        if self.records.len() < 2 {
            self.records.clear();
        }
        self.is_open()
    }

    /// Returns whether there are records that [`next`](Self::next) has not returned.
    pub(crate) fn is_open(&self) -> bool {
        self.next < self.records.len()
    }

    /// Returns the line of the next record, and where the record begins in the line of the request.
    pub(crate) fn next(&mut self, line: &[u8]) -> Option<(&[u8], usize)> {
        let (origin, record) = self.records.get(self.next)?;
        self.next += 1;
        let [resource, scope] = self.origins.get(*origin as usize).cloned().unwrap_or_default();
        let part = |range: &Range<u32>| line.get(range.start as usize..range.end as usize).unwrap_or_default();
        let bytes = |range: &Option<Range<u32>>| range.as_ref().map_or(0, ExactSizeIterator::len);
        let is_affordable = bytes(&resource) + bytes(&scope) <= self.budget;
        self.budget = self.budget.saturating_sub(bytes(&resource) + bytes(&scope));
        self.line.clear();
        self.line.extend_from_slice(b"{\"resourceLogs\":[{");
        for (name, range, behind) in [("resource", resource, "\"scopeLogs\":[{"), ("scope", scope, "\"logRecords\":[")]
        {
            if let Some(range) = range.filter(|_| is_affordable) {
                for bytes in [b"\"", name.as_bytes(), b"\":", part(&range), b","] {
                    self.line.extend_from_slice(bytes);
                }
            }
            self.line.extend_from_slice(behind.as_bytes());
        }
        self.line.extend_from_slice(part(record));
        self.line.extend_from_slice(b"]}]}]}");
        Some((&self.line, record.start as usize))
    }

    /// Finds the records. `start`: where the object of the request begins.
    fn read(&mut self, line: &[u8], start: usize) {
        for logs in Members::of(line, start).filter(|member| member.is("resourceLogs")).flat_map(|all| all.items()) {
            let resource =
                Members::of(line, logs.start).filter(|member| member.is("resource")).find_map(|one| one.whole());
            let scopes = Members::of(line, logs.start).filter(|member| member.is("scopeLogs"));
            for logs in scopes.flat_map(|all| all.items()) {
                let scope =
                    Members::of(line, logs.start).filter(|member| member.is("scope")).find_map(|one| one.whole());
                let records = Members::of(line, logs.start).filter(|member| member.is("logRecords"));
                let number = self.origins.len() as u32;
                self.origins.push([resource.clone(), scope]);
                let whole = records.flat_map(|all| all.items()).filter_map(|record| record.whole());
                self.records.extend(whole.map(|record| (number, record)));
            }
        }
    }
}

/// Returns where the object of a line begins whose first key is that of a request.
#[inline]
fn begins(line: &[u8]) -> Option<usize> {
    if let [b'{', b'"', first, ..] = line
        && *first != b'r'
    {
        // Nearly all lines.
        return None;
    }
    let start = line.strip_prefix(b"\xef\xbb\xbf").map_or(0, |_| 3);
    let start = space(line, start);
    let key = space(line, start + 1);
    let is_request = line.get(start) == Some(&b'{') && line.get(key..)?.starts_with(b"\"resourceLogs\"");
    is_request.then_some(start)
}

/// A value in a line, and the key before it if it is a member.
struct Part<'l> {
    line: &'l [u8],
    key: Range<usize>,
    start: usize,
    /// `None` if the line ends before.
    end: Option<usize>,
}

impl<'l> Part<'l> {
    fn is(&self, name: &str) -> bool {
        self.line.get(self.key.clone()) == Some(name.as_bytes())
    }

    /// Returns where it is, if it is a whole object.
    fn whole(&self) -> Option<Range<u32>> {
        let is_object = self.line.get(self.start) == Some(&b'{');
        Some(u32::try_from(self.start).ok()?..u32::try_from(self.end.filter(|_| is_object)?).ok()?)
    }

    /// Returns the values of the array that it is. The last one may not be whole.
    fn items(&self) -> impl Iterator<Item = Part<'l>> + use<'l> {
        let (line, mut at) = (self.line, self.start + 1);
        let mut is_array = line.get(self.start) == Some(&b'[');
        std::iter::from_fn(move || {
            at = space(line, at);
            if !is_array || matches!(line.get(at), None | Some(b']')) {
                return None;
            }
            let part = Part { line, key: 0..0, start: at, end: end_of(line, at) };
            let behind = space(line, part.end.unwrap_or(line.len()));
            is_array = line.get(behind) == Some(&b',');
            at = behind + 1;
            Some(part)
        })
    }
}

/// The members of an object. The last one may not be whole.
struct Members<'l> {
    line: &'l [u8],
    /// `None` at the end.
    at: Option<usize>,
}

impl<'l> Members<'l> {
    fn of(line: &'l [u8], start: usize) -> Self {
        Self { line, at: (line.get(start) == Some(&b'{')).then_some(start + 1) }
    }
}

impl<'l> Iterator for Members<'l> {
    type Item = Part<'l>;

    fn next(&mut self) -> Option<Part<'l>> {
        let line = self.line;
        let key = space(line, self.at.take()?);
        let key_end = end_of(line, key).filter(|_| line.get(key) == Some(&b'"'))?;
        let colon = space(line, key_end);
        let start = space(line, colon + 1);
        if line.get(colon) != Some(&b':') || start >= line.len() {
            return None;
        }
        let end = end_of(line, start);
        let behind = space(line, end.unwrap_or(line.len()));
        self.at = (line.get(behind) == Some(&b',')).then_some(behind + 1);
        Some(Part { line, key: key + 1..key_end - 1, start, end })
    }
}

/// Returns the first place that is no space.
fn space(line: &[u8], at: usize) -> usize {
    let rest = line.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).unwrap_or(rest.len())
}

/// Returns where a value ends; `None` if the line ends before.
fn end_of(line: &[u8], start: usize) -> Option<usize> {
    match line.get(start)? {
        b'"' => string_end(line, start),
        b'{' | b'[' => nested_end(line, start),
        _ => {
            // A number or a word.
            let rest = line.get(start..)?;
            let length = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b':' | b'"' | b'{' | b'['))?;
            (length > 0).then_some(start + length)
        }
    }
}

/// Returns where the object or the array ends that begins with a bracket.
fn nested_end(line: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        match line.get(at)? {
            b'"' => at = string_end(line, at)?,
            b'{' | b'[' => (at, depth) = (at + 1, depth + 1),
            b'}' | b']' if depth == 1 => return Some(at + 1),
            b'}' | b']' => (at, depth) = (at + 1, depth - 1),
            _ => at += 1,
        }
    }
}

/// Returns where the text that begins with a quote ends.
fn string_end(line: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', line.get(at..)?)?;
        match line.get(at)? {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records(line: &[u8]) -> Vec<(String, usize)> {
        let mut request = Request::default();
        let mut all = Vec::new();
        if request.open(line) {
            while let Some((record, at)) = request.next(line) {
                all.push((String::from_utf8_lossy(record).into_owned(), at));
            }
        }
        all
    }

    const TWO: &str = r#"{"resourceLogs":[{"resource":{"a":"]}"},"scopeLogs":[{"scope":{"name":"s"},"logRecords":[{"n":1},{"n":2}]}]},
        {"scopeLogs":[{"logRecords":[ {"n":[3,"\"}"]} , {"n":4}]}],"resource":{"b":2}}]}"#;

    #[test]
    fn each_record_has_its_resource_and_its_scope() {
        let found = records(TWO.as_bytes());
        let lines: Vec<_> = found.iter().map(|(line, _)| line.as_str()).collect();
        let first = r#"{"resourceLogs":[{"resource":{"a":"]}"},"scopeLogs":[{"scope":{"name":"s"},"logRecords":["#;
        let second = r#"{"resourceLogs":[{"resource":{"b":2},"scopeLogs":[{"logRecords":["#;
        let line = |before: &str, record: &str| format!("{before}{record}]}}]}}]}}");
        let expected = [
            line(first, r#"{"n":1}"#),
            line(first, r#"{"n":2}"#),
            line(second, r#"{"n":[3,"\"}"]}"#),
            line(second, r#"{"n":4}"#),
        ];
        assert_eq!(lines, expected);
        assert!(found.iter().all(|(_, at)| TWO[*at..].starts_with("{\"n\"")) && found.is_sorted_by_key(|(_, at)| *at));
    }

    #[test]
    fn of_a_line_without_its_end_the_whole_records_count() {
        let all = records(TWO.as_bytes());
        for end in 0..TWO.len() {
            let found = records(&TWO.as_bytes()[..end]);
            // The resource may come behind the records.
            assert!(found.iter().zip(&all).all(|(one, other)| one.1 == other.1) && found.len() <= all.len());
        }
        assert_eq!(records(&TWO.as_bytes()[..TWO.find("{\"n\":[3").unwrap()]), all[..2]);
    }

    #[test]
    fn one_record_and_other_lines_stay_as_they_are() {
        for line in [
            "",
            "{}",
            r#"{"resourceLogs":[]}"#,
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"n":1}]}]}]}"#,
            r#"{"resourceLogs":{"scopeLogs":1}}"#,
            r#"{"x":1,"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{}]}]}]}"#,
        ] {
            assert!(records(line.as_bytes()).is_empty(), "{line}");
        }
    }

    #[test]
    fn a_large_resource_takes_no_time_without_bounds() {
        let (resource, tiny) = ("x".repeat(500_000), "{},".repeat(100_000));
        let line = format!(
            r#"{{"resourceLogs":[{{"resource":{{"a":"{resource}"}},"scopeLogs":[{{"logRecords":[{tiny}{{}}]}}]}}]}}"#
        );
        let mut request = Request::default();
        assert!(request.open(line.as_bytes()));
        let (mut count, mut bytes) = (0, 0);
        while let Some((record, _)) = request.next(line.as_bytes()) {
            (count, bytes) = (count + 1, bytes + record.len());
        }
        assert!(count == 100_001 && bytes < 100 * line.len(), "{count} records of {bytes} bytes");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(any in any::<Vec<u8>>(), like in "[\\[\\]{}\",:\\\\ a0]{0,60}") {
            let _ = records(&any);
            for before in [r#"{"resourceLogs":"#, r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":["#] {
                let _ = records(format!("{before}{like}").as_bytes());
            }
        }
    }
}
