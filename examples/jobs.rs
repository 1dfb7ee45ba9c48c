//! Ids through a job queue, from the request that sends a message to the worker that takes it:
//! `cargo run --example jobs`.
//!
//! ```text
//! INFO request: order placed request_id=r-1
//! INFO job: mail sent request_id=r-1
//! one trace: true
//! ```

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example with a thread")]

use std::error::Error;
use std::sync::mpsc;

use spanline::propagate::{self, TraceContext};
use spanline::schema::Template;
use spanline::{Output, Stdout};
use tracing::{info, info_span, warn};

/// What a broker passes on: Kafka, RabbitMQ and others have headers like these.
struct Message {
    headers: Vec<(String, Vec<u8>)>,
    order: u64,
}

fn message(order: u64) -> Message {
    let mut headers = Vec::new();
    if let Some(context) = propagate::context() {
        context.inject(|name, value| headers.push((name.to_owned(), value.as_bytes().to_vec())));
    }
    Message { headers, order }
}

/// Returns the trace that the work was in.
fn work(message: Message) -> Option<String> {
    let context = TraceContext::from_headers(message.headers).unwrap_or_else(|error| {
        warn!(%error, "message without a context");
        TraceContext::default()
    });
    context.in_scope(|| {
        let _job = info_span!("job", order = message.order).entered();
        info!("mail sent");
        trace()
    })
}

fn trace() -> Option<String> {
    propagate::context().and_then(|context| context.trace_id().map(|id| id.to_string()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let schema = Template::new("{level} {spans}: {message} request_id={request_id}")?;
    let guard = spanline::builder().filter_variable(None).output(Output::new(Stdout::new()).schema(schema)).init()?;
    let (queue, jobs) = mpsc::channel::<Message>();
    let worker = std::thread::spawn(move || jobs.into_iter().map(work).collect::<Vec<_>>());

    let sent = info_span!("request", request_id = "r-1").in_scope(|| {
        info!("order placed");
        queue.send(message(7)).map(|()| trace())
    })?;
    drop(queue);
    let done = worker.join().map_err(|_| "the worker panicked")?;
    guard.close()?;
    println!("one trace: {}", done == [sent]);
    Ok(())
}
