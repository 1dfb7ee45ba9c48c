//! Removes rows: those that a killed load has left, those of segments whose place others have taken, and states that say nothing
//! any more.

use std::thread;
use std::time::{Duration, Instant};

use super::client::{Client, Failure};
use super::load::{Loader, second_now};
use super::rows::RowReader;
use super::segments::{Known, State};
use super::sql;
use super::upload::QUERY_IDS;

/// How often a node is asked whether rows are deleted.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// How long a load waits for a node that stores what another one has sent.
const INSERTION: Duration = Duration::from_secs(20);

/// How long a node may take to delete rows.
const DELETION: Duration = Duration::from_secs(3600);

/// How long the states of a segment stay that is gone. By then, no load that has seen it in another state is still running.
const GONE_SECONDS: u32 = 3600;

/// States of fewer segments are not worth a deletion.
const MIN_GONE: usize = 100;

impl Loader {
    /// Deletes the rows of segments on all nodes, waits until that is done, and remembers it.
    pub(super) fn remove(&self, segments: Vec<Known>) -> Result<(), Failure> {
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
        self.delete(&self.tables.local(), &format!("has({ids}, segment)"))?;
        let gone: Vec<_> = segments.into_iter().map(|one| Known { state: State::Gone, ..one }).collect();
        self.clients.iter().try_for_each(|client| self.put(client, &gone))
    }

    /// Deletes the states of segments that have been gone for long.
    pub(super) fn forget_gone(&self, known: &[Known]) -> Result<(), Failure> {
        let oldest = second_now().saturating_sub(GONE_SECONDS);
        let is_old = |one: &&Known| one.state == State::Gone && one.second < oldest;
        let gone: Vec<_> = known.iter().filter(is_old).map(|one| one.id).collect();
        if gone.len() < MIN_GONE {
            return Ok(());
        }
        let ids = sql::ids(gone);
        let table = self.tables.segments();
        // A deletion has no order. While lower states are deleted, the highest one says that they do not count.
        self.delete(&table, &format!("has({ids}, segment) AND CAST(state, 'Int8') < {}", State::Gone as u8))?;
        self.delete(&table, &format!("has({ids}, segment)"))
    }

    /// Stores stamps. Nothing waits for that: without them, files are only read once more.
    pub(super) fn put_stamps(&self, stamps: &[(u64, String)]) -> Result<(), Failure> {
        if stamps.is_empty() {
            return Ok(());
        }
        let ids = sql::ids(stamps.iter().map(|(id, _)| *id));
        let texts: Vec<_> = stamps.iter().map(|(_, stamp)| stamp.as_str()).collect();
        // As one literal, of which a statement may only have few. A stamp has digits and colons.
        let texts = format!("splitByChar(',', {})", sql::text(&texts.join(",")));
        let table = self.tables.segments();
        self.clients.iter().try_for_each(|client| {
            let update = format!(
                "ALTER TABLE {table} UPDATE stamp = arrayElement({texts}, indexOf({ids}, segment)) WHERE has({ids}, segment)"
            );
            client.run(&update).map(drop)
        })
    }

    /// Deletes rows of a table on all nodes, and waits until that is done.
    fn delete(&self, table: &str, condition: &str) -> Result<(), Failure> {
        // Tells this deletion from those of others, for which nothing waits. It is always true.
        let mark = format!("spanline-{:016x}", super::load::random());
        for client in &self.clients {
            client.run(&format!("ALTER TABLE {table} DELETE WHERE ({condition}) AND {} != ''", sql::text(&mark)))?;
        }
        for client in &self.clients {
            if !wait(client, &self.tables.mutations(&mark), DELETION)? {
                return Err(client.failure("rows are not deleted after an hour; see system.mutations", None));
            }
        }
        Ok(())
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
