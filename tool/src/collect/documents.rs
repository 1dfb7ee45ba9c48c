//! Splits the body of a request into JSON documents.
//!
//! NDJSON has one on each line. Many senders post an array of them instead: Vector, fluent-bit, winston and the library's own
//! `Http::json_array`. Others write an object over several lines, or objects without anything between them. Such a body is
//! taken as values only if all of it can be read so. Otherwise its lines are taken one by one, so that a broken one costs
//! only itself.

use serde::de::IgnoredAny;

/// Finds the documents of one body, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Documents {
    /// Where the next one begins, or what is before it.
    at: usize,
    /// `None`: each line is one, also those that are no JSON.
    values: Option<Form>,
}

/// What surrounds the values.
#[derive(Clone, Copy, Debug)]
struct Form {
    is_array: bool,
    /// None was found yet.
    is_first: bool,
}

impl Documents {
    /// Finds out what a body consists of.
    pub(super) fn of(body: &[u8]) -> Self {
        values_of(body).unwrap_or(Self { at: 0, values: None })
    }

    /// Returns the next document of the body, which must be the same in each call.
    pub(super) fn next<'b>(&mut self, body: &'b [u8]) -> Option<&'b [u8]> {
        if let Some(form) = &mut self.values {
            let mut values = Values { rest: body.get(self.at..)?.trim_ascii_end(), form: *form };
            let found = values.next()?.ok()?;
            *form = values.form;
            self.at = found.as_ptr_range().end.addr() - body.as_ptr().addr();
            return Some(found);
        }
        loop {
            let rest = body.get(self.at..).filter(|rest| !rest.is_empty())?;
            let line = rest.split(|byte| *byte == b'\n').next()?;
            self.at += line.len() + 1;
            if !line.trim_ascii().is_empty() {
                return Some(line);
            }
        }
    }
}

/// Returns where the values of a body begin that is JSON and no NDJSON.
fn values_of(body: &[u8]) -> Option<Documents> {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    let is_array = match text.first()? {
        b'[' => true,
        b'{' if !is_value(text.split(|byte| *byte == b'\n').next()?) => false,
        _ => return None,
    };
    let form = Form { is_array, is_first: true };
    let mut values = Values { rest: text.get(usize::from(is_array)..)?.trim_ascii_end(), form };
    let at = body.len() - text.len() + usize::from(is_array);
    values.all(|value| value.is_ok()).then_some(Documents { at, values: Some(form) })
}

fn is_value(line: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

/// The elements of an array, or values one after the other.
struct Values<'b> {
    rest: &'b [u8],
    form: Form,
}

/// A body that is not what its beginning says.
struct Broken;

impl<'b> Values<'b> {
    /// Moves to the next value of an array. Returns whether there is one.
    fn separate(&mut self) -> Result<bool, Broken> {
        let is_first = std::mem::replace(&mut self.form.is_first, false);
        self.rest = self.rest.trim_ascii_start();
        if !self.form.is_array {
            return Ok(!self.rest.is_empty());
        }
        match self.rest.split_first() {
            Some((b']', behind)) => {
                self.rest = behind.trim_ascii_start();
                self.form.is_array = false;
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
            (self.rest, self.form.is_array) = (&[], false);
        }
        value.transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn documents(body: &str) -> Vec<String> {
        let body = body.as_bytes();
        let mut documents = Documents::of(body);
        let found = std::iter::from_fn(|| documents.next(body));
        found.map(|document| String::from_utf8_lossy(document).into_owned()).collect()
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
