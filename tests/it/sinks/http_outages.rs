//! Promises 21 and 41 for the sink `Http`: outages, many connections, and forks.

use std::time::{Duration, Instant};

use spanline::sink::Http;

use crate::sinks::http::{Stage, numbers, sink};
use crate::support::http_server::{Server, Step};
use crate::support::wait::{PATIENCE, until};

/// The number of lines, and how long the server is away and stuck: those of the issue in `.ci/long`.
fn scale() -> (u64, Duration, Duration) {
    match std::env::var_os("SPANLINE_LONG") {
        Some(_) => (30_000, Duration::from_secs(2), Duration::from_secs(5)),
        None => (3_000, Duration::from_millis(200), Duration::from_millis(500)),
    }
}

#[test]
fn promise_41_a_server_that_is_killed_twice_and_stuck_once_gets_every_line_in_order() {
    let (lines, away, stuck) = scale();
    let mut server = Server::start([]);
    let http = Http::new(server.url()).batch(500, 1 << 20, Duration::from_millis(50)).timeout(stuck / 2);
    let stage = Stage::new(http);
    let begun = Instant::now();
    let mut slowest = Duration::ZERO;
    let events = [(lines / 6, 0), (lines / 3, 1), (lines / 2, 2), (lines * 2 / 3, 3)];
    std::thread::scope(|scope| {
        let logging = scope.spawn(|| {
            for number in 0..lines {
                // 3,000 a second.
                let due = begun + Duration::from_micros(number * 333);
                std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
                let before = Instant::now();
                stage.log(number..number + 1);
                slowest = slowest.max(before.elapsed());
            }
        });
        for (after, event) in events {
            until("the lines before it", || stage.books().emitted.total() >= after);
            let over = Instant::now();
            match event {
                0 | 2 => {
                    server.kill();
                    until("its time", || over.elapsed() >= away);
                    server.listen();
                }
                1 => {
                    server.stuck(true);
                    until("its time", || over.elapsed() >= stuck);
                    server.stuck(false);
                }
                _ => server.hang_up(),
            }
        }
        logging.join().unwrap();
    });
    stage.flush();
    let books = stage.books();
    assert_eq!((books.written.total(), books.dropped.total()), (lines, 0), "{books:#?}");
    assert_eq!(numbers(&server), (0..lines).collect::<Vec<_>>());
    assert!(slowest < Duration::from_secs(1), "a caller waited {slowest:?}");
    stage.guard.close().unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn promise_41_threads_and_descriptors_do_not_grow_over_many_connections() {
    let count = |folder: &str| std::fs::read_dir(folder).unwrap().count();
    let server = Server::start([]);
    server.always(Step::ThenClose);
    let stage = Stage::new(sink(&server));
    let mut descriptors = Vec::new();
    for round in 0..300 {
        stage.log(round..round + 1);
        stage.flush();
        if round % 100 == 99 {
            stage.guard.handle().reopen(PATIENCE).unwrap();
            descriptors.push(count("/proc/self/fd"));
        }
    }
    assert!(server.connections() >= 300);
    // Other tests run at the same time.
    assert!(descriptors[2] < descriptors[0] + 200, "{descriptors:?}");
    stage.guard.close().unwrap();
}

#[test]
#[cfg(unix)]
fn promise_21_a_forked_child_has_its_own_connection() {
    use crate::support::fork::{fork, wait};
    use crate::support::process::{is_child, run_child};
    if !is_child() {
        let name = "sinks::http_outages::promise_21_a_forked_child_has_its_own_connection";
        let (status, stderr) = run_child(name, "", std::path::Path::new(""));
        assert!(status.success(), "{stderr}");
        return;
    }
    let server = Server::start([]);
    let stage = Stage::new(sink(&server));
    stage.log(0..10);
    stage.flush();
    // The child has a copy of a request that is on its way.
    server.stuck(true);
    stage.log(10..20);
    until("lines in flight", || stage.books().in_flight.total() == 10);
    let child = fork(|| {
        stage.log(100..105);
        stage.flush();
        assert_eq!(stage.books().written.total(), 5);
    });
    server.stuck(false);
    assert_eq!(wait(child), 0);
    stage.log(20..30);
    stage.flush();
    let books = stage.books();
    assert_eq!((books.written.total(), books.resent), (30, 0), "{books:#?}");
    assert_eq!(server.connections(), 2);
    let of_parent = |request: &crate::support::http_server::Request| request.connection == 0;
    let (parent, child): (Vec<_>, Vec<_>) = server.requests().into_iter().partition(of_parent);
    let lines = |requests: Vec<crate::support::http_server::Request>| -> usize {
        requests.iter().map(|request| request.body.lines().count()).sum()
    };
    assert_eq!((lines(parent), lines(child)), (30, 5));
    stage.guard.close().unwrap();
}
