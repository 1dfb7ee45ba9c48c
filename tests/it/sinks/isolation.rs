//! What outputs do when the world fails them: nothing is lost or torn, and none harms another.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use spanline::metrics::Reason;
use spanline::sink::{Memory, Writer};
use spanline::{Output, Overflow, Stdout};
use tracing::Level;

use crate::support::faults::{Complaints, Fault, Faulty, built, within};
use crate::support::ledger::{all_told, balance, in_order, log, read};
use crate::support::process::{Running, child_behind, child_command, child_done, is_child, skip_to_own_part};
use crate::support::wait::{PATIENCE, Stalls, until};

fn blocking() -> Overflow {
    Overflow::Block { max_wait: PATIENCE }
}

#[test]
fn promise_03_block_loses_nothing_while_the_writer_fails() {
    let file = Faulty::new();
    file.always(Some(Fault::Io));
    let output = Output::new(Writer::new(file.clone())).name("out").overflow(blocking()).queue_bytes(32 << 10);
    let complaints = Complaints::default();
    let (dispatch, guard) = built(spanline::builder().on_complaint(complaints.hook()).output(output));
    let handle = guard.handle();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let dispatch = &dispatch;
            scope.spawn(move || within(dispatch, || (0..1_000).for_each(|seq| log(Level::INFO, thread, seq))));
        }
        until("some failures", || file.faults() >= 4);
        assert_eq!(handle.metrics().outputs[0].written.total(), 0);
        file.always(Some(Fault::NoSpace));
        until("more failures", || file.faults() >= 6);
        file.always(None);
    });
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!(in_order(&balance(output, &file.text())), 4_000);
    assert!(output.retries >= 6 && output.last_error.is_some(), "{output:#?}");
}

/// Fills what is left of the disk, logs more than fits, and makes room again.
fn log_to_full_disk(directory: &Path, make_room: impl FnOnce()) {
    let path = directory.join("app.log");
    let file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
    let (dispatch, guard) = built(
        spanline::builder()
            .on_complaint(|_| {})
            .output(Output::new(Writer::new(file)).name("out").overflow(blocking())),
    );
    let handle = guard.handle();
    within(&dispatch, || (0..12_000).for_each(|seq| log(Level::INFO, 0, seq)));
    until("the disk to be full", || handle.metrics().outputs[0].retries >= 3);
    let error = handle.metrics().outputs[0].last_error.clone().unwrap();
    assert!(error.contains("No space left") || error.contains("File too large"), "{error}");
    assert!(handle.metrics().outputs[0].queued.total() > 0);
    make_room();
    handle.flush(PATIENCE).unwrap();
    guard.close().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(in_order(&balance(&handle.metrics().outputs[0], &text)), 12_000);
}

#[test]
fn promise_03_a_full_disk_loses_nothing_once_there_is_room() {
    let name = this_test!();
    if is_child() {
        let directory = std::env::var_os("SPANLINE_DISK").unwrap();
        let directory = Path::new(&directory);
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "none"])
            .arg(directory)
            .status()
            .is_ok_and(|status| status.success());
        if !mounted {
            println!("no mount");
            child_done();
        }
        let ballast = directory.join("ballast");
        std::fs::write(&ballast, vec![0; 3800 << 10]).unwrap();
        log_to_full_disk(directory, || std::fs::remove_file(&ballast).unwrap());
        println!("done");
        child_done();
    }
    let may_mount = Command::new("unshare").args(["-Urm", "true"]).status().is_ok_and(|status| status.success());
    if !may_mount {
        eprintln!("skipped: no mount namespaces here");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut command = child_behind("unshare", &["-Urm"], name);
    command.env("SPANLINE_DISK", directory.path());
    let (stdout, stderr) = Running::start(command).finish();
    if stdout.contains("no mount") {
        eprintln!("skipped: tmpfs cannot be mounted here");
        return;
    }
    assert!(stdout.ends_with("done\n"), "{stdout}{stderr}");
}

#[test]
fn promise_03_dev_full_is_retried_until_the_deadline_and_then_counted() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else { return };
    let complaints = Complaints::default();
    let (dispatch, guard) = built(
        spanline::builder()
            .on_complaint(complaints.hook())
            .shutdown_timeout(Duration::from_millis(100), Duration::from_millis(300))
            .output(Output::new(Writer::new(full)).name("out").overflow(blocking())),
    );
    let handle = guard.handle();
    within(&dispatch, || (0..1_000).for_each(|seq| log(Level::INFO, 0, seq)));
    until("a retry", || handle.metrics().outputs[0].retries >= 1);
    assert_eq!(guard.close().unwrap_err().unwritten_lines(), Some(1_000));
    let output = &handle.metrics().outputs[0];
    assert_eq!(output.dropped.reason(Reason::Shutdown).level(Level::INFO), 1_000);
    assert_eq!(output.emitted.total(), output.dropped.total());
    assert!(complaints.all().iter().any(|text| text.contains("1000 lines were not written")), "{complaints:?}");
}

