//! Loads logs: finds what is not loaded yet, removes what a killed load has left, and uploads segments in parallel.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File, TryLockError};
use std::hash::Hasher;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use siphasher::sip128::{Hasher128, SipHasher13};
use spanline::read::Segment;
use spanline::record::Timestamp;

use super::address::Address;
use super::client::{Client, Failure};
use super::columns::Origin;
use super::identity::Beginnings;
use super::rows::{Row, RowReader};
use super::segments::{self, Known, Loaded, Source, State};
use super::sql;
use super::table::Tables;
use super::upload::{self, QUERY_IDS, Target, upload};
use crate::escape::escaped;
use crate::inputs::LogSegments;
use crate::loggers::time::NANOS;
use crate::report::Report;
use crate::scan::{Progress, Totals};

/// More files at the same time would only make more parts that ClickHouse has to merge.
const MAX_THREADS: usize = 4;

/// How often a node is asked whether rows are deleted.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// How long a load waits for a node that stores what another one has sent.
const INSERTION: Duration = Duration::from_secs(20);

/// How long a node may take to delete rows.
const DELETION: Duration = Duration::from_secs(3600);

/// What a load did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// Segments that were loaded.
    pub(crate) loaded: u64,
    /// Segments that had grown, and were loaded anew.
    pub(crate) grown: u64,
    /// Segments that were loaded before.
    pub(crate) skipped: u64,
    /// Segments of which a load that was killed has left rows, which were removed.
    pub(crate) removed: u64,
    /// Of the lines that were loaded.
    pub(crate) totals: Totals,
}

/// Loads logs to nodes.
#[derive(Debug)]
pub(crate) struct Loader {
    clients: Vec<Client>,
    tables: Tables,
    insert: String,
    insert_segments: String,
}

/// A segment that is to be loaded.
struct Job<'s> {
    segment: &'s Segment,
    source: Source,
    /// What it takes the place of.
    replaced: Option<Known>,
}

impl Loader {
    /// Connects to nodes, and creates the tables.
    ///
    /// # Errors
    /// The addresses do not fit together, or a node fails.
    pub(crate) fn new(addresses: &[Address], password: Option<&String>) -> Result<Self, String> {
        let Some(first) = addresses.first() else { return Err("no address".to_owned()) };
        let differs = |other: &&Address| (&other.database, &other.cluster) != (&first.database, &first.cluster);
        if addresses.iter().any(|other| differs(&other)) {
            return Err("expected the same database and cluster in each --to".to_owned());
        }
        if addresses.len() > 1 && first.cluster.is_none() {
            return Err("several nodes are a cluster; add ?cluster=NAME to each --to".to_owned());
        }
        // A segment stays on its node, whatever the order of addresses.
        let mut addresses = addresses.to_vec();
        addresses.sort_by(|one, other| one.base().cmp(other.base()));
        if addresses.windows(2).any(|two| matches!(two, [one, other] if one.base() == other.base())) {
            return Err("a node was given twice; give each node of the cluster once".to_owned());
        }
        let tables = Tables::new(first);
        let clients: Vec<_> = addresses.iter().map(|one| Client::new(one.clone(), password.cloned())).collect();
        let insert = tables.insert();
        let loader = Self { clients, insert, insert_segments: tables.insert_segments(), tables };
        loader.prepare().map_err(|failure| failure.to_string())?;
        Ok(loader)
    }

    fn prepare(&self) -> Result<(), Failure> {
        for client in &self.clients {
            if let Some(query) = self.tables.shards() {
                let bytes = client.run(&query)?;
                let mut rows = RowReader::new(bytes.as_slice());
                let (shards, nodes) = (rows.u64().unwrap_or(0), rows.u64().unwrap_or(0));
                if shards != nodes || nodes != self.clients.len() as u64 {
                    let given = self.clients.len();
                    let expected = "expected one --to for each node, and one node for each shard";
                    return Err(client.failure(
                        &format!(
                            "the cluster has {shards} shards on {nodes} nodes, and {given} were given; {expected}"
                        ),
                        None,
                    ));
                }
            }
            for statement in self.tables.statements() {
                client.run(&statement)?;
            }
        }
        Ok(())
    }

    /// Loads what is not loaded yet. Reports what cannot be loaded.
    pub(crate) fn load(&self, logs: &[LogSegments], report: &mut Report) -> Outcome {
        let mut outcome = Outcome::default();
        if let Some(_locks) = locked(logs, report) {
            let loaded = self.load_all(logs, &mut outcome, report);
            let _ = report.check(loaded);
        }
        outcome
    }

