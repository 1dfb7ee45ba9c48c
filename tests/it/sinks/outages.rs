//! Lines at a steady rate, while a server that acknowledges goes away twice, is stuck, and resets connections. `SPANLINE_LONG`
//! sends 30,000 at 3,000/s, with outages of 2 s and a stuck server of 5 s.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::external::{Program, find};
use super::server::{Server, Stored};
use super::tcp::{Stage, tcp};
use crate::support::wait::{PATIENCE, until};

#[test]
fn promise_41_every_acknowledged_line_survives_outages_in_order() {
    let is_long = std::env::var_os("SPANLINE_LONG").is_some();
    let (lines, away, stuck) = if is_long { (30_000, 2_000, 5_000) } else { (6_000, 300, 500) };
    let stored = Stored::default();
    let is_stuck = Arc::new(AtomicBool::new(false));
    let start = |address: Option<std::net::SocketAddr>| {
        let (taken, is_stuck) = (stored.clone(), Arc::clone(&is_stuck));
        let serve = move |_: usize, stream: &std::net::TcpStream| {
            if is_stuck.load(Ordering::Relaxed) {
                // Accepts and never reads; a test that fails does not wait for it.
                let begun = Instant::now();
                while is_stuck.load(Ordering::Relaxed) && begun.elapsed() < PATIENCE {
                    std::thread::park_timeout(Duration::from_millis(1));
                }
                return;
            }
            taken.frames(stream, u32::MAX, true);
        };
        match address {
            Some(address) => Server::start_at(address, serve),
            None => Server::start(serve),
        }
    };
    let mut server = Some(start(None));
    let address = server.as_ref().unwrap().address;
    let stage = Stage::of(tcp(address).acknowledged());
    let pass = |time: u64| {
        let end = Instant::now() + Duration::from_millis(time);
        until("the time has passed", || Instant::now() >= end);
    };
    let (dispatch, begun) = (stage.dispatch.clone(), Instant::now());
    let program = std::thread::spawn(move || {
        crate::support::faults::within(&dispatch, || {
            for seq in 0..lines {
                crate::support::ledger::log(tracing::Level::INFO, 0, seq);
                let due = begun + Duration::from_micros(seq * 1_000_000 / 3_000);
                std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
            }
        });
    });
    for _ in 0..2 {
        pass(away);
        drop(server.take());
        pass(away);
        server = Some(start(Some(address)));
    }
    // It is stuck, and ends its connections with resets.
    is_stuck.store(true, Ordering::Relaxed);
    stage.guard.handle().reopen(PATIENCE).unwrap();
    pass(stuck);
    is_stuck.store(false, Ordering::Relaxed);
    program.join().unwrap();
    let books = stage.close();
    assert!(stored.missing(lines).is_empty(), "{:?}", stored.missing(lines));
    stored.in_order();
    assert_eq!(books.written.total(), lines, "{books:#?}");
    println!("{lines} lines: {} resent, {} stored, dropped {}", books.resent, stored.count(), books.dropped.total());
}

/// As Python's `SocketHandler` and its servers: four bytes of length, then the record, here as JSON.
const SOCKET_SERVER: &str = r#"
import json, os, socketserver, struct, sys
out, port_file = sys.argv[1:]

class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        with open(out, "a") as file:
            while len(chunk := self.rfile.read(4)) == 4:
                record = json.loads(self.rfile.read(struct.unpack(">L", chunk)[0]))
                print(record["level"], record["message"], record["seq"], file=file, flush=True)

with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
    with open(port_file + ".new", "w") as file:
        file.write(str(server.server_address[1]))
    os.rename(port_file + ".new", port_file)
    server.serve_forever()
"#;

#[test]
fn promise_41_a_socket_server_of_python_reads_length32() {
    let folder = tempfile::tempdir().unwrap();
    let Some(python) = find("python3", &[]) else { return };
    let (out, port_file) = (folder.path().join("out"), folder.path().join("port"));
    let mut command = std::process::Command::new(python);
    let _server = Program::start(command.args(["-c", SOCKET_SERVER]).arg(&out).arg(&port_file));
    until("the server listens", || port_file.exists());
    let port = std::fs::read_to_string(port_file).unwrap();
    let stage = Stage::of(spanline::sink::Tcp::new(format!("127.0.0.1:{port}")).length32());
    stage.log(0..1_000);
    assert_eq!(stage.close().written.total(), 1_000);
    until("the server has all", || super::external::lines_of(&out).len() == 1_000);
    let expected = (0..1_000).map(|seq| format!("INFO line {seq}"));
    assert_eq!(super::external::lines_of(&out), expected.collect::<Vec<_>>());
}