#[test]
fn promise_04_no_line_is_torn_or_glued_by_short_writes_and_errors() {
    use Fault::{Interrupted, Io, NoSpace, Short, WouldBlock, Zero};
    let file = Faulty::new();
    file.then((0..400).flat_map(|turn| {
        let after = [Interrupted, WouldBlock, Io, NoSpace, Zero][turn % 5];
        [Short(1 + turn * 7 % 300), after, Short(1), Interrupted]
    }));
    let output = Output::new(Writer::new(file.clone())).overflow(blocking());
    let (dispatch, guard) = built(spanline::builder().on_complaint(|_| {}).output(output));
    let handle = guard.handle();
    within(&dispatch, || (0..3_000).for_each(|seq| log(Level::INFO, 0, seq)));
    guard.close().unwrap();
    let output = &handle.metrics().outputs[0];
    assert_eq!(in_order(&balance(output, &file.text())), 3_000);
    assert!(file.faults() >= 1_600, "the script was followed");
}

#[cfg(unix)]
#[test]
fn promise_04_no_line_is_torn_or_glued_in_a_pipe_that_does_not_block() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let output = Output::new(Writer::new(writer)).overflow(blocking());
    let (dispatch, guard) = built(spanline::builder().on_complaint(|_| {}).output(output));
    let handle = guard.handle();
    let logging = std::thread::spawn({
        let dispatch = dispatch.clone();
        move || within(&dispatch, || (0..3_000).for_each(|seq| log(Level::INFO, 0, seq)))
    });
    until("the pipe to be full", || handle.metrics().outputs[0].retries > 0);
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text)
    });
    logging.join().unwrap();
    guard.close().unwrap();
    let metrics = handle.metrics();
    drop((dispatch, handle));
    let text = reading.join().unwrap().unwrap();
    assert_eq!(in_order(&balance(&metrics.outputs[0], &text)), 3_000);
}

#[test]
fn promise_18_a_stuck_output_delays_neither_the_others_nor_a_caller() {
    let (stuck, memory) = (Faulty::gated(), Memory::new());
    let (dispatch, guard) = built(
        spanline::builder()
            .output(Output::new(Writer::new(stuck.clone())).name("stuck").queue_bytes(64 << 10))
            .output(Output::new(memory.clone()).name("memory").overflow(blocking())),
    );
    let handle = guard.handle();
    let stalls = Stalls::measure();
    let mut slowest = Duration::ZERO;
    within(&dispatch, || {
        for seq in 0..5_000 {
            let begun = Instant::now();
            log(Level::INFO, 0, seq);
            slowest = slowest.max(begun.elapsed());
        }
    });
    let stall = stalls.longest();
    assert!(slowest < Duration::from_millis(50) + 2 * stall, "{slowest:?}, while the machine stalls {stall:?}");
    let written = || handle.metrics().output("memory").unwrap().written.total();
    until("all lines of the other output", || written() == 5_000);
    assert_eq!(handle.metrics().output("stuck").unwrap().written.total(), 0);
    assert!(handle.flush(Duration::from_millis(1)).unwrap_err().is_timeout());
    stuck.gate.open();
    guard.close().unwrap();
    let metrics = handle.metrics();
    assert_eq!(in_order(&balance(metrics.output("memory").unwrap(), &memory.text())), 5_000);
    balance(metrics.output("stuck").unwrap(), &stuck.text());
    all_told(metrics.output("stuck").unwrap(), &stuck.text());
}

#[test]
fn promise_18_block_waits_no_longer_than_asked() {
    let (file, max_wait) = (Faulty::gated(), Duration::from_millis(20));
    let output = Output::new(Writer::new(file.clone())).overflow(Overflow::Block { max_wait }).queue_bytes(4 << 10);
    let (dispatch, guard) = built(spanline::builder().output(output));
    let handle = guard.handle();
    let stalls = Stalls::measure();
    let (mut slowest, mut waited) = (Duration::ZERO, 0);
    within(&dispatch, || {
        for seq in 0.. {
            let begun = Instant::now();
            log(Level::INFO, 0, seq);
            slowest = slowest.max(begun.elapsed());
            waited += u64::from(begun.elapsed() >= max_wait);
            if handle.metrics().dropped() == 5 {
                break;
            }
        }
    });
    let stall = stalls.longest();
    assert!(waited >= 5, "each line that was refused has waited");
    assert!(slowest < 10 * max_wait + 2 * stall, "{slowest:?}, while the machine stalls {stall:?}");
    file.gate.open();
    guard.close().unwrap();
    balance(&handle.metrics().outputs[0], &file.text());
}

