//! Sealed files through the library: rotation, retention, restarts, forks, and who can read them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use spanline::read::{self, Log};
use spanline::sealed::{Checks, Key, Recipients, Report, Signer, State};
use spanline::sink::{Control, Sink};
use spanline::{Output, RollingFile};
use tracing_subscriber::layer::SubscriberExt;

use crate::support::log_directory::{Dir, NOON, Play, at, later, lines, names, refusal};

/// A key, and who can read with it.
pub(crate) fn key() -> (Key, Recipients) {
    let (file, recipient) = Key::generate();
    (Key::parse(&*file).unwrap(), Recipients::parse(recipient).unwrap())
}

/// The lines of a log, and the errors between them.
pub(crate) fn opened(path: &Path, key: &Key) -> (Vec<String>, Vec<String>) {
    let mut lines = Log::open(path).unwrap().lines().unwrap().key(key);
    let (mut texts, mut errors) = (Vec::new(), Vec::new());
    loop {
        match lines.next_line() {
            Ok(Some(line)) => texts.push(String::from_utf8(line.to_vec()).unwrap()),
            Ok(None) => return (texts, errors),
            Err(error) => errors.push(error.to_string()),
        }
    }
}

pub(crate) fn verified(path: &Path, checks: &Checks) -> Report {
    read::verify(read::segments(path).unwrap(), checks).unwrap()
}

#[track_caller]
pub(crate) fn assert_whole(path: &Path, checks: &Checks) -> Report {
    let report = verified(path, checks);
    assert!(report.is_whole(), "{report:#?}");
    report
}

/// Everything that is wrong, one finding per line.
pub(crate) fn findings(report: &Report) -> String {
    let of_rows = report.rows.iter().flat_map(|row| row.findings.iter().map(|it| format!("{}: {it}", row.file)));
    of_rows.chain(report.findings.iter().cloned()).collect::<Vec<_>>().join("\n")
}

fn texts(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("line {number}")).collect()
}

/// Writes each line in a separate batch.
fn put(log: &mut RollingFile, range: std::ops::Range<u32>) {
    texts(range).iter().for_each(|text| log.put(text, NOON));
}

#[test]
fn promise_47_lines_open_with_the_key_and_with_no_other() {
    let dir = Dir::new();
    let (key, recipients) = key();
    let mut log = dir.log().seal_to(recipients.clone()).open();
    put(&mut log, 0..50);
    log.close();
    assert_eq!(opened(&dir.path(), &key), (texts(0..50), vec![]));
    let stored = fs::read(dir.path()).unwrap();
    assert!(!stored.windows(6).any(|window| window == b"line 1"));
    let name = format!("{recipients:?}").replace(['{', '}', '"'], "");
    for key in [None, Some(self::key().0)] {
        let mut lines = Log::open(dir.path()).unwrap().lines().unwrap();
        if let Some(key) = &key {
            lines = lines.key(key);
        }
        let error = lines.next_line().unwrap_err().to_string();
        let why = if key.is_some() { "this key is not one of its recipients" } else { "expected a key" };
        assert!(error.contains(why) && error.contains(&name), "{error}");
    }
}

#[test]
fn promise_47_a_log_in_several_segments_and_chains_is_whole() {
    let dir = Dir::new();
    let (key, recipients) = key();
    let checks = Checks::new().key(&key);
    for start in 0..3 {
        let mut log = dir.log().seal_to(recipients.clone()).rotate_bytes(4096).open();
        put(&mut log, start * 100..start * 100 + 100);
        log.close();
        drop(log);
        let report = assert_whole(&dir.path(), &checks);
        let chains: BTreeSet<_> = report.rows.iter().map(|row| row.chain.clone().unwrap().0).collect();
        assert_eq!(chains.len() as u32, start + 1);
        assert!(report.rows.len() as u32 > 4 * start, "{}", report.rows.len());
    }
    assert_eq!(opened(&dir.path(), &key), (texts(0..300), vec![]));
    assert_whole(&dir.path(), &Checks::new());
    let largest = names(dir.0.path()).iter().map(|name| fs::metadata(dir.join(name)).unwrap().len()).max();
    assert!(largest.unwrap() <= 4096, "{largest:?}");
}

