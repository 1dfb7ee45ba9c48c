//! Promise 46, against hostile peers, other users, and what they leave: nothing changes, and nobody waits.
#![cfg(all(target_os = "linux", feature = "control"))]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::control::{changes, identify};
use crate::support::control::{Services, ask_at, connect, request, send, serve, set_filter};
use crate::support::process::{Running, child_of, how, is_child};
use crate::support::users::{ATTACKER, SERVICE, as_user, give, is_root, may_play_users};
use crate::support::wait::{PATIENCE, until};

/// Runs a service and `act` on its socket, then asks that it is as before.
fn unharmed(test: &str, act: impl FnOnce(&Services, u32)) {
    let services = Services::new();
    let child = services.start(test, "a");
    let pid = child.0.id();
    let before = services.ask(pid, &identify());
    act(&services, pid);
    let begun = Instant::now();
    assert_eq!(services.ask(pid, &identify()), before);
    assert!(begun.elapsed() < PATIENCE);
    assert!(changes(&services.text("a")[..services.text("a").rfind('\n').unwrap() + 1]).is_empty());
    services.stop("a");
    let mut child = child;
    assert!(child.wait().success());
}

#[test]
fn promise_46_garbage_and_requests_of_any_length_change_nothing() {
    if is_child() {
        return serve(spanline::builder());
    }
    unharmed(this_test!(), |services, pid| {
        let socket = services.socket(pid);
        let filter = set_filter("debug").to_string();
        for bad in [
            "",
            "x",
            "{}",
            "\u{1b}[2J",
            "{\"version\":1,\"request\":\"set_filter\",\"filter\":\"debug\",\"filter\":\"debug\"}",
            "{\"version\":1,\"request\":\"set_filter\",\"filter\":\"dbug\"}",
            "{\"version\":1,\"request\":\"set_filter\",\"filter\":\"debug\",\"for_seconds\":0}",
            "{\"version\":1,\"request\":\"set_filter\",\"filter\":\"debug\",\"output\":\"nowhere\"}",
            "{\"version\":1,\"request\":\"detail\",\"filter\":\"debug\"}",
            "{\"version\":1,\"request\":\"release\"}",
            &filter.replace('1', "2"),
            &format!("{filter}{filter}"),
        ] {
            let answer = send(&connect(&socket), bad.as_bytes());
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert!(answer["ok"] == false && answer["error"].is_string(), "{bad}: {answer}");
        }
        // A request of a gigabyte: the connection is closed long before.
        let mut stream = connect(&socket);
        let megabyte = vec![b'x'; 1 << 20];
        let sent = (0..1024).take_while(|_| stream.write_all(&megabyte).is_ok()).count();
        assert!(sent < 8, "{sent} MiB were taken");
        // The same as a configuration, which may be longer.
        let mut stream = connect(&socket);
        stream.write_all(b"{\"version\":1,\"request\":\"config\",\"text\":\"").unwrap();
        let sent = (0..1024).take_while(|_| stream.write_all(&megabyte).is_ok()).count();
        assert!(sent < 8, "{sent} MiB were taken");
        // A request without an end, and bytes that are no text.
        connect(&socket).write_all(filter.as_bytes()).unwrap();
        assert!(send(&connect(&socket), b"\xff\xfe\0").contains("not UTF-8"));
    });
}

#[test]
fn promise_46_idle_and_slow_peers_keep_nobody_out() {
    if is_child() {
        return serve(spanline::builder());
    }
    unharmed(this_test!(), |services, pid| {
        let socket = services.socket(pid);
        // Peers that ask for much and read nothing.
        let slow: Vec<UnixStream> = (0..8)
            .map(|_| {
                let mut stream = connect(&socket);
                stream.set_nonblocking(true).unwrap();
                let metrics = format!("{}\n", request("metrics", json!({})));
                while stream.write_all(metrics.as_bytes()).is_ok() {}
                stream
            })
            .collect();
        let address = rustix::net::SocketAddrUnix::new(&socket).unwrap();
        let mut idle = Vec::new();
        for _ in 0..10_000 {
            let made = rustix::net::socket_with(
                rustix::net::AddressFamily::UNIX,
                rustix::net::SocketType::STREAM,
                rustix::net::SocketFlags::NONBLOCK,
                None,
            );
            let Ok(stream) = made else { break };
            let _ = rustix::net::connect(&stream, &address);
            idle.push(stream);
        }
        assert!(idle.len() > 500, "{} connections", idle.len());
        let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().count();
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        assert!(threads < 10 && descriptors < 60, "{threads} threads, {descriptors} descriptors");
        // The backlog may be full for a moment.
        until("a request is answered", || {
            UnixStream::connect(&socket).is_ok_and(|stream| {
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                send(&stream, identify().to_string().as_bytes()).contains("\"ok\":true")
            })
        });
        let before = services.text("a").len();
        until("it logs", || services.text("a").len() > before);
        drop((slow, idle));
    });
}

