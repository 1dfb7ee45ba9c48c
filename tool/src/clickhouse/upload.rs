//! Inserts the lines of one segment.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::thread;
use std::time::Duration;

use spanline::read::Segment;
use spanline::record::Timestamp;

use super::client::{Client, Failure};
use super::columns::{Origin, Times, put_row};
use super::identity::{Content, Hashing};
use super::rows::Row;
use super::segments::Loaded;
use crate::report::with_sources;
use crate::scan::each_line;

/// A batch has about this many bytes. ClickHouse wants few large ones.
const BATCH_BYTES: usize = 8 << 20;

/// A batch has at most this many days: ClickHouse refuses more than 100 partitions in one.
const BATCH_DAYS: usize = 90;

/// ClickHouse's code for more parts than it has merged so far. Nothing is stored then.
const TOO_MANY_PARTS: u32 = 252;

/// How often such a batch is sent again.
const ATTEMPTS: u32 = 60;

/// Where lines are inserted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'c> {
    pub(super) client: &'c Client,
    pub(super) insert: &'c str,
}

/// How the ids of the queries begin that insert rows. The id of the segment follows, and the number of the batch.
pub(super) const QUERY_IDS: &str = "spanline-";

/// Opens a segment: decompressed, and up to its end as it is now.
///
/// # Errors
/// It cannot be opened.
pub(super) fn open(segment: &Segment) -> Result<impl Read + use<>, String> {
    let bytes = segment.open_plain().map_err(|error| with_sources(&error))?.and_then(|file| file.bytes().ok());
    let reader = segment.open().map_err(|error| with_sources(&error))?;
    Ok(reader.take(bytes.unwrap_or(u64::MAX)))
}

/// Why a segment is not loaded.
pub(super) enum Mistake {
    Node(Failure),
    /// It is not what it was, or cannot be read.
    File(String),
}

/// Inserts all lines that a segment had when it was read. `sent`: is told how many bytes were read since the last call.
///
/// # Errors
/// It cannot be read, it is not what it was, or the node refuses rows. Some of the rows may be stored.
pub(super) fn upload(
    segment: &Segment,
    content: &Content,
    origin: Origin<'_>,
    target: Target<'_>,
    mut sent: impl FnMut(u64),
) -> Result<Loaded, Mistake> {
    // What it has got since then is for the next load.
    let mut reader = Hashing::new(open(segment).map_err(Mistake::File)?.take(content.bytes));
    let (row, days) = (Row::default(), BTreeSet::new());
    let mut batch = Batch { target, segment: origin.segment, number: 0, row, days };
    let (mut times, mut places, mut failure, mut told) = (Times::default(), None, None, 0);
    let written = segment.written_at().map(Timestamp::as_nanos);
    let totals = each_line(&mut reader, written, |entry, at, settled| {
        batch.days.insert(put_row(&mut batch.row, entry, (at, settled), &mut times, origin));
        let first = places.map_or(times.latest, |(first, _)| first);
        places = Some((first, times.latest));
        if batch.is_full() {
            sent(at - told);
            told = at;
            failure = batch.send().err();
        }
        if failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if let Some(failure) = failure {
        return Err(Mistake::Node(failure));
    }
    let totals = totals.map_err(|error: io::Error| Mistake::File(error.to_string()))?;
    if (reader.hashed_bytes(), reader.hash()) != (content.bytes, content.hash) {
        return Err(Mistake::File("the file was changed meanwhile, not only appended to".to_owned()));
    }
    batch.send().map_err(Mistake::Node)?;
    sent(totals.bytes - told);
    let mut loaded = Loaded { hash: content.hash, totals, last_time: times.last, ..Loaded::default() };
    loaded.totals.bytes = content.bytes;
    loaded.places = places.unwrap_or(loaded.places);
    Ok(loaded)
}

/// Rows that are not sent yet.
struct Batch<'c> {
    target: Target<'c>,
    /// The id of the segment.
    segment: u64,
    /// How many batches were sent before.
    number: u64,
    row: Row,
    days: BTreeSet<u16>,
}

impl Batch<'_> {
    fn is_full(&self) -> bool {
        self.row.len() >= BATCH_BYTES || self.days.len() >= BATCH_DAYS
    }

    fn send(&mut self) -> Result<(), Failure> {
        if self.row.len() == 0 {
            return Ok(());
        }
        let mut attempt = 0;
        let id = format!("{QUERY_IDS}{}-{}", self.segment, self.number);
        self.number += 1;
        while let Err(failure) = self.target.client.insert(self.target.insert, &id, self.row.as_bytes()) {
            attempt += 1;
            if failure.code != Some(TOO_MANY_PARTS) || attempt == ATTEMPTS {
                return Err(failure);
            }
            thread::sleep(Duration::from_secs(1));
        }
        self.row.clear();
        self.days.clear();
        Ok(())
    }
}
