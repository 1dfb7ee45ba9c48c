//! The log is flushed at the end of each call, for environments that freeze the process between two.

use std::convert::Infallible;
use std::future::Future;
use std::task::Poll;
use std::time::Duration;

use spanline::Output;
use spanline::tower::FlushLayer;
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;
use tracing::dispatcher::with_default;
use tracing::{Dispatch, info};
use tracing_subscriber::prelude::*;

use crate::support::stage::{Gate, fixed};
use crate::support::wait::PATIENCE;

/// Logs a line when it is dropped.
struct LastWords;

impl Drop for LastWords {
    fn drop(&mut self) {
        info!("dropped");
    }
}

/// Runs `run` with a log whose sink is behind a gate, and a flush layer that waits at most `max_wait`.
fn run<F: Future>(max_wait: Duration, run: impl FnOnce(FlushLayer, Gate) -> F) -> Vec<String> {
    let gate = Gate::default();
    let (layer, guard) = fixed().output(Output::new(gate.clone())).build().unwrap();
    let flush = FlushLayer::new(guard.handle(), max_wait);
    with_default(&Dispatch::new(tracing_subscriber::registry().with(layer)), || {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run(flush, gate.clone()));
    });
    let written = gate.memory.lines();
    gate.open();
    guard.close().unwrap();
    written
}

#[test]
fn the_lines_of_a_call_are_written_before_its_response_goes_on() {
    let written = run(PATIENCE, |flush, gate| async move {
        let service = service_fn(move |call: u32| {
            let gate = gate.clone();
            async move {
                let _last = LastWords;
                info!(call, "handling");
                std::thread::spawn(move || gate.open());
                Ok::<_, Infallible>(call)
            }
        });
        assert_eq!(flush.layer(service).oneshot(7).await.unwrap(), 7);
    });
    assert_eq!(written.len(), 2, "{written:?}");
    assert!(written[0].contains("handling") && written[1].contains("dropped"), "{written:?}");
}

#[test]
fn a_call_that_is_dropped_or_panics_is_flushed_too() {
    for panics in [false, true] {
        let written = run(PATIENCE, |flush, gate| async move {
            gate.open();
            let service = service_fn(move |_: u32| async move {
                let _last = LastWords;
                info!("handling");
                if panics {
                    panic!("in the handler")
                }
                std::future::pending::<Result<(), Infallible>>().await
            });
            let mut call = Box::pin(flush.layer(service).oneshot(7));
            if panics {
                assert!(tokio::spawn(call).await.is_err());
            } else {
                let polled = std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
                assert!(polled.is_pending());
                drop(call);
            }
        });
        assert_eq!(written.len(), 2, "{written:?}");
    }
}

#[test]
fn an_output_that_is_stuck_holds_a_response_up_no_longer_than_asked() {
    let written = run(Duration::from_millis(1), |flush, _| async move {
        let service = service_fn(|call: u32| async move {
            info!("handling");
            Ok::<_, Infallible>(call)
        });
        assert_eq!(flush.layer(service).oneshot(7).await.unwrap(), 7);
    });
    assert!(written.is_empty(), "{written:?}");
}