#[test]
fn promise_47_periods_and_orders_rotate_sealed_files() {
    let dir = Dir::new();
    let (key, recipients) = key();
    let mut log = dir.log().seal_to(recipients).daily().open();
    let mut batch = lines(&["before"], at("2026-11-20T23:59:59Z"));
    batch.push_line(b"after", tracing::Level::INFO, at("2026-11-21T00:00:00Z"));
    log.write(&mut batch).unwrap();
    log.control(Control::Rotate).unwrap();
    // Nothing was written since then.
    log.control(Control::Rotate).unwrap();
    log.put("at last", "2026-11-21T08:00:00Z");
    let report = assert_whole(&dir.path(), &Checks::new());
    let rows: Vec<_> = report.rows.iter().map(|row| (row.file.as_str(), row.lines, row.state)).collect();
    assert_eq!(
        rows,
        [
            ("orders.2026-11-20-000001.log", 1, State::Sealed),
            ("orders.2026-11-21-000002.log", 1, State::Sealed),
            ("orders.log", 1, State::Open),
        ]
    );
    assert_eq!(opened(&dir.path(), &key).0, ["before", "after", "at last"]);
    assert_eq!(report.rows[0].times.unwrap().0, at("2026-11-20T23:59:59Z"));
}

#[test]
fn promise_47_what_a_crash_left_opens_and_is_told_from_what_was_closed() {
    let dir = Dir::new();
    let (key, recipients) = key();
    let mut log = dir.log().seal_to(recipients.clone()).open();
    put(&mut log, 0..10);
    let crashed = fs::read(dir.path()).unwrap();
    drop(log);
    fs::write(dir.path(), &crashed[..crashed.len() - 3]).unwrap();
    let report = verified(&dir.path(), &Checks::new());
    assert_eq!((report.rows[0].state, report.rows[0].lines), (State::Unsealed, 9));
    let (lines, errors) = opened(&dir.path(), &key);
    assert_eq!(lines, texts(0..9));
    assert!(errors.iter().any(|error| error.ends_with("ended without a seal, 9 lines readable")), "{errors:?}");
    // The next start closes it as it is.
    let mut log = dir.log().seal_to(recipients).open();
    put(&mut log, 10..20);
    log.close();
    assert_eq!(dir.segments().len(), 1);
    assert_eq!(opened(&dir.path(), &key).0, [texts(0..9), texts(10..20)].concat());
    let report = verified(&dir.path(), &Checks::new());
    assert_eq!(report.rows.iter().map(|row| row.lines).collect::<Vec<_>>(), [9, 10]);
    assert!(findings(&report).contains("the last block, at byte"), "{report:#?}");
}

#[test]
fn a_sealed_file_has_one_writer() {
    let dir = Dir::new();
    let (key, recipients) = key();
    let mut first = dir.log().seal_to(recipients.clone()).open();
    put(&mut first, 0..1);
    let why = refusal(dir.log().seal_to(recipients.clone()));
    assert!(why.contains("another process writes this sealed log; a chain of segments has one writer"), "{why}");
    put(&mut first, 1..2);
    first.close();
    drop(first);
    put(&mut dir.log().seal_to(recipients).open(), 2..3);
    assert_eq!(opened(&dir.path(), &key).0, texts(0..3));
}

#[test]
fn settings_that_do_not_fit_sealed_files_are_errors() {
    let dir = Dir::new();
    let (_, recipients) = key();
    let numbered = refusal(dir.log().rotate_bytes(100).keep_files(2).numbered().seal_to(recipients.clone()));
    assert!(numbered.contains("numbered is set, but sealed files"), "{numbered}");
    let packed = refusal(dir.log().rotate_bytes(100).zstd().seal_to(recipients.clone()));
    assert!(packed.contains("compression is set, but sealed files"), "{packed}");
    let dated = refusal(RollingFile::new(dir.join("%Y-%m-%d.log")).daily().seal_to(recipients));
    assert!(dated.contains("the path has a date"), "{dated}");
    for (text, why) in [
        ("", "found none"),
        ("age1nonsense", "`age1nonsense` is no recipient"),
        ("AGE-SECRET-KEY-1QQQQ", "found a secret key"),
        ("ssh-ed25519 AAAA", "found an SSH key"),
    ] {
        let error = Recipients::parse(text).unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains("QQQQ"), "{error}");
    }
    assert!(dir.names().is_empty(), "{:?}", dir.names());
}

