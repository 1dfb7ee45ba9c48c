//! Sinks and writers that misbehave on command, and gates that the test opens.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use spanline::sink::{Control, Lines, Next, Sink, Writer};
use spanline::{Builder, Error, Guard};
use tracing::Dispatch;
use tracing_subscriber::Registry;
use tracing_subscriber::prelude::*;

use crate::support::wait::PATIENCE;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Builds the layer on a new registry; log with [`tracing::dispatcher::with_default`].
pub(crate) fn built(builder: Builder) -> (Dispatch, Guard) {
    let (layer, guard) = builder.build::<Registry>().unwrap();
    (Dispatch::new(tracing_subscriber::registry().with(layer)), guard)
}

/// Runs `with` while events go to `dispatch`.
pub(crate) fn within<T>(dispatch: &Dispatch, with: impl FnOnce() -> T) -> T {
    tracing::dispatcher::with_default(dispatch, with)
}

/// Complaints, instead of stderr.
#[derive(Clone, Debug, Default)]
pub(crate) struct Complaints(Arc<Mutex<Vec<String>>>);

impl Complaints {
    pub(crate) fn hook(&self) -> impl Fn(&str) + Send + Sync + 'static {
        let kept = Arc::clone(&self.0);
        move |text| lock(&kept).push(text.to_owned())
    }

    pub(crate) fn all(&self) -> Vec<String> {
        lock(&self.0).clone()
    }
}

/// A gate that threads pass only while it is open.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<(Mutex<GateState>, Condvar)>);

#[derive(Debug)]
struct GateState {
    open: bool,
    reached: u64,
    /// How many more threads may pass although it is shut.
    passes: u64,
}

impl Gate {
    pub(crate) fn shut() -> Self {
        let state = GateState { open: false, reached: 0, passes: 0 };
        Self(Arc::new((Mutex::new(state), Condvar::new())))
    }

    pub(crate) fn opened() -> Self {
        let gate = Self::shut();
        gate.open();
        gate
    }

    /// Goes through; waits while it is shut.
    pub(crate) fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut state = lock(state);
        state.reached += 1;
        changed.notify_all();
        while !state.open && state.passes == 0 {
            state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.passes = state.passes.saturating_sub(1);
    }

    /// Lets one more through.
    pub(crate) fn open_for_one(&self) {
        lock(&self.0.0).passes += 1;
        self.0.1.notify_all();
    }

    /// Lets all through from now on.
    pub(crate) fn open(&self) {
        lock(&self.0.0).open = true;
        self.0.1.notify_all();
    }

    /// Lets nobody through from now on.
    pub(crate) fn close(&self) {
        lock(&self.0.0).open = false;
    }

    /// Waits until somebody has come to the gate for the `times`th time.
    #[track_caller]
    pub(crate) fn wait_reached(&self, times: u64) {
        self.wait("at the gate", |state| state.reached >= times);
    }

    pub(crate) fn reached(&self) -> u64 {
        lock(&self.0.0).reached
    }

    #[track_caller]
    fn wait(&self, what: &str, fact: impl Fn(&GateState) -> bool) {
        let mut state = lock(&self.0.0);
        let begun = Instant::now();
        while !fact(&state) {
            assert!(begun.elapsed() < PATIENCE, "nobody came {what}: {state:?}");
            (state, _) = self.0.1.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// What one call of `write` does instead of taking all it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Takes at most this many bytes.
    Short(usize),
    /// EINTR.
    Interrupted,
    /// EAGAIN.
    WouldBlock,
    /// EIO.
    Io,
    /// ENOSPC.
    NoSpace,
    /// `Ok(0)`.
    Zero,
    /// EPIPE.
    Broken,
    /// Unwinds, without the noise of the panic hook.
    Panic,
}

/// A writer for [`spanline::sink::Writer`] that follows a script. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Faulty {
    pub(crate) gate: Gate,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    taken: Vec<u8>,
    script: VecDeque<Fault>,
    always: Option<Fault>,
    writes: u64,
    faults: u64,
}

impl Faulty {
    /// Takes everything.
    pub(crate) fn new() -> Self {
        Self { gate: Gate::opened(), shared: Arc::default() }
    }

