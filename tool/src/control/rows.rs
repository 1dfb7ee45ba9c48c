//! A row for each process, as a table or as JSON. Whatever a process answers is escaped.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::ask::Reply;
use super::find::Process;
use crate::escape::{escaped_json, escaped_text};
use crate::report::Report;

impl Reply {
    /// Returns what has become of a change, for people.
    fn text(&self, done: &str) -> String {
        match self {
            Self::Done(_) => done.to_owned(),
            Self::Refused(why) => format!("refused: {why}"),
            Self::Gone => "gone".to_owned(),
            Self::NoAnswer => "did not answer in 2 s".to_owned(),
        }
    }

    fn json(&self, process: &Process, done: &str) -> Value {
        let mut row = json!({ "service": process.service, "pid": process.pid, "uid": process.user() });
        match self {
            Self::Done(answer) => {
                row["result"] = done.into();
                row["answer"] = answer.clone();
            }
            Self::Refused(why) => {
                row["result"] = "refused".into();
                row["error"] = why.as_str().into();
            }
            Self::Gone => row["result"] = "gone".into(),
            Self::NoAnswer => row["result"] = "no answer".into(),
        }
        row
    }
}

/// Prints a row for each process: what has become of the change. `done`: what an accepted one is called. Each other is a
/// failure, and so is no row at all.
pub(crate) fn finish(
    replies: &[(Process, Reply)],
    done: &str,
    json: bool,
    output: &mut impl Write,
    report: &mut Report,
) -> io::Result<()> {
    if json {
        print(replies, done, output, report)?;
        return Ok(());
    }
    let rows = replies.iter().map(|(process, reply)| {
        let mut rest = reply.text(done);
        if let Reply::Done(answer) = reply {
            let remarks = answer["remarks"].as_array().into_iter().flatten().filter_map(Value::as_str);
            remarks.for_each(|remark| rest += &format!("; {remark}"));
        }
        vec![process.service.clone(), pid_of(process), rest]
    });
    table(&["SERVICE", "PID", "RESULT"], rows.collect(), output)?;
    judge(replies, report);
    Ok(())
}

/// Returns the process id, with the user of a process of another user: its name could be anybody's.
pub(crate) fn pid_of(process: &Process) -> String {
    match process.user() {
        user if user == rustix::process::geteuid().as_raw() => process.pid.to_string(),
        user => format!("{} (uid {user})", process.pid),
    }
}

/// Prints a JSON object for each process.
pub(crate) fn print(
    replies: &[(Process, Reply)],
    done: &str,
    output: &mut impl Write,
    report: &mut Report,
) -> io::Result<()> {
    for (process, reply) in replies {
        writeln!(output, "{}", escaped_json(&reply.json(process, done).to_string()))?;
    }
    judge(replies, report);
    Ok(())
}

/// A process that has not done it is a failure.
fn judge(replies: &[(Process, Reply)], report: &mut Report) {
    if replies.is_empty() {
        report.failure("no process found");
    }
    if replies.iter().any(|(_, reply)| !matches!(reply, Reply::Done(_))) {
        report.fail();
    }
}

/// Prints rows under their headings, each column as wide as it has to be.
pub(crate) fn table(headings: &[&str], rows: Vec<Vec<String>>, output: &mut impl Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let headings = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let rows: Vec<Vec<String>> =
        [headings].into_iter().chain(rows).map(|row| row.iter().map(|cell| escaped_text(cell)).collect()).collect();
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column| rows.iter().filter_map(|row| row.get(column)).map(|cell: &String| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(output, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