    fn load_all(&self, logs: &[LogSegments], outcome: &mut Outcome, report: &mut Report) -> Result<(), Failure> {
        let host = host();
        let names: Vec<String> = logs.iter().map(|log| name_of(&host, &log.path)).collect();
        let (known, lacking) = segments::known_by(&self.clients, &self.tables)?;
        for (client, lacking) in self.clients.iter().zip(&lacking) {
            self.put(client, lacking)?;
        }
        let is_left =
            |one: &&Known| matches!(one.state, State::Begun | State::Dropped) && names.contains(&one.source.log);
        let left: Vec<Known> = known.iter().filter(is_left).cloned().collect();
        outcome.removed = left.len() as u64;
        self.remove(left)?;
        let mut jobs = Vec::new();
        for (log, name) in logs.iter().zip(&names) {
            let known: Vec<&Known> =
                known.iter().filter(|one| one.source.log == *name && one.state == State::Complete).collect();
            jobs.extend(jobs_of(log, name, &known, outcome, report));
        }
        let replaced: Vec<Known> = self.run(jobs, outcome, report);
        self.remove(replaced)
    }

    /// Uploads segments. Returns the segments that they replace.
    fn run(&self, jobs: Vec<Job<'_>>, outcome: &mut Outcome, report: &mut Report) -> Vec<Known> {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MAX_THREADS).min(jobs.len());
        let mut progress = Progress::new(jobs.iter().map(|job| job.segment.bytes()).sum());
        let (sender, sent) = channel();
        let jobs = Mutex::new(jobs.into_iter());
        let results: Vec<_> = thread::scope(|scope| {
            let spawn = |_| {
                let (jobs, sender) = (&jobs, sender.clone());
                scope.spawn(move || {
                    let next = || next_of(jobs);
                    std::iter::from_fn(next).map(|job| self.load_one(job, &sender)).collect::<Vec<_>>()
                })
            };
            let handles: Vec<_> = (0..threads).map(spawn).collect();
            drop(sender);
            loop {
                match sent.recv_timeout(progress.interval()) {
                    Ok(bytes) => progress.add(bytes),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                progress.show(report);
            }
            let panicked = || Err("a thread that loads has panicked".to_owned());
            handles.into_iter().flat_map(|handle| handle.join().unwrap_or_else(|_| vec![panicked()])).collect()
        });
        progress.clear(report);
        let mut replaced = Vec::new();
        for result in results {
            match result {
                Ok((loaded, old)) => {
                    outcome.totals.add(loaded.totals);
                    outcome.grown += u64::from(old.is_some());
                    outcome.loaded += u64::from(old.is_none());
                    replaced.extend(old);
                }
                Err(why) => report.failure(&why),
            }
        }
        replaced
    }

    /// Uploads one segment. Returns what was loaded, and what it has taken the place of.
    fn load_one(&self, job: Job<'_>, sent: &Sender<u64>) -> Result<(Loaded, Option<Known>), String> {
        let Job { segment, source, replaced } = job;
        let is_plain = segment.compression() == spanline::read::Compression::Plain;
        let mut one = Known { id: new_id(&source), state: State::Begun, source, loaded: Loaded::default() };
        // All rows of a segment are on one node, also when it has grown.
        let order = self.order(&one.source);
        let Some(client) = order.first() else { return Err("no node".to_owned()) };
        let put =
            |states: &[Known]| -> Result<(), Failure> { order.iter().try_for_each(|client| self.put(client, states)) };
        put(&[one.clone()]).map_err(|failure| failure.to_string())?;
        let Source { log, sequence, .. } = &one.source;
        let origin = Origin { log, sequence: *sequence, segment: one.id, loaded: second_now() };
        let told = |bytes: u64| {
            if is_plain {
                // The receiver is gone only if the load has ended.
                let _ = sent.send(bytes);
            }
        };
        let loaded = upload(segment, origin, Target { client, insert: &self.insert }, told)?;
        if replaced.as_ref().is_some_and(|old| loaded.totals.bytes < old.loaded.totals.bytes) {
            // Its rows stay uncounted, and the next load removes them.
            return Err(format!("read {}: the file became shorter meanwhile; load it again", escaped(segment.path())));
        }
        if !is_plain {
            let _ = sent.send(segment.bytes());
        }
        one.loaded = loaded.clone();
        one.state = State::Complete;
        let replaced = replaced.map(|old| Known { state: State::Dropped, ..old });
        let states: Vec<Known> = [one].into_iter().chain(replaced.clone()).collect();
        put(&states).map_err(|failure| failure.to_string())?;
        Ok((loaded, replaced))
    }

    /// Returns the nodes, the one first that has the rows of a segment.
    fn order(&self, source: &Source) -> Vec<&Client> {
        let place = hash(&[source.log.as_bytes(), &source.sequence.to_le_bytes()]) % self.clients.len().max(1) as u64;
        let place = usize::try_from(place).unwrap_or(0);
        self.clients.iter().cycle().skip(place).take(self.clients.len()).collect()
    }

    /// Inserts states of segments on a node.
    fn put(&self, client: &Client, states: &[Known]) -> Result<(), Failure> {
        let Some(one) = states.first() else { return Ok(()) };
        let mut row = Row::default();
        states.iter().for_each(|one| one.put(&mut row, second_now()));
        let id = format!("spanline-states-{}", new_id(&one.source));
        client.insert(&self.insert_segments, &id, row.as_bytes())
    }

    /// Deletes the rows of segments on all nodes, waits until that is done, and remembers it.
    fn remove(&self, segments: Vec<Known>) -> Result<(), Failure> {
        if segments.is_empty() {
            return Ok(());
        }
        let ids = sql::ids(segments.iter().map(|one| one.id));
        // A node may still store what a load has sent that was killed. Such rows do not count, so that is no failure.
        let inserting = format!(
            "SELECT toUInt64(count()) FROM system.processes WHERE startsWith(query_id, {}) \
             AND has({ids}, toUInt64OrZero(arrayElement(splitByChar('-', query_id), 2))) FORMAT RowBinary",
            sql::text(QUERY_IDS)
        );
        for client in &self.clients {
            wait(client, &inserting, INSERTION)?;
        }
        for client in &self.clients {
            client.run(&format!("ALTER TABLE {} DELETE WHERE has({ids}, segment)", self.tables.local()))?;
        }
        for client in &self.clients {
            if !wait(client, &self.tables.mutations(), DELETION)? {
                return Err(client.failure("rows are not deleted after an hour; see system.mutations", None));
            }
        }
        let gone: Vec<_> = segments.into_iter().map(|one| Known { state: State::Gone, ..one }).collect();
        self.clients.iter().try_for_each(|client| self.put(client, &gone))
    }
}

/// Waits until the answer of a query is 0. Returns false if that takes longer.
fn wait(client: &Client, query: &str, most: Duration) -> Result<bool, Failure> {
    let begun = Instant::now();
    while RowReader::new(client.run(query)?.as_slice()).u64().unwrap_or(1) > 0 {
        if begun.elapsed() > most {
            return Ok(false);
        }
        thread::sleep(ASK_EVERY);
    }
    Ok(true)
}

#[expect(clippy::disallowed_methods, reason = "the one lock of the threads that load, which ignores poisoning")]
fn next_of<'s>(jobs: &Mutex<std::vec::IntoIter<Job<'s>>>) -> Option<Job<'s>> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).next()
}

