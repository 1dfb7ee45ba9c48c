//! Several chains in one log: restarts, forks, retention, and files that somebody has damaged.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;

use spanline::read::Log;
use spanline::sealed::{Checks, Key, Recipients, State};
use spanline::sink::{Control, Sink};
use spanline::{Output, RollingFile};
use tracing_subscriber::layer::SubscriberExt;

use super::files::{assert_whole, findings, key, opened, verified};
use crate::support::log_directory::{Dir, NOON, Play};
use crate::support::wait::{PATIENCE, until};

fn put(log: &mut RollingFile, texts: &[&str]) {
    texts.iter().for_each(|text| log.put(text, NOON));
}

#[cfg(unix)]
#[test]
fn promise_47_lines_of_processes_that_write_at_once_are_merged_by_time() {
    use std::sync::atomic::{AtomicI64, Ordering};

    use crate::support::fork::{fork, wait};
    use crate::support::process::Running;
    use spanline::record::Timestamp;
    use spanline::schema::{Flat, Logfmt};

    static NEXT: AtomicI64 = AtomicI64::new(0);
    static PROCESS: AtomicI64 = AtomicI64::new(0);
    let name = this_test!();
    if let Ok(path) = std::env::var("SPANLINE_IT_FILE") {
        let recipients = Recipients::parse(std::env::var("SPANLINE_IT_RECIPIENT").unwrap()).unwrap();
        // Later than the header of each file.
        let base = Timestamp::now().as_nanos() + 3_600_000_000_000;
        let output = Output::new(RollingFile::new(&path).seal_to(recipients).rotate_bytes(4096));
        let output = if path.ends_with("logfmt") { output.schema(Logfmt::new()) } else { output.schema(Flat::new()) };
        let clock = move || {
            let step = NEXT.fetch_add(10_000_000, Ordering::Relaxed);
            Timestamp::from_nanos(base + step + PROCESS.load(Ordering::Relaxed) * 1_000_000)
        };
        let guard = spanline::builder().clock(clock).output(output).init().unwrap();
        let handle = guard.handle();
        let begun = |process: i64| std::path::PathBuf::from(format!("{path}.begun-{process}"));
        let log = |process: i64| {
            PROCESS.store(process, Ordering::Relaxed);
            // Each process has its file before one of them closes a segment.
            if process > 0 {
                tracing::info!(number = 0, process, "begin");
                handle.flush(PATIENCE).unwrap();
                fs::write(begun(process), "").unwrap();
            }
            until("all to have a file", || (1..4).all(|process| begun(process).exists()));
            for number in 0..100 {
                tracing::info!(number, process, "line");
                if number % 40 == 39 {
                    handle.flush(PATIENCE).unwrap();
                }
            }
            handle.flush(PATIENCE).unwrap();
        };
        tracing::info!(number = 0, process = 0, "begin");
        handle.flush(PATIENCE).unwrap();
        let children: Vec<_> = (1..4).map(|child| fork(|| log(child))).collect();
        log(0);
        children.into_iter().for_each(|child| assert_eq!(wait(child), 0));
        guard.close().unwrap();
        return;
    }
    for schema in ["json", "logfmt"] {
        let dir = Dir::new();
        let path = dir.join(&format!("orders.{schema}"));
        let (file, recipient) = Key::generate();
        let key = Key::parse(&*file).unwrap();
        let mut command = crate::support::process::child_command(name);
        command.env("SPANLINE_IT_FILE", &path).env("SPANLINE_IT_RECIPIENT", recipient);
        Running::start(command).finish();
        let (lines, errors) = opened(&path, &key);
        assert!(errors.is_empty() && lines.len() == 404, "{errors:?}, {} lines", lines.len());
        let time = |line: &String| line.split(['=', '"', ' ']).find(|part| part.starts_with("20")).unwrap().to_owned();
        let times: Vec<_> = lines.iter().map(time).collect();
        assert!(times.is_sorted(), "{lines:#?}");
        let processes: Vec<_> = lines.iter().map(|line| line.split("process").nth(1).unwrap().to_owned()).collect();
        let changes = processes.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(changes > 300, "they wrote at the same time: {changes}");
        let mut segments = Log::open(&path).unwrap().lines().unwrap().key(&key);
        let mut names = BTreeSet::new();
        while segments.next_line().unwrap().is_some() {
            names.insert(segments.segment().unwrap().path().to_owned());
        }
        assert!(names.len() >= 4, "each line has its segment: {names:?}");
    }
}

#[test]
fn promise_47_lines_of_restarts_keep_their_order_whatever_the_clock_did() {
    let dir = Dir::new();
    let (key, recipients) = key();
    for (number, time) in ["2026-11-20T12:00:00Z", "2026-11-19T12:00:00Z", "2026-11-21T12:00:00Z"].iter().enumerate() {
        let mut log = dir.log().seal_to(recipients.clone()).open();
        log.put(&format!("{number}"), time);
        log.close();
    }
    assert_eq!(opened(&dir.path(), &key).0, ["0", "1", "2"]);
}

/// A fork does not change what holds for restarts.
#[cfg(unix)]
#[test]
fn promise_47_lines_of_a_restart_follow_also_where_a_child_has_written() {
    use crate::support::fork::{fork, wait};
    use crate::support::process::{Running, child_command, is_child};

    if !is_child() {
        Running::start(child_command(this_test!())).finish();
        return;
    }
    let dir = Dir::new();
    let (key, recipients) = key();
    let mut log = dir.log().seal_to(recipients.clone()).open();
    log.put("a", "2036-11-20T12:00:00Z");
    let child = fork(|| {
        log.control(Control::Forked).unwrap();
        log.put("child", "2036-11-20T12:00:01Z");
        log.close();
    });
    assert_eq!(wait(child), 0);
    log.put("b", "2036-11-20T12:00:02Z");
    log.close();
    drop(log);
    let mut log = dir.log().seal_to(recipients).open();
    log.put("c", "2026-11-19T12:00:00Z");
    log.close();
    drop(log);
    assert_eq!(opened(&dir.path(), &key).0, ["a", "child", "b", "c"]);
}

