//! TLS against Python's `ssl`, and against servers that end or stop the handshake.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use spanline::Output;
use spanline::sink::{Tcp, Tls};

use super::external::{Program, find, lines_of};
use super::server::Server;
use super::tcp::Stage;
use crate::support::faults::{built, within};
use crate::support::wait::until;

/// Makes a certificate for 127.0.0.1 and localhost, which is its own root, and its key.
pub(crate) fn certificates(folder: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]);
    command.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
    command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    let made = command.arg("-keyout").arg(&key).arg("-out").arg(&certificate).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}

/// Trusts a certificate of [`certificates`].
pub(crate) fn verified(certificate: &Path) -> Tls {
    Tls::new().roots_file(certificate)
}

/// Takes connections, appends what comes to `out`, and asks for a client's certificate.
const SERVER: &str = r"
import socket, ssl, sys
certificate, key, out, port_file, wants_client = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
if wants_client == 'yes':
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificate)
listener = socket.create_server(('127.0.0.1', 0))
with open(port_file + '.new', 'w') as file:
    file.write(str(listener.getsockname()[1]))
import os
os.rename(port_file + '.new', port_file)
while True:
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as stream, open(out, 'ab', 0) as file:
            while data := stream.recv(65536):
                file.write(data)
    except OSError as error:
        print(error, file=sys.stderr)
";

fn python(folder: &Path, wants_client: bool) -> Option<(Program, u16)> {
    let binary = find("python3", &[])?;
    let (certificate, key) = certificates(folder);
    let port_file = folder.join("port");
    let mut command = Command::new(binary);
    command.args(["-c", SERVER]).arg(certificate).arg(key).arg(folder.join("out")).arg(&port_file);
    let server = Program::start(command.arg(if wants_client { "yes" } else { "no" }));
    until("the server listens", || port_file.exists());
    Some((server, std::fs::read_to_string(port_file).unwrap().parse().unwrap()))
}

#[test]
fn promise_41_lines_arrive_over_tls() {
    const LINES: u64 = 20_000;
    for wants_client in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let Some((_server, port)) = python(folder.path(), wants_client) else { return };
        let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
        let tls = verified(&certificate);
        let tls = if wants_client { tls.client_certificate(&certificate, &key) } else { tls };
        let host = if wants_client { "localhost" } else { "127.0.0.1" };
        let stage = Stage::of(Tcp::new(format!("{host}:{port}")).tls(tls));
        stage.log(0..LINES);
        let books = stage.close();
        let out = folder.path().join("out");
        until("the server has all", || lines_of(&out).len() as u64 == LINES);
        let seqs = lines_of(&out)
            .iter()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64())
            .collect::<Vec<_>>();
        assert_eq!(seqs, (0..LINES).map(Some).collect::<Vec<_>>());
        assert_eq!((books.written.total(), books.resent), (LINES, 0));
    }
}

/// A server that is not the one, a client without a certificate, and servers that stop, end or never speak TLS: nothing is
/// written, and the end keeps its deadline.
#[test]
fn promise_41_nothing_is_sent_to_a_server_that_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let Some((_server, port)) = python(folder.path(), false) else { return };
    let stuck = Server::start(|_, mut stream| {
        // Until the sink gives up.
        while stream.read(&mut [0; 512]).is_ok_and(|length| length > 0) {}
    });
    let closing = Server::start(|_, mut stream| drop(stream.read(&mut [0; 5])));
    let garbage = Server::start(|_, mut stream| drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")));
    let certificate = folder.path().join("tls.crt");
    let cases = [
        (format!("127.0.0.1:{port}"), Tls::new().roots_file(roots_of_another(folder.path()))),
        (format!("127.0.0.1:{port}"), verified(&certificate).server_name("other.example.com")),
        (stuck.address.to_string(), verified(&certificate)),
        (closing.address.to_string(), verified(&certificate)),
        (garbage.address.to_string(), verified(&certificate)),
    ];
    for (address, tls) in cases {
        let sink = Tcp::new(&address).tls(tls).timeout(Duration::from_millis(200));
        let complaints = crate::support::faults::Complaints::default();
        let builder = spanline::builder().on_complaint(complaints.hook()).output(Output::new(sink));
        let (dispatch, guard) = built(builder.shutdown_timeout(Duration::from_secs(1), Duration::from_secs(2)));
        within(&dispatch, || tracing::info!("line"));
        until("it is reported", || complaints.all().iter().any(|text| text.contains(&address)));
        let begun = Instant::now();
        assert_eq!(guard.close().unwrap_err().unwritten_lines(), Some(1), "{address}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
    assert_eq!(lines_of(&folder.path().join("out")).len(), 0);
}

fn roots_of_another(folder: &Path) -> PathBuf {
    let folder = folder.join("other");
    std::fs::create_dir(&folder).unwrap();
    certificates(&folder).0
}

/// A mistake in the settings fails the start, and shows nothing of a key.
#[test]
fn promise_44_a_wrong_file_fails_the_start_and_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificates(folder.path());
    let secret = std::fs::read_to_string(&key).unwrap().lines().nth(1).unwrap().to_owned();
    let torn = folder.path().join("torn.key");
    std::fs::write(&torn, format!("-----BEGIN PRIVATE KEY-----\n{secret}!\n")).unwrap();
    let cases = [
        Tls::new().roots_file(&key),
        Tls::new().roots_file(folder.path().join("missing")),
        verified(&certificate).client_certificate(&certificate, &torn),
        verified(&certificate).client_certificate(&key, &key),
        verified(&certificate).client_certificate(&certificate, &certificate),
        verified(&certificate).server_name("no name"),
    ];
    for tls in cases {
        let sink = Tcp::new("127.0.0.1:1").tls(tls.clone());
        let error =
            spanline::builder().output(Output::new(sink)).build::<tracing_subscriber::Registry>().err().unwrap();
        let text = format!("{error:#} {tls:?}");
        assert!(error.is_invalid() && !text.contains(&secret), "{text}");
    }
}
