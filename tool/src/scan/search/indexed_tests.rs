//! An index never changes an answer.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use spanline::read::Log;
use spanline::record::Timestamp;

use super::question::Question;
use crate::entry::Entry;
use crate::index::{Bounds, Store};
use crate::indexing::{Rules, index};
use crate::query::{Filter, Needle, parse};
use crate::report::Report;
use crate::scan::search::{Ids, Passed, Search};
use crate::scan::{FoundLine, Input};
use crate::trace::ids_of;

/// Small enough for all bytes to be samples.
const BLOCK: u64 = 256;

const FIRST_SECOND: i64 = 1_795_169_700;

/// A line of one of many loggers, with a time or without, and with few ids.
fn line() -> impl Strategy<Value = String> {
    (0..22_u8, 0..60_i64, 0..6_u8).prop_map(|(kind, second, id)| {
        let epoch = FIRST_SECOND + second;
        let at = format!("2026-11-20T10:15:{second:02}");
        match kind {
            0..6 => format!(r#"{{"time":"{at}Z","trace_id":"abc{id}","request_id":"r-0{id}","message":"x"}}"#),
            6 => format!(r#"{{"time":{epoch}000,"level":30,"pid":1,"msg":"x","span_id":"5a{id}","request_id":{id}}}"#),
            7 => format!(r#"{{"@timestamp":"{at}.5Z","message":"x","trace":{{"id":"ABC{id}"}},"ecs.version":"1.6.0"}}"#),
            8 => format!("time={at}Z level=info msg=x request_id=r-0{id}"),
            9 => format!("at=info method=GET request_id=r-0{id}"),
            10 => format!("<34>Nov 20 10:15:{second:02} host app: request r-0{id}"),
            11 => format!("<34>1 {at}Z host app - - [x request_id=\"r-0{id}\"] x"),
            12 => format!(r#"{{"time":"{at}","message":"of no zone","request_id":"r-0{id}"}}"#),
            13 => format!("{epoch} | WARNING | x | shop | abc{id}"),
            14 => format!(r#"{{"time":"{at}Z","message":"x","request_id":"r\u002d0{id}"}}"#),
            15 => {
                let record = |nanos: i64| format!(r#"{{"timeUnixNano":"{epoch}{nanos:09}","body":{{"stringValue":"x"}},"traceId":"abc{id}","spanId":"5a{id}"}}"#);
                format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{},{}]}}]}}]}}"#, record(1), record(2))
            }
            16 => format!(r#"{{"timestamp":"{at}Z","level":"INFO","fields":{{"message":"x"}},"target":"x","spans":[{{"name":"a","request_id":"r-0{id}","trace_id":"abc{id}"}}]}}"#),
            17 => format!(r#"{{"time":"{at}Z","trace_id":"abc{id}"#),
            18 => format!("text about r-0{id}"),
            19 => format!(r#"{{"message":"of no time","trace_id":"abc{id}"}}"#),
            20 => format!(r#"{{"time":"{at}Z","message":"{}"}}"#, "x".repeat(100 * usize::from(id))),
            _ => String::new(),
        }
    })
}

fn text() -> impl Strategy<Value = String> {
    // These are records only behind one of logfmt.
    let ambiguous = (0..6_u8).prop_map(|id| format!("at=info method=GET request_id=r-0{id}"));
    let head = prop_oneof![Just(Vec::new()), proptest::collection::vec(ambiguous, 0..30)];
    (head, proptest::collection::vec(line(), 0..40), any::<bool>()).prop_map(|(head, lines, is_torn)| {
        let text = head.iter().chain(&lines).map(|line| format!("{line}\n")).collect::<String>();
        if is_torn { text.trim_end().to_owned() } else { text }
    })
}

/// What becomes of a log that has an index.
#[derive(Clone, Debug)]
enum Change {
    None,
    Grow(String),
    Truncate(Index),
    Rewrite(String),
    /// Some bytes of it, and then it may grow.
    Edit(Index, String, String),
    ReplaceWithEqualSize(String),
    Rename,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::None),
        text().prop_map(Change::Grow),
        any::<Index>().prop_map(Change::Truncate),
        text().prop_map(Change::Rewrite),
        (any::<Index>(), line(), text()).prop_map(|(at, line, more)| Change::Edit(at, line, more)),
        text().prop_map(Change::ReplaceWithEqualSize),
        Just(Change::Rename),
    ]
}

impl Change {
    /// Returns whether the clock of the file system may not show it.
    fn needs_clock(&self) -> bool {
        matches!(self, Self::Rewrite(_) | Self::Edit(..))
    }

    fn make(&self, path: &mut PathBuf) {
        let size = || fs::metadata(&*path).unwrap().len();
        match self {
            Self::None => {}
            Self::Grow(more) => {
                OpenOptions::new().append(true).open(path).unwrap().write_all(more.as_bytes()).unwrap();
            }
            Self::Truncate(end) => {
                let end = end.index(size() as usize + 1) as u64;
                File::options().write(true).open(path).unwrap().set_len(end).unwrap();
            }
            Self::Rewrite(text) => fs::write(path, text).unwrap(),
            Self::Edit(at, line, more) => {
                let (at, file) = (at.index(size() as usize + 1), File::options().write(true).open(&*path).unwrap());
                let kept = line.len().min(size() as usize - at);
                file.write_all_at(&line.as_bytes()[..kept], at as u64).unwrap();
                file.write_all_at(more.as_bytes(), size()).unwrap();
            }
            Self::ReplaceWithEqualSize(text) => {
                let mut bytes = text.clone().into_bytes();
                bytes.resize(size() as usize, b' ');
                let new = path.with_extension("new");
                fs::write(&new, bytes).unwrap();
                fs::rename(new, path).unwrap();
            }
            Self::Rename => {
                let new = path.with_extension("old.log");
                fs::rename(&*path, &new).unwrap();
                *path = new;
            }
        }
    }
}

