//! Carries out requests, and says what has become of them.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::by::{By, Peer};
use super::super::filter_control::Change;
use super::super::filter_state::{Held, Scope, text_of};
use super::super::flush_future::FlushFuture;
use super::super::handle::Handle;
use super::configure;
use super::request::{Request, VERSION, Wanted};
use crate::error::Error;
use crate::filter::{Directives, FilterSetting};
use crate::metrics::{ByLevel, Metrics, OutputMetrics};
use crate::queue::Command;

/// An output that takes longer for an order is reported: the one who asks waits for two seconds.
const ORDER_PATIENCE: Duration = Duration::from_millis(1500);

/// What becomes of a request.
pub(super) enum Answer {
    Ready(Vec<u8>),
    Pending(Pending),
}

/// An order that the outputs carry out.
pub(super) struct Pending {
    future: Pin<Box<FlushFuture>>,
    until: Instant,
    result: Option<Result<(), Error>>,
}

impl Pending {
    /// Looks whether it is done, or takes too long.
    pub(super) fn is_done(&mut self) -> bool {
        // The thread looks again soon.
        if let Poll::Ready(result) = self.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            self.result = Some(result);
        }
        self.result.is_some() || Instant::now() >= self.until
    }

    pub(super) fn answer(self) -> Vec<u8> {
        let waits = || Err(Error::timeout("an output has not carried it out yet; a sink may be stuck"));
        done(self.result.unwrap_or_else(waits).map(|()| json!({})))
    }
}

/// Answers a request.
pub(super) fn answer(handle: &Handle, mut peer: Peer, line: &[u8]) -> Answer {
    let Request { wanted, reason } = match Request::read(line) {
        Ok(request) => request,
        Err(why) => return Answer::Ready(refusal(&why)),
    };
    peer.reason = reason;
    let by = By::Peer(peer);
    let result = match wanted {
        Wanted::Identify => identify(handle),
        Wanted::Metrics => Ok(metrics(&handle.metrics())),
        Wanted::SetFilter { filter, output, time } => parse(&filter)
            .and_then(|directives| handle.set_by(directives, Change { output: output.as_deref(), by: &by, time }))
            .and_then(|()| filters(handle)),
        Wanted::ResetFilter { output } => reset(handle, output.as_deref(), &by).and_then(|()| filters(handle)),
        Wanted::Detail { filter, time } => detail(handle, &filter, &by, time).and_then(|()| filters(handle)),
        Wanted::Release => release(handle, &by),
        Wanted::Flush => return order(handle, Command::Flush, "flushed", &by),
        Wanted::Reopen => return order(handle, Command::Reopen, "files reopened", &by),
        Wanted::Rotate => return order(handle, Command::Rotate, "files rotated", &by),
        Wanted::Reload => remarks(configure::reload(handle, &by)),
        Wanted::Config(config) => remarks(configure::configure(handle, &config, &by)),
    };
    Answer::Ready(done(result))
}

/// Returns the answer to a request that changes nothing.
pub(super) fn refusal(why: &str) -> Vec<u8> {
    done(Err(Error::invalid(why)))
}

fn done(result: Result<Value, Error>) -> Vec<u8> {
    let mut answer = match result {
        Ok(Value::Object(map)) => map,
        Ok(_) => serde_json::Map::new(),
        Err(error) => {
            let text = format!("{error:#}");
            [("error".to_owned(), Value::String(text))].into_iter().collect()
        }
    };
    answer.insert("version".to_owned(), VERSION.into());
    answer.insert("ok".to_owned(), (!answer.contains_key("error")).into());
    let mut line = Value::Object(answer).to_string().into_bytes();
    line.push(b'\n');
    line
}

fn parse(filter: &str) -> Result<Directives, Error> {
    FilterSetting::new(filter).parse()
}

fn reset(handle: &Handle, output: Option<&str>, by: &By) -> Result<(), Error> {
    let filters = handle.filter_control()?;
    if output.is_none() {
        // The whole log has what is configured again, with all of its outputs.
        let controlled = |(name, scope): (&String, &Scope)| scope.control.is_some().then(|| name.clone());
        let names = filters.read(|state| state.outputs.iter().filter_map(controlled).collect::<Vec<_>>());
        names.iter().try_for_each(|name| filters.reset(Change { output: Some(name), by, time: None }))?;
    }
    filters.reset(Change { output, by, time: None })
}

fn detail(handle: &Handle, filter: &str, by: &By, time: Option<Duration>) -> Result<(), Error> {
    let directives = parse(filter)?;
    handle.start_control()?;
    handle.filter_control()?.add_detail(directives, Change { output: None, by, time })?;
    handle.start_control()
}

