//! `Syslog` against syslog-ng and rsyslog, over each of their transports.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use spanline::sink::{Facility, Syslog, Tls};

use super::external::{Program, find, lines_of, until_listens};
use super::tcp::Stage;
use super::tls::{certificates, verified};
use crate::support::faults::within;
use crate::support::places::target;
use crate::support::wait::until;

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Starts syslog-ng. `source`: what it listens to. Each message becomes a line, parsed.
fn syslog_ng(folder: &Path, source: &str) -> Option<Program> {
    let unpacked = target().join("syslog-ng/usr/sbin");
    let binary = find("syslog-ng", &[&unpacked.display().to_string()])?;
    let root = binary.ancestors().nth(3).unwrap().to_owned();
    let libraries = root.join("usr/lib");
    let modules = libraries.join("syslog-ng/3.38");
    let config = folder.join("syslog-ng.conf");
    let fields = "$PRI|$PROGRAM|$PID|$MSGID|${.SDATA.opentelemetry.trace_id}|${.SDATA.spanline@32473.level}|\
        ${.SDATA.spanline@32473.request_id}|$MSG";
    let out = folder.join("out").display().to_string();
    let text = format!(
        "@version: 3.38\noptions {{ keep-hostname(yes); use-dns(no); stats-freq(0); }};\nsource s {{ {source} }};\n\
         destination d {{ file(\"{out}\" template(\"{fields}\\n\") template-escape(no)); }};\nlog {{ source(s); destination(d); }};\n"
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(binary);
    command.arg("--foreground").arg("--no-caps").arg("--cfgfile").arg(&config);
    command.arg("--persist-file").arg(folder.join("persist")).arg("--pidfile").arg(folder.join("pid"));
    command.arg("--control").arg(folder.join("ctl")).arg("--module-path").arg(modules);
    command.env("LD_LIBRARY_PATH", format!("{}:{}", libraries.display(), libraries.join("syslog-ng").display()));
    Some(Program::start(&mut command))
}

/// Starts rsyslog in the same way.
fn rsyslog(folder: &Path, source: &str) -> Option<Program> {
    let binary = find("rsyslogd", &[])?;
    let config = folder.join("rsyslog.conf");
    let out = folder.join("out").display().to_string();
    let text = format!(
        "global(workDirectory=\"{0}\" maxMessageSize=\"64k\")\n{source}\n\
         template(name=\"t\" type=\"string\" string=\"%PRI%|%APP-NAME%|%PROCID%|%MSGID%|%STRUCTURED-DATA%|%msg%\\n\")\n\
         action(type=\"omfile\" file=\"{out}\" template=\"t\")\n",
        folder.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(binary);
    command.arg("-n").arg("-f").arg(&config).arg("-i").arg(folder.join("pid"));
    Some(Program::start(&mut command))
}

const LINES: u64 = 500;

/// Logs what the servers are asked for: numbered lines in a span with ids, and one with all that needs an escape.
fn log_all(stage: &Stage) {
    within(&stage.dispatch, || {
        let span = tracing::info_span!("request", request_id = "r-\"1\"]\\");
        span.in_scope(|| (0..LINES).for_each(|seq| tracing::warn!(seq, "order loaded")));
        tracing::error!(name: "paid", text = "a\nb \"c\"", "für 5 € ] [x y=\"z\"]\n<14>1 forged");
    });
}

fn sink(sink: Syslog) -> Stage {
    Stage::of(sink.facility(Facility::Local3).app_name("orders"))
}

/// What syslog-ng or rsyslog wrote: each line once, in order, with its parts.
#[track_caller]
fn check(out: &Path, what: &str, is_whole: impl Fn(&str) -> bool, is_last: impl Fn(&str) -> bool) {
    until(&format!("{what} has all lines"), || lines_of(out).len() as u64 > LINES);
    let lines = lines_of(out);
    assert_eq!(lines.len() as u64, LINES + 1, "{what}");
    let mut expected = String::new();
    for (seq, line) in lines[..LINES as usize].iter().enumerate() {
        expected.clear();
        write!(expected, "order loaded seq={seq}").unwrap();
        assert!(line.contains(&expected) && is_whole(line), "{what}: {line}");
    }
    assert!(is_last(&lines[LINES as usize]), "{what}: {}", lines[LINES as usize]);
}

/// 19 is Local3: with the severity 4 of WARN it makes 156, with 3 of ERROR 155.
fn is_ng(line: &str) -> bool {
    let parts: Vec<_> = line.split('|').collect();
    let process = std::process::id().to_string();
    let ids = parts[4].len() == 32 && parts[5] == "WARN" && parts[6] == "r-\"1\"]\\";
    parts[..4] == ["156", "orders", &process, ""] && ids
}

fn is_last_ng(line: &str) -> bool {
    line.starts_with("155|orders|") && line.contains("|paid|") && line.contains("für 5 € ] [x y=\"z\"]\\n<14>1 forged")
}

#[test]
fn promise_41_syslog_ng_reads_each_transport() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificates(folder.path());
    for transport in ["tcp", "newlines", "tls", "unix"] {
        let folder = tempfile::tempdir().unwrap();
        let (port, path) = (free_port(), folder.path().join("log"));
        let source = match transport {
            "tcp" => format!("syslog(transport(tcp) ip(127.0.0.1) port({port}));"),
            "newlines" => format!("network(transport(tcp) ip(127.0.0.1) port({port}) flags(syslog-protocol));"),
            "tls" => format!(
                "syslog(transport(tls) ip(127.0.0.1) port({port}) tls(key-file(\"{}\") cert-file(\"{}\") peer-verify(optional-untrusted)));",
                key.display(),
                certificate.display()
            ),
            _ => format!("unix-stream(\"{}\" flags(syslog-protocol));", path.display()),
        };
        let Some(server) = syslog_ng(folder.path(), &source) else { return };
        let address = format!("127.0.0.1:{port}");
        let stage = match transport {
            "unix" => {
                until("the socket is there", || path.exists());
                sink(Syslog::unix_stream(&path).newlines())
            }
            transport => {
                until_listens(port);
                match transport {
                    "tcp" => sink(Syslog::tcp(address)),
                    "newlines" => sink(Syslog::tcp(address).newlines()),
                    _ => sink(Syslog::tls(address, verified(&certificate))),
                }
            }
        };
        log_all(&stage);
        let books = stage.close();
        assert_eq!((books.written.total(), books.resent), (LINES + 1, 0), "{transport}");
        check(&folder.path().join("out"), transport, is_ng, is_last_ng);
        server.kill();
    }
}

#[test]
fn promise_41_rsyslog_reads_each_transport() {
    for transport in ["tcp", "newlines", "udp", "old", "local"] {
        let folder = tempfile::tempdir().unwrap();
        let (port, path) = (free_port(), folder.path().join("log"));
        let source = match transport {
            "udp" => format!(
                "module(load=\"imudp\")\ninput(type=\"imudp\" port=\"{port}\" address=\"127.0.0.1\" rcvbufSize=\"4m\")"
            ),
            "local" => format!(
                "module(load=\"imuxsock\" SysSock.Use=\"off\")\ninput(type=\"imuxsock\" Socket=\"{}\" RateLimit.Interval=\"0\")",
                path.display()
            ),
            _ => format!("module(load=\"imtcp\")\ninput(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")"),
        };
        let Some(server) = rsyslog(folder.path(), &source) else { return };
        let address = format!("127.0.0.1:{port}");
        match transport {
            "local" => until("the socket is there", || path.exists()),
            "udp" => until("the port is taken", || std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_err()),
            _ => until_listens(port),
        }
        let stage = sink(match transport {
            "tcp" => Syslog::tcp(address),
            "newlines" => Syslog::tcp(address).newlines(),
            "udp" => Syslog::udp(address),
            "old" => Syslog::tcp(address).rfc3164(),
            _ => Syslog::unix_datagram(&path).local_format(),
        });
        log_all(&stage);
        let books = stage.close();
        assert_eq!(books.written.total(), LINES + 1, "{transport}");
        let process = std::process::id().to_string();
        let is_structured = matches!(transport, "tcp" | "newlines" | "udp");
        let is_whole = |line: &str| {
            let has_ids = match is_structured {
                true => line.contains("[opentelemetry trace_id=\"") && line.contains(r#"request_id="r-\"1\"\]\\""#),
                false => line.contains(" trace_id=") && line.contains(r#"request_id="r-\"1\"]\\""#),
            };
            line.contains("|orders|") && line.contains(&process) && has_ids
        };
        let is_last = |line: &str| line.contains("für 5 € ] [x y=\"z\"]\\n<14>1 forged");
        check(&folder.path().join("out"), transport, is_whole, is_last);
        server.kill();
    }
}

#[test]
fn the_name_of_an_element_is_checked() {
    for name in ["spanline", "@1", "a b@1", "spanline@x", "a]@1"] {
        let sink = Syslog::udp("127.0.0.1").element(name);
        let builder = spanline::builder().output(spanline::Output::new(sink));
        let error = builder.build::<tracing_subscriber::Registry>().err().unwrap();
        assert!(error.is_invalid() && error.to_string().contains("spanline@32473"), "{error}");
    }
    let _: fn(PathBuf) -> Syslog = Syslog::unix_datagram;
    let _: Tls = Tls::new();
}
