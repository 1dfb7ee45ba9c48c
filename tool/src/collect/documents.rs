//! Splits the body of a request into JSON documents.
//!
//! NDJSON has one on each line. Many senders post an array of them instead: Vector, fluent-bit, winston and the library's own
//! `Http::json_array`. Others write an object over several lines, or objects without anything between them. Such a body is
//! taken as values only if all of it can be read so. Otherwise its lines are taken one by one, so that a broken one costs
//! only itself.

use serde::de::IgnoredAny;

/// Calls `each` with every document of a body. What is no JSON is among them, by lines.
pub(super) fn each(body: &[u8], mut each: impl FnMut(&[u8])) {
    match values_of(body) {
        Some(values) => values.flatten().for_each(each),
        None => {
            let lines = body.split(|byte| *byte == b'\n');
            lines.filter(|line| !line.trim_ascii().is_empty()).for_each(&mut each);
        }
    }
}

/// Returns the values of a body that is JSON and no NDJSON.
fn values_of(body: &[u8]) -> Option<Values<'_>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    let values = match body.first()? {
        b'[' => Values { rest: body.get(1..)?, is_array: true, is_first: true },
        b'{' if !is_value(body.split(|byte| *byte == b'\n').next()?) => {
            Values { rest: body, is_array: false, is_first: true }
        }
        _ => return None,
    };
    values.clone().all(|value| value.is_ok()).then_some(values)
}

fn is_value(line: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

/// The elements of an array, or values one after the other.
#[derive(Clone)]
struct Values<'b> {
    rest: &'b [u8],
    is_array: bool,
    is_first: bool,
}

/// A body that is not what its beginning says.
struct Broken;

impl<'b> Values<'b> {
    /// Moves to the next value of an array. Returns whether there is one.
    fn separate(&mut self) -> Result<bool, Broken> {
        let is_first = std::mem::replace(&mut self.is_first, false);
        self.rest = self.rest.trim_ascii_start();
        if !self.is_array {
            return Ok(!self.rest.is_empty());
        }
        match self.rest.split_first() {
            Some((b']', behind)) => {
                self.rest = behind.trim_ascii_start();
                self.is_array = false;
                if self.rest.is_empty() { Ok(false) } else { Err(Broken) }
            }
            Some((b',', behind)) if !is_first => {
                self.rest = behind.trim_ascii_start();
                Ok(true)
            }
            Some(_) if is_first => Ok(true),
            _ => Err(Broken),
        }
    }

    fn value(&mut self) -> Result<&'b [u8], Broken> {
        let mut values = serde_json::Deserializer::from_slice(self.rest).into_iter::<IgnoredAny>();
        if !matches!(values.next(), Some(Ok(_))) {
            return Err(Broken);
        }
        let (value, behind) = self.rest.split_at_checked(values.byte_offset()).ok_or(Broken)?;
        self.rest = behind;
        Ok(value)
    }
}

impl<'b> Iterator for Values<'b> {
    type Item = Result<&'b [u8], Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        let value = self.separate().and_then(|is_there| if is_there { self.value().map(Some) } else { Ok(None) });
        if value.is_err() {
            (self.rest, self.is_array) = (&[], false);
        }
        value.transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn documents(body: &str) -> Vec<String> {
        let mut found = Vec::new();
        each(body.as_bytes(), |document| found.push(String::from_utf8_lossy(document).into_owned()));
        found
    }

    #[test]
    fn arrays_and_values_over_lines_are_taken_apart() {
        for (body, expected) in [
            ("[{\"a\":1},{\"b\":\"],[\"}]", &["{\"a\":1}", "{\"b\":\"],[\"}"][..]),
            ("\u{feff}[\n  {\n \"a\": 1\n } ,\n 2 ]\r\n", &["{\n \"a\": 1\n }", "2"]),
            ("[]", &[]),
            ("{\n\"a\":1\n}", &["{\n\"a\":1\n}"]),
            ("{\"a\":1}{\"b\":2}\n{\n}", &["{\"a\":1}", "{\"b\":2}", "{\n}"]),
        ] {
            assert_eq!(documents(body), expected, "{body}");
        }
    }

    #[test]
    fn lines_stay_lines_and_what_is_broken_costs_only_its_line() {
        for (body, expected) in [
            ("{\"a\":1}\r\n\n{\"b\":2}", &["{\"a\":1}\r", "{\"b\":2}"][..]),
            ("{\"a\":1}\n{\"b\"\n{\"c\":3}\n", &["{\"a\":1}", "{\"b\"", "{\"c\":3}"]),
            ("{\"torn\n{\"a\":1}", &["{\"torn", "{\"a\":1}"]),
            ("[error] disk\n[1]", &["[error] disk", "[1]"]),
            ("[{\"a\":1},]", &["[{\"a\":1},]"]),
            ("[{\"a\":1}\n,{\"b\":2}", &["[{\"a\":1}", ",{\"b\":2}"]),
            ("[1]\n[2]", &["[1]", "[2]"]),
            ("[1 2]", &["[1 2]"]),
            ("[,1]", &["[,1]"]),
            ("hello\n", &["hello"]),
            (" \n", &[]),
        ] {
            assert_eq!(documents(body), expected, "{body}");
        }
    }

    proptest! {
        #[test]
        fn an_array_gives_its_elements(texts in proptest::collection::vec(any::<String>(), 0..9), is_pretty: bool) {
            let values: Vec<_> = texts.iter().map(|text| serde_json::json!({ "message": text, "all": [text] })).collect();
            let value = serde_json::Value::Array(values.clone());
            let body = if is_pretty { format!("{value:#}") } else { value.to_string() };
            let found: Vec<serde_json::Value> =
                documents(&body).iter().map(|document| serde_json::from_str(document).unwrap()).collect();
            prop_assert_eq!(found, values);
        }

        #[test]
        fn no_byte_but_space_is_left_out_of_what_is_broken(body in "[\\[\\]{}\",:a1\n ]{0,30}") {
            let found: usize = documents(&body).iter().map(|document| document.len()).sum();
            prop_assert!(found <= body.len());
        }
    }
}
