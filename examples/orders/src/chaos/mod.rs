//! `--chaos`: breaks things under the log, one after the other, and shows what became of its lines.
//!
//! Child processes of this one do the logging ([`program`]); the log runs as in any program, only its surroundings
//! fail. Here they are started and disturbed ([`stage`]), and what they say of their lines is compared with what there
//! is ([`books`]). One file for each thing that goes wrong.

mod books;
mod disk;
mod file_moved;
mod full_disk;
mod killed;
mod program;
mod stage;
mod stdout_closed;
mod stdout_stuck;

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use spanline::Output;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use books::Books;
use stage::Stage;

/// Arguments of this mode.
#[derive(Debug, clap::Args)]
pub(crate) struct Chaos {
    /// Break things under the log, one after the other, and show that its books balance
    #[arg(long, conflicts_with_all = ["requests", "concurrency", "log_dir", "schema", "serve"])]
    chaos: bool,
    /// What the children of `--chaos` are called with
    #[arg(long, hide = true, num_args = 2, value_names = ["SCENARIO", "DIR"])]
    chaos_program: Option<Vec<String>>,
}

/// One way in which things go wrong.
struct Scenario {
    name: &'static str,
    title: &'static str,
    /// Where the program logs to, given its directory.
    outputs: fn(&Path) -> Vec<Output>,
    /// Starts the program, makes things go wrong, and returns the books of its outputs.
    happen: fn(&Stage) -> io::Result<Vec<Books>>,
}

const SCENARIOS: [Scenario; 6] = [
    full_disk::WAITING,
    full_disk::NOT_WAITING,
    stdout_closed::SCENARIO,
    stdout_stuck::SCENARIO,
    file_moved::SCENARIO,
    killed::SCENARIO,
];

/// Does what the arguments say, if they are about this mode. Fails unless all books balance.
pub(crate) fn run(args: &Chaos) -> io::Result<Option<ExitCode>> {
    if let Some([name, directory]) = args.chaos_program.as_deref() {
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
        let scenario = scenario.ok_or_else(|| io::Error::other(format!("no scenario is called {name}")))?;
        return program::run(scenario, Path::new(directory)).map(|()| Some(ExitCode::SUCCESS));
    }
    if !args.chaos {
        return Ok(None);
    }
    disk::allow_mounts();
    // Only notes it: whoever waits for something then gives up, and cleans up behind him.
    let runtime = Runtime::new()?;
    let mut ctrl_c = runtime.block_on(async { signal(SignalKind::interrupt()) })?;
    runtime.spawn(async move {
        if ctrl_c.recv().await.is_some() {
            stage::interrupt();
        }
    });
    let mut is_right = true;
    for scenario in &SCENARIOS {
        tell(&format!("{}\n", scenario.title));
        match play(scenario) {
            Ok(balance) => is_right &= balance,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Some(ExitCode::from(130))),
            Err(error) => {
                tell(&format!("  WRONG: {error}\n"));
                is_right = false;
            }
        }
    }
    tell(if is_right { "all books balance\n" } else { "WRONG: some books do not balance\n" });
    Ok(Some(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

/// Returns whether the books balance.
fn play(scenario: &Scenario) -> io::Result<bool> {
    let stage = Stage::new(scenario)?;
    let books = (scenario.happen)(&stage)?;
    for line in stage.complaints()? {
        tell(&format!("  it says: {line}\n"));
    }
    for books in &books {
        tell(&format!("  {books}\n"));
    }
    Ok(books.iter().all(Books::balance))
}

/// Not `eprint!`, which panics when nobody reads stderr any more. Stdout belongs to the log.
fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
