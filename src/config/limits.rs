//! Sections of the whole log that have tables: limits, redaction, the flight recorder, the end.

use std::time::Duration;

use tracing::Level;

use super::words;
#[cfg(feature = "sealed")]
use crate::builder::SealSettings;
use crate::flight_recorder::FlightRecorder;
use crate::limit::Sampling;
use crate::redact::Redact;
#[cfg(feature = "sealed")]
use crate::sealed::Recipients;
use crate::settings::{Key, Kind, Section};

/// Reads a limit: lines, and their period.
pub(super) fn rate_limit(section: &mut Section<'_>) -> Option<(u64, Duration)> {
    let lines = section.count(Key::required("lines", Kind::Count, "How many lines each call site logs at most."));
    let period = section.duration(Key::required("period", Kind::Duration, "In how much time."));
    let both = lines.zip(period);
    if let Some((lines, period)) = both
        && (lines == 0 || period.is_zero())
    {
        section.mistake(
            "",
            "allows no line; expected at least one line and a period longer than zero; to hide lines, use a filter",
        );
        return None;
    }
    both
}

/// Reads how lines are sampled.
pub(super) fn sampling(section: &mut Section<'_>) -> Option<Sampling> {
    let one_in = section.count(Key::new("one_in", Kind::Count, "none", "Logs one in this many."));
    let burst = section.count(Key::new("burst", Kind::Count, "none", "Logs up to this many at once, with `every`."));
    let every = section.duration(Key::new("every", Kind::Duration, "none", "Then logs one each time this passes."));
    let sampling = match (one_in, burst, every) {
        (Some(lines), None, None) => Some(Sampling::one_in(lines)),
        (None, Some(burst), Some(every)) => Some(Sampling::token_bucket(burst, every)),
        _ => None,
    };
    if sampling.is_none() && !section.is_description() {
        section.mistake("", "expected either `one_in`, or `burst` and `every`");
    }
    let traces = "Keeps or drops whole traces, not lines of call sites.";
    let below = "The level from which on all lines are logged.";
    let sampling = section
        .on(sampling.unwrap_or(Sampling::one_in(2)))
        .flag("of_traces", traces, Sampling::of_traces)
        .level("below", "warn", below, Sampling::below)
        .done();
    if let Err(error) = sampling.check() {
        section.refuse("", &error);
    }
    Some(sampling)
}

/// Reads what is secret, on top of what the program has set.
pub(super) fn redact(section: &mut Section<'_>, base: Redact) -> Redact {
    let default_names = "Whether the names that secrets usually have are secret.";
    let keep = "Names that are not secret, whatever the list says.";
    let values = "Also searches all texts for secrets, by their shape.";
    let last_four = "Shows the last four characters of card numbers and long tokens.";
    section
        .on(base)
        .bool("default_names", "true", default_names, Redact::default_names)
        .texts("names", "none", "More names that are secret.", Redact::names)
        .texts("keep", "none", keep, |redact, names| names.into_iter().fold(redact, Redact::keep))
        .bool("values", "false", values, Redact::scans_values)
        .bool("last_four", "false", last_four, Redact::shows_last_four)
        .text("replacement", "<redacted>", "What stands for a secret.", Redact::replacement)
        .done()
}

/// Reads which fields are sealed, on top of what the program has set.
#[cfg(feature = "sealed")]
pub(super) fn seal_fields(section: &mut Section<'_>, base: SealSettings) -> SealSettings {
    let has_recipients = base.recipients.is_some();
    let names = "Names of fields, and dotted paths into nested data, as in `redact`.";
    let mut settings = section
        .on(base)
        .texts("names", "none", names, |settings, names| {
            let names = settings.names.iter().cloned().chain(names).collect();
            SealSettings { names, ..settings }
        })
        .done();
    let doc = "Who can open the values: texts `age1…`. They take the place of those that the program has set.";
    let key = Key::new("recipients", Kind::Texts, "the program's", doc);
    match section.texts(key) {
        Some(texts) => match Recipients::parse(texts.join("\n")) {
            Ok(recipients) => settings.recipients = Some(recipients),
            Err(error) => section.refuse("recipients", &error),
        },
        None if has_recipients || section.is_description() => {}
        None => {
            section
                .mistake("recipients", "missing; expected a list of texts `age1…`, as `spanline keygen` prints them");
        }
    }
    settings
}

/// Reads which lines are held back.
pub(super) fn flight_recorder(section: &mut Section<'_>) -> FlightRecorder {
    let filter = words::filter(section, Key::required("filter", Kind::Filter, "Which lines are held back."));
    let release = "The level at and above which an event releases the lines of its request.";
    let per_request = "The memory of one request, 4 KiB to 1 GiB.";
    let recorder = section
        .on(FlightRecorder::new(filter.unwrap_or_else(|| "debug".to_owned())))
        .bytes("memory_bytes", "4 MiB", "The memory of all requests, 4 KiB to 64 GiB.", FlightRecorder::memory_bytes)
        .bytes("memory_bytes_per_request", "256 KiB", per_request, FlightRecorder::memory_bytes_per_request)
        .word("release_at", "error", &crate::settings::LEVELS, release, |recorder, level: Level| {
            recorder.release_at(level)
        })
        .done();
    section.check(|| recorder.sizes().map(drop));
    recorder
}

/// Reads how long the end of the log waits. `base`: what the program has set.
pub(super) fn shutdown(section: &mut Section<'_>, (timeout, cap): (Duration, Duration)) -> (Duration, Duration) {
    let without = "How long the end of the log waits without progress.";
    let found = section.duration(Key::new("timeout", Kind::Duration, "5 s", without));
    let total = section.duration(Key::new("cap", Kind::Duration, "25 s", "How long it waits in total."));
    (found.unwrap_or(timeout), total.unwrap_or(cap))
}
