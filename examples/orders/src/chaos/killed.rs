//! SIGKILL, which no program can handle, and the next start, on a file that ends within a line.

use std::fs::{self, File};
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use spanline::{Output, RollingFile};

use super::Scenario;
use super::books::{Books, Found, Rule};
use super::stage::Stage;
use super::stdout_closed::file;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "killed",
    title: "the process is killed, and started again; audit.log is synchronous",
    outputs: |logs| {
        // No call returns before its line is written, even on a busy machine.
        let max_wait = Duration::from_secs(20);
        let audit = RollingFile::new(logs.join("audit.log"));
        vec![file(logs), Output::new(audit).name("audit.log").synchronous(max_wait)]
    },
    happen,
};

fn happen(stage: &Stage) -> io::Result<Vec<Books>> {
    let (log, audit) = (stage.logs().join("orders.log"), stage.logs().join("audit.log"));
    let mut program = stage.start()?;
    program.log_on(300)?;
    let killed = SystemTime::now();
    let logged = program.kill()?;
    let written = fs::metadata(&log)?.modified()?;
    let last = killed.duration_since(written).unwrap_or_default();
    let mut books = vec![
        Books::new("orders.log", logged, &[], Found::in_file(&log, 0)?, Rule::Killed { may_lose_the: Some(last) }),
        Books::new("audit.log", logged, &[], Found::in_file(&audit, 0)?, Rule::Killed { may_lose_the: None }),
    ];

    // A kill in the middle of a write leaves such a line.
    let before = [fs::metadata(&log)?.len(), fs::metadata(&audit)?.len()];
    File::options().append(true).open(&log)?.write_all(br#"{"timestamp":"20"#)?;
    let mut program = stage.start()?;
    program.log_on(100)?;
    let (logged, counted) = program.stop()?;
    for (output, path, before, torn) in [("orders.log", log, before[0], 1), ("audit.log", audit, before[1], 0)] {
        let found = Found::in_file(&path, before)?;
        books.push(Books::new(output, logged, &counted, found, Rule::AllIsThere { torn }).when("started again"));
    }
    Ok(books)
}
