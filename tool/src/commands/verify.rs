//! `spanline verify`: whether sealed logs are whole.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use spanline::read::{self, Log, Segment};
use spanline::record::Timestamp;
use spanline::sealed::{self, Checks, Row, State, Verifier};

use crate::escape::{escaped, escaped_json, escaped_text};
use crate::report::Report;
use crate::sealed::{KeyArgs, heads, texts};

/// How often a log is checked from which files disappear meanwhile.
const ATTEMPTS: u32 = 5;

const EXAMPLES: &str = "\
Examples:
  spanline verify logs/audit.log
  spanline verify logs/audit.log --verifier svc.pub --expect heads.txt --key auditor.key

STATE is one of:
  sealed      its writer ended it, or the next file vouches for its end
  open        a service is writing to it
  unsealed    it has no end: after a crash, or because somebody has cut it
  unreadable  it is no sealed file, its header is damaged, or the key is a wrong one

Exit status:
  0  everything is whole: each file is sealed or open, and nothing is missing or changed
  1  something is not whole, or could not be read
  2  the command line is wrong";

/// Check whether sealed logs are whole
///
/// Prints a row for each file: its state, how many intact lines it has, the time of the first and of the last one in UTC, and
/// its name. What is wrong with it stands below. What is wrong with the log, such as files that are missing, stands at the
/// end. No key is needed. With one, the lines are opened, too, which finds what a thief of the service's memory could forge.
/// Only `--expect` finds that the end of a log was replaced or removed.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A log, such as `logs/audit.log`, files of it, or a directory with logs in it
    #[arg(required = true, value_name = "FILE")]
    paths: Vec<PathBuf>,
    /// Accept only chains that this signer has begun: the text of `keygen --signer`, or a file with it
    #[arg(long, value_name = "TEXT-or-FILE")]
    verifier: Option<String>,
    /// Expect that the log still has this head: a text that the service has logged elsewhere, or a log in JSON with some,
    /// oldest first. May be given several times
    #[arg(long, value_name = "HEAD-or-FILE")]
    expect: Vec<String>,
    /// Print one JSON object for each log
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let logs = logs(&args.paths, report);
    if logs.len() > 1 && !args.expect.is_empty() {
        report.misuse(&io::Error::other("`--expect` is for one log; run one command for each log"));
        return Ok(());
    }
    let name = logs.first().and_then(|log| log.path.file_name()).unwrap_or_default().to_string_lossy();
    let checks = match checks(args, &name, report) {
        Ok(checks) => checks,
        Err(why) => {
            report.failure(&why);
            return Ok(());
        }
    };
    let mut is_first = true;
    for log in logs {
        let checks = if log.is_whole { checks.clone() } else { checks.clone().part_of_log() };
        let Some(found) = report.check(log.verify(&checks)) else { continue };
        if found.rows.is_empty() {
            report.failure(&format!("open {}: found no file of this log", escaped(&log.path)));
            continue;
        }
        if !found.is_whole() {
            report.fail();
        }
        if args.json {
            writeln!(output, "{}", escaped_json(&to_json(&log.path, &found).to_string()))?;
        } else {
            if !std::mem::take(&mut is_first) {
                writeln!(output)?;
            }
            print(&found, output)?;
        }
    }
    Ok(())
}

/// Returns what to check in the log `name`; otherwise what is wrong with the options.
fn checks(args: &Args, name: &str, report: &Report) -> Result<Checks, String> {
    let mut checks = Checks::new();
    if let Some(key) = args.keys.key(report)? {
        checks = checks.key(&key);
    }
    if let Some(given) = &args.verifier {
        let texts = texts(given, "spanline-verifier-")?;
        let [text] = &texts[..] else {
            return Err(format!("--verifier {given}: expected one verifier, found {}", texts.len()));
        };
        let verifier: Verifier = text.parse().map_err(|error| format!("--verifier: {error}"))?;
        checks = checks.verifier(verifier);
    }
    for given in &args.expect {
        for head in heads(given, name)? {
            checks = checks.expect(&head).map_err(|error| format!("--expect: {error}"))?;
        }
    }
    Ok(checks)
}

/// A log, or some of its files.
struct Given {
    /// The path of its active file, or of the directory's log.
    path: PathBuf,
    /// Only these files, by their canonical paths; all without one.
    files: Vec<PathBuf>,
    is_whole: bool,
}

impl Given {
    fn segments(&self) -> Result<Vec<Segment>, spanline::Error> {
        let mut segments = read::segments(&self.path)?;
        if !self.is_whole {
            segments.retain(|segment| self.files.contains(&canonical(segment.path())));
        }
        Ok(segments)
    }

