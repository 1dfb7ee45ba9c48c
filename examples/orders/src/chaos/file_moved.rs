//! The file is renamed, and the next one is removed.

use std::fs::{self, File};
use std::io;

use super::Scenario;
use super::books::{Books, Found, Rule};
use super::stage::Stage;
use super::stdout_closed::file;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "file-moved",
    title: "the file is renamed, and the next one removed",
    outputs: |logs| vec![file(logs)],
    happen,
};

fn happen(stage: &Stage) -> io::Result<Vec<Books>> {
    let log = stage.logs().join("orders.log");
    let mut program = stage.start()?;
    program.log_on(200)?;

    // An open file can be read after it is renamed or removed.
    let renamed = File::open(&log)?;
    fs::rename(&log, stage.logs().join("orders.log.old"))?;
    program.until("a new file", |_| Ok(log.exists()))?;
    program.log_on(200)?;

    let removed = File::open(&log)?;
    fs::remove_file(&log)?;
    program.until("a new file", |_| Ok(log.exists()))?;
    program.log_on(200)?;

    let (logged, counted) = program.stop()?;
    let mut found = Found::default();
    for file in [renamed, removed, File::open(&log)?] {
        found.read_from(file, 0)?;
    }
    Ok(vec![Books::new("orders.log", logged, &counted, found, Rule::AllIsThere { torn: 0 })])
}