fn release(handle: &Handle, by: &By) -> Result<Value, Error> {
    let core = &handle.filter_control()?.core;
    if !core.holds_back() {
        return Err(Error::invalid("nothing is held back: the log has no flight recorder"));
    }
    handle.filter_control()?.announce_order("held-back lines released", by);
    Ok(json!({ "released": core.release_all() }))
}

/// Gives an order to all outputs. The line about it precedes it.
fn order(handle: &Handle, command: Command, message: &str, by: &By) -> Answer {
    if command != Command::Flush
        && let Ok(filters) = handle.filter_control()
    {
        filters.announce_order(message, by);
    }
    let future = Box::pin(handle.order_async(command));
    Answer::Pending(Pending { future, until: Instant::now() + ORDER_PATIENCE, result: None })
}

fn remarks(result: Result<Vec<String>, Error>) -> Result<Value, Error> {
    result.map(|remarks| json!({ "remarks": remarks }))
}

fn identify(handle: &Handle) -> Result<Value, Error> {
    let mut answer = filters(handle)?;
    if let Some(answer) = answer.as_object_mut() {
        let (service, started) = handle.identity();
        answer.insert("service".to_owned(), service.into());
        answer.insert("pid".to_owned(), std::process::id().into());
        answer.insert("spanline".to_owned(), env!("CARGO_PKG_VERSION").into());
        answer.insert("started".to_owned(), started.to_string().into());
        answer.insert("program_version".to_owned(), handle.program_version().into());
    }
    Ok(answer)
}

/// Describes the filters in force.
fn filters(handle: &Handle) -> Result<Value, Error> {
    Ok(handle.filter_control()?.read(|state| {
        let outputs = state.outputs.iter().map(|(name, scope)| {
            let mut output = describe(scope, state.own(scope).map(|own| own.to_string()));
            output["name"] = name.as_str().into();
            output
        });
        let details = state.details.iter().map(|held| {
            let mut detail = held_as_json(held);
            detail["filter"] = held.directives.to_string().into();
            detail
        });
        let mut answer = describe(&state.global, Some(state.global_text()));
        answer["outputs"] = outputs.collect();
        answer["details"] = details.collect();
        answer
    }))
}

fn describe(scope: &Scope, active: Option<String>) -> Value {
    match &scope.control {
        Some(held) => {
            let configured = Scope { control: None, ..scope.clone() };
            let mut answer = held_as_json(held);
            answer["filter"] = active.into();
            answer["source"] = "control".into();
            answer["configured"] = json!({ "filter": text_of(&configured), "source": scope.source });
            answer
        }
        None => json!({ "filter": active, "source": scope.source }),
    }
}

fn held_as_json(held: &Held) -> Value {
    let by = match &held.by {
        By::Program => json!({}),
        By::Peer(Peer { uid, pid, command, reason }) => {
            json!({ "uid": uid, "pid": pid, "command": command, "reason": reason })
        }
    };
    json!({ "until": held.until.map(|until| until.time.to_string()), "by": by })
}

fn metrics(metrics: &Metrics) -> Value {
    let services = metrics.services.iter().map(|one| json!({ "service": one.service, "events": levels(one.events) }));
    json!({ "outputs": metrics.outputs.iter().map(output).collect::<Vec<_>>(), "services": services.collect::<Vec<_>>() })
}

fn output(output: &OutputMetrics) -> Value {
    let reasons = output.dropped.reasons().filter(|(_, lines)| lines.total() > 0);
    let dropped: serde_json::Map<_, _> = reasons.map(|(why, lines)| (why.as_str().to_owned(), levels(lines))).collect();
    json!({
        "name": output.name,
        "emitted": levels(output.emitted),
        "taken_over": levels(output.taken_over),
        "written": levels(output.written),
        "dropped": dropped,
        "filtered": levels(output.filtered),
        "queued": levels(output.queued),
        "in_flight": levels(output.in_flight),
        "held_back": levels(output.held_back),
        "spooled": levels(output.spooled),
        "queued_bytes": output.queued_bytes,
        "max_queued_bytes": output.max_queued_bytes,
        "written_bytes": output.written_bytes,
        "spooled_bytes": output.spooled_bytes,
        "oldest_queued_seconds": output.oldest_queued.map(|age| age.as_secs_f64()),
        "spooling_for_seconds": output.spooling_for.map(|age| age.as_secs_f64()),
        "retries": output.retries,
        "notices": output.notices,
        "last_error": output.last_error,
    })
}

fn levels(lines: ByLevel) -> Value {
    lines
        .levels()
        .map(|(level, lines)| (level.as_str().to_lowercase(), Value::from(lines)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