/// Which lines are meant.
#[derive(Clone, Debug)]
struct Conditions {
    kind: u8,
    id: u8,
    since: i64,
    seconds: i64,
    reads_all: bool,
    is_count: bool,
    needs_times: bool,
}

fn conditions() -> impl Strategy<Value = Conditions> {
    (0..9_u8, 0..7_u8, 0..60_i64, 0..10_i64, any::<[bool; 3]>()).prop_map(
        |(kind, id, since, seconds, [reads_all, is_count, needs_times])| Conditions {
            kind,
            id,
            since,
            seconds,
            reads_all,
            is_count,
            needs_times,
        },
    )
}

impl Conditions {
    fn question(&self) -> Question {
        let Self { kind, id, .. } = self;
        let since = (FIRST_SECOND + 38 + self.since) * 1_000_000_000;
        let expression = |text: String| Some(parse(&text, Timestamp::now()).unwrap());
        let mut filter = Filter::default();
        match kind {
            0 => filter.traces = vec![format!("aBc{id}")],
            1 => filter.requests = vec![format!("r-0{id}"), "r-none".to_owned()],
            2 => (filter.since, filter.until) = (Some(since), Some(since + self.seconds * 1_000_000_000)),
            3 => filter.since = Some(since),
            4 => filter.expression = expression(format!("request_id = 'r-0{id}' and time <= {since}")),
            5 => filter.expression = expression(format!("trace_id = 'abc{id}' or span_id = '5a{id}'")),
            6 => (filter.requests, filter.until) = (vec![format!("{id}"), format!("r-0{id}")], Some(since)),
            _ => {
                // As `trace` asks.
                let ids = [format!("abc{id}"), format!("r-0{id}")];
                let ids = || ids.iter().map(String::as_str);
                let mut bounds = Bounds::default();
                bounds.add_ids(ids());
                let has: fn(&Entry<'_>, &BTreeSet<String>) -> bool =
                    |entry, ids| ids_of(entry).any(|id| ids.contains(&id));
                return Question {
                    needle: Needle::of_ids(ids()),
                    ids: Some(Ids { ids: ids().map(str::to_owned).collect(), has }),
                    bounds,
                    needs_times: true,
                    ..Question::default()
                };
            }
        }
        let (is_count, needs_times) = (self.is_count, self.needs_times);
        Question { is_count, needs_times, ..Question::of_filter(filter) }
    }
}

type Answer = (Vec<(String, Option<i64>, Option<i64>)>, u64, [u64; 3]);

fn answer(logs: &[PathBuf], question: Question, reads_all: bool) -> Answer {
    let segments =
        |log: &PathBuf| Log::open(log).unwrap().segments().unwrap().into_iter().map(Input::Segment).collect();
    let question = Question { reads_all, ..question };
    let mut search = Search::start(logs.iter().map(segments).collect(), question, 1000);
    let (mut all, mut line) = (Vec::new(), Vec::new());
    while let Some(FoundLine { own_time, time, .. }) = search.next_line(&mut line).unwrap() {
        all.push((String::from_utf8_lossy(&line).into_owned(), own_time, time));
    }
    let Passed { text, broken, cut } = search.passed();
    (all, search.counted(), [text, broken, cut])
}

fn store(dir: &Path) -> Arc<Store> {
    fs::create_dir_all(dir).unwrap();
    fs::set_permissions(dir, Permissions::from_mode(0o700)).unwrap();
    Arc::new(Store::at(dir.to_owned()).unwrap())
}

/// A time at which files that are written now have not changed for long.
fn later() -> Timestamp {
    Timestamp::from_nanos(Timestamp::now().as_nanos() + 60_000_000_000)
}

fn write(path: &mut PathBuf, text: &str, is_compressed: bool) {
    if is_compressed {
        path.set_extension("log.gz");
        let mut gz = flate2::write::GzEncoder::new(File::create(path).unwrap(), flate2::Compression::fast());
        gz.write_all(text.as_bytes()).unwrap();
        gz.finish().unwrap();
    } else {
        fs::write(path, text).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn an_answer_with_an_index_is_the_same_as_without(
        logs in proptest::collection::vec((text(), change(), prop::bool::weighted(0.2)), 1..4),
        questions in proptest::collection::vec(conditions(), 1..8),
        is_settled in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir.path().join("cache"));
        let is_settled = is_settled && !logs.iter().any(|(_, change, _)| change.needs_clock());
        let clock = if is_settled { later } else { Timestamp::now };
        let mut paths = Vec::new();
        for (number, (text, _, is_compressed)) in logs.iter().enumerate() {
            let mut path = dir.path().join(format!("{number}.log"));
            write(&mut path, text, *is_compressed);
            paths.push(path);
        }
        let segments = paths.iter().flat_map(|path| Log::open(path).unwrap().segments().unwrap()).collect();
        index(segments, &store, Rules { block: BLOCK, least: 0, clock }, &mut Report::quiet());
        for (path, (_, change, is_compressed)) in paths.iter_mut().zip(&logs) {
            if !is_compressed {
                change.make(path);
            }
        }
        for one in &questions {
            let with = Question { index: Some(Arc::clone(&store)), ..one.question() };
            let expected = answer(&paths, one.question(), one.reads_all);
            let found = answer(&paths, with, one.reads_all);
            prop_assert!(found == expected, "{one:?}: {found:?}\n{expected:?}");
        }
    }
}
