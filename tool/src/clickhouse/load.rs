//! Loads logs: finds what is not loaded yet, removes what a killed load has left, and uploads segments in parallel.

use std::collections::HashSet;
use std::hash::Hasher;
use std::sync::mpsc::Sender;

use siphasher::sip128::{Hasher128, SipHasher13};
use spanline::record::Timestamp;

use super::address::Address;
use super::client::{Client, Failure};
use super::columns::Origin;
use super::machine::{locked, log_name, machine};
use super::parallel::in_parallel;
use super::plan::{Job, Plan};
use super::rows::{Row, RowReader};
use super::segments::{self, Known, Loaded, Source, State};
use super::table::Tables;
use super::upload::{Mistake, Target, upload};
use crate::escape::escaped;
use crate::inputs::LogSegments;
use crate::loggers::time::NANOS;
use crate::report::Report;
use crate::scan::Totals;

/// What a load did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// Segments that were loaded.
    pub(crate) loaded: u64,
    /// Segments that had grown, and were loaded anew.
    pub(crate) grown: u64,
    /// Segments that were loaded before.
    pub(crate) skipped: u64,
    /// Those of them that had to be read to see that.
    pub(crate) read_again: u64,
    /// Segments of which a load that was killed has left rows, which were removed.
    pub(crate) removed: u64,
    /// Of the lines that were loaded.
    pub(crate) totals: Totals,
}

/// Loads logs to nodes.
#[derive(Debug)]
pub(crate) struct Loader {
    pub(super) clients: Vec<Client>,
    pub(super) tables: Tables,
    /// The name of the machine whose logs are loaded.
    machine: String,
    insert: String,
    insert_segments: String,
}

/// What became of a segment.
enum Uploaded {
    /// It is loaded, and has taken the place of another one.
    Complete(Loaded, Option<Known>),
    /// Its file has changed meanwhile: what is stored of it has to be removed.
    Changed(Known, String),
}

