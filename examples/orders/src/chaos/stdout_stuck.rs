//! The reader of stdout does not read: a pager that waits, a supervisor that hangs.

use std::io::{self, Read};

use spanline::{Output, Stdout};

use super::Scenario;
use super::books::{Books, Found, Rule};
use super::stage::Stage;
use super::stdout_closed::file;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "stdout-stuck",
    title: "stdout is stuck: its reader does not read",
    // The queue is soon full.
    outputs: |logs| vec![Output::new(Stdout::new()).name("stdout").queue_bytes(64 << 10), file(logs)],
    happen,
};

fn happen(stage: &Stage) -> io::Result<Vec<Books>> {
    let mut program = stage.start()?;
    let mut reader = program.stdout()?;
    program.log_on(1_000)?;

    let (logged, counted) = program.stop()?;
    // The program has ended, so this is all that the pipe took.
    let mut text = Vec::new();
    reader.read_to_end(&mut text)?;
    let mut on_stdout = Found::default();
    on_stdout.read(&text);
    let in_file = Found::in_file(&stage.logs().join("orders.log"), 0)?;
    Ok(vec![
        Books::new("stdout", logged, &counted, on_stdout, Rule::AllIsInThePipe),
        Books::new("orders.log", logged, &counted, in_file, Rule::AllIsThere { torn: 0 }),
    ])
}
