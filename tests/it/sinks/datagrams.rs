//! `Udp` and the datagrams of `Unix`: each line alone, too long ones rejected, and receivers that are away.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use spanline::metrics::Reason;
use spanline::sink::{Udp, Unix};

use super::server::{Server, Stored};
use super::tcp::Stage;
use crate::support::faults::within;
use crate::support::wait::{PATIENCE, until};

#[test]
fn promise_41_each_line_is_a_datagram_and_a_longer_one_is_rejected() {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = receiver.local_addr().unwrap();
    let stage = Stage::of(Udp::new(address.to_string()));
    let stored = Stored::default();
    let connection = stored.begin();
    let take = || {
        let mut datagram = vec![0; 65_536];
        let length = receiver.recv(&mut datagram).unwrap();
        stored.add(connection, &datagram[..length]);
    };
    // Few enough for the receiver's buffer.
    stage.log(0..50);
    (0..50).for_each(|_| take());
    within(&stage.dispatch, || tracing::info!(seq = 50, text = "x".repeat(65_600), "too long"));
    stage.log(51..60);
    (51..60).for_each(|_| take());
    let complaints = stage.complaints.clone();
    let books = stage.close();
    assert_eq!(stored.connections(), [(0..50).chain(51..60).collect::<Vec<_>>()]);
    assert_eq!((books.written.total(), books.dropped.reason(Reason::Rejected).total()), (59, 1), "{books:#?}");
    assert!(complaints.all().iter().any(|text| text.contains("too long for a datagram")), "{complaints:?}");
}

#[test]
fn promise_41_a_closed_port_is_reported_and_stops_nothing() {
    let address = Server::nowhere();
    let stage = Stage::of(Udp::new(address.to_string()));
    for seq in 0..50 {
        stage.log(seq..seq + 1);
        let _ = stage.guard.handle().flush(PATIENCE);
    }
    assert!(stage.complaints.all().iter().any(|text| text.contains(&address.to_string())), "{:?}", stage.complaints);
    let receiver = UdpSocket::bind(address).unwrap();
    receiver.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut seq = 50;
    until("a line arrives", || {
        stage.log(seq..seq + 1);
        seq += 1;
        receiver.recv(&mut [0; 1024]).is_ok()
    });
    let books = stage.close();
    assert_eq!(books.written.total(), seq);
}

/// A receiver that is stuck has a short queue: the lines wait. Its successor gets the next ones.
#[test]
fn promise_41_unix_datagrams_wait_for_their_receiver() {
    const LINES: u64 = 500;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let stage = Stage::of(Unix::datagram(&path));
    stage.log(0..10);
    until("it is reported", || !stage.complaints.all().is_empty());
    let stored = Stored::default();
    for successor in 0..2 {
        let receiver = UnixDatagram::bind(&path).unwrap();
        let connection = stored.begin();
        let end = LINES * (successor + 1);
        stage.log(if successor == 0 { 10 } else { LINES }..end);
        receiver.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut datagram = [0; 4096];
        while stored.connections()[connection].last() != Some(&(end - 1)) {
            let length = receiver.recv(&mut datagram).unwrap();
            stored.add(connection, &datagram[..length]);
        }
        drop(receiver);
        std::fs::remove_file(&path).unwrap();
    }
    let books = stage.close();
    assert_eq!(stored.connections().concat(), (0..2 * LINES).collect::<Vec<_>>());
    assert_eq!(books.written.total(), 2 * LINES);
}
