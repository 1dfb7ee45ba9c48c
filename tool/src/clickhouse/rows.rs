//! Rows in ClickHouse's format `RowBinary`: numbers with the lowest byte first, and texts behind their length.
//!
//! Source: <https://clickhouse.com/docs/interfaces/formats/RowBinary>.

use std::io::{self, Read};

/// A text from a node is at most this long, in bytes: some MiB more than the longest line.
const MAX_TEXT_BYTES: u64 = 64 << 20;

/// The bytes of rows to be inserted.
#[derive(Debug, Default)]
pub(super) struct Row {
    bytes: Vec<u8>,
}

impl Row {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(super) fn u8(&mut self, number: u8) {
        self.bytes.push(number);
    }

    pub(super) fn u16(&mut self, number: u16) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn i64(&mut self, number: i64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn texts(&mut self, texts: &[String]) {
        self.length(texts.len());
        texts.iter().for_each(|text| self.bytes(text.as_bytes()));
    }

    /// Adds a length: seven bits in each byte.
    fn length(&mut self, mut length: usize) {
        while length >= 0x80 {
            self.bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        self.bytes.push(length as u8);
    }
}

/// Reads rows.
pub(super) struct RowReader<R> {
    reader: R,
}

impl<R: Read> RowReader<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader }
    }

    /// Returns what is not read yet.
    pub(super) fn into_inner(self) -> R {
        self.reader
    }

    /// Returns the next byte; `None` at the end.
    pub(super) fn tag(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        loop {
            match self.reader.read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) => return Ok(byte.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the beginning of what is left.
    pub(super) fn rest(&mut self, most: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = (&mut self.reader).take(most).read_to_end(&mut bytes);
        bytes
    }

    fn array<const BYTES: usize>(&mut self) -> io::Result<[u8; BYTES]> {
        let mut bytes = [0; BYTES];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u8(&mut self) -> io::Result<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> io::Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> io::Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> io::Result<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// Reads a text into `bytes`.
    pub(super) fn bytes(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let length = self.length()?;
        bytes.clear();
        let read = (&mut self.reader).take(length).read_to_end(bytes)?;
        if read as u64 == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    pub(super) fn text(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.bytes(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn length(&mut self) -> io::Result<u64> {
        let mut length = 0_u64;
        for shift in (0..63).step_by(7) {
            let byte = self.u8()?;
            length |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let too_long = || io::Error::new(io::ErrorKind::InvalidData, "the answer has a text that is too long");
        if length <= MAX_TEXT_BYTES { Ok(length) } else { Err(too_long()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut row = Row::default();
        let long = vec![0xff; 300];
        row.u8(7);
        row.i64(i64::MIN);
        row.u64(u64::MAX);
        row.bytes(&long);
        row.bytes(b"");
        let mut reader = RowReader::new(row.as_bytes());
        assert_eq!(
            (reader.tag().unwrap(), reader.i64().unwrap(), reader.u64().unwrap()),
            (Some(7), i64::MIN, u64::MAX)
        );
        let mut bytes = Vec::new();
        reader.bytes(&mut bytes).unwrap();
        assert_eq!((bytes, reader.text().unwrap().as_str(), reader.tag().unwrap()), (long, "", None));
        assert!(RowReader::new(&[0x05, b'a'][..]).text().is_err());
        assert!(RowReader::new(&[0xff; 20][..]).text().is_err());
    }
}