    /// Takes nothing until its gate is opened.
    pub(crate) fn gated() -> Self {
        Self { gate: Gate::shut(), shared: Arc::default() }
    }

    /// The next calls do this, one fault each.
    pub(crate) fn then(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.shared).script.extend(faults);
    }

    /// What each call does once the script has ended.
    pub(crate) fn always(&self, fault: Option<Fault>) {
        lock(&self.shared).always = fault;
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.shared).taken).into_owned()
    }

    /// Calls that a fault was the answer to.
    pub(crate) fn faults(&self) -> u64 {
        lock(&self.shared).faults
    }
}

impl Write for Faulty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gate.pass();
        let mut shared = lock(&self.shared);
        shared.writes += 1;
        let fault = shared.script.pop_front().or(shared.always);
        shared.faults += u64::from(fault.is_some());
        let errno = |code| Err(io::Error::from_raw_os_error(code));
        let most = match fault {
            None => bytes.len(),
            Some(Fault::Short(most)) => most.clamp(1, bytes.len()),
            Some(Fault::Interrupted) => return errno(4),
            Some(Fault::WouldBlock) => return errno(11),
            Some(Fault::Io) => return errno(5),
            Some(Fault::NoSpace) => return errno(28),
            Some(Fault::Broken) => return Err(io::ErrorKind::BrokenPipe.into()),
            Some(Fault::Zero) => return Ok(0),
            Some(Fault::Panic) => {
                drop(shared);
                panic_quietly()
            }
        };
        let part = bytes.get(..most).unwrap_or(bytes);
        shared.taken.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A sink made of two closures.
pub(crate) struct Acts<W, C> {
    pub(crate) write: W,
    pub(crate) control: C,
}

impl<W, C> Sink for Acts<W, C>
where
    W: FnMut(&mut Lines) -> Result<(), Error> + Send + 'static,
    C: FnMut(Control) -> Result<(), Error> + Send + 'static,
{
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        (self.write)(lines).map(|()| Next::Done)
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        (self.control)(control)
    }
}

/// A sink that writes to `file` and ends at a broken pipe, as stdout does.
pub(crate) fn ends_at_broken_pipe(file: Faulty) -> impl Sink {
    let mut writer = Writer::new(file);
    sink(move |lines: &mut Lines| match writer.write(lines) {
        Err(error) if format!("{error:#}").to_lowercase().contains("broken pipe") => {
            Err(Error::closed(format!("{error:#}")))
        }
        written => written.map(drop),
    })
}

/// Takes an order.
pub(crate) type Obey = fn(Control) -> Result<(), Error>;

/// A sink that is one closure and ignores orders.
pub(crate) fn sink<W>(write: W) -> Acts<W, Obey>
where
    W: FnMut(&mut Lines) -> Result<(), Error> + Send + 'static,
{
    Acts { write, control: |_| Ok(()) }
}

/// What a scripted sink took. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken(Arc<Mutex<Vec<u8>>>);

impl Taken {
    /// Takes all lines.
    pub(crate) fn all(&self, lines: &mut Lines) {
        self.bytes(lines, usize::MAX);
    }

    /// Takes the first line, or what is left of it.
    pub(crate) fn one(&self, lines: &mut Lines) {
        let length = lines.iter().next().map_or(0, |line| line.bytes.len());
        self.bytes(lines, length);
    }

    /// Takes this many bytes.
    pub(crate) fn bytes(&self, lines: &mut Lines, most: usize) {
        let bytes = lines.as_bytes();
        let part = &bytes[..most.min(bytes.len())];
        let length = part.len();
        lock(&self.0).extend_from_slice(part);
        lines.advance(length);
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.0)).into_owned()
    }
}

/// Unwinds without the noise of the panic hook.
pub(crate) fn panic_quietly() -> ! {
    std::panic::resume_unwind(Box::new("the test says so"))
}
