//! A file for each value of a field.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use spanline::metrics::{OutputMetrics, Reason};
use spanline::sink::Route;
use spanline::{Guard, Output, RollingFile};
use tracing::{Dispatch, error, info, info_span};
use tracing_subscriber::Registry;

use crate::support::child::child;
use crate::support::faults::{built, within};
use crate::support::stage::fixed;
use crate::support::strict;
use crate::support::wait::{PATIENCE, until};

fn route(directory: &Path) -> Route {
    let directory = directory.to_owned();
    Route::by_field("tenant", move |tenant| RollingFile::new(directory.join(format!("{tenant}.log"))))
}

fn log_to(route: Route) -> (Dispatch, Guard) {
    built(fixed().on_complaint(|_| ()).output(Output::new(route)))
}

/// The numbers of the lines in each file of a directory, without its lock files.
fn files(directory: &Path) -> BTreeMap<String, Vec<u64>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let logs = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "log"));
    logs.map(|entry| {
        let text = fs::read_to_string(entry.path()).unwrap();
        // Notices have no number.
        let lines = text.lines().filter_map(|line| strict::line(line)["seq"].as_u64()).collect();
        (entry.file_name().into_string().unwrap(), lines)
    })
    .collect()
}

fn end(guard: Guard) -> OutputMetrics {
    let handle = guard.handle();
    guard.close().unwrap();
    handle.metrics().outputs[0].clone()
}

#[test]
fn each_value_has_its_file_and_lines_without_one_have_the_default() {
    let directory = tempfile::tempdir().unwrap();
    let (dispatch, guard) = log_to(route(directory.path()).default_name("none"));
    within(&dispatch, || {
        info!(tenant = "acme", seq = 0, "own field");
        info!(seq = 1, "no field");
        info_span!("request", tenant = "umbrella").in_scope(|| {
            info!(seq = 2, "of its span");
            info_span!("db").in_scope(|| info!(seq = 3, "of an outer span"));
            info!(tenant = "acme", seq = 4, "its own field wins");
        });
        info!(tenant = 7, seq = 5, "a number");
        info!(tenant = "none", seq = 6, "called like the default");
    });
    let output = end(guard);
    let expected = [
        ("acme.log", vec![0, 4]),
        ("none.log", vec![1]),
        ("umbrella.log", vec![2, 3]),
        ("7.log", vec![5]),
        ("~6eone.log", vec![6]),
    ];
    assert_eq!(files(directory.path()), expected.into_iter().map(|(name, seqs)| (name.to_owned(), seqs)).collect());
    assert_eq!(
        (output.emitted.total(), output.written.total(), output.in_flight.total(), output.queued.total()),
        (7, 7, 0, 0)
    );
}

#[test]
fn no_value_leaves_the_directory_or_shares_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let inside = directory.path().join("logs");
    let values = [
        "../escape",
        "..",
        ".",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "nul",
        "NUL",
        "con",
        "a\0b",
        "a\nb",
        "acme",
        "Acme",
        "ACME",
        "é",
        "e\u{301}",
        "",
        " ",
        "~",
        "-rf",
        "a.log",
        &"x".repeat(300),
        &"x".repeat(301),
        &"é/".repeat(100),
        "\u{202e}gol",
    ];
    let (dispatch, guard) = log_to(route(&inside));
    within(&dispatch, || values.iter().enumerate().for_each(|(seq, value)| info!(tenant = *value, seq, "line")));
    let output = end(guard);
    assert_eq!(output.written.total(), values.len() as u64);
    let mut files = files(&inside);
    files.remove("default.log");
    assert_eq!(files.len(), values.len(), "{files:#?}");
    assert!(files.values().all(|seqs| seqs.len() == 1), "{files:#?}");
    let folded: BTreeSet<_> = files.keys().map(|name| name.to_lowercase()).collect();
    assert_eq!(folded.len(), files.len(), "no two differ in case only");
    let outside: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(outside, ["logs"]);
}

#[test]
fn few_files_are_open_and_no_line_is_lost_when_many_values_take_turns() {
    let directory = tempfile::tempdir().unwrap();
    let (dispatch, guard) = log_to(route(directory.path()).open_files(3));
    let tenants: Vec<_> = (0..20).map(|tenant| format!("t{tenant}")).collect();
    within(&dispatch, || {
        for seq in 0..200_u64 {
            info!(tenant = tenants[seq as usize * 7 % tenants.len()].as_str(), seq, "line");
        }
    });
    guard.handle().flush(PATIENCE).unwrap();
    #[cfg(target_os = "linux")]
    {
        let open = fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        let open = open.filter(|path| {
            path.starts_with(directory.path()) && path.extension().is_some_and(|extension| extension == "log")
        });
        assert!((1..=4).contains(&open.count()), "three and the default");
    }
    let output = end(guard);
    assert_eq!((output.written.total(), output.dropped.total()), (200, 0));
    let files = files(directory.path());
    for (at, tenant) in tenants.iter().enumerate() {
        let expected: Vec<_> = (0..200).filter(|seq| *seq as usize * 7 % tenants.len() == at).collect();
        assert_eq!(files[&format!("{tenant}.log")], expected, "in order, across closing and opening");
    }
}

