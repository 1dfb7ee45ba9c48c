//! Logs on four threads and ends, as its first argument says; to the file that the second one names.

use std::sync::OnceLock;
use std::sync::mpsc::channel;
use std::time::Duration;

use spanline::sink::Sink;
use spanline::sink::{Control, Lines, Next};
use spanline::{Error, Guard, Output, RollingFile};

const THREADS: u64 = 4;
const LINES: u64 = 500;

/// A file on a slow disk: without waiting for it, the process would be gone first.
struct Slow(RollingFile);

impl Sink for Slow {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        std::thread::sleep(Duration::from_millis(30));
        self.0.write(lines)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        self.0.control(control)
    }
}

/// Logs when the main thread's variables are dropped.
struct Last;

impl Drop for Last {
    fn drop(&mut self) {
        tracing::info!(thread = "thread-local of main", "line");
    }
}

/// Logs, or panics again, while a panic unwinds.
struct Unwinding {
    again: bool,
}

impl Drop for Unwinding {
    fn drop(&mut self) {
        tracing::info!(thread = "unwinding", "line");
        assert!(!self.again, "and again");
    }
}

struct Hostile;

impl std::fmt::Debug for Hostile {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("a value that panics while it is logged");
    }
}

extern "C" fn cannot_unwind() {
    panic!("in a function that cannot unwind");
}

fn main() {
    static KEPT: OnceLock<Guard> = OnceLock::new();
    thread_local!(static LAST: Last = const { Last });
    let mut arguments = std::env::args().skip(1);
    let (Some(way), Some(path)) = (arguments.next(), arguments.next()) else {
        panic!("endings <way> <file>");
    };
    // The user's own hook, before the log is set up and again after it.
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::info!(thread = "hook", "line");
        before(panic);
    }));
    let guard = spanline::builder().output(Output::new(Slow(RollingFile::new(path)))).init().expect("a log");
    LAST.with(|_| {});
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for seq in 0..LINES {
                    tracing::info!(thread, seq, "line");
                }
            });
        }
    });
    match way.as_str() {
        "drop" => drop(guard),
        "forget" => std::mem::forget(guard),
        "static" => drop(KEPT.set(guard)),
        "exit" => std::process::exit(3),
        "panic" => panic!("the program says so"),
        "forget-panic" => {
            std::mem::forget(guard);
            let _unwinding = Unwinding { again: false };
            panic!("the program says so");
        }
        "panic-twice" => {
            std::mem::forget(guard);
            let _unwinding = Unwinding { again: true };
            panic!("the program says so");
        }
        "cannot-unwind" => {
            std::mem::forget(guard);
            cannot_unwind();
        }
        "hostile" => {
            std::mem::forget(guard);
            tracing::info!(value = ?Hostile, "line");
        }
        "panic-on-thread" => {
            let (sender, receiver) = channel::<()>();
            let thread = std::thread::spawn(move || {
                let _sender = sender;
                panic!("the program says so");
            });
            let _ = receiver.recv();
            drop(thread.join());
            std::mem::forget(guard);
        }
        way => panic!("no way is called {way}"),
    }
}