/// Locks the directories of logs, so that no other load of this machine finds the same segments. Nothing is written to them.
fn locked(logs: &[LogSegments], report: &mut Report) -> Option<Vec<File>> {
    // A dated path names no directory, but those above its first date exist. Each is locked once: this process
    // would take its own lock for that of another load.
    let existing = |path: PathBuf| path.ancestors().find(|path| path.is_dir()).map(Path::to_owned);
    let directories: BTreeSet<PathBuf> = logs.iter().filter_map(|log| existing(directory_of(&log.path))).collect();
    let mut locks = Vec::new();
    for directory in directories {
        let Ok(file) = File::open(&directory) else { continue };
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            report.failure(&format!("load {}: another load is running; wait for its end", escaped(&directory)));
            return None;
        }
        locks.push(file);
    }
    Some(locks)
}

/// Returns the segments of a log that are not loaded as they are now.
fn jobs_of<'s>(
    log: &'s LogSegments,
    name: &str,
    known: &[&Known],
    outcome: &mut Outcome,
    report: &mut Report,
) -> Vec<Job<'s>> {
    let mut read = Vec::new();
    for segment in &log.segments {
        let beginnings = upload::open(segment).and_then(|reader| {
            Beginnings::of(reader, known).map_err(|error| format!("read {}: {error}", escaped(segment.path())))
        });
        match beginnings {
            Ok(beginnings) => read.push((segment, beginnings)),
            Err(why) => report.failure(&why),
        }
    }
    // First those that are whole, so that none of them is taken for the beginning of another one.
    let mut claimed = HashSet::new();
    let mut found: Vec<Option<(&Known, IsWhole)>> = Vec::new();
    for (_, beginnings) in &read {
        let whole = known.iter().find(|known| beginnings.is_whole(known) && !claimed.contains(&known.id));
        claimed.extend(whole.map(|known| known.id));
        found.push(whole.map(|known| (*known, true)));
    }
    for ((segment, beginnings), found) in read.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
        let path = escaped(segment.path());
        // A segment that was closed, too: its writer may have kept it open for a while.
        let may_grow = |known: &Known| known.source.is_active || known.source.path == path;
        let is_grown =
            |known: &&&Known| may_grow(known) && beginnings.begins_with(known) && !claimed.contains(&known.id);
        let grown = known.iter().filter(is_grown).max_by_key(|known| known.loaded.totals.bytes);
        claimed.extend(grown.map(|known| known.id));
        *found = grown.map(|known| (*known, false));
    }
    let places: Vec<_> = found.iter().map(|found| found.map(|(known, _)| known.source.sequence)).collect();
    let mut jobs = Vec::new();
    for (((segment, beginnings), found), sequence) in read.iter().zip(&found).zip(sequences(&places)) {
        match found {
            Some((_, true)) => outcome.skipped += 1,
            _ if beginnings.is_empty() => {}
            _ => {
                let (path, is_active) = (escaped(segment.path()), segment.is_active());
                let source = Source { log: name.to_owned(), sequence, path, is_active };
                jobs.push(Job { segment, source, replaced: found.map(|(known, _)| known.clone()) });
            }
        }
    }
    jobs
}

