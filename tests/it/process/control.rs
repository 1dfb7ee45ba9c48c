//! Promise 46: each change through the control socket is a line, and ends by itself; forks, kills and stopped processes.
#![cfg(all(target_os = "linux", feature = "control"))]
#![allow(unsafe_code)]

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::control::{Services, ask_at, connect, request, send, serve, set_filter};
use crate::support::fork::{fork, wait};
use crate::support::process::{FILE, Running, file, how, is_child};
use crate::support::wait::{PATIENCE, until};

pub(super) fn identify() -> Value {
    request("identify", json!({}))
}

fn parsed(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The lines about changes.
pub(super) fn changes(text: &str) -> Vec<Value> {
    let mut lines = parsed(text);
    lines.retain(|line| line["target"] == "spanline::control");
    lines
}

fn has_level(text: &str, level: &str) -> bool {
    text.contains(&format!("\"level\":\"{level}\",\"target\":\""))
}

#[test]
fn promise_46_five_processes_change_their_level_within_a_second_and_revert_by_themselves() {
    if is_child() {
        return serve(spanline::builder());
    }
    let services = Services::new();
    let names = ["a", "b", "c", "d", "e"];
    let test = this_test!();
    let children = names.map(|name| services.start(test, name));
    let pids = children.each_ref().map(|child| child.0.id());
    let lengths = || names.map(|name| services.text(name).len());
    for pid in pids {
        let answer = services.ask(pid, &set_filter("error"));
        assert_eq!(
            (&answer["ok"], &answer["filter"], &answer["source"]),
            (&true.into(), &"error".into(), &"control".into())
        );
    }
    let answered = Instant::now();
    // What was logged before may still be queued.
    pids.iter().for_each(|pid| assert_eq!(services.ask(*pid, &request("flush", json!({})))["ok"], true));
    let after = lengths();
    assert!(answered.elapsed() < PATIENCE);
    until("they log", || lengths().iter().zip(after).all(|(now, after)| *now > after + 2_000));
    for (name, after) in names.iter().zip(after) {
        let text = services.text(name);
        let new = parsed(&text[after..text.rfind('\n').unwrap() + 1]);
        assert!(new.iter().all(|line| line["level"] == "ERROR"), "{name}");
    }
    for pid in pids {
        let asked =
            request("set_filter", json!({ "filter": "debug", "for_seconds": 2, "reason": "look \"into\"\nit" }));
        let answer = services.ask(pid, &asked);
        assert!(answer["until"].is_string() && answer["by"]["reason"] == "look \"into\"\nit", "{answer}");
        assert_eq!(answer["configured"], json!({ "filter": "info", "source": "builder" }));
    }
    // The requester is gone. They log DEBUG lines, and then INFO lines, as configured.
    until("it reverts", || pids.iter().all(|pid| services.ask(*pid, &identify())["source"] == "builder"));
    for name in names {
        services.stop(name);
    }
    for (child, name) in children.into_iter().zip(names) {
        let mut child = child;
        assert!(child.wait().success());
        let text = services.text(name);
        assert!(has_level(&text, "DEBUG"), "{name}");
        let lines = changes(&text);
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(messages, ["filter set", "filter set", "filter reverted"]);
        let set = &lines[1];
        assert_eq!((&set["filter"], &set["reason"]), (&"debug".into(), &"look \"into\"\nit".into()));
        assert_eq!(set["by_uid"], rustix::process::geteuid().as_raw());
        assert_eq!(set["by_pid"], std::process::id());
        assert!(set["by_command"].is_string() && set["until"].is_string(), "{set}");
        assert_eq!((&lines[2]["filter"], &lines[2]["reverted"]), (&"info".into(), &"debug".into()));
        // Each number is there once: nothing is lost.
        let errors = parsed(&text).into_iter().filter(|line| line["level"] == "ERROR");
        assert!(errors.enumerate().all(|(number, line)| line["number"] == number as u64), "{name}");
    }
    assert_eq!(services.sockets(), [""; 0], "the sockets end with their logs");
}

#[test]
fn promise_46_a_socket_that_a_killed_process_leaves_is_removed_by_the_next() {
    if is_child() {
        return serve(spanline::builder());
    }
    let services = Services::new();
    let mut killed = services.start(this_test!(), "a");
    let left = services.socket(killed.0.id());
    killed.0.kill().unwrap();
    killed.0.wait().unwrap();
    assert!(left.exists());
    assert_eq!(UnixStream::connect(&left).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    let next = services.start(this_test!(), "b");
    assert_eq!(services.sockets(), [format!("orders.{}.sock", next.0.id())]);
}

#[test]
fn promise_46_a_forked_child_has_its_own_socket_once_it_logs() {
    if is_child() {
        let guard = spanline::builder()
            .service("orders")
            .filter("info")
            .output(spanline::Output::new(file()).name("file"))
            .init()
            .unwrap();
        let control = std::path::PathBuf::from(std::env::var_os("SPANLINE_CONTROL").unwrap());
        let of = |pid: u32| control.join(format!("orders.{pid}.sock"));
        let own = of(std::process::id());
        let peer = connect(&own);
        let child = fork(|| {
            let descriptors = sockets_of_this_process();
            // Only the end of the connection that this test has made: the socket and its peers are the parent's.
            assert_eq!(descriptors, 1, "{descriptors}");
            assert!(!of(std::process::id()).exists());
            tracing::info!("the child logs");
            until("it has a socket", || of(std::process::id()).exists());
            let answer = ask_at(&of(std::process::id()), &set_filter("error"));
            assert_eq!(answer["filter"], "error");
            assert_eq!(ask_at(&of(std::process::id()), &identify())["pid"], std::process::id());
        });
        assert_eq!(wait(child), 0);
        let silent = fork(|| assert!(!of(std::process::id()).exists()));
        assert_eq!(wait(silent), 0);
        assert!(send(&peer, identify().to_string().as_bytes()).contains("\"filter\":\"info\""));
        assert_eq!(ask_at(&own, &identify())["pid"], std::process::id());
        drop(guard);
        assert_eq!(fs::read_dir(&control).unwrap().count(), 0);
        return;
    }
    let services = Services::new();
    let mut command = services.command(this_test!(), "a");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(command).finish();
}

fn sockets_of_this_process() -> usize {
    let descriptors =
        fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    descriptors.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

/// The daemon's way: it closes all descriptors.
#[test]
fn promise_52_a_program_that_closes_all_descriptors_has_its_socket_again() {
    if is_child() {
        let guard = spanline::builder().service("orders").output(spanline::Output::new(file())).init().unwrap();
        // SAFETY: nothing that is open is used afterwards, except by the log, which checks its own.
        (3..200).for_each(|number| {
            unsafe { libc::close(number) };
        });
        let control = std::path::PathBuf::from(std::env::var_os("SPANLINE_CONTROL").unwrap());
        let own = control.join(format!("orders.{}.sock", std::process::id()));
        // The thread notices it when a peer comes.
        until("it answers again", || {
            UnixStream::connect(&own).is_ok_and(|stream| {
                stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
                send(&stream, identify().to_string().as_bytes()).contains("\"ok\":true")
            })
        });
        drop(guard);
        assert_eq!(fs::read_dir(&control).unwrap().count(), 0);
        return;
    }
    let services = Services::new();
    let mut command = services.command(this_test!(), "a");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(command).finish();
}

#[test]
fn promise_46_orders_detail_and_metrics_come_through_the_socket() {
    if is_child() {
        let recorder = spanline::FlightRecorder::new("debug");
        let guard = spanline::builder()
            .service("orders")
            .filter("info")
            .flight_recorder(recorder)
            .output(spanline::Output::new(file()).name("file"))
            .init()
            .unwrap();
        let control = std::path::PathBuf::from(std::env::var_os("SPANLINE_CONTROL").unwrap());
        let own = control.join(format!("orders.{}.sock", std::process::id()));
        let ask = |name: &str, rest: Value| {
            let answer = ask_at(&own, &request(name, rest));
            assert_eq!(answer["ok"], true, "{answer}");
            answer
        };
        let request = tracing::info_span!("request", request_id = "r-42");
        request.in_scope(|| tracing::debug!("held back"));
        assert_eq!(ask("release", json!({}))["released"], 1);
        let detail = r#"[{request_id="r-42"}]=debug"#;
        let answer = ask("detail", json!({ "filter": detail, "for_seconds": 1 }));
        assert_eq!(answer["filter"], format!("info,{detail}"));
        assert_eq!(answer["details"][0]["filter"], detail);
        request.in_scope(|| tracing::debug!("detail"));
        tracing::info_span!("request", request_id = "r-43").in_scope(|| tracing::debug!("other"));
        until("it reverts", || ask("identify", json!({}))["details"] == json!([]));
        for order in ["flush", "reopen", "rotate"] {
            ask(order, json!({}));
        }
        let metrics = ask("metrics", json!({}));
        assert_eq!(metrics["outputs"][0]["name"], "file");
        assert!(metrics["outputs"][0]["written"]["info"].as_u64().unwrap() >= 3, "{metrics}");
        ask("set_filter", json!({ "filter": "warn", "output": "file" }));
        assert_eq!(guard.handle().output_filter("file").unwrap().as_deref(), Some("warn"));
        let answer = ask("reset_filter", json!({}));
        assert_eq!(answer["outputs"][0]["filter"], Value::Null);
        return drop(guard);
    }
    let services = Services::new();
    let mut command = services.command(this_test!(), "a");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(command).finish();
    let text: String = fs::read_dir(services.0.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.extension().is_some_and(|extension| extension == "log"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for (message, is_there) in [("held back", true), ("detail", true), ("other", false)] {
        assert_eq!(text.contains(&format!("\"message\":\"{message}\"")), is_there, "{message}\n{text}");
    }
    let mut messages: Vec<_> = changes(&text).iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect();
    messages.sort();
    let expected = [
        "detail reverted",
        "detail set",
        "files reopened",
        "files rotated",
        "filter reset",
        "filter reset",
        "filter set",
        "held-back lines released",
    ];
    assert_eq!(messages, expected);
}

#[test]
fn promise_46_there_is_no_socket_unless_the_program_offers_one() {
    if is_child() {
        match how().as_str() {
            "build" => {
                let (_layer, guard) = spanline::builder().build::<tracing_subscriber::Registry>().unwrap();
                return drop(guard);
            }
            "refused" => return serve(spanline::builder().control(false)),
            _ => return serve(spanline::builder()),
        }
    }
    let services = Services::new();
    services.stop("a");
    for (how, variable) in [("build", None), ("refused", None), ("off", Some("off"))] {
        let mut command = services.command(this_test!(), "a");
        command.env("SPANLINE_IT_HOW", how);
        if let Some(value) = variable {
            command.env("SPANLINE_CONTROL", value);
        }
        assert!(Running::start(command).wait().success(), "{how}");
        assert!(!Path::new(&services.control()).exists(), "{how}");
    }
}

#[cfg(feature = "config")]
#[test]
fn promise_46_a_filter_that_the_program_forces_is_not_changed_from_outside() {
    if is_child() {
        return serve(spanline::builder().force_filter("info"));
    }
    let services = Services::new();
    let child = services.start(this_test!(), "a");
    let detail = request("detail", json!({ "filter": "[{id=1}]=trace", "for_seconds": 1 }));
    for asked in [set_filter("trace"), detail] {
        let answer = services.ask(child.0.id(), &asked);
        assert_eq!(answer["ok"], false, "{answer}");
        assert!(answer["error"].as_str().unwrap().contains("the program forces its filter"), "{answer}");
    }
    let answer = services.ask(child.0.id(), &identify());
    assert_eq!((&answer["filter"], &answer["source"]), (&"info".into(), &"forced by the program".into()));
    let asked = request("set_filter", json!({ "filter": "error", "output": "file" }));
    assert_eq!(services.ask(child.0.id(), &asked)["ok"], true, "an output can take less");
}

/// As a program that cleans `/tmp` does.
#[test]
fn promise_46_a_socket_whose_file_is_gone_is_made_again() {
    if is_child() {
        return serve(spanline::builder());
    }
    let services = Services::new();
    let child = services.start(this_test!(), "a");
    let socket = services.socket(child.0.id());
    fs::remove_dir_all(services.control()).unwrap();
    until("it is there again", || socket.exists());
    assert_eq!(services.ask(child.0.id(), &set_filter("error"))["ok"], true);
}

/// A daemon that has closed all descriptors goes on to use their numbers. A revert that is due meanwhile changes nothing.
#[test]
fn promise_46_a_lost_socket_is_made_again_a_second_later_whatever_is_due() {
    if is_child() {
        let log = std::path::PathBuf::from(std::env::var_os(FILE).unwrap());
        let guard =
            spanline::builder().service("orders").output(spanline::Output::new(file()).name("file")).init().unwrap();
        while !log.with_extension("stop").exists() {
            guard.handle().set_filter_for("debug", Duration::from_millis(10)).unwrap();
            tracing::info!("a line");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        return;
    }
    let services = Services::new();
    let child = services.start(this_test!(), "a");
    let socket = services.socket(child.0.id());
    let before = Instant::now();
    fs::remove_dir_all(services.control()).unwrap();
    until("it is there again", || socket.exists());
    assert!(before.elapsed() >= Duration::from_secs(1), "{:?}", before.elapsed());
    assert_eq!(services.ask(child.0.id(), &identify())["ok"], true);
}

/// Whether all threads of a process are stopped.
fn is_stopped(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads
        .flatten()
        .all(|thread| fs::read_to_string(thread.path().join("stat")).is_ok_and(|stat| stat.contains(") T ")))
}

/// A stopped process answers later, and nobody waits for it but who asks.
#[test]
fn promise_46_a_stopped_process_carries_out_nothing_until_it_goes_on() {
    if is_child() {
        return serve(spanline::builder());
    }
    let services = Services::new();
    let child = services.start(this_test!(), "a");
    let pid = Pid::from_raw(i32::try_from(child.0.id()).unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    until("it is stopped", || is_stopped(child.0.id()));
    let mut stream = connect(&services.socket(child.0.id()));
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert_eq!(send(&stream, set_filter("error").to_string().as_bytes()), "");
    kill_process(pid, Signal::CONT).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = [0; 1 << 12];
    let bytes = stream.read(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer[..bytes]).contains("\"ok\":true"));
}

/// `spanline ps` shows where a filter comes from.
#[cfg(feature = "config")]
#[test]
fn promise_46_a_filter_has_its_source() {
    if is_child() {
        return serve(spanline::Builder::from_env());
    }
    for (variables, filter, source) in [
        (vec![], "info", "builder"),
        (vec![("RUST_LOG", "warn")], "warn", "the variable RUST_LOG"),
        (vec![("RUST_LOG", "")], "info", "builder"),
        (vec![("SPANLINE_CONFIG", "spanline.toml")], "debug", "configuration"),
        (vec![("SPANLINE_CONFIG", "spanline.toml"), ("RUST_LOG", "error")], "error", "the variable RUST_LOG"),
    ] {
        let services = Services::new();
        fs::write(services.0.path().join("spanline.toml"), "filter = 'debug'").unwrap();
        let mut command = services.command(this_test!(), "a");
        command.current_dir(services.0.path()).envs(variables);
        let child = Running::start(command);
        until("it logs", || services.text("a").lines().count() > 2);
        let answer = services.ask(child.0.id(), &identify());
        assert_eq!((&answer["filter"], &answer["source"]), (&filter.into(), &source.into()));
        assert_eq!((&answer["service"], &answer["pid"]), (&"orders".into(), &child.0.id().into()));
    }
}
