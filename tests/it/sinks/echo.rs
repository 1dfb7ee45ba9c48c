//! Promise 43: what a sink's client logs does not return to the sink.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};

use spanline::metrics::Reason;
use spanline::sink::{Lines, Memory, Next, OwnThreads, Profile, Sink};
use spanline::{Error, Output};
use tracing::{Dispatch, Level};

use crate::sinks::peer::balanced;
use crate::support::faults::{built, within};
use crate::support::ledger::log;
use crate::support::wait::PATIENCE;

type Late<T> = Arc<OnceLock<T>>;

/// A client with a separate thread, which logs a line for each write.
struct Client {
    threads: OwnThreads,
    dispatch: Late<Dispatch>,
    writes: Option<Sender<u64>>,
    count: u64,
}

impl Client {
    fn new(dispatch: &Late<Dispatch>) -> Self {
        Self { threads: OwnThreads::new(), dispatch: Arc::clone(dispatch), writes: None, count: 0 }
    }
}

impl Sink for Client {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        let (threads, dispatch) = (&self.threads, &self.dispatch);
        let writes = self.writes.get_or_insert_with(|| {
            let (sender, receiver) = channel::<u64>();
            let (threads, dispatch) = (threads.clone(), Arc::clone(dispatch));
            std::thread::spawn(move || {
                threads.mark_thread();
                for write in receiver {
                    within(dispatch.wait(), || log(Level::INFO, 99, write));
                }
            });
            sender
        });
        self.count += 1;
        let _ = writes.send(self.count);
        lines.advance(lines.as_bytes().len());
        Ok(Next::Done)
    }

    fn profile(&self) -> Profile {
        Profile::new("client").own_threads(&self.threads)
    }
}

#[test]
fn promise_43_what_a_sinks_own_thread_logs_reaches_the_others_and_not_itself() {
    let (dispatch, memory) = (Late::default(), Memory::new());
    let builder = spanline::builder().output(Output::new(Client::new(&dispatch)));
    let (built, guard) = built(builder.output(Output::new(memory.clone())));
    dispatch.set(built.clone()).unwrap();
    let handle = guard.handle();
    within(&built, || (0..20).for_each(|seq| log(Level::INFO, 0, seq)));
    for _ in 0..20 {
        handle.flush(PATIENCE).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    guard.close().unwrap();
    let metrics = handle.metrics();
    let client = balanced(&metrics);
    assert_eq!(client.written.total(), 20);
    let said = client.dropped.reason(Reason::OwnThread).total();
    assert!((1..=60).contains(&said), "{said}: it feeds itself");
    assert!(memory.text().contains("\"thread\":99"), "the other output has it");
}

#[test]
fn promise_43_two_sinks_with_client_threads_do_not_feed_each_other() {
    let dispatch = Late::default();
    let builder = spanline::builder().output(Output::new(Client::new(&dispatch)).name("one"));
    let (built, guard) = built(builder.output(Output::new(Client::new(&dispatch)).name("two")));
    dispatch.set(built.clone()).unwrap();
    let handle = guard.handle();
    within(&built, || (0..10).for_each(|seq| log(Level::INFO, 0, seq)));
    for _ in 0..30 {
        handle.flush(PATIENCE).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    guard.close().unwrap();
    for output in handle.metrics().outputs {
        assert_eq!(output.written.total(), 10, "{output:#?}");
    }
}

/// The client's thread is shared, so that the sink can only name its target.
#[test]
fn promise_43_targets_that_a_sink_names_do_not_reach_it_from_a_shared_runtime() {
    struct Shared {
        runtime: tokio::runtime::Handle,
        dispatch: Late<Dispatch>,
    }
    impl Sink for Shared {
        fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
            let dispatch = Arc::clone(&self.dispatch);
            self.runtime.spawn(async move {
                within(dispatch.wait(), || tracing::info!(target: "client::pool", thread = 99, "sent"));
            });
            lines.advance(lines.as_bytes().len());
            Ok(Next::Done)
        }

        fn profile(&self) -> Profile {
            Profile::new("shared").own_targets(["client"])
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let (dispatch, memory) = (Late::default(), Memory::new());
    let shared = Shared { runtime: runtime.handle().clone(), dispatch: Arc::clone(&dispatch) };
    let builder = spanline::builder().output(Output::new(shared)).output(Output::new(memory.clone()));
    let (built, guard) = built(builder);
    dispatch.set(built.clone()).unwrap();
    let handle = guard.handle();
    within(&built, || {
        log(Level::INFO, 0, 0);
        tracing::info!(target: "clients", "another target");
    });
    for _ in 0..30 {
        handle.flush(PATIENCE).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    guard.close().unwrap();
    assert_eq!(balanced(&handle.metrics()).written.total(), 2);
    assert!(memory.text().contains("client::pool"));
}

#[cfg(feature = "tokio")]
#[test]
fn promise_43_what_a_future_of_a_sink_logs_does_not_return_to_it() {
    use spanline::sink::{Async, AsyncSink, Batch};

    /// Logs, sleeps and fails in its future.
    struct Sleepy {
        dispatch: Late<Dispatch>,
        memory: Memory,
        calls: u64,
    }
    impl AsyncSink for Sleepy {
        fn write(&mut self, batch: Batch) -> impl Future<Output = Result<(), Error>> + Send + 'static {
            self.calls += 1;
            let (dispatch, mut memory, call) = (Arc::clone(&self.dispatch), self.memory.clone(), self.calls);
            async move {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                within(dispatch.wait(), || log(Level::INFO, 99, call));
                if String::from_utf8_lossy(&batch.bytes).contains("\"seq\":7") {
                    return Err(Error::rejected("not seven"));
                }
                if call == 2 {
                    return Err(Error::retry("not now"));
                }
                let mut lines = Lines::default();
                lines.push_line(&batch.bytes, Level::INFO, spanline::record::Timestamp::from_nanos(0));
                memory.write(&mut lines).map(drop)
            }
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let (dispatch, memory) = (Late::default(), Memory::new());
    let sleepy = Sleepy { dispatch: Arc::clone(&dispatch), memory: memory.clone(), calls: 0 };
    let output = Output::new(Async::new(sleepy).on(runtime.handle().clone()));
    let (built, guard) = built(spanline::builder().service("s").on_complaint(|_| {}).output(output));
    dispatch.set(built.clone()).unwrap();
    let handle = guard.handle();
    within(&built, || (0..20).for_each(|seq| log(Level::INFO, 0, seq)));
    handle.flush(PATIENCE).unwrap();
    guard.close().unwrap();
    let books = balanced(&handle.metrics());
    assert_eq!((books.written.total(), books.dropped.reason(Reason::Rejected).total()), (19, 1), "{books:#?}");
    assert!(books.dropped.reason(Reason::OwnThread).total() > 0);
    assert_eq!(memory.text().matches("\"thread\":99").count(), 0);
}
