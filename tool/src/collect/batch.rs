//! Records of one sender on their way to the outputs.

use std::sync::Arc;
use std::thread;

use spanline::record::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::counts::Counts;
use super::limits::{BATCH_BYTES, BATCH_LINES, BATCH_MEMORY};
use super::parse::{self, Incoming};
use super::refused;
use super::splitter::Frame;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Syslog,
}

/// Records of one sender. Its memory counts until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<Incoming>,
    pub(super) lines: u64,
    pub(super) bytes: usize,
    /// The memory of its records.
    memory_bytes: usize,
    refused: u64,
    truncated: u64,
    /// Lines of which the end is missing.
    torn: u64,
    memory: Option<OwnedSemaphorePermit>,
}

impl Batch {
    /// Returns whether it has as much as is handed over at once.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES || self.lines >= BATCH_LINES as u64 || self.memory_bytes >= BATCH_MEMORY
    }

    /// Adds a line.
    pub(super) fn add(&mut self, frame: &Frame<'_>, format: Format, sender: &str, now: Timestamp) {
        let mut record = match (format, frame.original_bytes) {
            (Format::Syslog, _) => parse::syslog(frame.bytes, now),
            (Format::Json, Some(_)) => refused::cut_line(frame.bytes, now),
            (Format::Json, None) => match parse::json(frame.bytes, now) {
                Ok(record) => record,
                Err(why) => {
                    self.refused += 1;
                    refused::set_aside((why.name(), &why.to_string()), frame.bytes, sender, now)
                }
            },
        };
        if let Some(bytes) = frame.original_bytes {
            self.truncated += 1;
            refused::mark_cut(&mut record, bytes);
        }
        self.push(record, frame.bytes.len());
    }

    /// Adds what the end of a connection has left of a line.
    pub(super) fn add_torn(&mut self, bytes: &[u8], sender: &str, now: Timestamp) {
        (self.refused, self.torn) = (self.refused + 1, self.torn + 1);
        let why = ("torn", "the connection ended within it");
        self.push(refused::set_aside(why, bytes, sender, now), bytes.len());
    }

    /// Adds records that were parsed already. `bytes`: the size of their body.
    pub(super) fn extend(&mut self, records: Vec<Incoming>, bytes: usize) {
        self.lines += records.len() as u64;
        self.bytes += bytes;
        self.memory_bytes += records.iter().map(Incoming::memory_bytes).sum::<usize>();
        self.records.extend(records);
    }

    fn push(&mut self, record: Incoming, bytes: usize) {
        self.lines += 1;
        self.bytes += bytes;
        self.memory_bytes += record.memory_bytes();
        self.records.push(record);
    }

    /// Counts its lines as received.
    pub(super) fn count_in(&self, counts: &Counts) {
        counts.received.add(self.lines);
        counts.bytes.add(self.bytes as u64);
        counts.refused.add(self.refused);
        counts.truncated.add(self.truncated);
    }

    /// Returns how many frames its sender has sent.
    pub(super) fn frames(&self) -> u64 {
        self.lines - self.torn
    }

    /// Returns how many of its lines are no records.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// Waits for memory. Senders get it in the order in which they ask for it.
    pub(super) async fn take_memory(&mut self, memory: &Memory) {
        let permits = u32::try_from(self.memory_bytes.min(memory.max_bytes)).unwrap_or(u32::MAX);
        self.memory = Arc::clone(&memory.bytes).acquire_many_owned(permits).await.ok();
    }
}

/// The memory that the records of all senders may take.
#[derive(Debug)]
pub(super) struct Memory {
    bytes: Arc<Semaphore>,
    max_bytes: usize,
    /// How many senders parse at once. What they parse counts only when it is there, because it can be much more memory than
    /// the text of it.
    parsing: Arc<Semaphore>,
}

impl Memory {
    pub(super) fn new(max_bytes: usize) -> Self {
        let processors = thread::available_parallelism().map_or(2, usize::from);
        Self {
            bytes: Arc::new(Semaphore::new(max_bytes)),
            max_bytes,
            parsing: Arc::new(Semaphore::new(processors.clamp(2, 16))),
        }
    }

    /// Waits for the turn to parse. It lasts until the memory is taken.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.parsing).acquire_owned().await.ok()
    }
}
