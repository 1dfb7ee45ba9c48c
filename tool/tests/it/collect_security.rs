//! Who may send: the network, TLS, certificates and tokens. And how the receiver ends.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use spanline::Output;
use spanline::sink::{Http, Secret, Sink, Tcp, Tls};
use tracing_subscriber::layer::SubscriberExt;

use super::Dir;
use super::collect_support::{Collector, acknowledged, connect, find, frame, messages, post, refused, until};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Makes an authority, and certificates of a server and a client.
const CERTIFICATES: &str = "set -e
key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 $key -keyout ca.key -out ca.pem -subj /CN=authority -days 2
for name in server client; do
    openssl req $key -keyout $name.key -out $name.csr -subj /CN=$name
    printf 'subjectAltName=IP:127.0.0.1' >$name.ext
    openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $name.pem -days 2 -extfile $name.ext
done";

fn certificates(folder: &Path) -> bool {
    find("openssl").is_some_and(|_| {
        let made = Command::new("sh").args(["-c", CERTIFICATES]).current_dir(folder).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        true
    })
}

/// Logs one line. Returns whether it was written in time.
fn delivers(sink: impl Sink, longest: Duration) -> bool {
    let builder = spanline::builder().service("orders").filter("info").filter_variable(None);
    let builder = builder.output(Output::new(sink).name("out")).on_complaint(|_| {});
    let (layer, guard) = builder.shutdown_timeout(longest, longest).build::<tracing_subscriber::Registry>().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || tracing::info!("line"));
    guard.close().is_ok()
}

#[test]
fn beyond_this_machine_a_listener_without_tls_is_refused() {
    let dir = Dir::new();
    for (listen, part) in [
        ("tcp://0.0.0.0:0", "lines need TLS; use tls:// or listen on 127.0.0.1"),
        ("length32://0.0.0.0:0", "use length32+tls://"),
        ("syslog+udp://[::]:0", "datagrams are not encrypted"),
        ("http://0.0.0.0:0", "use https://"),
        ("https://0.0.0.0:0", "add --tls-cert and --tls-key"),
        ("tls://127.0.0.1:0", "add --tls-cert and --tls-key"),
    ] {
        let (status, said) = refused(dir.path(), &["--listen", listen, "--to", "console"]);
        assert!(status == 2 && said.contains(part), "{listen}: {said}");
    }
    if !certificates(dir.path()) {
        return;
    }
    let tls = ["--tls-cert", "server.pem", "--tls-key", "server.key", "--to", "console"];
    let (_, said) = refused(dir.path(), &[&["--listen", "https://0.0.0.0:0"][..], &tls].concat());
    assert!(said.contains("add --token-file or --tls-client-ca"), "{said}");
    dir.put("token", TOKEN);
    let with_token = [&tls[..], &["--token-file", "token"]].concat();
    let (_, said) = refused(dir.path(), &[&["--listen", "tls://0.0.0.0:0"][..], &with_token].concat());
    assert!(said.contains("add --tls-client-ca"), "{said}");
    let mut collector = Collector::start(dir.path(), &[&["--listen", "https://0.0.0.0:0"][..], &with_token].concat());
    collector.stop();
}