#[test]
fn promise_47_retention_is_told_from_theft() {
    let dir = Dir::new();
    let (key, recipients) = key();
    let mut log = dir.log().seal_to(recipients.clone()).rotate_bytes(2048).keep_files(3).open();
    put(&mut log, 0..200);
    log.close();
    drop(log);
    assert_eq!(dir.segments().len(), 3);
    assert_whole(&dir.path(), &Checks::new().key(&key));
    // A chain that follows takes the mark over.
    let mut log = dir.log().seal_to(recipients).rotate_bytes(2048).keep_files(3).open();
    put(&mut log, 200..300);
    log.close();
    assert_whole(&dir.path(), &Checks::new().key(&key));
    let segments = dir.segments();
    fs::remove_file(dir.join(&segments[1])).unwrap();
    let report = verified(&dir.path(), &Checks::new());
    assert!(findings(&report).contains(&format!("{} is missing", segments[1])), "{report:#?}");
}

#[test]
fn promise_47_a_head_that_is_kept_elsewhere_shows_a_missing_end() {
    let dir = Dir::new();
    let (_, recipients) = key();
    let mut heads = Vec::new();
    let file = dir.log().seal_to(recipients).rotate_bytes(2048);
    let (layer, guard) = spanline::builder().output(Output::new(file).name("audit")).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::Registry::default().with(layer), || {
        for number in 0..40 {
            tracing::info!(number, "an order was changed");
            guard.handle().flush(Duration::from_secs(10)).unwrap();
            heads.extend(guard.handle().seal_heads());
        }
    });
    guard.close().unwrap();
    assert!(dir.segments().len() > 2, "{:?}", dir.names());
    assert_eq!(heads.len(), 40);
    let expecting = |(name, head): &(String, String)| {
        assert_eq!(name, "audit");
        Checks::new().expect(head).unwrap()
    };
    heads.iter().for_each(|head| drop(assert_whole(&dir.path(), &expecting(head))));
    let last = heads.last().unwrap();
    // Without a head, the files cannot show that the active one is gone.
    let active = fs::read(dir.path()).unwrap();
    fs::remove_file(dir.path()).unwrap();
    assert_whole(&dir.path(), &Checks::new());
    assert!(findings(&verified(&dir.path(), &expecting(last))).contains("the segment of the head"));
    let end = active.len() - 164;
    fs::write(dir.path(), &active[..end]).unwrap();
    assert!(findings(&verified(&dir.path(), &expecting(last))).is_empty());
    let header = active.windows(8).position(|window| window == b"\xfesealed\n").unwrap();
    fs::write(dir.path(), &active[..header]).unwrap();
    assert!(findings(&verified(&dir.path(), &expecting(last))).contains("does not agree with the head"));
    let error = Checks::new().expect("spanline-head:1:abc").unwrap_err().to_string();
    assert!(error.contains("expected `spanline-head:1:…`"), "{error}");
}

#[test]
fn promise_47_a_verifier_accepts_only_chains_of_its_signer() {
    let dir = Dir::new();
    let (_, recipients) = key();
    let (signer, other) = (Signer::generate().unwrap(), Signer::generate().unwrap());
    let signer = Signer::parse(&*signer.to_text()).unwrap();
    for start in 0..2 {
        let mut log = dir.log().seal_to(recipients.clone()).sign_with(signer.clone()).rotate_bytes(2048).open();
        put(&mut log, start * 40..start * 40 + 40);
        log.close();
    }
    let verifier = signer.verifier().to_string().parse().unwrap();
    assert_whole(&dir.path(), &Checks::new().verifier(verifier));
    let report = verified(&dir.path(), &Checks::new().verifier(other.verifier()));
    assert!(report.rows.iter().all(|row| findings_of(row).contains("not certified by the signer")), "{report:#?}");
    // Somebody who has only the recipients begins a chain.
    let mut foreign = dir.log().seal_to(recipients).open();
    put(&mut foreign, 80..81);
    foreign.close();
    assert_whole(&dir.path(), &Checks::new());
    let report = verified(&dir.path(), &Checks::new().verifier(verifier));
    assert_eq!(report.rows.iter().filter(|row| !row.findings.is_empty()).count(), 1, "{report:#?}");
    assert!(!format!("{signer:?}").contains(&signer.to_text()[20..]));
}

fn findings_of(row: &spanline::sealed::Row) -> String {
    row.findings.join("\n")
}