impl Loader {
    /// Connects to nodes, and creates the tables. `machine`: the name of the machine whose logs are loaded, if it is another
    /// one than that of this machine.
    ///
    /// # Errors
    /// The addresses do not fit together, or a node fails.
    pub(crate) fn new(
        addresses: &[Address],
        password: Option<&String>,
        machine: Option<String>,
    ) -> Result<Self, String> {
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
        let machine = machine.unwrap_or_else(self::machine);
        let loader = Self { clients, insert, insert_segments: tables.insert_segments(), tables, machine };
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

    /// Loads what is not loaded yet. Reports what cannot be loaded. `listed`: when the logs were listed, or before.
    pub(crate) fn load(&self, logs: &[LogSegments], listed: Timestamp, report: &mut Report) -> Outcome {
        let mut outcome = Outcome::default();
        if let Some(_locks) = locked(logs, report) {
            let loaded = self.load_all((logs, listed), &mut outcome, report);
            let _ = report.check(loaded);
        }
        outcome
    }

    fn load_all(
        &self,
        (logs, listed): (&[LogSegments], Timestamp),
        outcome: &mut Outcome,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let names: Vec<String> = logs.iter().map(|log| log_name(&self.machine, &log.path)).collect();
        let (known, lacking) = segments::known_by(&self.clients, &self.tables)?;
        for (client, lacking) in self.clients.iter().zip(&lacking) {
            self.put(client, lacking)?;
        }
        self.forget_gone(&known)?;
        let own: HashSet<&String> = names.iter().collect();
        let is_left =
            |one: &&Known| matches!(one.state, State::Begun | State::Dropped) && own.contains(&one.source.log);
        let left: Vec<Known> = known.iter().filter(is_left).cloned().collect();
        outcome.removed = left.len() as u64;
        self.remove(left)?;
        let plan = Plan::new((logs, listed), &names, &known, report);
        (outcome.skipped, outcome.read_again) = (plan.skipped, plan.read_again);
        if let Err(failure) = self.put_stamps(&plan.stamps) {
            report.note(&format!("the next load reads files again that have not changed: {failure}"));
        }
        let removed = self.run(plan.jobs, outcome, report);
        self.remove(removed)
    }

    /// Uploads segments. Returns those of which the rows have to be removed.
    fn run(&self, jobs: Vec<Job<'_>>, outcome: &mut Outcome, report: &mut Report) -> Vec<Known> {
        let bytes = jobs.iter().map(|job| job.segment.bytes()).sum();
        let results = in_parallel(jobs, bytes, report, |job, sent| self.load_one(job, sent));
        let mut removed = Vec::new();
        for result in results {
            match result.flatten() {
                Ok(Uploaded::Complete(loaded, old)) => {
                    outcome.totals.add(loaded.totals);
                    outcome.grown += u64::from(old.is_some());
                    outcome.loaded += u64::from(old.is_none());
                    removed.extend(old);
                }
                Ok(Uploaded::Changed(one, why)) => {
                    report.failure(&why);
                    removed.push(one);
                }
                Err(why) => report.failure(&why),
            }
        }
        removed
    }

    /// Uploads one segment.
    fn load_one(&self, job: Job<'_>, sent: &Sender<u64>) -> Result<Uploaded, String> {
        let Job { segment, content, stamp, source, replaced } = job;
        let is_plain = segment.compression() == spanline::read::Compression::Plain;
        let (state, loaded, stamp) = (State::Begun, Loaded::default(), stamp.unwrap_or_default());
        let mut one = Known { id: new_id(&source), state, source, loaded, stamp, second: 0 };
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
        let loaded = match upload(segment, &content, origin, Target { client, insert: &self.insert }, told) {
            Ok(loaded) => loaded,
            // The next load removes its rows.
            Err(Mistake::Node(failure)) => return Err(failure.to_string()),
            Err(Mistake::File(why)) => {
                let why = format!("read {}: {why}; load it again", escaped(segment.path()));
                return Ok(Uploaded::Changed(one, why));
            }
        };
        if !is_plain {
            let _ = sent.send(segment.bytes());
        }
        one.loaded = loaded.clone();
        one.state = State::Complete;
        let replaced = replaced.map(|old| Known { state: State::Dropped, ..old });
        let states: Vec<Known> = [one].into_iter().chain(replaced.clone()).collect();
        put(&states).map_err(|failure| failure.to_string())?;
        Ok(Uploaded::Complete(loaded, replaced))
    }

    /// Returns the nodes, the one first that has the rows of a segment.
    fn order(&self, source: &Source) -> Vec<&Client> {
        let place = hash(&[source.log.as_bytes(), &source.sequence.to_le_bytes()]) % self.clients.len().max(1) as u64;
        let place = usize::try_from(place).unwrap_or(0);
        self.clients.iter().cycle().skip(place).take(self.clients.len()).collect()
    }

    /// Inserts states of segments on a node.
    pub(super) fn put(&self, client: &Client, states: &[Known]) -> Result<(), Failure> {
        let Some(one) = states.first() else { return Ok(()) };
        let mut row = Row::default();
        states.iter().for_each(|one| one.put(&mut row, second_now()));
        let id = format!("spanline-states-{}", new_id(&one.source));
        client.insert(&self.insert_segments, &id, row.as_bytes())
    }
}

/// Returns an id that no other segment has.
fn new_id(source: &Source) -> u64 {
    hash(&[source.log.as_bytes(), &source.sequence.to_le_bytes(), &random().to_le_bytes()])
}

/// Returns a number that no other load has.
pub(super) fn random() -> u64 {
    use std::hash::BuildHasher;

    let now = Timestamp::now().as_nanos();
    std::hash::RandomState::new().hash_one((now, std::process::id()))
}

pub(super) fn hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher13::new();
    for part in parts {
        hasher.write(part);
        hasher.write(&part.len().to_le_bytes());
    }
    hasher.finish128().h1
}

pub(super) fn second_now() -> u32 {
    u32::try_from(Timestamp::now().as_nanos().div_euclid(NANOS)).unwrap_or(0)
}
