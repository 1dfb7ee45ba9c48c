//! `--chaos`: breaks things under the log, one after the other, and accounts for its lines.
//!
//! Child processes log ([`program`]). Their log runs as in any program; only its surroundings fail. This process starts
//! and disturbs them ([`stage`]), and compares their counters with the lines it finds ([`books`]). Each scenario has its
//! own file.

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
    /// Arguments of the child processes of `--chaos`
    #[arg(long, hide = true, num_args = 2, value_names = ["SCENARIO", "DIR"])]
    chaos_program: Option<Vec<String>>,
}

/// One failure that the log must survive.
struct Scenario {
    name: &'static str,
    title: &'static str,
    /// Returns the outputs of the program, given its directory.
    outputs: fn(&Path) -> Vec<Output>,
    /// Starts the program, breaks something, and returns the books of its outputs.
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

/// Runs this mode if the arguments ask for it. Fails unless all books balance.
pub(crate) fn run(args: &Chaos) -> io::Result<Option<ExitCode>> {
    if let Some([name, directory]) = args.chaos_program.as_deref() {
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
        let scenario = scenario.ok_or_else(|| io::Error::other(format!("unknown scenario {name:?}")))?;
        return program::run(scenario, Path::new(directory)).map(|()| Some(ExitCode::SUCCESS));
    }
    if !args.chaos {
        return Ok(None);
    }
    disk::allow_mounts();
    // Ctrl-C only sets a flag. The code that waits then returns an error and cleans up.
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

/// Prints to stderr, as stdout belongs to the log. `eprint!` would panic if stderr is closed.
fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