#[test]
fn promise_46_another_user_has_no_control() {
    if is_child() {
        match how().as_str() {
            "attack" => {
                let socket = std::env::var_os("SPANLINE_IT_SOCKET").unwrap();
                let stream = UnixStream::connect(socket).unwrap();
                let answer = send(&stream, set_filter("trace").to_string().as_bytes());
                assert_eq!(answer, "", "a foreign user got an answer");
                return;
            }
            _ => return serve(spanline::builder()),
        }
    }
    if !may_play_users(this_test!()) {
        return;
    }
    let services = Services::new();
    give(services.0.path(), SERVICE);
    fs::set_permissions(services.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = services.command(this_test!(), "a");
    let child = Running::start({
        as_user(&mut command, SERVICE);
        command
    });
    until("it logs", || services.text("a").lines().count() > 2);
    let pid = child.0.id();
    let socket = services.socket(pid);
    assert_eq!(fs::metadata(services.control()).unwrap().permissions().mode() & 0o7777, 0o700);
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o7777, 0o600);
    let test = this_test!();
    let attack = || {
        let mut command = services.command(test, "attack");
        command.env("SPANLINE_IT_HOW", "attack").env("SPANLINE_IT_SOCKET", &socket).stderr(Stdio::piped());
        as_user(&mut command, ATTACKER);
        let mut attacker = Running::start(command);
        (attacker.wait().success(), attacker.stderr())
    };
    let (_, error) = attack();
    assert!(error.contains("Permission denied"), "{error}");
    // Even if the file system lets the peer through, its credentials do not.
    fs::set_permissions(services.control(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    let (success, error) = attack();
    assert!(success, "{error}");
    // Root may.
    assert_eq!(ask_at(&socket, &identify())["filter"], "info");
}

/// Not even if the user asks for it: the variables are that user's.
#[test]
fn promise_46_a_program_with_more_rights_than_its_user_has_no_socket() {
    if is_child() {
        #[cfg(feature = "config")]
        return serve(spanline::Builder::from_env());
        #[cfg(not(feature = "config"))]
        return serve(spanline::builder());
    }
    if !may_play_users(this_test!()) {
        return;
    }
    let services = Services::new();
    let folder = services.0.path();
    give(folder, SERVICE);
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::os::unix::fs::chown(&program, Some(0), Some(ATTACKER)).unwrap();
    let config = folder.join("spanline.toml");
    let planted = folder.join("planted.log");
    fs::write(&config, format!("[output.planted]\nsink = {{ file = '{}' }}\n", planted.display())).unwrap();
    give(&config, SERVICE);
    for (mode, has_more_rights) in [(0o2755, true), (0o755, false)] {
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        let name = format!("{mode:o}");
        let mut command = services.prepared(child_of(&program, this_test!()), &name);
        command.env("SPANLINE_CONFIG", &config).stderr(Stdio::piped());
        as_user(&mut command, SERVICE);
        let mut child = Running::start(command);
        until("it logs", || services.text(&name).lines().count() > 2);
        assert_eq!(services.sockets().len(), usize::from(!has_more_rights), "{name}");
        assert_eq!(planted.exists(), cfg!(feature = "config") && !has_more_rights, "{name}");
        services.stop(&name);
        assert!(child.wait().success());
        let stderr = child.stderr();
        let said = |text| stderr.matches(text).count();
        assert_eq!(said("no control socket: the program has more rights"), usize::from(has_more_rights), "{stderr}");
        let unused = usize::from(has_more_rights && cfg!(feature = "config"));
        assert_eq!(said("SPANLINE_CONFIG is not used"), unused, "{stderr}");
    }
}

#[test]
fn promise_46_planted_directories_links_and_sockets_are_not_used() {
    if is_child() {
        return serve(spanline::builder());
    }
    let services = Services::new();
    let (test, control) = (this_test!(), services.control());
    let start = |expected: &str| {
        let mut command = services.command(test, "a");
        command.stderr(Stdio::piped());
        let mut child = Running::start(command);
        services.stop("a");
        assert!(child.wait().success());
        let stderr = child.stderr();
        assert_eq!(stderr.matches("no control socket").count(), usize::from(!expected.is_empty()), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    };
    let open = |mode| fs::set_permissions(&control, fs::Permissions::from_mode(mode)).unwrap();
    fs::create_dir(&control).unwrap();
    open(0o777);
    start("other users can write to it");
    open(0o1777);
    start("other users can write to it");
    open(0o755);
    start("");
    fs::remove_dir(&control).unwrap();
    fs::write(&control, "").unwrap();
    start("no control socket");
    fs::remove_file(&control).unwrap();
    if is_root() {
        fs::create_dir(&control).unwrap();
        open(0o700);
        give(&control, ATTACKER);
        start("it belongs to uid 40401");
        fs::remove_dir(&control).unwrap();
        let target = services.0.path().join("target");
        fs::create_dir(&target).unwrap();
        symlink(&target, &control).unwrap();
        give(&control, ATTACKER);
        start("no control socket");
        assert_eq!(fs::read_dir(&target).unwrap().count(), 0);
        fs::remove_file(&control).unwrap();
    }
    // What others have left stays, whatever it is called.
    fs::create_dir(&control).unwrap();
    open(0o700);
    let gone = 4_000_000;
    fs::write(control.join(format!("orders.{gone}.sock")), "a file").unwrap();
    symlink("/etc/passwd", control.join(format!("link.{gone}.sock"))).unwrap();
    let alive = UnixListener::bind(control.join(format!("alive.{gone}.sock"))).unwrap();
    if is_root() {
        drop(UnixListener::bind(control.join(format!("foreign.{gone}.sock"))).unwrap());
        give(&control.join(format!("foreign.{gone}.sock")), ATTACKER);
    }
    drop(UnixListener::bind(control.join(format!("stale.{gone}.sock"))).unwrap());
    drop(UnixListener::bind(control.join("other.sock")).unwrap());
    start("");
    let mut expected = vec!["alive.4000000.sock", "link.4000000.sock", "orders.4000000.sock", "other.sock"];
    if is_root() {
        expected.insert(1, "foreign.4000000.sock");
    }
    assert_eq!(services.sockets(), expected);
    drop(alive);
}