#[cfg(target_os = "linux")]
/// The log takes what it can get, and leaves some for the program.
#[cfg(unix)]
#[test]
fn a_process_without_descriptors_loses_no_line_and_can_still_open_a_file() {
    use rustix::process::{Resource, getrlimit, setrlimit};

    child(this_test!(), &[], || {
        let directory = tempfile::tempdir().unwrap();
        let few = rustix::process::Rlimit { current: Some(60), ..getrlimit(Resource::Nofile) };
        setrlimit(Resource::Nofile, few).unwrap();
        let too_many = spanline::builder().output(Output::new(route(directory.path()).open_files(1_000)));
        let error = format!("{:#}", too_many.build::<Registry>().err().unwrap());
        assert!(error.contains("open_files is 1000") && error.contains("this process may have 60"), "{error}");

        let (dispatch, guard) = log_to(route(directory.path()));
        within(&dispatch, || (0..300).for_each(|seq| info!(tenant = seq % 100, seq, "line")));
        guard.handle().flush(PATIENCE).unwrap();
        fs::File::open(directory.path()).unwrap();
        let output = end(guard);
        assert_eq!(output.written.total(), 300, "{output:?}");
        // The report of it is in the default file.
        let all: usize = files(directory.path()).into_values().map(|lines| lines.len()).sum();
        assert_eq!(all, 300);
    });
}

#[test]
fn an_idle_file_is_closed_without_another_line_and_opened_again_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let (dispatch, guard) = log_to(route(directory.path()).idle(Duration::from_millis(20)));
    let path = directory.path().join("acme.log");
    let is_open = || {
        let mut open =
            fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        open.any(|other| other == path)
    };
    for seq in 0..2 {
        within(&dispatch, || info!(tenant = "acme", seq, "line"));
        guard.handle().flush(PATIENCE).unwrap();
        until("the idle file is closed", || !is_open());
    }
    end(guard);
    assert_eq!(files(directory.path())["acme.log"], [0, 1]);
}

#[test]
fn each_file_rotates_and_keeps_segments_for_itself() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_owned();
    let route = Route::by_field("tenant", move |tenant| {
        RollingFile::new(root.join(tenant).join("orders.log")).rotate_bytes(600).keep_files(2)
    });
    let (dispatch, guard) = log_to(route);
    within(&dispatch, || {
        (0..60).for_each(|seq| info!(tenant = "busy", seq, "line"));
        info!(tenant = "quiet", seq = 0, "line");
    });
    guard.handle().sync(PATIENCE).unwrap();
    let output = end(guard);
    assert_eq!(output.written.total(), 61);
    assert_eq!(files(&directory.path().join("busy")).len(), 3, "two closed segments and the active file");
    assert_eq!(files(&directory.path().join("quiet"))["orders.log"], [0]);
}

#[test]
fn a_file_that_cannot_be_written_delays_no_other_and_gets_its_lines_later() {
    let directory = tempfile::tempdir().unwrap();
    let blocked = directory.path().join("blocked.log");
    fs::create_dir(&blocked).unwrap();
    let (dispatch, guard) = log_to(route(directory.path()));
    let handle = guard.handle();
    within(&dispatch, || {
        for seq in 0..30 {
            let tenant = if seq % 3 == 0 { "blocked" } else { "healthy" };
            info!(tenant, seq, "line");
        }
    });
    until("the lines of the other file", || handle.metrics().outputs[0].written.total() == 20);
    let output = handle.metrics().outputs[0].clone();
    assert_eq!(output.dropped.total(), 0);
    assert_eq!(output.in_flight.total() + output.queued.total(), 10, "{output:#?}");
    until("a report", || {
        handle.metrics().outputs[0].last_error.as_deref().is_some_and(|error| error.contains("blocked.log"))
    });
    fs::remove_dir(&blocked).unwrap();
    handle.flush(PATIENCE).unwrap();
    let files = files(directory.path());
    assert_eq!(files["blocked.log"], (0..30).filter(|seq| seq % 3 == 0).collect::<Vec<_>>());
    assert_eq!(files["healthy.log"].len(), 20);
    let output = end(guard);
    assert_eq!((output.written.total(), output.dropped.total()), (30, 0));
}