#[test]
fn wrong_settings_are_errors_that_say_what_to_write() {
    let dir = Dir::new();
    dir.put("short", "hunter2");
    let listen = ["--listen", "http://127.0.0.1:0"];
    for (args, status, part) in [
        (&["--to", "console"][..], 2, "--listen"),
        (&["--listen", "tpc://127.0.0.1:0", "--to", "console"], 2, "did you mean `tcp`?"),
        (&["--listen", "http://127.0.0.1:0", "--to", "consol"], 2, "did you mean `console`?"),
        (&["--listen", "http://127.0.0.1:0"], 2, "--to"),
        (&[listen[0], listen[1], "--to", "console", "--max-line-bytes", "1"], 2, "expected 1 KiB to 1 GiB"),
        (&[listen[0], listen[1], "--to", "console", "--line-timeout", "5"], 2, "30s"),
        (&[listen[0], listen[1], "--to", "console", "--maxline", "5"], 2, "--max-line-bytes"),
        (&[listen[0], listen[1], "--to", "console", "--token-file", "missing"], 1, "missing"),
        (&[listen[0], listen[1], "--to", "console", "--token-file", "short"], 1, "at least 16"),
        (&[listen[0], listen[1], "--to", "console", "--tls-cert", "short"], 2, "--tls-key"),
        (
            &["--listen", "https://127.0.0.1:0", "--to", "console", "--tls-cert", "short", "--tls-key", "short"],
            1,
            "short",
        ),
        (
            &[listen[0], listen[1], "--to", "console", "--tls-cert", "short", "--tls-key", "short"],
            2,
            "no listener uses TLS",
        ),
        (
            &["--listen", "tcp://127.0.0.1:0", "--to", "console", "--token-file", "short"],
            2,
            "only http:// and https:// do",
        ),
        (&[listen[0], listen[1], "--to", "console", "--password-file", "short"], 2, "no output takes a password"),
        (
            &[listen[0], listen[1], "--to", "clickhouse://h:1/t", "--password-file", "short"],
            2,
            "clickhouse://user@host",
        ),
        (&[listen[0], listen[1], "--to", "console", "--to", "console"], 2, "there twice"),
        (&[listen[0], listen[1], "--to", "files:short"], 1, "short"),
        (&[listen[0], listen[1], "--to", "kafka://user:hunter2@host"], 2, "expected one of: files"),
        (&[listen[0], listen[1], "--to", "clickhouse://user:hunter2@host"], 2, "clickhouse://user@host:8123/table"),
        (&[listen[0], listen[1], "--to", "postgres://user:hunter2@host:port/x"], 1, "postgres"),
        (&[listen[0], listen[1], "--to", "sqlite:short"], 1, "short"),
    ] {
        let (found, said) = refused(dir.path(), args);
        assert!(found == status && said.contains(part), "{args:?}: {found} {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn http_senders_need_the_token_and_the_receiver_never_shows_it() {
    let dir = Dir::new();
    dir.put("token", format!("{TOKEN}\n"));
    let args = ["--listen", "http://127.0.0.1:0", "--token-file", "token", "--to", "files:logs"];
    let mut collector = Collector::start(dir.path(), &args);
    let at = collector.at(0);
    let line = b"{\"message\":\"line\"}";
    for header in [None, Some("Bearer wrong"), Some("Basic dXNlcjp4"), Some("Bearer 0123456789abcdef")] {
        let headers: Vec<_> = header.map(|value| ("Authorization", value)).into_iter().collect();
        let answer = post(at, "/", &headers, line);
        assert_eq!((answer.status, answer.headers.get("www-authenticate").map(String::as_str)), (401, Some("Bearer")));
        assert!(!answer.body.contains(TOKEN));
    }
    assert_eq!(post(at, "/", &[("Authorization", &format!("Bearer {TOKEN}"))], line).status, 200);
    let sink = Http::new(format!("http://{at}/")).bearer(Secret::file(dir.path().join("token")));
    assert!(delivers(sink, Duration::from_secs(30)));
    let report = collector.stop();
    assert_eq!((&report["received"], &report["turned_away"]), (&2.into(), &4.into()));
    assert!(collector.said().concat().contains("answered 401 to 127.0.0.1:"), "{:?}", collector.said());
    assert!(!collector.said().concat().contains(TOKEN));
}

#[test]
fn tls_senders_need_a_certificate_where_one_is_asked_for() {
    let dir = Dir::new();
    if !certificates(dir.path()) {
        return;
    }
    let file = |name: &str| dir.path().join(name);
    let listen = ["tls", "length32+tls", "syslog+tls", "https"].map(|scheme| format!("{scheme}://127.0.0.1:0"));
    let mut args: Vec<&str> = listen.iter().flat_map(|listen| ["--listen", listen]).collect();
    args.extend([
        "--tls-cert",
        "server.pem",
        "--tls-key",
        "server.key",
        "--tls-client-ca",
        "ca.pem",
        "--to",
        "files:logs",
    ]);
    let mut collector = Collector::start(dir.path(), &args);
    let (lines, frames, https) =
        (collector.at(0).to_string(), collector.at(1).to_string(), collector.at(3).to_string());
    let anonymous = || Tls::new().roots_file(file("ca.pem"));
    let known = || anonymous().client_certificate(file("client.pem"), file("client.key"));
    let long = Duration::from_secs(30);
    assert!(delivers(Tcp::new(&lines).tls(known()), long));
    assert!(delivers(Tcp::new(&frames).acknowledged().tls(known()), long));
    let http = || Http::new(format!("https://{https}/")).root_certificates(file("ca.pem"));
    assert!(delivers(http().client_certificate(file("client.pem"), file("client.key")), long));
    // Without one, or without TLS.
    assert!(!delivers(Tcp::new(&frames).acknowledged().tls(anonymous()), Duration::from_secs(1)));
    assert!(!delivers(Tcp::new(&frames).acknowledged(), Duration::from_secs(1)));
    assert!(!delivers(http(), Duration::from_secs(1)));
    let report = collector.stop();
    assert_eq!(report["received"], 3);
    assert!(report["turned_away"].as_u64() >= Some(3), "{report}");
    assert_eq!(messages(&dir.path().join("logs"), "orders"), ["line"; 3]);
}

#[test]
fn a_signal_writes_what_has_arrived_and_a_second_one_ends_at_once() {
    let dir = Dir::new();
    let args = ["--listen", "length32://127.0.0.1:0", "--to", "files:logs", "--shutdown-timeout", "1h"];
    let mut collector = Collector::start(dir.path(), &args);
    let mut sender = connect(collector.at(0));
    sender.write_all(&frame(r#"{"message":"x"}"#)).unwrap();
    assert_eq!(acknowledged(&mut sender, 1), 1);
    // An idle sender does not hold up the end.
    let begun = Instant::now();
    collector.stop();
    assert!(begun.elapsed() < Duration::from_secs(30));

    // Nobody listens there, so the line cannot be written.
    let database = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("postgres://nobody@{}/logs", listener.local_addr().unwrap())
    };
    let args = ["--listen", "length32://127.0.0.1:0", "--to", &database, "--shutdown-timeout", "1h"];
    let mut collector = Collector::start(dir.path(), &args);
    let mut sender = connect(collector.at(0));
    sender.write_all(&frame(r#"{"message":"x"}"#)).unwrap();
    until("it complains of the database", || collector.said().concat().contains("refused"));
    kill_process(collector.pid(), Signal::TERM).unwrap();
    until("it listens no more", || std::net::TcpStream::connect(collector.at(0)).is_err());
    kill_process(collector.pid(), Signal::TERM).unwrap();
    assert!(!collector.wait().success());
}

/// The reader of the console goes away: nothing can be written any more.
#[test]
fn an_output_that_has_ended_ends_the_receiver() {
    let dir = Dir::new();
    let reader = Command::new("sh").args(["-c", "mkfifo pipe && exec cat pipe"]).current_dir(dir.path()).spawn();
    let mut reader = reader.unwrap();
    until("the pipe is there", || dir.path().join("pipe").exists());
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" >pipe", env!("CARGO_BIN_EXE_spanline")]);
    command.args(["collect", "--report", "json", "--listen", "length32://127.0.0.1:0", "--to", "console"]);
    let mut collector = Collector::spawn(command.current_dir(dir.path()));
    reader.kill().unwrap();
    reader.wait().unwrap();
    let mut sender = connect(collector.at(0));
    sender.write_all(&frame(r#"{"message":"x"}"#)).unwrap();
    assert_eq!(acknowledged(&mut sender, 1), 0);
    assert_eq!(collector.wait().code(), Some(1));
    assert!(collector.said().concat().contains("the output console has ended"), "{:?}", collector.said());
}
