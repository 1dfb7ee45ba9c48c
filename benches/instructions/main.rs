//! What the log costs in instructions: counts, so that a change for the worse shows on a busy machine too.
//!
//! `cargo bench --all-features --bench instructions` fails when a count is above its limit in [`WORKS`]. It needs
//! valgrind: the program runs itself under callgrind with N and with 3 N operations, and the difference, divided by
//! 2 N, is the count of one; the start cancels out.
//!
//! While the thread that logs is counted, the worker stands still in a sink that waits at a gate. For the worker's
//! lines the gate is opened afterwards, everything is drained, and what the thread that logs took is subtracted. What
//! is not counted is the kernel's work; valgrind has no vDSO, so reading the clock is the kernel's too.
//!
//! The floor is the same work for an empty layer that looks up the current span, under `Targets`; for spans in one another
//! it is a bare registry.
//!
//! Some works are counted twice more: with nothing redacted, and with names and values redacted, of which there are none.
//! The second may cost so much more than the first as [`REDACTED`] says. For [`TEXTS`], the difference is counted for each
//! byte. For [`ESCAPED`], the whole line is counted for each byte, with nothing redacted.
//!
//! For [`CHANGED`], a log is counted whose outputs changed once.
//!
//! For [`USES`], what the documentation shows besides, the whole line is counted, with nothing redacted, and compared with
//! as many bytes of the default schema's.

#![allow(clippy::expect_used, clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]

mod counting;
mod texts;
mod uses;
mod works;

use std::process::{Command, ExitCode, Stdio};

use counting::{count_all, run};
use texts::{ESCAPED, TEXTS, Text};
use uses::{USES, Use};
use works::{BESIDE_ASKED, CHANGED, Part, REDACTED, WORKS, Work};

/// What a bare registry takes may be multiplied by this: promise 35, for 5,000 and for 15,000 spans in one another.
const DEEP: f64 = 3.0;

const LIMIT: f64 = 1.08;
/// Below this part of today's count, the limit has become too wide.
const TIGHTEN: f64 = 0.9;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run", layer, work, times] => {
            run(layer, Work::named(work), times.parse().expect("a number"));
            ExitCode::SUCCESS
        }
        _ => compare(),
    }
}

