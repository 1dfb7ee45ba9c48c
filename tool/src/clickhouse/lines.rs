//! Lines as a node sends them.
//!
//! The first byte of a row is 0. The last row begins with 1: without it, the node has failed, and lines are missing. What begins
//! in another way is the text of an error.

use std::collections::HashMap;
use std::io::{BufReader, Read};

use super::client::Client;
use super::columns::{HAS_TIME, NO_TIME, form_of};
use super::rows::RowReader;
use crate::inputs::Stored;
use crate::scan::FoundLine;

const BUFFER_BYTES: usize = 256 << 10;

/// How much is read of an error.
const ERROR_BYTES: u64 = 4096;

/// The lines of one query.
pub(crate) struct StoredLines {
    client: Client,
    rows: RowReader<BufReader<Box<dyn Read + Send>>>,
    /// The last time before each segment in its log.
    times: HashMap<u64, i64>,
    is_ended: bool,
}

impl StoredLines {
    pub(super) fn new(client: Client, rows: Box<dyn Read + Send>, times: HashMap<u64, i64>) -> Self {
        let rows = RowReader::new(BufReader::with_capacity(BUFFER_BYTES, rows));
        Self { client, rows, times, is_ended: false }
    }

    fn read_row(&mut self, line: &mut Vec<u8>) -> std::io::Result<FoundLine> {
        let rows = &mut self.rows;
        let (settled, is_cut, present) = (rows.u8()?, rows.u8()?, rows.u8()?);
        let (own, segment) = (rows.i64()?, rows.u64()?);
        rows.bytes(line)?;
        let time = if own == NO_TIME { self.times.get(&segment).copied().unwrap_or(NO_TIME) } else { own };
        Ok(FoundLine {
            is_cut: is_cut != 0,
            settled: form_of(settled),
            own_time: (present & HAS_TIME != 0).then_some(own),
            time: Some(time).filter(|time| *time != NO_TIME),
        })
    }
}

impl Stored for StoredLines {
    fn read(&mut self, line: &mut Vec<u8>) -> Result<Option<FoundLine>, String> {
        if self.is_ended {
            return Ok(None);
        }
        // Also behind a failure.
        self.is_ended = true;
        let broken = |error: std::io::Error| format!("the answer broke off, so lines are missing: {error}");
        let failure = match self.rows.tag() {
            Ok(Some(0)) => match self.read_row(line) {
                Ok(row) => {
                    self.is_ended = false;
                    return Ok(Some(row));
                }
                Err(error) => self.client.failure(&broken(error), None),
            },
            Ok(Some(1)) => match self.read_row(line) {
                Ok(_) => return Ok(None),
                Err(error) => self.client.failure(&broken(error), None),
            },
            Ok(Some(first)) => {
                let mut said = vec![first];
                said.extend(self.rows.rest(ERROR_BYTES));
                self.client.said(&String::from_utf8_lossy(&said))
            }
            Ok(None) => self.client.failure("the answer broke off, so lines are missing", None),
            Err(error) => self.client.failure(&broken(error), None),
        };
        Err(failure.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::Address;
    use super::super::rows::Row;
    use super::*;

    type Read = Vec<(Vec<u8>, Option<i64>)>;

    fn read(bytes: Vec<u8>) -> (Read, Result<(), String>) {
        let client = Client::new(Address::parse("clickhouse://a/b").unwrap(), None);
        let mut lines = StoredLines::new(client, Box::new(std::io::Cursor::new(bytes)), HashMap::from([(7, 5)]));
        let (mut all, mut line) = (Vec::new(), Vec::new());
        loop {
            match lines.read(&mut line) {
                Ok(Some(stored)) => all.push((line.clone(), stored.time)),
                Ok(None) => return (all, Ok(())),
                Err(why) => {
                    assert!(lines.read(&mut line).unwrap().is_none());
                    return (all, Err(why));
                }
            }
        }
    }

    fn put(row: &mut Row, tag: u8, time: i64, segment: u64, line: &[u8]) {
        row.u8(tag);
        row.u8(1);
        row.u8(0);
        row.u8(1);
        row.i64(time);
        row.u64(segment);
        row.bytes(line);
    }

    #[test]
    fn lines_without_a_last_row_are_not_all() {
        let mut row = Row::default();
        put(&mut row, 0, 9, 7, b"a\n\0");
        put(&mut row, 0, NO_TIME, 7, b"");
        put(&mut row, 0, NO_TIME, 8, b"b");
        let rows = row.as_bytes().to_vec();
        let expected = vec![(b"a\n\0".to_vec(), Some(9)), (Vec::new(), Some(5)), (b"b".to_vec(), None)];
        put(&mut row, 1, 0, 0, b"");
        assert_eq!(read(row.as_bytes().to_vec()), (expected.clone(), Ok(())));
        for (behind, part) in [
            (&b""[..], "broke off"),
            (
                b"Code: 210, e.displayText() = DB::NetException: refused",
                "at http://a:8123/b: Code: 210, e.displayText()",
            ),
            (b"\r\n__exception__\r\ntag\r\nCode: 241. DB::Exception", "Code: 241. DB::Exception"),
            (b"\0\x01", "broke off"),
        ] {
            let (lines, end) = read([rows.as_slice(), behind].concat());
            assert!(lines == expected && end.as_ref().is_err_and(|why| why.contains(part)), "{end:?}");
        }
    }
}
