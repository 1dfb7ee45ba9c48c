//! Writes the indexes of logs: reads all lines once, and stores what their blocks have.

use std::collections::HashMap;

use spanline::Error;
use spanline::read::{PlainFile, Segment};
use spanline::record::Timestamp;

use crate::entry::Entry;
use crate::escape::escaped;
use crate::index::{Block, Budget, Builder, Index, Layout, Store, Unread};
use crate::report::Report;
use crate::scan::{Input, Place, Visit, scan, settled};
use crate::sealed::is_sealed;
use crate::trace::ids_of;

/// The size of a block of a file up to 64 GiB, and of larger ones, in bytes. The pieces that threads read have whole blocks.
const BLOCK_BYTES: u64 = 1 << 20;
const LARGE_BYTES: u64 = 64 << 30;
const LARGE_BLOCK_BYTES: u64 = 4 << 20;

/// Reading a smaller file takes no longer than reading its index.
const MIN_BYTES: u64 = 64 << 10;

/// How many times more bytes a compressed file has.
const COMPRESSION: u64 = 16;

/// So much is read at once, in bytes: at least one file.
const BATCH_BYTES: u64 = 64 << 20;
const BATCH_FILES: usize = 64;

/// How much the filters of one batch may take, in bytes.
const FILTER_BYTES: usize = 24 << 20;

/// When indexes have taken so much, the oldest are removed, in bytes.
const PRUNE_BYTES: u64 = 16 << 20;

/// How files are divided, and which get an index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// The size of a block, in bytes.
    pub(crate) block: u64,
    /// The size of the smallest file that gets an index, in bytes.
    pub(crate) least: u64,
    /// Tells when a file is read.
    pub(crate) clock: fn() -> Timestamp,
}