/// Nobody reads the child's stdout until it has ended.
#[cfg(unix)]
#[test]
fn promise_18_a_stuck_stdout_leaves_the_file_alone() {
    let name = this_test!();
    if is_child() {
        let file = File::create(std::env::var_os("SPANLINE_FILE").unwrap()).unwrap();
        let guard = spanline::builder()
            .shutdown_timeout(Duration::from_millis(200), Duration::from_secs(1))
            .output(Output::new(Stdout::new()))
            .output(Output::new(Writer::new(file)).name("file"))
            .init()
            .unwrap();
        let handle = guard.handle();
        (0..5_000).for_each(|seq| log(Level::INFO, 0, seq));
        until("the file", || handle.metrics().output("file").unwrap().written.total() == 5_000);
        let left = guard.close().unwrap_err().unwritten_lines().unwrap();
        let metrics = handle.metrics();
        let stdout = metrics.output("stdout").unwrap();
        eprintln!("LEFT {left} WRITTEN {} DROPPED {}", stdout.written.total(), stdout.dropped.total());
        child_done();
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.log");
    let mut command = child_command(name);
    command.env("SPANLINE_FILE", &path);
    let mut child = Running::start(command);
    assert!(child.wait().success(), "{}", child.stderr());
    let (stdout, stderr) = (child.stdout(), child.stderr());
    assert_eq!(in_order(&read(&std::fs::read_to_string(&path).unwrap())), 5_000);
    let whole = stdout.rfind('\n').map_or("", |end| &stdout[..=end]);
    let valid = in_order(&read(whole)) as u64;
    let number = |word: &str| -> u64 {
        let rest = stderr.split_once(&format!("{word} ")).unwrap_or_else(|| panic!("{stderr}")).1;
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    assert!(valid > 0, "the pipe took something");
    assert_eq!(valid, number("WRITTEN"), "what is in the pipe has been written: {stderr}");
    assert_eq!(valid + number("DROPPED"), 5_000, "{stderr}");
    assert_eq!(number("LEFT"), number("DROPPED"), "{stderr}");
}

/// `app | head -1`.
#[test]
fn promise_19_a_closed_pipe_parks_stdout_and_nothing_else() {
    let name = this_test!();
    if is_child() {
        let file = File::create(std::env::var_os("SPANLINE_FILE").unwrap()).unwrap();
        let guard = spanline::builder()
            .output(Output::new(Stdout::new()))
            .output(Output::new(Writer::new(file)).name("file"))
            .init()
            .unwrap();
        let handle = guard.handle();
        log(Level::INFO, 0, 0);
        handle.flush(PATIENCE).unwrap();
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        (1..1_000).for_each(|seq| log(Level::INFO, 0, seq));
        let error = handle.flush(PATIENCE).unwrap_err();
        assert!(error.is_closed(), "{error:?}");
        (1_000..2_000).for_each(|seq| log(Level::INFO, 0, seq));
        guard.close().unwrap();
        let metrics = handle.metrics();
        let stdout = metrics.output("stdout").unwrap();
        assert_eq!((stdout.emitted.total(), stdout.written.total()), (2_000, 1));
        assert_eq!(stdout.dropped.reason(Reason::Closed).total(), 1_999);
        assert_eq!(metrics.output("file").unwrap().dropped.total(), 0);
        child_done();
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.log");
    let mut command = child_command(name);
    command.env("SPANLINE_FILE", &path).stdin(Stdio::piped());
    let mut child = Running::start(command);
    let mut head = BufReader::new(child.0.stdout.take().unwrap());
    skip_to_own_part(&mut head);
    let mut first = String::new();
    head.read_line(&mut first).unwrap();
    assert_eq!(read(&first)[0].seq, 0);
    drop(head);
    child.0.stdin.take().unwrap().write_all(b"closed\n").unwrap();
    let status = child.wait();
    let stderr = child.stderr();
    assert!(status.success(), "{stderr}");
    let reports: Vec<_> = stderr.lines().filter(|line| line.starts_with("spanline: ")).collect();
    assert_eq!(reports.len(), 1, "{stderr}");
    let gone = if cfg!(unix) { "Broken pipe" } else { "ipe" };
    assert!(reports[0].contains("output stdout") && reports[0].contains(gone), "{stderr}");
    assert_eq!(in_order(&read(&std::fs::read_to_string(&path).unwrap())), 2_000);
}

#[test]
fn promise_22_one_complaint_for_each_reason() {
    let (broken, complaints) = (Faulty::new(), Complaints::default());
    broken.always(Some(Fault::Io));
    let output = |name: &str| Output::new(Writer::new(broken.clone())).name(name).overflow(blocking());
    let builder = spanline::builder().on_complaint(complaints.hook()).output(output("one")).output(output("two"));
    let (dispatch, guard) = built(builder);
    within(&dispatch, || (0..100).for_each(|seq| log(Level::INFO, 0, seq)));
    let retries = |at: usize| guard.handle().metrics().outputs[at].retries;
    until("many failures", || retries(0) >= 5 && retries(1) >= 5);
    broken.then([Fault::Panic, Fault::Panic]);
    until("the panics", || guard.handle().metrics().outputs.iter().map(|output| output.panics).sum::<u64>() >= 2);
    broken.always(None);
    guard.close().unwrap();
    let mut all = complaints.all();
    all.sort();
    let about = |name: &str, what: &str| all.iter().filter(|text| text.contains(name) && text.contains(what)).count();
    assert_eq!((about("output one", "os error 5"), about("output two", "os error 5")), (1, 1), "{all:#?}");
    assert!(about("output one", "panicked") <= 1 && about("output two", "panicked") <= 1, "{all:#?}");
    assert!(all.len() <= 4, "{all:#?}");
}

#[cfg(unix)]
#[test]
fn promise_22_a_complaint_is_one_raw_line_on_stderr() {
    let name = this_test!();
    if is_child() {
        let broken = Faulty::new();
        broken.always(Some(Fault::NoSpace));
        let guard = spanline::builder().output(Output::new(Writer::new(broken.clone()))).init().unwrap();
        (0..100).for_each(|seq| log(Level::INFO, 0, seq));
        until("many failures", || guard.handle().metrics().outputs[0].retries >= 6);
        broken.always(None);
        drop(guard);
        child_done();
    }
    let (_, stderr) = Running::start(child_command(name)).finish();
    let reports: Vec<_> = stderr.lines().filter(|line| line.starts_with("spanline: ")).collect();
    assert_eq!(reports.len(), 1, "{stderr}");
    assert!(reports[0].contains("output writer: write: No space left on device"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn promise_22_a_stderr_that_nobody_reads_stops_nothing() {
    let name = this_test!();
    if is_child() {
        let stderr = std::io::stderr();
        rustix::io::ioctl_fionbio(&stderr, true).unwrap();
        while rustix::io::write(&stderr, &[b'.'; 512]).is_ok() {}
        rustix::io::ioctl_fionbio(&stderr, false).unwrap();
        let broken = Faulty::new();
        broken.always(Some(Fault::NoSpace));
        let guard = spanline::builder().output(Output::new(Writer::new(broken.clone()))).init().unwrap();
        (0..100).for_each(|seq| log(Level::INFO, 0, seq));
        until("failures", || guard.handle().metrics().outputs[0].retries >= 3);
        broken.always(None);
        guard.close().unwrap();
        println!("done");
        child_done();
    }
    let mut child = Running::start(child_command(name));
    let status = child.wait();
    assert!(status.success() && child.stdout().ends_with("done\n"), "{status}");
}

/// By whatever way the path leads there.
#[cfg(unix)]
#[test]
fn promise_30_two_outputs_to_one_file_are_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let join = |name: &str| folder.path().join(name);
    std::fs::create_dir(join("logs")).unwrap();
    std::os::unix::fs::symlink("logs", join("link")).unwrap();
    let log = |name: &str| Output::new(spanline::RollingFile::new(join(name)));
    let build = |one: &str, other: &str| {
        let builder = spanline::builder().output(log(one)).output(log(other));
        builder.build::<tracing_subscriber::Registry>().map(drop).map_err(|error| error.to_string())
    };
    for other in ["logs/a.log", "logs/./a.log", "link/a.log", "logs/../link/a.log"] {
        let error = build("logs/a.log", other).unwrap_err();
        assert!(error.contains("two outputs") && error.contains(other), "{error}");
    }
    assert!(build("new/a.log", "new/./a.log").is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing was opened");
    build("logs/a.log", "logs/b.log").unwrap();
    assert!(build("logs/a.log", "link/a.log").is_err(), "the file is there by now");
}
