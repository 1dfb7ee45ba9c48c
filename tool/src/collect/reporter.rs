//! What the receiver says, on stderr: for people, or a JSON object on each line.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::address::Address;
use super::bytes::grouped;
use super::counts::{Count, Counts};
use crate::escape::{escaped_json, escaped_text};

/// Problems of one kind are reported this often.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// How reports look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// A sentence for people.
    #[default]
    Text,
    /// A JSON object.
    Json,
    /// Only problems.
    None,
}

/// Says what happens. Clones say it in the same way.
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    form: Form,
    counts: Arc<Counts>,
    /// When each kind of problem was reported.
    reported: Arc<Mutex<HashMap<&'static str, Instant>>>,
}

impl Reporter {
    pub(super) fn new(form: Form, counts: Arc<Counts>) -> Self {
        Self { form, counts, reported: Arc::default() }
    }

    /// Says where it listens.
    pub(super) fn listening(&self, addresses: &[Address]) {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        match self.form {
            Form::Text => say(&format!("listening on {}", addresses.join(", "))),
            Form::Json => print(&escaped_json(&json!({ "listening": addresses }).to_string())),
            Form::None => {}
        }
    }

    /// Says what was received so far.
    pub(super) fn received(&self) {
        self.report("waiting");
    }

    /// Says what was received in all.
    pub(super) fn ended(&self) {
        self.report("not written");
    }

    /// `unwritten`: what lines are that no output has written.
    fn report(&self, unwritten: &str) {
        match self.form {
            Form::Text => say(&self.sentence(unwritten)),
            Form::Json => print(&self.object()),
            Form::None => {}
        }
    }

    /// Says what is wrong, once in ten seconds for each `kind`: senders must not fill stderr.
    pub(super) fn complain(&self, kind: &'static str, what: &str) {
        let now = Instant::now();
        let is_due = {
            let mut reported = self.reported();
            let is_due = reported.get(kind).is_none_or(|last| now.duration_since(*last) >= COMPLAIN_EVERY);
            if is_due {
                reported.insert(kind, now);
            }
            is_due
        };
        if is_due {
            self.pass_on(what);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the library's way past poisoning is private")]
    fn reported(&self) -> MutexGuard<'_, HashMap<&'static str, Instant>> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what an output has to complain of, which has a limit already.
    pub(super) fn pass_on(&self, what: &str) {
        match self.form {
            Form::Text | Form::None => say(&format!("spanline: {what}")),
            Form::Json => print(&escaped_json(&json!({ "problem": what }).to_string())),
        }
    }

    fn sentence(&self, unwritten: &str) -> String {
        let counts = &self.counts;
        let of = |number: u64, one: &str, many: &str| {
            format!("{} {}", grouped(number), if number == 1 { one } else { many })
        };
        let (lines, senders) = (counts.received.now(), counts.senders.now());
        let mut text = format!("received {} from {}", of(lines, "line", "lines"), of(senders, "sender", "senders"));
        let open = lines.saturating_sub(counts.written.now());
        for (number, what) in [
            (counts.refused.now(), "refused"),
            (counts.truncated.now(), "cut"),
            (counts.rejected.now(), "rejected by an output"),
            (open, unwritten),
            (counts.turned_away.now(), "connections or requests turned away"),
            (counts.datagrams_lost.now(), "datagrams lost"),
        ] {
            if number > 0 {
                text += &format!("; {} {what}", grouped(number));
            }
        }
        text
    }

    fn object(&self) -> String {
        let counts = &self.counts;
        let now = Count::now;
        json!({
            "received": now(&counts.received),
            "written": now(&counts.written),
            "refused": now(&counts.refused),
            "truncated": now(&counts.truncated),
            "rejected": now(&counts.rejected),
            "bytes": now(&counts.bytes),
            "senders": now(&counts.senders),
            "connections": now(&counts.connections),
            "turned_away": now(&counts.turned_away),
            "datagrams_lost": now(&counts.datagrams_lost),
        })
        .to_string()
    }
}

fn say(line: &str) {
    print(&escaped_text(line));
}

#[expect(clippy::disallowed_methods, reason = "reports go to stderr, as lines may go to stdout")]
fn print(line: &str) {
    // Without a reader of stderr, the receiver goes on.
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_was_received_and_what_is_wrong() {
        let counts = Arc::new(Counts::default());
        let reporter = Reporter::new(Form::Text, Arc::clone(&counts));
        assert_eq!(reporter.sentence("waiting"), "received 0 lines from 0 senders");
        counts.received.add(1204);
        counts.written.add(1204);
        counts.senders.add(3);
        assert_eq!(reporter.sentence("waiting"), "received 1,204 lines from 3 senders");
        counts.refused.add(2);
        counts.received.add(1);
        assert_eq!(reporter.sentence("waiting"), "received 1,205 lines from 3 senders; 2 refused; 1 waiting");
        let object: serde_json::Value = serde_json::from_str(&reporter.object()).unwrap();
        assert_eq!((object["received"].as_u64(), object["written"].as_u64()), (Some(1205), Some(1204)));
    }
}