#[test]
fn a_passphrase_seals_too() {
    let dir = Dir::new();
    let recipients = Recipients::passphrase("correct horse").unwrap();
    put(&mut dir.log().seal_to(recipients).open(), 0..3);
    assert_eq!(opened(&dir.path(), &Key::passphrase("correct horse")).0, texts(0..3));
    let error = opened(&dir.path(), &Key::passphrase("battery staple")).1.concat();
    assert!(error.contains("it is sealed for passphrase"), "{error}");
}

#[cfg(unix)]
#[test]
fn promise_47_what_another_program_did_to_the_file_shows_and_lines_go_on() {
    let dir = Dir::new();
    let (key, recipients) = key();
    let mut log = dir.log().seal_to(recipients).open();
    put(&mut log, 0..10);
    // `copytruncate`
    fs::File::options().write(true).open(dir.path()).unwrap().set_len(0).unwrap();
    let error = log.try_put("line 10", later(at(NOON), 20)).unwrap_err().to_string();
    assert!(error.contains("another program has changed its length, so the segment was closed"), "{error}");
    let report = verified(&dir.path(), &Checks::new());
    assert!(!report.is_whole(), "{report:#?}");
    assert_eq!(opened(&dir.path(), &key).0, texts(10..11));
    // Moved away, and removed.
    fs::rename(dir.path(), dir.join("elsewhere")).unwrap();
    put(&mut log, 11..12);
    assert_eq!(opened(&dir.path(), &key).0, texts(11..12));
    assert_eq!(opened(&dir.join("elsewhere"), &key).0, texts(10..11));
    fs::remove_file(dir.path()).unwrap();
    put(&mut log, 12..13);
    assert_eq!(opened(&dir.path(), &key).0, texts(12..13));
    assert!(findings(&verified(&dir.path(), &Checks::new())).contains("is missing"));
}

#[test]
fn promise_47_no_line_goes_to_a_file_without_its_header_after_a_rotation_has_failed() {
    let dir = Dir::new();
    let (key, recipients) = key();
    let mut log = dir.log().seal_to(recipients).open();
    put(&mut log, 0..10);
    let lock = dir.join(".orders.log.lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    assert!(log.control(Control::Rotate).is_err());
    fs::File::options().write(true).open(dir.path()).unwrap().set_len(0).unwrap();
    let mut batch = lines(&["line 10"], later(at(NOON), 1));
    let error = log.write(&mut batch).unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("another program has cut it"), "{error}");
    assert_eq!(batch.iter().count(), 1, "it is still to be written");
    fs::remove_dir(&lock).unwrap();
    let error = log.write(&mut batch).unwrap_err().to_string();
    assert!(error.contains("so the segment was closed") && batch.is_empty(), "{error}");
    assert_eq!(opened(&dir.path(), &key).0, texts(10..11));
}

#[test]
fn promise_47_a_lazy_log_marks_what_it_removes_without_a_line() {
    let dir = Dir::new();
    let (_, recipients) = key();
    let hour = Duration::from_secs(3600);
    for start in 0..3 {
        let mut log = dir.log().seal_to(recipients.clone()).daily().keep_for(hour).open();
        put(&mut log, start..start + 1);
        log.close();
    }
    let old = std::time::SystemTime::now() - 2 * hour;
    let first = dir.join(&dir.segments()[0]);
    fs::File::options().append(true).open(&first).unwrap().set_modified(old).unwrap();
    let mut log = dir.log().seal_to(recipients).lazy().daily().keep_for(hour).open();
    log.control(Control::Tick(spanline::record::Timestamp::now())).unwrap();
    log.close();
    assert!(!first.exists(), "{:?}", dir.names());
    assert_whole(&dir.path(), &Checks::new());
}

/// The random bytes of each block, which make its key.
fn fresh_bytes(directory: &Path) -> Vec<[u8; 16]> {
    let mut all = Vec::new();
    for name in names(directory).iter().filter(|name| !name.starts_with('.')) {
        let bytes = fs::read(directory.join(name)).unwrap();
        let marks = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"\xfesealed\n"));
        all.extend(marks.map(|at| <[u8; 16]>::try_from(&bytes[at + 52..at + 68]).unwrap()));
    }
    all
}