#[test]
fn promise_47_a_damaged_newest_file_hides_none_before_it() {
    let dir = Dir::new();
    let (_, recipients) = key();
    for start in ["a", "b", "c"] {
        let mut log = dir.log().seal_to(recipients.clone()).open();
        put(&mut log, &[start]);
        log.close();
    }
    // The file of the third start gets another beginning, and the fourth one finds it.
    let mut bytes = fs::read(dir.path()).unwrap();
    bytes[..16].fill(b'x');
    fs::write(dir.path(), bytes).unwrap();
    let mut log = dir.log().seal_to(recipients).open();
    put(&mut log, &["d"]);
    log.close();
    let segments = dir.segments();
    assert_eq!(segments.len(), 3);
    let report = verified(&dir.path(), &Checks::new());
    assert!(report.rows[2].findings.len() == 1 && report.findings.is_empty(), "{report:#?}");
    fs::remove_file(dir.join(&segments[1])).unwrap();
    let report = verified(&dir.path(), &Checks::new());
    assert!(findings(&report).contains(&format!("{} is missing", segments[1])), "{report:#?}");
}

/// A kill between the creation of a file and its header.
#[test]
fn promise_47_an_empty_file_that_a_crash_has_left_does_no_harm() {
    let dir = Dir::new();
    let (key, recipients) = key();
    let mut log = dir.log().seal_to(recipients.clone()).rotate_bytes(1 << 20).open();
    put(&mut log, &["a"]);
    log.control(Control::Rotate).unwrap();
    log.close();
    drop(log);
    fs::write(dir.path(), "").unwrap();
    let report = verified(&dir.path(), &Checks::new());
    assert_eq!((report.rows[1].state, report.rows[1].findings.len()), (State::Unsealed, 0), "{report:#?}");
    assert!(report.rows[0].state == State::Sealed && report.findings.is_empty() && !report.is_whole());
    assert_eq!(opened(&dir.path(), &key), (vec!["a".to_owned()], vec![]));
    let mut log = dir.log().seal_to(recipients).open();
    put(&mut log, &["b"]);
    log.close();
    assert_eq!(opened(&dir.path(), &key), (vec!["a".to_owned(), "b".to_owned()], vec![]));
    assert_whole(&dir.path(), &Checks::new().key(&key));
}

/// A file is found from its end. What stands there may be anything.
#[test]
fn promise_47_the_next_start_follows_the_last_intact_block() {
    let mark = *b"\xfesealed\n";
    for tail in [vec![], mark.to_vec(), [mark.as_slice(), &[1; 300]].concat(), mark.repeat(200), vec![0xfe; 100_000]] {
        let dir = Dir::new();
        let (key, recipients) = key();
        let mut log = dir.log().seal_to(recipients.clone()).open();
        put(&mut log, &["a", "b"]);
        // As after a crash: no end.
        let bytes = fs::read(dir.path()).unwrap();
        log.close();
        drop(log);
        fs::write(dir.path(), [bytes.as_slice(), &tail].concat()).unwrap();
        let mut log = dir.log().seal_to(recipients).open();
        put(&mut log, &["c"]);
        log.close();
        assert_eq!(opened(&dir.path(), &key).0, ["a", "b", "c"], "{} bytes", tail.len());
        let report = verified(&dir.path(), &Checks::new());
        assert!(
            !findings(&report).contains("missing") && !findings(&report).contains("removed or replaced"),
            "{report:#?}"
        );
    }
}

#[test]
fn promise_47_kept_heads_of_chains_that_retention_has_removed_are_no_finding() {
    let dir = Dir::new();
    let (_, recipients) = key();
    let mut heads = Vec::new();
    for start in 0..6 {
        let file = dir.log().seal_to(recipients.clone()).rotate_bytes(1 << 20).keep_files(2);
        let (layer, guard) = spanline::builder().output(Output::new(file)).build().unwrap();
        let handle = guard.handle();
        tracing::subscriber::with_default(tracing_subscriber::Registry::default().with(layer), || {
            for line in 0..2 {
                tracing::info!(start, line, "line");
                handle.flush(PATIENCE).unwrap();
                heads.extend(handle.seal_heads().into_iter().map(|(_, head)| head));
                handle.rotate(PATIENCE).unwrap();
            }
        });
        guard.close().unwrap();
    }
    assert_eq!(heads.len(), 12);
    assert!(dir.segments().len() <= 3, "{:?}", dir.names());
    let all = |heads: &[String]| heads.iter().fold(Checks::new(), |checks, head| checks.expect(head).unwrap());
    assert_whole(&dir.path(), &all(&heads));
    // The newest chain is gone, and the one before it is there.
    for name in [dir.segments().pop().unwrap(), "orders.log".to_owned()] {
        fs::remove_file(dir.join(&name)).unwrap();
    }
    let missing = format!("the segment of the head {} is not there", heads[heads.len() - 1]);
    assert!(findings(&verified(&dir.path(), &all(&heads))).contains(&missing));
    // Who can only add heads repeats an old one.
    let repeated = [heads.clone(), vec![heads[heads.len() - 2].clone(), heads[heads.len() - 3].clone()]].concat();
    assert!(findings(&verified(&dir.path(), &all(&repeated))).contains(&missing));
}