    /// Checks its files. Retention may remove one that was listed.
    fn verify(&self, checks: &Checks) -> Result<sealed::Report, spanline::Error> {
        for _ in 1..ATTEMPTS {
            match read::verify(self.segments()?, checks) {
                Err(error) if error.is_retryable() => {}
                found => return found,
            }
        }
        read::verify(self.segments()?, checks)
    }
}

/// Returns the logs that the paths lead to, each once: `logs/*` names closed files and the log that they belong to.
fn logs(paths: &[PathBuf], report: &mut Report) -> Vec<Given> {
    let mut logs: Vec<Given> = Vec::new();
    let mut places = HashMap::new();
    for path in paths {
        let found = if path.is_dir() {
            let found = report.check(read::logs(path));
            if found.as_ref().is_some_and(Vec::is_empty) {
                report.failure(&format!("list {}: found no log in this directory", escaped(path)));
            }
            found.unwrap_or_default()
        } else {
            report.check(Log::open(path)).into_iter().collect()
        };
        for log in found {
            let active = log.active_path();
            let place = *places.entry(canonical(&active)).or_insert_with(|| {
                logs.push(Given { path: active.clone(), files: Vec::new(), is_whole: false });
                logs.len() - 1
            });
            if let Some(given) = logs.get_mut(place) {
                given.is_whole |= log.path() == active;
                given.files.push(canonical(log.path()));
            }
        }
    }
    logs
}

/// Returns one path for a file, whether it is there or not.
fn canonical(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let parent = fs::canonicalize(parent).unwrap_or_else(|_| parent.to_owned());
    path.file_name().map_or_else(|| parent.clone(), |name| parent.join(name))
}

fn shown(path: &Path) -> String {
    escaped(path.strip_prefix(".").unwrap_or(path))
}

/// A state as one word.
fn word(state: State) -> &'static str {
    match state {
        State::Sealed => "sealed",
        State::Open => "open",
        State::Unsealed => "unsealed",
        _ => "unreadable",
    }
}

/// Returns what is wrong with a file.
fn problems(row: &Row) -> Vec<String> {
    let end = (row.state == State::Unsealed).then(|| {
        let lines = row.lines;
        let lines = if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") };
        format!("ended without a seal, {lines} readable: a crash ended it, or somebody has cut it")
    });
    // The row names the file.
    let prefix = format!("open {}: ", row.file);
    let findings = row.findings.iter().map(|finding| finding.strip_prefix(&prefix).unwrap_or(finding).to_owned());
    findings.chain(end).collect()
}

/// Prints a table. Its last column is the only one that can be wide.
fn print(found: &sealed::Report, output: &mut impl Write) -> io::Result<()> {
    let width = found.rows.iter().map(|row| row.lines.to_string().len()).max().unwrap_or(0).max("LINES".len());
    writeln!(output, "{:10}  {:>width$}  {:20}  {:20}  FILE", "STATE", "LINES", "FIRST", "LAST")?;
    for row in &found.rows {
        let (first, last) = row.times.unzip();
        let [first, last] = [first, last].map(|time| time.map_or_else(|| "-".to_owned(), seconds));
        writeln!(output, "{:10}  {:>width$}  {first:20}  {last:20}  {}", word(row.state), row.lines, shown(&row.path))?;
        for problem in problems(row) {
            write_wrapped(&problem, output)?;
        }
    }
    for finding in &found.findings {
        writeln!(output)?;
        write_wrapped(finding, output)?;
    }
    Ok(())
}

/// Writes an indented text in lines of at most 80 columns, unless a word is longer.
fn write_wrapped(text: &str, output: &mut impl Write) -> io::Result<()> {
    let text = escaped_text(text);
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > 76 {
            writeln!(output, "  {}", std::mem::take(&mut line))?;
            line.push_str("  ");
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(output, "  {line}")
}

fn seconds(time: Timestamp) -> String {
    time.to_datetime().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn to_json(log: &Path, found: &sealed::Report) -> serde_json::Value {
    let nanos = |time: Timestamp| time.to_datetime().format("%Y-%m-%dT%H:%M:%S%.9fZ").to_string();
    let files = found.rows.iter().map(|row| {
        let (chain, number) = row.chain.clone().unzip();
        let (first, last) = row.times.unzip();
        json!({
            "file": shown(&row.path),
            "state": word(row.state),
            "lines": row.lines,
            "first": first.map(nanos),
            "last": last.map(nanos),
            "chain": chain,
            "number": number,
            "problems": problems(row),
        })
    });
    json!({
        "log": shown(log),
        "whole": found.is_whole(),
        "problems": found.findings,
        "files": files.collect::<Vec<_>>(),
    })
}