/// Counts everything, prints the table and judges it.
fn compare() -> ExitCode {
    if let Err(error) = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status() {
        println!("the instructions cannot be counted: valgrind does not run ({error}); install the package `valgrind`");
        return ExitCode::FAILURE;
    }
    let counts = count_all();
    let find = |layer, name| {
        let (_, count) = counts.iter().find(|(run, _)| run.layer == layer && run.work.name == name)?;
        Some(count.instructions)
    };
    let mut wrong = Vec::new();
    let mut notes = Vec::new();
    println!("{:16} {:44} {:>9} {:>9} {:>9}", "instructions", "", "count", "limit", "floor");
    let count_of = |layer, work: &Work| {
        let count = find(layer, work.name)?;
        Some(match work.part {
            Part::Caller(..) | Part::OfLayer(_) => count,
            Part::Worker { of, lines } => (count - find(layer, of).unwrap_or(0.0)) / f64::from(lines),
        })
    };
    for work in &WORKS {
        let Some(count) = count_of("ours", work) else { continue };
        let limit = (work.today * LIMIT).ceil();
        let floor = find("floor", work.name).map_or("–".to_owned(), |floor| format!("{floor:.1}"));
        println!("{:16} {:44} {count:9.1} {limit:9.0} {floor:>9}", work.name, work.what);
        if count > limit {
            wrong.push(format!("{}: {count:.1} instructions are above the limit of {limit:.0}", work.name));
        } else if count < work.today * TIGHTEN {
            notes.push(format!("{}: {count:.1}, once {:.1}: tighten the limit", work.name, work.today));
        }
    }
    if let (Some(ours), Some(bare)) = (find("ours", "deep"), find("floor", "deep"))
        && ours > DEEP * bare
    {
        wrong.push(format!("deep: {ours:.1} instructions are more than {DEEP} times the {bare:.1} of a bare registry"));
    }
    println!("{:16} {:44} {:>9} {:>9} {:>9}", "redaction", "", "without", "with", "ratio");
    for (name, most) in REDACTED {
        let work = Work::named(name);
        let (Some(open), Some(redacted)) = (count_of("open", work), count_of("redacted", work)) else { continue };
        let ratio = redacted / open;
        println!("{name:16} {:44} {open:9.1} {redacted:9.1} {ratio:9.3}", work.what);
        if ratio > most {
            wrong.push(format!("{name}: redaction costs {ratio:.3} of what it does without, above {most}"));
        }
    }
    println!("{:16} {:44} {:>9} {:>9} {:>9}", "detail of another", "", "without", "more", "limit");
    for (name, most) in BESIDE_ASKED {
        let work = Work::named(name);
        let (Some(without), Some(asked)) = (count_of("ours", work), count_of("asked", work)) else { continue };
        let more = asked - without;
        println!("{name:16} {:44} {without:9.1} {more:9.1} {most:9.1}", work.what);
        if more > most {
            wrong.push(format!("{name}: a directive for another request costs {more:.1} instructions, above {most}"));
        }
    }
    println!("{:16} {:44} {:>9} {:>9} {:>9}", "outputs changed", "", "without", "with", "ratio");
    for (name, most) in CHANGED {
        let work = Work::named(name);
        let (Some(without), Some(changed)) = (count_of("ours", work), count_of("changed", work)) else { continue };
        let ratio = changed / without;
        println!("{name:16} {:44} {without:9.1} {changed:9.1} {ratio:9.3}", work.what);
        if ratio > most {
            wrong.push(format!(
                "{name}: after a change of the outputs {ratio:.3} of what it costs before, above {most}"
            ));
        }
    }
    println!("{:16} {:44} {:>9} {:>9} {:>9}", "each byte", "", "bytes", "count", "limit");
    for Text { works: [_, line], bytes, most } in &TEXTS {
        let (Some(open), Some(redacted)) = (count_of("open", line), count_of("redacted", line)) else { continue };
        let each = (redacted - open) / *bytes as f64;
        println!("{:16} {:44} {bytes:9} {each:9.1} {most:9.1}", line.name, "looking for secrets in its text");
        if each > *most {
            wrong.push(format!("{}: {each:.1} instructions for each byte, above {most}", line.name));
        }
    }
    for Text { works: [_, line], bytes, most } in &ESCAPED {
        let Some(count) = count_of("open", line) else { continue };
        let each = count / *bytes as f64;
        println!("{:16} {:44} {bytes:9} {each:9.1} {most:9.1}", line.name, "the whole line");
        if each > *most {
            wrong.push(format!("{}: {each:.1} instructions for each byte, above {most}", line.name));
        }
    }
    let bytes_of = |name: &str, lines: u32| {
        let (_, count) = counts.iter().find(|(run, _)| run.layer == "open" && run.work.name == name)?;
        Some(count.bytes / f64::from(lines))
    };
    let of_byte = |work: &Work, lines| Some(count_of("open", work)? / bytes_of(work.name, lines)?);
    println!("{:16} {:44} {:>9} {:>9} {:>9} {:>9}", "each use", "", "count", "bytes", "of flat", "limit");
    for Use { works: [_, line], base, most, .. } in &USES {
        let Part::Worker { lines, .. } = line.part else { continue };
        let (Some(count), Some(bytes)) = (count_of("open", line), bytes_of(line.name, lines)) else { continue };
        let Some(ratio) = of_byte(line, lines).zip(of_byte(Work::named(base), 1)).map(|(ours, of)| ours / of) else {
            continue;
        };
        println!("{:16} {:44} {count:9.1} {bytes:9.1} {ratio:9.2} {most:9.2}", line.name, line.what);
        if ratio > *most {
            wrong.push(format!(
                "{}: {ratio:.2} times the instructions of as many bytes of {base}, above {most}",
                line.name
            ));
        }
    }
    notes.iter().for_each(|note| println!("note: {note}"));
    if !cfg!(target_arch = "x86_64") {
        println!("the limits are for x86_64: nothing is judged here");
        return ExitCode::SUCCESS;
    }
    wrong.iter().for_each(|wrong| println!("error: {wrong}"));
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
