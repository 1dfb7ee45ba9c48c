//! Which segments are loaded.
//!
//! The table `lines_segments` gets a row for each new state of a segment, on each node. States only go up, so the highest one
//! counts. A segment is *begun* before its first row is inserted, and *complete* after its last one. It is *dropped* at the moment
//! in which another one takes its place, and *gone* when its rows are deleted.

use std::collections::BTreeMap;
use std::io;

use super::client::{Client, Failure};
use super::columns::NO_TIME;
use super::rows::{Row, RowReader};
use super::table::Tables;
use crate::scan::Totals;

/// The columns, in the order of the bytes of a row.
pub(super) const SEGMENT_COLUMNS: [(&str, &str); 17] = [
    ("segment", "UInt64"),
    ("state", "Enum8('begun' = 1, 'complete' = 2, 'dropped' = 3, 'gone' = 4)"),
    ("log", "String"),
    ("sequence", "UInt64"),
    ("path", "String"),
    ("is_active", "UInt8"),
    ("bytes", "UInt64"),
    ("hash", "String"),
    ("lines", "UInt64"),
    ("text", "UInt64"),
    ("broken", "UInt64"),
    ("cut", "UInt64"),
    ("first_place", "Int64"),
    ("last_place", "Int64"),
    ("last_time", "Int64"),
    ("stamp", "String"),
    ("loaded", "DateTime"),
];

/// How far a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Begun = 1,
    Complete = 2,
    Dropped = 3,
    Gone = 4,
}

impl State {
    fn of(number: u8) -> Self {
        match number {
            1 => Self::Begun,
            2 => Self::Complete,
            3 => Self::Dropped,
            _ => Self::Gone,
        }
    }
}

/// Where a segment comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The host and the path of the log's active file.
    pub(super) log: String,
    /// The number of the segment in its log.
    pub(super) sequence: u64,
    /// Where it was when it was loaded.
    pub(super) path: String,
    /// Whether it was still written to.
    pub(super) is_active: bool,
}

/// What was loaded of a segment.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    /// A hash of all its bytes, decompressed.
    pub(super) hash: u128,
    pub(super) totals: Totals,
    /// The places of the first and the last line: see the column `place`.
    pub(super) places: (i64, i64),
    pub(super) last_time: i64,
}

impl Default for Loaded {
    fn default() -> Self {
        Self { hash: 0, totals: Totals::default(), places: (NO_TIME, NO_TIME), last_time: NO_TIME }
    }
}

/// A segment and its state.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) id: u64,
    pub(super) state: State,
    pub(super) source: Source,
    pub(super) loaded: Loaded,
    /// Says whether its file has changed since it was hashed: see [`identity`](super::identity). Empty if nothing says so.
    pub(super) stamp: String,
    /// When its state was reached, in seconds since 1970.
    pub(super) second: u32,
}

impl Known {
    /// Adds it as a row, with the second in which its state was reached.
    pub(super) fn put(&self, row: &mut Row, second: u32) {
        let Self { id, state, source, loaded, stamp, .. } = self;
        row.u64(*id);
        row.u8(*state as u8);
        row.bytes(source.log.as_bytes());
        row.u64(source.sequence);
        row.bytes(source.path.as_bytes());
        row.u8(u8::from(source.is_active));
        row.u64(loaded.totals.bytes);
        row.bytes(format!("{:032x}", loaded.hash).as_bytes());
        row.u64(loaded.totals.lines);
        row.u64(loaded.totals.text);
        row.u64(loaded.totals.broken);
        row.u64(loaded.totals.cut);
        row.i64(loaded.places.0);
        row.i64(loaded.places.1);
        row.i64(loaded.last_time);
        row.bytes(stamp.as_bytes());
        row.u32(second);
    }

    fn read(first: u8, rows: &mut RowReader<&[u8]>) -> io::Result<Self> {
        let id = rows.u64()?;
        let source =
            Source { log: rows.text()?, sequence: rows.u64()?, path: rows.text()?, is_active: rows.u8()? != 0 };
        let bytes = rows.u64()?;
        // What is begun has none yet.
        let hash = u128::from_str_radix(&rows.text()?, 16).unwrap_or_default();
        let totals = Totals { bytes, lines: rows.u64()?, text: rows.u64()?, broken: rows.u64()?, cut: rows.u64()? };
        let loaded = Loaded { hash, totals, places: (rows.i64()?, rows.i64()?), last_time: rows.i64()? };
        Ok(Self { id, state: State::of(first), source, loaded, stamp: rows.text()?, second: rows.u32()? })
    }
}

