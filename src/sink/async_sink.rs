//! Sinks whose work is a future.
//!
//! The worker polls the future itself: there is no runtime here. What is logged while it is polled is logged on the worker's
//! thread, so it does not return to the sink.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Control, Lines, Next, Profile, Sink};
use crate::error::Error;

type Running = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Lines that a future owns.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Batch {
    /// The lines, each ending in a newline.
    pub bytes: Vec<u8>,
    /// How many lines there are.
    pub lines: usize,
}

/// Delivers batches of lines in a future. [`Async`] makes a [`Sink`] of it.
pub trait AsyncSink: Send + 'static {
    /// Delivers a batch. Its lines are in flight until the future is ready.
    ///
    /// The future owns what it needs: one batch is delivered at a time, so a client can be cloned into it.
    ///
    /// # Errors
    /// As for [`Sink::write`]: after a retryable error the batch is offered again, after a rejected one, half of it.
    fn write(&mut self, batch: Batch) -> impl Future<Output = Result<(), Error>> + Send + 'static;

    /// Carries out an order, as [`Sink::control`] does, on the worker's thread. [`Control::Reopen`] has dropped the
    /// running future before: its batch is offered again.
    ///
    /// # Errors
    /// As for [`Sink::control`].
    fn control(&mut self, control: Control) -> Result<(), Error> {
        let _ = control;
        Ok(())
    }

    /// Describes the sink, as [`Sink::profile`] does.
    fn profile(&self) -> Profile {
        Profile::new("async")
    }
}

/// A [`Sink`] that delivers its lines in a future, which the worker polls.
///
/// What the future waits for has to wake it from another thread, as timers and sockets of a runtime do. With the feature
/// `tokio`, `Async::on` enters a runtime while it polls.
///
/// ```
/// use spanline::Output;
/// use spanline::sink::{Async, AsyncSink, Batch};
///
/// struct Client;
///
/// impl AsyncSink for Client {
///     fn write(&mut self, batch: Batch) -> impl Future<Output = Result<(), spanline::Error>> + Send + 'static {
///         async move {
///             // … send batch.bytes …
///             drop(batch);
///             Ok(())
///         }
///     }
/// }
/// # let _ = Output::new(Async::new(Client));
/// ```
pub struct Async<S> {
    sink: S,
    running: Option<Running>,
    #[cfg(feature = "tokio")]
    runtime: Option<tokio::runtime::Handle>,
}

impl<S: AsyncSink> Async<S> {
    /// Makes a sink of `sink`.
    pub fn new(sink: S) -> Self {
        Self {
            sink,
            running: None,
            #[cfg(feature = "tokio")]
            runtime: None,
        }
    }

    /// Enters this runtime while the future is polled, for the timers and sockets of tokio.
    #[cfg(feature = "tokio")]
    pub fn on(mut self, runtime: tokio::runtime::Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Polls the future. `None`: it is not ready.
    fn poll(&mut self, lines: &Lines) -> Option<Result<(), Error>> {
        #[cfg(feature = "tokio")]
        let _entered = self.runtime.as_ref().map(tokio::runtime::Handle::enter);
        let waker = lines.waker();
        // A future that panics is not polled again.
        let mut future = self.running.take()?;
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => {
                self.running = Some(future);
                None
            }
        }
    }

    /// Drops the running future.
    fn abandon(&mut self) {
        #[cfg(feature = "tokio")]
        let _entered = self.runtime.as_ref().map(tokio::runtime::Handle::enter);
        drop(self.running.take());
    }

    fn start(&mut self, lines: &mut Lines) {
        let mut batch = Batch::default();
        for line in lines.iter() {
            batch.bytes.extend_from_slice(line.bytes);
            batch.lines += 1;
        }
        if batch.lines == 0 {
            return;
        }
        lines.hand_over(batch.bytes.len());
        #[cfg(feature = "tokio")]
        let _entered = self.runtime.as_ref().map(tokio::runtime::Handle::enter);
        self.running = Some(Box::pin(self.sink.write(batch)));
    }
}

impl<S: AsyncSink> Sink for Async<S> {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        loop {
            if self.running.is_none() {
                // The future that had them was dropped.
                lines.give_back(..);
                self.start(lines);
            }
            match self.poll(lines) {
                Some(Ok(())) => lines.acknowledge(..),
                Some(Err(error)) => {
                    lines.give_back(..);
                    return Err(error);
                }
                None if self.running.is_none() => return Ok(Next::Done),
                // Its waker says when to go on; lines that come meanwhile wait.
                None => return Ok(Next::Later(std::time::Instant::now() + POLL_ANYWAY)),
            }
        }
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        match control {
            // It is the parent's. To drop it would run code of a runtime that does not exist here.
            Control::Forked => std::mem::forget(self.running.take()),
            // It may wait for a connection that is gone.
            Control::Reopen => self.abandon(),
            _ => {}
        }
        self.sink.control(control)
    }

    fn profile(&self) -> Profile {
        self.sink.profile()
    }
}

/// A future that nobody wakes is polled this often.
const POLL_ANYWAY: std::time::Duration = std::time::Duration::from_secs(1);

impl<S> std::fmt::Debug for Async<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Async")
    }
}
