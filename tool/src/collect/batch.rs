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

    /// Makes a batch of all records of a request. `bytes`: the size of its body.
    pub(super) fn of_request(records: Vec<Incoming>, bytes: usize) -> Self {
        let memory_bytes = records.iter().map(Incoming::memory_bytes).sum();
        Self { lines: records.len() as u64, bytes, memory_bytes, records, ..Self::default() }
    }

    /// Splits a batch into parts that can be handed over at once, each with its part of the memory.
    pub(super) fn parts(self) -> impl Iterator<Item = Self> + Send {
        let Self { records, bytes, refused, truncated, torn, mut memory, .. } = self;
        let each = bytes / records.len().max(1);
        // The first part has what cannot be divided.
        let mut undivided = Some((bytes - each * records.len(), refused, truncated, torn));
        let mut records = records.into_iter();
        std::iter::from_fn(move || {
            let mut part = Self::default();
            while !part.is_full()
                && let Some(record) = records.next()
            {
                part.push(record, each);
            }
            if part.lines == 0 {
                return None;
            }
            if let Some((bytes, refused, truncated, torn)) = undivided.take() {
                part.bytes += bytes;
                (part.refused, part.truncated, part.torn) = (refused, truncated, torn);
            }
            part.memory = memory.as_mut().and_then(|all| all.split(part.memory_bytes.min(all.num_permits())));
            Some(part)
        })
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
    turns: usize,
}

impl Memory {
    pub(super) fn new(max_bytes: usize) -> Self {
        let turns = thread::available_parallelism().map_or(2, usize::from).clamp(2, 16);
        Self { bytes: Arc::new(Semaphore::new(max_bytes)), max_bytes, parsing: Arc::new(Semaphore::new(turns)), turns }
    }

    /// Waits for the turn to parse. It lasts until the memory is taken.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.parsing).acquire_owned().await.ok()
    }

    /// Waits for the turn to parse `bytes` at once. More bytes leave fewer turns to others.
    pub(super) async fn turn_for(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let turns = (1 + bytes / BATCH_BYTES).min(self.turns);
        Arc::clone(&self.parsing).acquire_many_owned(u32::try_from(turns).unwrap_or(1)).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_batch_have_all_that_it_has() {
        let memory = Memory::new(64 << 20);
        let record = || Incoming::new(Timestamp::from_nanos(0));
        let mut batch = Batch::of_request((0..5000).map(|_| record()).collect(), 10_001);
        (batch.refused, batch.truncated) = (7, 3);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(batch.take_memory(&memory));
        let (taken, held) = (memory.max_bytes - memory.bytes.available_permits(), batch.memory_bytes);
        let parts: Vec<_> = batch.parts().collect();
        let sum = |of: fn(&Batch) -> u64| parts.iter().map(of).sum::<u64>();
        assert_eq!(parts.len(), 3);
        assert_eq!((sum(|part| part.lines), sum(|part| part.bytes as u64)), (5000, 10_001));
        assert_eq!((sum(|part| part.refused), sum(|part| part.truncated)), (7, 3));
        assert_eq!((taken, memory.max_bytes - memory.bytes.available_permits()), (held, held));
        drop(parts);
        assert_eq!(memory.bytes.available_permits(), memory.max_bytes);
        assert_eq!(Batch::default().parts().count(), 0);
    }
}