/// Which segments are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    All,
    Complete,
}

/// Returns the query for segments, each once.
pub(super) fn query(tables: &Tables, which: Which) -> String {
    let having = if which == Which::Complete { IS_COMPLETE } else { "" };
    format!(
        "SELECT toUInt8(max(CAST(state, 'Int8'))), segment, max(log), max(sequence), max(path), max(is_active), max(bytes), \
         max(hash), max(lines), max(text), max(broken), max(cut), max(first_place), max(last_place), max(last_time), max(stamp), \
         toUInt32(max(loaded))\n\
         FROM {} GROUP BY segment{having} ORDER BY max(log), max(sequence), segment FORMAT RowBinary",
        tables.segments()
    )
}

/// Returns the condition that a row is of a complete segment. Each node answers it for its own rows.
pub(super) fn is_complete(tables: &Tables) -> String {
    format!("segment IN (SELECT segment FROM {} GROUP BY segment{IS_COMPLETE})", tables.segments())
}

/// Behind `GROUP BY segment`: which of them count.
const IS_COMPLETE: &str = " HAVING max(CAST(state, 'Int8')) = 2";

/// Tells complete segments from others: how many there are, and the sum of their ids, which are random numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    count: u64,
    ids: u64,
}

impl Sum {
    /// Returns that of segments.
    pub(super) fn of(segments: &[Known]) -> Self {
        let ids = segments.iter().fold(0_u64, |sum, known| sum.wrapping_add(known.id));
        Self { count: segments.len() as u64, ids }
    }

    /// Returns that of the complete segments that a node knows. It costs much less than to list them.
    ///
    /// # Errors
    /// The node fails.
    pub(super) fn ask(client: &Client, tables: &Tables) -> Result<Self, Failure> {
        let bytes = client.run(&format!(
            "SELECT toUInt64(count()), toUInt64(sum(segment)) FROM (SELECT segment FROM {} GROUP BY segment{IS_COMPLETE}) \
             FORMAT RowBinary",
            tables.segments()
        ))?;
        let mut rows = RowReader::new(bytes.as_slice());
        let failed = |error: io::Error| client.failure(&error.to_string(), None);
        Ok(Self { count: rows.u64().map_err(failed)?, ids: rows.u64().map_err(failed)? })
    }
}

/// Returns the segments that a node knows, in the order of logs and of segments in them.
///
/// # Errors
/// The node fails.
pub(super) fn known(client: &Client, tables: &Tables, which: Which) -> Result<Vec<Known>, Failure> {
    let bytes = client.run(&query(tables, which))?;
    let mut rows = RowReader::new(bytes.as_slice());
    let mut all = Vec::new();
    let failed = |error: io::Error| client.failure(&error.to_string(), None);
    while let Some(first) = rows.tag().map_err(failed)? {
        all.push(Known::read(first, &mut rows).map_err(failed)?);
    }
    Ok(all)
}

/// Returns the segments that any of the nodes knows, with the highest state; and for each node those that it knows in a lower
/// one.
///
/// # Errors
/// A node fails.
pub(super) fn known_by(clients: &[Client], tables: &Tables) -> Result<(Vec<Known>, Vec<Vec<Known>>), Failure> {
    let mut all = BTreeMap::<u64, Known>::new();
    let mut states = Vec::new();
    for client in clients {
        let known = known(client, tables, Which::All)?;
        states.push(known.iter().map(|one| (one.id, one.state)).collect::<BTreeMap<_, _>>());
        for one in known {
            match all.get_mut(&one.id) {
                Some(best) if best.state >= one.state => {}
                _ => drop(all.insert(one.id, one)),
            }
        }
    }
    let lower = |states: &BTreeMap<u64, State>| {
        let is_lower = |one: &&Known| states.get(&one.id).is_none_or(|state| *state < one.state);
        all.values().filter(is_lower).cloned().collect()
    };
    let lacking = states.iter().map(lower).collect();
    let mut all: Vec<_> = all.into_values().collect();
    all.sort_by(|one, other| (&one.source.log, one.source.sequence).cmp(&(&other.source.log, other.source.sequence)));
    Ok((all, lacking))
}