type IsWhole = bool;

/// How far the numbers of segments are apart, so that others fit between them.
const STEP: u64 = 1 << 32;

/// Returns the numbers of a log's segments, in order: those that are known, and new ones between them.
fn sequences(known: &[Option<u64>]) -> Vec<u64> {
    let most = known.iter().flatten().max().copied().unwrap_or(0);
    // For each place, the next known number, and how many unknown ones are in front of it.
    let mut next = None;
    let mut behind: Vec<Option<(u64, u64)>> = Vec::with_capacity(known.len());
    for one in known.iter().rev() {
        next = match one {
            Some(known) => Some((0, *known)),
            None => next.map(|(missing, known)| (missing + 1, known)),
        };
        behind.push(next);
    }
    let mut before = 0_u64;
    let mut number = |behind: Option<(u64, u64)>| {
        before = match behind {
            Some((0, known)) => known,
            Some((missing, next)) if next.saturating_sub(before) > missing => before + (next - before) / (missing + 1),
            // Where there is no room left, it comes last.
            _ => before.max(most).saturating_add(STEP),
        };
        before
    };
    behind.into_iter().rev().map(&mut number).collect()
}

/// Returns the name of a log: the host, and the path of its active file.
fn name_of(host: &str, path: &Path) -> String {
    let parent = directory_of(path);
    let path = path.file_name().map_or(parent.clone(), |name| parent.join(name));
    format!("{host}:{}", path.to_string_lossy())
}

fn directory_of(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let absolute = || std::path::absolute(parent).unwrap_or_else(|_| parent.to_owned());
    fs::canonicalize(parent).unwrap_or_else(|_| absolute())
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// Returns an id that no other segment has.
fn new_id(source: &Source) -> u64 {
    let now = Timestamp::now().as_nanos().to_le_bytes();
    hash(&[source.log.as_bytes(), &source.sequence.to_le_bytes(), &now, &std::process::id().to_le_bytes()])
}

fn hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher13::new();
    for part in parts {
        hasher.write(part);
        hasher.write(&part.len().to_le_bytes());
    }
    hasher.finish128().h1
}

fn second_now() -> u32 {
    u32::try_from(Timestamp::now().as_nanos().div_euclid(NANOS)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_that_is_loaded_later_keeps_its_place() {
        let first = sequences(&[None, None, None]);
        assert_eq!(first, [STEP, 2 * STEP, 3 * STEP]);
        let [one, _, three] = first[..] else { panic!() };
        for known in [
            vec![Some(one), None, Some(three)],
            vec![Some(one), None, None, None, Some(three), None],
            vec![None, Some(one), None, Some(three)],
            vec![None, None],
            vec![Some(three), None],
        ] {
            let numbers = sequences(&known);
            assert!(numbers.is_sorted_by(|one, other| one < other), "{known:?}: {numbers:?}");
            assert!(known.iter().zip(&numbers).all(|(known, number)| known.is_none_or(|known| known == *number)));
        }
        assert_eq!(sequences(&[Some(1), None, Some(2)]), [1, 2 + STEP, 2], "no room is left");
    }
}
