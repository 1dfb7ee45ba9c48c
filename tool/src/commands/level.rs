//! `spanline level`: another filter in running processes, for a while.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::json;

use crate::control::{Select, request};
use crate::report::Report;

/// Change the level of running processes, for a while
///
/// FILTER is a level, such as `debug`, or directives, such as `info,orders::db=debug`. It replaces the filter in force until
/// the time is over, or until it is reset. Each process reverts it itself, and logs a line about both.
///
/// With `--request` or `--where`, FILTER is a level, and only what happens inside spans with that value is logged at it. All
/// else stays as it is.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A level or directives
    #[arg(required_unless_present = "reset", conflicts_with = "reset")]
    filter: Option<String>,
    /// Go back to what is configured, in all outputs; with --output, in that one
    #[arg(long)]
    reset: bool,
    /// Only the filter of this output
    #[arg(long, value_name = "NAME", conflicts_with_all = ["request", "values"])]
    output: Option<String>,
    /// Only the request with this id: the value of the field `request_id`
    #[arg(long, value_name = "ID", conflicts_with = "reset")]
    request: Option<String>,
    /// Only inside spans with this field; may be repeated
    #[arg(long = "where", value_name = "FIELD=VALUE", conflicts_with = "reset", value_parser = pair)]
    values: Vec<(String, String)>,
    /// Revert after this time: `30s`, `10m`, `2h`, `1d`
    #[arg(long = "for", value_name = "TIME", conflicts_with = "reset", value_parser = time)]
    time: Option<Duration>,
    /// Why, for the line in the log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    select: Select,
}

const EXAMPLES: &str = "\
Examples:
  spanline level debug --service orders --for 10m
  spanline level 'info,orders::db=debug' --pid 4711
  spanline level debug --request r-42 --for 10m
  spanline level trace --where user=ada --for 1h --reason 'ticket 815'
  spanline level --reset";

pub(super) fn run(args: &Args, output: &mut impl Write, report: &mut Report) -> io::Result<()> {
    let Args { filter, output: of, time, reason, .. } = args;
    let for_seconds = time.map(|time| time.as_secs());
    let values = args.request.iter().map(|id| ("request_id", id.as_str()));
    let values = values.chain(args.values.iter().map(|(field, value)| (field.as_str(), value.as_str())));
    let tests: Vec<_> = values.map(|(field, value)| format!("{field}={}", quoted(value))).collect();
    let request = match filter {
        None => request("reset_filter", json!({ "output": of, "reason": reason })),
        Some(filter) if tests.is_empty() => request(
            "set_filter",
            json!({ "filter": filter, "output": of, "for_seconds": for_seconds, "reason": reason }),
        ),
        Some(level) => {
            let directive = format!("[{{{}}}]={level}", tests.join(","));
            request("detail", json!({ "filter": directive, "for_seconds": for_seconds, "reason": reason }))
        }
    };
    args.select.order(&request, "applied", output, report)
}

/// Returns a value in the quotes of directives.
fn quoted(value: &str) -> String {
    let mut quoted = String::from("\"");
    for char in value.chars() {
        if matches!(char, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(char);
    }
    quoted + "\""
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (field, value) = text.split_once('=').ok_or("expected FIELD=VALUE, such as user=ada")?;
    Ok((field.to_owned(), value.to_owned()))
}

/// Reads a time, such as `10m`.
fn time(text: &str) -> Result<Duration, String> {
    let expected = || "expected a number and a unit, such as 30s, 10m, 2h or 1d".to_owned();
    let (number, unit) = text.split_at(text.find(|char: char| !char.is_ascii_digit()).ok_or_else(expected)?);
    let number: u64 = number.parse().map_err(|_| expected())?;
    let seconds = match unit.trim() {
        "s" | "sec" | "seconds" => 1,
        "m" | "min" | "minutes" => 60,
        "h" | "hours" => 60 * 60,
        "d" | "days" => 24 * 60 * 60,
        _ => return Err(expected()),
    };
    match number.checked_mul(seconds) {
        Some(0) => Err("the time is zero".to_owned()),
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err("the time is too long".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        for (text, seconds) in [("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86_400), ("5 min", 300)] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "10", "m", "-1m", "1.5h", "0s", "10 fortnights", "99999999999999999999s"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
