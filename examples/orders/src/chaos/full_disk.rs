//! The disk is full for a while: once with callers that wait for room, once with callers that do not.

use std::io;
use std::path::Path;
use std::time::Duration;

use spanline::{Output, Overflow, RollingFile};

use super::Scenario;
use super::books::{Books, Found, Rule};
use super::disk::Disk;
use super::stage::Stage;

pub(super) const WAITING: Scenario = Scenario {
    name: "full-disk-waiting",
    title: "the disk is full for a while; the callers wait for room",
    outputs: |logs| vec![file(logs).overflow(Overflow::Block { max_wait: Duration::from_secs(20) })],
    // The queue's lines, and one more of each waiting thread.
    happen: |stage| fill_up(stage, 100),
};

pub(super) const NOT_WAITING: Scenario = Scenario {
    name: "full-disk",
    title: "the disk is full for a while; no caller waits (the default)",
    outputs: |logs| vec![file(logs)],
    happen: |stage| fill_up(stage, 2_000),
};

/// Returns a file with a queue that is soon full.
fn file(logs: &Path) -> Output {
    Output::new(RollingFile::new(logs.join("orders.log"))).name("orders.log").queue_bytes(64 << 10)
}

/// Keeps the disk full until `lines` lines are logged that are not in the file.
fn fill_up(stage: &Stage, lines: u64) -> io::Result<Vec<Books>> {
    let disk = Disk::new(stage)?;
    let log = stage.logs().join("orders.log");
    let mut program = disk.start(stage)?;
    program.log_on(200)?;
    disk.fill(&program)?;
    program.until("lines that find no room", |logged| {
        Ok(logged.iter().sum::<u64>() >= Found::in_file(&log, 0)?.lines + lines)
    })?;
    disk.make_room(&program)?;
    program.log_on(200)?;
    let (logged, counted) = program.stop()?;
    Ok(vec![Books::new("orders.log", logged, &counted, Found::in_file(&log, 0)?, Rule::AllIsThere { torn: 0 })])
}