/// The lines that wait are in several chunks of memory. A file that rotates took the first chunk and never the others.
#[test]
fn many_lines_of_a_file_that_could_not_be_written_get_there_once_it_can() {
    let directory = tempfile::tempdir().unwrap();
    let blocked = directory.path().join("blocked.log");
    fs::create_dir(&blocked).unwrap();
    let folder = directory.path().to_owned();
    let route = Route::by_field("tenant", move |tenant| {
        RollingFile::new(folder.join(format!("{tenant}.log"))).rotate_bytes(64 << 20)
    });
    let (dispatch, guard) = log_to(route);
    let handle = guard.handle();
    let text = "x".repeat(10_000);
    within(&dispatch, || (0..100).for_each(|seq| info!(tenant = "blocked", seq, text = text.as_str(), "line")));
    until("the file has failed", || {
        handle.metrics().outputs[0].last_error.as_deref().is_some_and(|error| error.contains("blocked.log"))
    });
    fs::remove_dir(&blocked).unwrap();
    handle.flush(PATIENCE).unwrap();
    assert_eq!(files(directory.path())["blocked.log"], (0..100).collect::<Vec<_>>());
    assert_eq!(end(guard).dropped.total(), 0);
}

#[test]
fn values_with_one_path_are_rejected_and_reported() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("all.log");
    let route = Route::by_field("tenant", move |name| match name {
        "default" => RollingFile::new(path.with_file_name("default.log")),
        _ => RollingFile::new(&path),
    });
    let (dispatch, guard) = log_to(route);
    within(&dispatch, || {
        info!(tenant = "acme", seq = 0, "line");
        info!(tenant = "umbrella", seq = 1, "line");
    });
    let output = end(guard);
    assert_eq!((output.written.total(), output.dropped.reason(Reason::Rejected).total()), (1, 1));
    assert!(output.last_error.is_some_and(|error| error.contains("two values of `tenant`")));
}

/// A client chooses the values, so it could choose the file of another output, with its retention.
#[test]
fn a_value_with_the_file_of_another_output_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let audit = Output::new(RollingFile::new(directory.path().join("audit.log"))).output_filter("off");
    let builder = fixed().on_complaint(|_| ()).output(audit).output(Output::new(route(directory.path())).name("route"));
    let (dispatch, guard) = built(builder);
    within(&dispatch, || {
        info!(tenant = "audit", seq = 0, "line");
        info!(tenant = "acme", seq = 1, "line");
    });
    let handle = guard.handle();
    guard.close().unwrap();
    let metrics = handle.metrics();
    let output = metrics.output("route").unwrap();
    assert_eq!((output.written.total(), output.dropped.reason(Reason::Rejected).total()), (1, 1));
    assert!(output.last_error.as_ref().is_some_and(|error| error.contains("of another output")), "{output:?}");
    assert!(files(directory.path()).get("audit.log").is_none_or(Vec::is_empty));
}

/// One value whose file cannot be written does not fill the queue of all.
#[cfg(unix)]
#[test]
fn a_value_whose_file_cannot_be_written_does_not_stop_the_others() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", directory.path().join("victim.log")).unwrap();
    let (dispatch, guard) = log_to(route(directory.path()));
    let text = "x".repeat(10_000);
    within(&dispatch, || {
        for seq in 0..400 {
            info!(tenant = "victim", seq, text, "line");
            info!(tenant = "good", seq, "line");
            if seq % 100 == 0 {
                let _ = guard.handle().flush(Duration::from_millis(1));
            }
        }
        until("the good lines to be written", || guard.handle().metrics().outputs[0].written.total() == 400);
    });
    let rejected = || guard.handle().metrics().outputs[0].dropped.reason(Reason::Rejected).total();
    until("most lines of the victim to be rejected", || rejected() > 200);
    let good = fs::read_to_string(directory.path().join("good.log")).unwrap();
    assert_eq!(good.lines().count(), 400);
    // What still waits is written once the link is gone.
    fs::remove_file(directory.path().join("victim.log")).unwrap();
    let output = end(guard);
    assert_eq!(output.written.total() + output.dropped.reason(Reason::Rejected).total(), 800, "{output:?}");
}

#[test]
fn a_route_that_cannot_work_is_an_error_of_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let route = || route(directory.path());
    for (route, wrong) in [
        (route().default_name("../x"), "default_name"),
        (route().default_name(""), "default_name"),
        (route().open_files(0), "open_files is 0"),
        (route().idle(Duration::ZERO), "idle is zero"),
        (Route::by_field("", |name| RollingFile::new(name)), "has no name"),
        (Route::by_field("tenant", |name| RollingFile::new(name).rotate_bytes(0)), "rotate_bytes is 0"),
    ] {
        let error = spanline::builder().output(Output::new(route)).build::<Registry>().err().unwrap();
        assert!(error.is_invalid() && format!("{error:#}").contains(wrong), "{error:#}");
    }
}

#[test]
fn the_reports_of_a_file_are_in_it_and_notices_in_the_default() {
    let directory = tempfile::tempdir().unwrap();
    let (dispatch, guard) = built(fixed().output(Output::new(route(directory.path())).deduplicate()));
    within(&dispatch, || {
        (0..3).for_each(|_| info!(tenant = "acme", seq = 1, "same"));
        error!(seq = 2, "no tenant");
    });
    end(guard);
    let files = files(directory.path());
    assert_eq!(
        (&files["acme.log"], &files["default.log"]),
        (&vec![1, 1], &vec![2]),
        "the line, and how often it came again"
    );
}
