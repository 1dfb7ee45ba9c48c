//! The reader of stdout closes it, as in `orders | head`.

use std::io::{self, BufRead, BufReader};
use std::path::Path;

use spanline::{Output, RollingFile, Stdout};

use super::Scenario;
use super::books::{Books, Found, Rule};
use super::stage::Stage;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "stdout-closed",
    title: "stdout is closed by its reader",
    outputs: |logs| vec![Output::new(Stdout::new()).name("stdout"), file(logs)],
    happen,
};

pub(super) fn file(logs: &Path) -> Output {
    Output::new(RollingFile::new(logs.join("orders.log"))).name("orders.log")
}

fn happen(stage: &Stage) -> io::Result<Vec<Books>> {
    let mut program = stage.start()?;
    let mut reader = BufReader::new(program.stdout()?);
    let mut text = Vec::new();
    for _ in 0..10 {
        reader.read_until(b'\n', &mut text)?;
    }
    drop(reader);
    program.log_on(400)?;

    let mut on_stdout = Found::default();
    on_stdout.read(&text);
    let (logged, counted) = program.stop()?;
    let in_file = Found::in_file(&stage.logs().join("orders.log"), 0)?;
    Ok(vec![
        Books::new("stdout", logged, &counted, on_stdout, Rule::NobodyReads),
        Books::new("orders.log", logged, &counted, in_file, Rule::AllIsThere { torn: 0 }),
    ])
}
