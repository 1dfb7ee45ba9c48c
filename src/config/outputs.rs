//! The section of one output.

use std::time::Duration;

use super::{schemas, sinks};
use crate::builder::{JournalPrefix, Output};
use crate::queue::Overflow;
use crate::settings::{Key, Kind, LEVELS, Section, Value, duration};
use crate::worker::Durability;

/// Reads an output. `base`: the output of this name that the program has set up. `None` after a mistake.
pub(super) fn output(name: &str, base: Option<Output>, section: &mut Section<'_>) -> Option<Output> {
    let doc = "Where the lines go: a sink's name, or a table with the sink's name as a key. An output of the program with \
               the same name keeps its sink if this is missing.";
    let default = if base.is_some() { "the program's" } else { "" };
    let key = Key::new("sink", Kind::Section("sink"), default, doc);
    let path = section.path_of("sink");
    let node = section.value(key, Ok);
    let sink = node.and_then(|node| sinks::read(node, &path, section.walk()));
    let is_complete = sink.is_some() || base.is_some();
    let output = match (sink, base) {
        (Some(sink), _) => Output::new(sink).name(name),
        (None, Some(base)) => base,
        // The other keys are checked all the same.
        (None, None) => Output::new(crate::sink::Memory::new()),
    };
    let output = schema(output, section);
    let below = "Takes only lines that are less severe.";
    let strip = "Removes terminal sequences from texts, such as colours.";
    let synchronous = "Makes each call that logs wait until its line is written, at most this long.";
    let prefixes =
        [("never", None), ("if_journal", Some(JournalPrefix::IfJournal)), ("always", Some(JournalPrefix::Always))];
    let prefix = "When lines begin with the priority that systemd's journal reads.";
    let output = section
        .on(output)
        .filter("filter", "none", "Further filters this output.", Output::output_filter)
        .level("below", "none", below, Output::below)
        .bool(
            "deduplicate",
            "false",
            "Writes one of consecutive equal lines, and counts the others.",
            Output::deduplicates,
        )
        .bool("strip_ansi", "false", strip, Output::strips_ansi)
        .with(unsealed_fields)
        .word("journal_prefix", "never", &prefixes, prefix, Output::prefixes)
        .with(overflow)
        .duration("synchronous", "none", synchronous, Output::synchronous)
        .with(durability)
        .bytes("queue_bytes", "8 MiB", "The memory of the queue, 4 KiB to 1 GiB.", Output::queue_bytes)
        .done();
    if section.is_right() {
        for (key, error) in output.mistakes() {
            section.refuse(key, &error);
        }
    }
    is_complete.then_some(output)
}

fn schema(output: Output, section: &mut Section<'_>) -> Output {
    let doc = "How lines look: a schema's name, or a table with `name`, options and `edits`.";
    let path = section.path_of("schema");
    let Some(node) = section.value(Key::new("schema", Kind::Section("schema"), "the sink's, or flat", doc), Ok) else {
        return output;
    };
    let chosen = schemas::read(node, &path, section.walk());
    let output = chosen.schema.into_iter().fold(output, Output::schema);
    chosen.edits.into_iter().fold(output, Output::edits)
}

fn unsealed_fields(output: Output, section: &mut Section<'_>) -> Output {
    let key = Key::new("unsealed_fields", Kind::Bool, "false", "Shows the values of sealed fields.");
    #[cfg(feature = "sealed")]
    return section.bool(key).into_iter().fold(output, Output::unseals_fields);
    #[cfg(not(feature = "sealed"))]
    {
        super::words::refuse_without(section, key, "sealed");
        output
    }
}

fn overflow(output: Output, section: &mut Section<'_>) -> Output {
    let doc = "What happens when the queue is full: `shed`, `drop_newest`, `block`, or `{ block = \"100 ms\" }`.";
    let kind = Kind::OneOf(vec![Kind::Word(vec!["shed", "drop_newest", "block"]), Kind::Section("overflow")]);
    let expected = "expected `shed`, `drop_newest`, `block`, or `{ block = \"100 ms\" }`";
    let overflow = section.value(Key::new("overflow", kind, "shed", doc), |node| match &node.value {
        Value::Text(text) => text.parse::<Overflow>().map_err(|error| error.to_string()),
        Value::Table(table) => match table.0.as_slice() {
            [member] if member.name == "block" => {
                let wait = member.node.text().ok_or_else(|| format!("found {}; {expected}", member.node.kind()))?;
                Ok(Overflow::Block { max_wait: duration(wait)? })
            }
            _ => Err(expected.to_owned()),
        },
        _ => Err(format!("found {}; {expected}", node.kind())),
    });
    overflow.into_iter().fold(output, Output::overflow)
}

fn durability(output: Output, section: &mut Section<'_>) -> Output {
    let doc = "When written lines are made durable: `never`, `every_batch`, `{ interval = \"1 s\" }` or \
               `{ at_level = \"error\" }`.";
    let kind = Kind::OneOf(vec![Kind::Word(vec!["never", "every_batch"]), Kind::Section("durability")]);
    let expected = "expected `never`, `every_batch`, `{ interval = \"1 s\" }` or `{ at_level = \"error\" }`";
    let durability = section.value(Key::new("durability", kind, "never", doc), |node| match &node.value {
        Value::Text(text) if text == "never" => Ok(Durability::Never),
        Value::Text(text) if text == "every_batch" => Ok(Durability::EveryBatch),
        Value::Table(table) => match table.0.as_slice() {
            [member] => match (member.name.as_str(), member.node.text()) {
                ("interval", Some(text)) => duration(text).map(Durability::Interval),
                ("at_level", Some(text)) => {
                    let level = LEVELS.iter().find(|(name, _)| *name == text);
                    level.map(|(_, level)| Durability::AtLevel(*level)).ok_or_else(|| {
                        crate::advice::unknown(
                            "level",
                            text,
                            LEVELS.iter().map(|(name, _)| *name),
                            &[("warning", "warn")],
                        )
                    })
                }
                _ => Err(expected.to_owned()),
            },
            _ => Err(expected.to_owned()),
        },
        _ => Err(format!("found {}; {expected}", node.shown())),
    });
    durability.into_iter().fold(output, Output::durability)
}

/// Describes the table of `overflow`.
pub(super) fn describe_overflow(section: &mut Section<'_>) {
    let _: Option<Duration> =
        section.duration(Key::required("block", Kind::Duration, "Waits for room, at most this long."));
}

/// Describes the table of `durability`: one of the keys.
pub(super) fn describe_durability(section: &mut Section<'_>) {
    let _: Option<Duration> = section.duration(Key::new(
        "interval",
        Kind::Duration,
        "none",
        "At the latest this long after a line was written.",
    ));
    section.level(Key::new(
        "at_level",
        Kind::Level,
        "none",
        "After each batch that has a line of this level or above.",
    ));
}