impl Default for Rules {
    fn default() -> Self {
        Self { block: BLOCK_BYTES, least: MIN_BYTES, clock: Timestamp::now }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Indexed {
    /// How many files were read.
    pub(crate) files: u64,
    /// How many had an index that says all about them.
    pub(crate) unchanged: u64,
    /// How many are too small, or sealed.
    pub(crate) left_out: u64,
}

/// Stores an index of each segment that has none. Stops when one cannot be stored.
pub(crate) fn index(segments: Vec<Segment>, store: &Store, rules: Rules, report: &mut Report) -> Indexed {
    let mut indexed = Indexed::default();
    let mut stored = 0;
    let mut batch = Vec::new();
    let mut segments = segments.into_iter();
    loop {
        let segment = segments.next();
        let is_last = segment.is_none();
        match segment.and_then(|segment| report.check(Source::open(segment, rules))) {
            Some(Some(source)) if store.index_of(&source.file).is_some_and(|index| index.is_current(&source.file)) => {
                indexed.unchanged += 1;
            }
            Some(Some(source)) => batch.push(source),
            Some(None) => indexed.left_out += 1,
            None => {}
        }
        let bytes = batch.iter().map(|source| source.unread.bytes()).sum::<u64>();
        if !is_last && bytes < BATCH_BYTES && batch.len() < BATCH_FILES {
            continue;
        }
        for (path, index) in read(std::mem::take(&mut batch), report) {
            match store.put(&index) {
                Ok(bytes) => (indexed.files, stored) = (indexed.files + 1, stored + bytes),
                Err(error) => {
                    report.failure(&format!("write the index of {path} to {}: {error}", escaped(store.path())));
                    return indexed;
                }
            }
        }
        if is_last {
            return indexed;
        }
        if stored >= PRUNE_BYTES {
            stored = 0;
            let _ = store.prune();
        }
    }
}

/// A file that gets an index.
struct Source {
    segment: Segment,
    file: PlainFile,
    unread: Unread,
}

impl Source {
    /// Opens a file; `None` if it gets no index.
    fn open(segment: Segment, rules: Rules) -> Result<Option<Self>, Error> {
        if is_sealed(&segment) {
            return Ok(None);
        }
        let (file, layout) = match segment.open_plain()? {
            Some(file) if file.bytes().is_ok_and(|bytes| bytes > LARGE_BYTES) => {
                (file, Layout::Blocks(LARGE_BLOCK_BYTES))
            }
            Some(file) => (file, Layout::Blocks(rules.block)),
            None => (segment.open_raw()?, Layout::Whole),
        };
        let unread = Unread::new(&file, layout, (rules.clock)().as_nanos());
        let least = if layout == Layout::Whole { rules.least / COMPRESSION } else { rules.least };
        let unread = unread.filter(|unread| unread.bytes() >= least.max(1));
        Ok(unread.map(|unread| Self { segment, file, unread }))
    }

    fn input(&self) -> Input {
        match self.unread.layout() {
            Layout::Blocks(_) => Input::Start(self.file.clone(), self.unread.bytes()),
            Layout::Whole => Input::Segment(self.segment.clone()),
        }
    }

    /// Returns which bytes decide how lines are read; `None` if those that were read may not be those of this file.
    fn settled(&self) -> Option<u64> {
        match self.unread.layout() {
            Layout::Blocks(_) => settled(&self.file, self.unread.bytes()).ok(),
            // It was opened once more to be read.
            Layout::Whole => self.segment.open_raw().is_ok_and(|now| self.unread.is_still(&now)).then_some(0),
        }
    }
}

/// Reads files. Returns their names and indexes, without those that could not be read, or were changed, which is reported.
fn read(sources: Vec<Source>, report: &mut Report) -> Vec<(String, Index)> {
    let budget = Budget::new(FILTER_BYTES);
    let layouts: Vec<_> = sources.iter().map(|source| source.unread.layout()).collect();
    let inputs = sources.iter().map(Source::input).collect();
    let scanned = scan(inputs, || Blocks::new(&layouts, &budget), report);
    let mut blocks: Vec<Vec<_>> = layouts.iter().map(|_| Vec::new()).collect();
    let mut last_lines = vec![0; layouts.len()];
    for mut visitor in scanned.visitors {
        visitor.end_block();
        for (input, number, block) in visitor.done {
            if let Some(blocks) = blocks.get_mut(input) {
                blocks.push((number, block));
            }
        }
        for (input, at) in visitor.last_lines {
            if let Some(last) = last_lines.get_mut(input) {
                *last = at.max(*last);
            }
        }
    }
    let mut indexes = Vec::new();
    for (number, ((source, blocks), last_line)) in sources.into_iter().zip(blocks).zip(last_lines).enumerate() {
        let path = escaped(source.segment.path());
        if scanned.failed.contains(&number) || !scanned.is_whole {
            continue;
        }
        match source.settled() {
            Some(settled) => indexes.push((path, source.unread.index(blocks, last_line, settled))),
            None => report.failure(&format!("index {path}: it was changed meanwhile")),
        }
    }
    indexes
}

/// The blocks that one thread reads.
struct Blocks<'i> {
    layouts: &'i [Layout],
    budget: &'i Budget,
    /// The number of the input, and that of the block.
    current: Option<(usize, u64, Builder)>,
    done: Vec<(usize, u64, Block)>,
    /// Where the last line of each input begins.
    last_lines: HashMap<usize, u64>,
}

impl<'i> Blocks<'i> {
    fn new(layouts: &'i [Layout], budget: &'i Budget) -> Self {
        Self { layouts, budget, current: None, done: Vec::new(), last_lines: HashMap::new() }
    }

    fn end_block(&mut self) {
        if let Some((input, number, builder)) = self.current.take() {
            self.done.push((input, number, builder.end(self.budget)));
        }
    }
}

impl Visit for Blocks<'_> {
    fn begin(&mut self, place: Place, is_cut: bool) {
        let number = self.layouts.get(place.input).map_or(0, |layout| layout.block_at(place.at));
        if self.current.as_ref().is_none_or(|(input, block, _)| (*input, *block) != (place.input, number)) {
            self.end_block();
            self.last_lines.insert(place.input, place.at);
            self.current = Some((place.input, number, Builder::default()));
        }
        if is_cut && let Some((_, _, builder)) = &mut self.current {
            builder.doubt();
        }
    }

    fn visit(&mut self, entry: &Entry<'_>, _: Place) {
        if let Some((_, _, builder)) = &mut self.current {
            builder.add(entry);
            ids_of(entry).for_each(|id| builder.add_id(&id));
        }
    }
}
