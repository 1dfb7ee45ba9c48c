//! The section of an output's sink: which one, and its own section.

#[cfg(any(feature = "postgres", feature = "sqlite"))]
use super::databases;
#[cfg(feature = "http")]
use super::http;
#[cfg(feature = "net")]
use super::net;
#[cfg(feature = "spool")]
use super::wrappers;
use super::{files, words};
use crate::advice::{nearest, quoted, unknown};
use crate::settings::{Node, Place, Section, Settings, Table, Value, Walk, within};
use crate::sink::Sink;

/// Reads a sink's section.
pub(super) type Open = fn(&mut Section<'_>) -> Box<dyn Sink>;

/// A sink of this crate.
pub(super) struct SinkKind {
    /// Its name, which is a key of its section too.
    pub(super) name: &'static str,
    /// The feature that it needs; empty if it needs none.
    pub(super) feature: &'static str,
    pub(super) has_feature: bool,
    /// `None` while the feature is off, and on systems without such a sink.
    pub(super) open: Option<Open>,
    /// Whether its name alone is enough.
    pub(super) stands_alone: bool,
}

/// A sink that is always there.
const fn sink(name: &'static str, open: Open, stands_alone: bool) -> SinkKind {
    SinkKind { name, feature: "", has_feature: true, open: Some(open), stands_alone }
}

/// Defines sinks with features: where it is, its feature, its name, its section's function.
macro_rules! with_features {
    ($($(#[$os:meta])? $feature:literal $name:literal $open:path $(, $alone:ident)?;)*) => {
        [$(SinkKind {
            name: $name,
            feature: $feature,
            has_feature: cfg!(feature = $feature),
            open: {
                #[cfg(all(feature = $feature $(, $os)?))]
                { Some($open as Open) }
                #[cfg(not(all(feature = $feature $(, $os)?)))]
                { None }
            },
            stands_alone: false $(|| stringify!($alone).len() > 0)?,
        }),*]
    };
}

/// All sinks of this crate that a file can name.
pub(super) const SINKS: [SinkKind; 4] = [
    sink("stdout", files::stdout, true),
    sink("stderr", files::stderr, true),
    sink("file", files::file, false),
    sink("route", files::route, false),
];

/// Sinks that need a feature.
pub(super) const OTHERS: [SinkKind; 17] = with_features! {
    "net" "tcp" net::tcp;
    "net" "udp" net::udp;
    #[unix] "net" "unix" net::unix;
    "syslog" "syslog" net::syslog, alone;
    #[target_os = "linux"] "journald" "journald" net::journald, alone;
    "http" "http" http::plain;
    "http" "loki" http::loki;
    "http" "elastic" http::elastic;
    "http" "splunk_hec" http::splunk_hec;
    "http" "datadog" http::datadog;
    "http" "clickhouse" http::clickhouse;
    "otlp" "otlp" http::otlp, alone;
    "postgres" "postgres" databases::postgres;
    "sqlite" "sqlite" databases::sqlite;
    "spool" "spool" wrappers::spool;
    "spool" "fallback" wrappers::fallback;
    "http" "clickhouse_before_22_2" http::clickhouse_before_22_2;
};

/// What people call a sink, and its name.
const ALIASES: &[(&str, &str)] = &[
    ("console", "stdout"),
    ("terminal", "stdout"),
    ("rolling_file", "file"),
    ("elasticsearch", "elastic"),
    ("splunk", "splunk_hec"),
    ("opentelemetry", "otlp"),
    ("journal", "journald"),
    ("postgresql", "postgres"),
];

pub(super) fn all() -> impl Iterator<Item = &'static SinkKind> + Clone {
    const ALL: &[SinkKind] = &SINKS;
    const MORE: &[SinkKind] = &OTHERS;
    ALL.iter().chain(MORE)
}

/// Reads a sink: its name, or a table with its name as a key. `None` after a mistake.
pub(super) fn read(node: &Node, path: &str, walk: &mut Walk) -> Option<Box<dyn Sink>> {
    match &node.value {
        Value::Text(name) => {
            let empty = Table::default();
            if let Some(kind) = all().find(|kind| kind.name == name)
                && !kind.stands_alone
                && kind.open.is_some()
            {
                walk.mistake(node.place, path, format!("the sink `{name}` needs more; expected `{{ {name} = … }}`"));
                return None;
            }
            open(name, node.place, &empty, node.place, path, walk)
        }
        Value::Table(table) => {
            let named: Vec<&str> =
                table.0.iter().map(|member| member.name.as_str()).filter(|name| is_sink(name, walk)).collect();
            // The sinks inside a wrapper are in tables of their keys.
            match named.as_slice() {
                [name] => {
                    let place = table.member(name).map_or(node.place, |member| member.place);
                    open(name, place, table, node.place, path, walk)
                }
                [] => {
                    let own = own_names(walk);
                    let names = || all().map(|kind| kind.name).chain(own.iter().map(String::as_str));
                    let candidates = || names().map(|name| (name, name)).chain(ALIASES.iter().copied());
                    let meant = table.0.iter().find_map(|member| nearest(&member.name, 2, candidates()));
                    let meant = meant.map_or(String::new(), |name| format!("; did you mean {}?", quoted(name)));
                    let names = names().collect::<Vec<_>>().join(", ");
                    walk.mistake(
                        node.place,
                        path,
                        format!("the table names no sink{meant} Expected one of these keys: {names}")
                            .replace("sink Expected", "sink; expected"),
                    );
                    None
                }
                several => {
                    let several = several.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(" and ");
                    walk.mistake(
                        node.place,
                        path,
                        format!("the table names {several}; expected one sink; remove the others"),
                    );
                    None
                }
            }
        }
        _ => {
            let message =
                format!("found {}; expected a sink's name, or a table such as `{{ file = \"app.log\" }}`", node.kind());
            walk.mistake(node.place, path, message);
            None
        }
    }
}

/// Returns whether a key of a sink's table names the sink.
pub(super) fn is_built_in(name: &str) -> bool {
    all().any(|kind| kind.name == name)
}

fn is_sink(name: &str, walk: &Walk) -> bool {
    is_built_in(name) || walk.registered.sink(name).is_some()
}

fn own_names(walk: &Walk) -> Vec<String> {
    walk.registered.sinks.iter().map(|(name, _)| name.clone()).collect()
}

/// Reads the section of the sink with this name.
fn open(name: &str, place: Place, table: &Table, at: Place, path: &str, walk: &mut Walk) -> Option<Box<dyn Sink>> {
    if let Some(make) = walk.registered.sink(name).cloned() {
        return within(table, at, path, walk, |section| match (make.0)(&mut Settings::new(section)) {
            Ok(sink) => Some(sink),
            Err(error) => {
                section.refuse("", &error);
                None
            }
        });
    }
    match all().find(|kind| kind.name == name) {
        Some(SinkKind { open: Some(open), .. }) => Some(within(table, at, path, walk, *open)),
        Some(SinkKind { feature, has_feature, .. }) => {
            let needs = if *has_feature { words::NEEDS_UNIX.to_owned() } else { words::needs_feature(feature) };
            walk.mistake(place, path, format!("the sink `{name}` {needs}"));
            None
        }
        None => {
            let own = own_names(walk);
            let names = all().map(|kind| kind.name).chain(own.iter().map(String::as_str));
            walk.mistake(place, path, unknown("sink", name, names, ALIASES));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_there_once_and_each_alias_stands_for_one() {
        let names: Vec<&str> = all().map(|kind| kind.name).collect();
        assert!(names.iter().all(|name| names.iter().filter(|other| *other == name).count() == 1));
        assert!(ALIASES.iter().all(|(alias, name)| !names.contains(alias) && names.contains(name)));
    }

    #[test]
    fn a_sink_whose_feature_is_off_is_known_and_its_feature_is_named() {
        let missing = all().filter(|kind| !kind.has_feature).map(|kind| (kind.name, kind.feature));
        for (name, feature) in missing {
            let texts = [format!("output.a.sink = {{ {name} = 'x' }}"), format!("output.a.sink = '{name}'")];
            for text in texts {
                let builder = crate::Builder::from_toml(text);
                let error = builder.build::<tracing_subscriber::Registry>().err().unwrap().to_string();
                let expected = format!("output.a.sink: the sink `{name}` needs the feature `{feature}` of spanline");
                assert!(error.contains(&expected), "{error}");
            }
        }
    }

    #[cfg(not(feature = "signals"))]
    #[test]
    fn a_setting_whose_feature_is_off_is_refused_and_its_feature_is_named() {
        let builder = crate::Builder::from_toml("flush_on_signals = true");
        let error = builder.build::<tracing_subscriber::Registry>().err().unwrap().to_string();
        assert!(error.contains("1:20: flush_on_signals: needs the feature `signals` of spanline"), "{error}");
    }
}