#[cfg(target_os = "linux")]
#[test]
#[allow(unsafe_code)]
fn promise_48_clones_of_a_process_never_seal_with_one_key() {
    use crate::support::process::{Running, child_command, is_child};
    // Other tests hold the locks of `tracing` now and then, and a forked child would hang on them.
    if !is_child() {
        Running::start(child_command(this_test!())).finish();
        return;
    }
    let dir = Dir::new();
    let (key, recipients) = key();
    let mut log = dir.log().seal_to(recipients).rotate_bytes(4096).open();
    put(&mut log, 0..10);
    let before = fs::read(dir.path()).unwrap();
    // Without the C library's fork: no hook runs.
    // SAFETY: the child writes to files, and ends at once.
    let child = unsafe { libc::syscall(libc::SYS_fork) };
    if child == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            put(&mut log, 100..130);
            log.close();
        }));
        // SAFETY: ends the process.
        unsafe { libc::_exit(i32::from(done.is_err())) }
    }
    put(&mut log, 10..40);
    assert_eq!(crate::support::fork::wait(i32::try_from(child).unwrap()), 0);
    // A machine that was cloned: the same file, written twice from the same state.
    log.close();
    drop(log);
    let (lines, errors) = opened(&dir.path(), &key);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), 70, "{lines:?}");
    assert_whole(&dir.path(), &Checks::new().key(&key));
    let fresh = fresh_bytes(dir.0.path());
    assert!(fresh.len() >= 70 && before.len() > 1000, "{}", fresh.len());
    assert_eq!(fresh.iter().collect::<BTreeSet<_>>().len(), fresh.len());
}

#[cfg(unix)]
#[test]
fn promise_47_a_forked_child_has_a_chain_beside_that_of_its_parent() {
    use crate::support::fork::{fork, wait};
    use crate::support::process::Running;
    let name = this_test!();
    if let Ok(path) = std::env::var("SPANLINE_IT_FILE") {
        let recipients = Recipients::parse(std::env::var("SPANLINE_IT_RECIPIENT").unwrap()).unwrap();
        let file = RollingFile::new(path).seal_to(recipients).rotate_bytes(2048);
        let heads = RollingFile::new(std::env::var("SPANLINE_IT_HEADS").unwrap());
        let builder = spanline::builder().output(Output::new(file)).output(Output::new(heads).name("heads"));
        let guard = builder.init().unwrap();
        let handle = guard.handle();
        let log = |range: std::ops::Range<u64>| {
            for number in range {
                tracing::info!(number, "line");
                handle.flush(Duration::from_secs(10)).unwrap();
            }
        };
        log(0..20);
        let children: Vec<_> = (1..4).map(|child| fork(|| log(child * 100..child * 100 + 20))).collect();
        log(20..40);
        children.into_iter().for_each(|child| assert_eq!(wait(child), 0));
        guard.close().unwrap();
        return;
    }
    let dir = Dir::new();
    let (file, recipient) = Key::generate();
    let key = Key::parse(&*file).unwrap();
    let mut command = crate::support::process::child_command(name);
    command.env("SPANLINE_IT_FILE", dir.path()).env("SPANLINE_IT_RECIPIENT", recipient);
    let elsewhere = Dir::new();
    command.env("SPANLINE_IT_HEADS", elsewhere.path());
    Running::start(command).finish();
    let report = assert_whole(&dir.path(), &Checks::new().key(&key));
    let chains: BTreeSet<_> = report.rows.iter().map(|row| row.chain.clone().unwrap().0).collect();
    assert_eq!(chains.len(), 4, "{report:#?}");
    let (lines, errors) = opened(&dir.path(), &key);
    assert!(errors.is_empty(), "{errors:?}");
    let numbers: BTreeSet<u64> = lines
        .iter()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["number"].as_u64().unwrap()
        })
        .collect();
    assert_eq!((lines.len(), numbers.len()), (100, 100));
    let fresh = fresh_bytes(dir.0.path());
    assert!(fresh.len() >= 100 && fresh.iter().collect::<BTreeSet<_>>().len() == fresh.len(), "{}", fresh.len());
    let names = dir.names();
    assert!(names.iter().all(|name| !name.contains("writer")), "{names:?}");
    // The other output has the head of each file.
    let heads = elsewhere.active();
    let heads = heads.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let heads: Vec<_> = heads.filter(|line| line["target"] == "spanline::sealed").collect();
    assert!(heads.iter().all(|line| line["log"] == "orders.log"), "{heads:?}");
    let expect = |checks: Checks, line: &serde_json::Value| checks.expect(line["head"].as_str().unwrap()).unwrap();
    assert_whole(&dir.path(), &heads.iter().fold(Checks::new(), expect));
    assert!(heads.len() >= report.rows.len() && heads.len() > 4, "{heads:?}");
}
