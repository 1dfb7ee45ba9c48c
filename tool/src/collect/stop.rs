//! The end: SIGTERM or Ctrl-C, once to end in good order, twice to end at once.

use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Says when to end. Clones say the same.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    deadline: watch::Receiver<Option<Instant>>,
}

/// Decides when to end.
#[derive(Debug)]
pub(super) struct Stopper {
    deadline: watch::Sender<Option<Instant>>,
    timeout: Duration,
}

/// `timeout`: how long the end may take.
pub(super) fn stop(timeout: Duration) -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(None);
    (Stopper { deadline: sender, timeout }, Stop { deadline: receiver })
}

impl Stop {
    /// Waits for the end to begin.
    pub(super) async fn begins(&mut self) {
        // Without a stopper, the end is overdue.
        let _ = self.deadline.wait_for(Option::is_some).await;
    }

    /// Waits for the end to be over.
    pub(super) async fn is_over(&mut self) {
        self.begins().await;
        if let Some(deadline) = self.deadline() {
            tokio::time::sleep_until(deadline.into()).await;
        }
    }

    /// Returns until when everything has to be done; `None` before the end.
    pub(super) fn deadline(&self) -> Option<Instant> {
        *self.deadline.borrow()
    }
}

impl Stopper {
    /// Begins the end.
    pub(super) fn begin(&self) {
        let deadline = Instant::now().checked_add(self.timeout);
        self.deadline.send_if_modified(|before| {
            let is_first = before.is_none();
            *before = before.or(deadline);
            is_first
        });
    }

    /// Begins the end at the first signal, and ends the process at the second.
    pub(super) async fn obey(&self, mut signals: Signals) {
        signals.next().await;
        self.begin();
        signals.next().await;
        kill();
    }
}

/// The signals that end it. Once made, they no longer end the process by themselves.
#[cfg(unix)]
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Needs a runtime.
    pub(super) fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
pub(super) struct Signals(());

#[cfg(not(unix))]
impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self(()))
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Ends the process without waiting for outputs, which an exit would do.
fn kill() {
    #[cfg(unix)]
    {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    std::process::abort();
}
