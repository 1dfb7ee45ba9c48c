//! `spanline ps`, `level`, `metrics` and the orders, on real processes: a row for each, and the exit status.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use spanline::{Output, RollingFile};

use crate::{Dir, Done, done};

const SERVICE: &str = "SPANLINE_TOOL_SERVICE";
const LOG: &str = "SPANLINE_TOOL_LOG";
const PATIENCE: Duration = Duration::from_secs(60);

/// A service that the other tests start: it logs until it is ended.
#[test]
fn service() {
    let Ok(service) = std::env::var(SERVICE) else { return };
    let file = RollingFile::new(std::env::var_os(LOG).unwrap());
    #[cfg(feature = "config")]
    let builder = spanline::Builder::from_env();
    #[cfg(not(feature = "config"))]
    let builder = spanline::builder();
    let builder = builder.service(service).static_field("version", "1.2.3").filter("info");
    let _guard = builder.output(Output::new(file).name("file")).init().unwrap();
    loop {
        tracing::error!("an error");
        tracing::info!("an info");
        for id in ["r-42", "r-43"] {
            tracing::info_span!("request", request_id = id).in_scope(|| tracing::debug!("in {id}"));
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Services, and the directory of their sockets.
struct Services {
    dir: Dir,
    children: Vec<Child>,
}

impl Services {
    fn start(names: &[&str]) -> Self {
        let mut services = Self { dir: Dir::new(), children: Vec::new() };
        for (place, name) in names.iter().enumerate() {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["control::service", "--exact", "--test-threads=1"]);
            command.env(SERVICE, name).env(LOG, services.log(place)).env("SPANLINE_CONTROL", services.control());
            command.stdout(Stdio::null()).stderr(Stdio::null()).env_remove("RUST_LOG");
            services.children.push(command.spawn().unwrap());
        }
        for place in 0..names.len() {
            until("it logs", || services.text(place).lines().count() > 2);
        }
        services
    }

    fn control(&self) -> PathBuf {
        self.dir.path().join("control")
    }

    fn log(&self, place: usize) -> PathBuf {
        self.dir.path().join(format!("{place}.log"))
    }

    fn text(&self, place: usize) -> String {
        fs::read_to_string(self.log(place)).unwrap_or_default()
    }

    fn pid(&self, place: usize) -> u32 {
        self.children[place].id()
    }

    fn signal(&self, place: usize, signal: Signal) {
        kill_process(Pid::from_child(&self.children[place]), signal).unwrap();
    }

    fn run(&self, args: &[&str]) -> Done {
        done(self.dir.command(args).env("SPANLINE_CONTROL", self.control()).output().unwrap())
    }

    /// Whether the service logs at this level between two looks.
    fn logs(&self, place: usize, level: &str) -> bool {
        let before = self.text(place).len();
        until("it logs", || self.text(place).len() > before + 1_000);
        self.text(place)[before..].contains(&format!("\"level\":\"{level}\",\"target\":\"it"))
    }

    /// Waits until the service no longer logs at this level. What it logged before may still be on its way.
    fn until_quiet(&self, place: usize, level: &str) {
        until("it is quiet at this level", || !self.logs(place, level));
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[track_caller]
fn until(what: &str, mut fact: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !fact() {
        assert!(begun.elapsed() < PATIENCE, "this did not happen in time: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

fn json(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn promise_46_a_level_reaches_all_processes_of_a_service_and_reverts_without_the_tool() {
    let services = Services::start(&["orders", "orders", "orders", "orders", "orders", "payments"]);
    let run = services.run(&["level", "error", "--service", "orders"]);
    assert_eq!((run.stderr.as_str(), run.status), ("", 0), "{run:?}");
    let rows: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(rows.len(), 6, "{rows:?}");
    assert!(rows[1..].iter().all(|row| row.starts_with("orders") && row.ends_with("  applied")), "{rows:?}");
    let begun = Instant::now();
    (0..5).for_each(|place| services.until_quiet(place, "INFO"));
    assert!(begun.elapsed() < PATIENCE);
    assert!(services.logs(5, "INFO"), "another service has changed");
    let run = services.run(&["level", "debug", "--service", "orders", "--for", "2s", "--reason", "a \"look\"\n"]);
    assert_eq!(run.status, 0, "{run:?}");
    let ps = services.run(&["ps", "--service", "orders", "--json"]);
    for row in json(&ps.stdout) {
        assert_eq!((&row["result"], &row["answer"]["filter"]), (&"running".into(), &"debug".into()), "{row}");
        assert_eq!(row["answer"]["by"]["command"], "spanline");
    }
    assert!((0..5).all(|place| services.logs(place, "DEBUG")));
    until("it reverts", || {
        let ps = services.run(&["ps", "--service", "orders"]);
        ps.stdout.lines().skip(1).all(|row| row.contains("  info    builder  -"))
    });
    let run = services.run(&["level", "warn"]);
    assert_eq!((run.stdout.lines().count(), run.status), (7, 0), "{run:?}");
    let run = services.run(&["level", "--reset", "--pid", &services.pid(0).to_string()]);
    assert_eq!((run.stdout.lines().count(), run.status), (2, 0), "{run:?}");
    let ps = services.run(&["ps"]).stdout;
    assert_eq!(
        (ps.matches("  builder").count(), ps.matches("  control").count(), ps.matches(" 1.2.3 ").count()),
        (1, 5, 6)
    );
}

/// Whether all threads of a process are stopped.
#[cfg(target_os = "linux")]
fn is_stopped(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads
        .flatten()
        .all(|thread| fs::read_to_string(thread.path().join("stat")).is_ok_and(|stat| stat.contains(") T ")))
}

#[test]
fn a_process_that_does_not_answer_has_a_row_and_none_found_is_a_failure() {
    let services = Services::start(&["orders", "orders"]);
    services.signal(1, Signal::STOP);
    #[cfg(target_os = "linux")]
    until("it is stopped", || is_stopped(services.pid(1)));
    let run = services.run(&["level", "error", "--service", "orders"]);
    let row = |place: usize| {
        let pid = services.pid(place).to_string();
        run.stdout.lines().find(|row| row.split_whitespace().nth(1) == Some(&pid)).unwrap().to_owned()
    };
    assert!(row(0).ends_with("applied") && row(1).ends_with("did not answer in 2 s"), "{run:?}");
    assert_eq!(run.status, 1);
    services.signal(1, Signal::CONT);
    for args in
        [&["level", "error", "--service", "ordesr"][..], &["ps", "--pid", "1"], &["flush", "--json", "--pid", "1"]]
    {
        let run = services.run(args);
        let why = "no process found with that --service or --pid; `spanline ps` lists all";
        assert_eq!(run, crate::failed(&format!("spanline: {why}\n")), "{args:?}");
    }
    let run = services.run(&["level", "dbug"]);
    assert!(run.stdout.contains("refused: filter directive `dbug`") && run.status == 1, "{run:?}");
    let run = services.run(&["level", "debug", "--output", "file1", "--json"]);
    let rows = json(&run.stdout);
    assert!(rows.iter().all(|row| row["result"] == "refused"), "{rows:?}");
    assert!(rows[0]["error"].as_str().unwrap().contains("did you mean `file`"), "{rows:?}");
    assert_eq!((rows.len(), run.status), (2, 1));
    for wrong in [&["level"][..], &["level", "debug", "--reset"], &["level", "debug", "--for", "10"]] {
        assert_eq!(services.run(wrong).status, 2, "{wrong:?}");
    }
}

#[test]
fn one_request_gets_detail_and_no_other() {
    let services = Services::start(&["orders"]);
    let run = services.run(&["level", "debug", "--request", "r-42", "--for", "1h"]);
    assert_eq!(run.status, 0, "{run:?}");
    until("its detail is logged", || services.text(0).contains("in r-42"));
    let ps = json(&services.run(&["ps", "--json"]).stdout);
    assert_eq!(ps[0]["answer"]["details"][0]["filter"], "[{request_id=\"r-42\"}]=debug");
    assert_eq!(services.run(&["level", "--reset"]).status, 0);
    services.until_quiet(0, "DEBUG");
    assert!(!services.text(0).contains("in r-43"));
}

#[test]
fn metrics_and_orders_have_a_row_for_each_process() {
    let services = Services::start(&["orders", "payments"]);
    let run = services.run(&["metrics"]);
    assert_eq!((run.stdout.lines().count(), run.status), (3, 0), "{run:?}");
    let rows = json(&services.run(&["metrics", "--json"]).stdout);
    assert!(rows[0]["answer"]["outputs"][0]["written"]["info"].as_u64().unwrap() > 0);
    for (order, done) in [("flush", "flushed"), ("reopen", "reopened"), ("rotate", "rotated")] {
        let run = services.run(&[order]);
        assert_eq!((run.stdout.matches(&format!("  {done}")).count(), run.status), (2, 0), "{run:?}");
    }
    let run = services.run(&["release"]);
    assert!(run.stdout.matches("refused: nothing is held back").count() == 2 && run.status == 1, "{run:?}");
    let mut command = services.dir.command(&["metrics", "--watch"]);
    let mut watch = command.env("SPANLINE_CONTROL", services.control()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    assert!((0..6).all(|_| lines.next().is_some()), "two tables");
    drop(lines);
    // Its reader is gone.
    assert!(watch.wait().unwrap().success());
}

/// A process whose answers are of the attacker's choice.
fn impostor(services: &Services, name: &str, answer: &'static [u8]) -> u32 {
    let pid = 1_000_000 + u32::try_from(name.len()).unwrap();
    let listener = UnixListener::bind(services.control().join(format!("{name}.{pid}.sock"))).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = BufReader::new(&stream).read_line(&mut String::new());
            let _ = stream.write_all(answer);
        }
    });
    pid
}

#[test]
fn answers_of_any_kind_have_a_row_and_control_no_terminal() {
    let services = Services::start(&["orders"]);
    std::os::unix::fs::symlink("/run/docker.sock", services.control().join("aa.1000.sock")).unwrap();
    let run = services.run(&["flush", "--service", "aa"]);
    assert!(run.stdout.contains("refused: it is no socket") && run.status == 1, "{run:?}");
    fs::remove_file(services.control().join("aa.1000.sock")).unwrap();
    impostor(&services, "a", b"");
    impostor(&services, "bb", b"{\"ok\":false,\"error\":\"\\u001b[2J\\u202e\"}\n");
    impostor(&services, "ccc", b"\x1b[31m\n");
    impostor(&services, "dddd", b"{\"ok\":true,\"service\":\"\\u001b]0;x\\u0007\",\"filter\":[1],\"outputs\":7}\n");
    for args in [&["ps"][..], &["ps", "--json"], &["level", "warn"], &["level", "warn", "--json"], &["metrics"]] {
        let run = services.run(args);
        let printed = run.stdout.clone() + &run.stderr;
        let is_safe = |char: char| char == '\n' || !(char.is_control() || char == '\u{202e}');
        assert!(run.status == 1 && printed.chars().all(is_safe), "{args:?} {printed:?}");
    }
    let run = services.run(&["level", "info"]);
    for (row, result) in
        run.stdout.lines().skip(1).zip(["gone", "\\u{202e}", "cannot be understood", "applied", "applied"])
    {
        assert!(row.ends_with(result), "{row} {result}");
    }
}

#[test]
fn a_dead_process_has_no_row_and_a_foreign_directory_is_not_used() {
    let services = Services::start(&["orders", "orders"]);
    services.signal(1, Signal::KILL);
    let dead = services.control().join(format!("orders.{}.sock", services.pid(1)));
    until("it is dead", || std::os::unix::net::UnixStream::connect(&dead).is_err());
    assert!(dead.exists());
    let run = services.run(&["level", "warn"]);
    assert_eq!((run.stdout.lines().count(), run.status), (2, 0), "{run:?}");
    assert!(!dead.exists());
    fs::set_permissions(services.control(), fs::Permissions::from_mode(0o777)).unwrap();
    let run = services.run(&["ps"]);
    assert!(run.stderr.contains("other users can write to it") && run.status == 1, "{run:?}");
}

#[cfg(feature = "config")]
#[test]
fn a_configuration_is_applied_only_if_all_accept_it() {
    let services = Services::start(&["orders", "orders"]);
    let push = |name: &str| services.run(&["config", "push", name, "--service", "orders"]);
    services.dir.put("bad.toml", "fliter = 'warn'\n".to_owned() + &"# a long text\n".repeat(20_000));
    let run = push("bad.toml");
    assert!(run.stdout.matches("refused: ").count() == 2 && run.stdout.contains("did you mean `filter`"), "{run:?}");
    assert_eq!(run.status, 1);
    // A process that does not answer keeps the others as they are.
    services.dir.put("next.toml", "filter = 'warn'\n".to_owned() + &"# a long text\n".repeat(20_000));
    services.signal(1, Signal::STOP);
    #[cfg(target_os = "linux")]
    until("it is stopped", || is_stopped(services.pid(1)));
    let run = push("next.toml");
    assert!(run.stdout.contains("not applied") && run.stdout.contains("did not answer in 2 s"), "{run:?}");
    assert!(run.status == 1 && services.logs(0, "INFO"));
    services.signal(1, Signal::CONT);
    let run = push("next.toml");
    assert_eq!((run.stdout.matches("  applied").count(), run.status), (2, 0), "{run:?}");
    (0..2).for_each(|place| services.until_quiet(place, "INFO"));
    services.dir.put("large.toml", "#".repeat((1 << 20) + 1));
    assert!(push("large.toml").stderr.contains("larger than 1 MiB"));
    let run = push("missing.toml");
    assert!(run.stderr.contains("missing.toml") && run.status == 1, "{run:?}");
}
