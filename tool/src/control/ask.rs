//! Asks all processes at the same time, and waits two seconds for their answers.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::find::Process;

/// A process that takes longer is reported.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// No process answers with more.
const MAX_ANSWER_BYTES: u64 = 4 << 20;

/// What a process has answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Done(Value),
    Refused(String),
    Gone,
    NoAnswer,
}

/// Returns a request. Keys that are null are left out.
pub(crate) fn request(name: &str, keys: Value) -> String {
    let mut request = json!({ "version": 1, "request": name });
    if let (Value::Object(keys), Some(request)) = (keys, request.as_object_mut()) {
        request.extend(keys.into_iter().filter(|(_, value)| !value.is_null()));
    }
    request.to_string()
}

/// Returns a request with a configuration. A process takes a long one if it begins like this.
#[cfg(feature = "config")]
pub(crate) fn config_request(name: &str, text: &str, reason: Option<&str>, is_json: bool, applies: bool) -> String {
    let (name, text, reason) = (Value::from(name), Value::from(text), Value::from(reason));
    format!(
        "{{\"version\":1,\"request\":\"config\",\"apply\":{applies},\"json\":{is_json},\"name\":{name},\
         \"reason\":{reason},\"text\":{text}}}"
    )
}

/// Asks all processes, and returns their replies in the same order. Sockets of processes that are gone are removed, and have
/// no reply.
pub(crate) fn ask_all(processes: &[Process], request: &str) -> Vec<(Process, Reply)> {
    let (sender, replies) = channel();
    for (place, process) in processes.iter().cloned().enumerate() {
        let (sender, request) = (sender.clone(), request.to_owned());
        let refused = sender.clone();
        // One that does not return ends with the tool.
        #[expect(clippy::disallowed_methods, reason = "the tool has no signals to keep away from its threads")]
        let spawned = std::thread::Builder::new().spawn(move || sender.send((place, ask(&process, &request))));
        if let Err(error) = spawned {
            let _ = refused.send((place, Some(Reply::Refused(format!("the tool cannot ask it: {error}")))));
        }
    }
    drop(sender);
    let deadline = Instant::now() + PATIENCE;
    let mut all = vec![Some(Reply::NoAnswer); processes.len()];
    while let Ok((place, reply)) = replies.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        if let Some(one) = all.get_mut(place) {
            *one = reply;
        }
    }
    let named = processes.iter().cloned().zip(all);
    named.filter_map(|(process, reply)| Some((process, reply?))).collect()
}

/// `None`: nobody listens.
fn ask(process: &Process, request: &str) -> Option<Reply> {
    let mut stream = match process.connect() {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            process.remove();
            return None;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => return Some(Reply::Refused(error.to_string())),
    };
    let mut answer = Vec::new();
    let mut asked = || -> io::Result<()> {
        stream.write_all(request.as_bytes())?;
        stream.write_all(b"\n")?;
        BufReader::new(&stream).take(MAX_ANSWER_BYTES).read_until(b'\n', &mut answer)?;
        Ok(())
    };
    let asked = asked();
    if asked.is_err() || !answer.ends_with(b"\n") {
        return Some(Reply::Gone);
    }
    Some(match serde_json::from_slice::<Value>(&answer) {
        Ok(answer) if answer["ok"] == true => Reply::Done(answer),
        Ok(Value::Object(answer)) => {
            let error = answer.get("error").and_then(Value::as_str);
            Reply::Refused(error.unwrap_or("it gives no reason").to_owned())
        }
        _ => Reply::Refused("its answer cannot be understood".to_owned()),
    })
}
