//! Sections of sinks that speak to a socket: TCP, UDP, Unix sockets, syslog, the journal.

use crate::settings::{Key, Kind, Section};
#[cfg(all(target_os = "linux", feature = "journald"))]
use crate::sink::Journald;
use crate::sink::Sink;
#[cfg(feature = "tls")]
use crate::sink::Tls;
#[cfg(unix)]
use crate::sink::Unix;
#[cfg(feature = "syslog")]
use crate::sink::{Facility, Syslog};
use crate::sink::{Tcp, Udp};

const TIMEOUT: &str = "How long a connect, a write and an answer may take.";
const LENGTH32: &str = "Begins each line with its length in 4 bytes, in place of a newline at its end.";
const ACKNOWLEDGED: &str = "Waits until the peer has acknowledged the lines.";

pub(super) fn tcp(section: &mut Section<'_>) -> Box<dyn Sink> {
    let address = section.text(Key::required("tcp", Kind::Form("logs.example.com:5170"), "The address: `host:port`."));
    let sink = section
        .on(Tcp::new(address.unwrap_or_default()))
        .flag("length32", LENGTH32, Tcp::length32)
        .flag("acknowledged", ACKNOWLEDGED, Tcp::acknowledged)
        .with(tls_of_tcp)
        .duration("timeout", "10 s", TIMEOUT, Tcp::timeout)
        .done();
    Box::new(sink)
}

pub(super) fn udp(section: &mut Section<'_>) -> Box<dyn Sink> {
    let address = section.text(Key::required("udp", Kind::Form("127.0.0.1:5170"), "The address: `host:port`."));
    Box::new(Udp::new(address.unwrap_or_default()))
}

#[cfg(unix)]
pub(super) fn unix(section: &mut Section<'_>) -> Box<dyn Sink> {
    let path = section.path(Key::required("unix", Kind::Path, "The socket's path.")).unwrap_or_default();
    let doc = "Sends each line as a datagram, in place of a stream.";
    let is_datagram = section.bool(Key::new("datagram", Kind::Bool, "false", doc)) == Some(true);
    let sink = section
        .on(if is_datagram { Unix::datagram(path) } else { Unix::stream(path) })
        .flag("length32", LENGTH32, Unix::length32)
        .flag("acknowledged", ACKNOWLEDGED, Unix::acknowledged)
        .duration("timeout", "10 s", TIMEOUT, Unix::timeout)
        .done();
    Box::new(sink)
}

/// The key of TLS.
fn tls_key() -> Key {
    Key::new("tls", Kind::Section("tls"), "none", "Connects with TLS; `{}` for the system's roots.")
}

#[cfg(feature = "tls")]
fn tls_of_tcp(sink: Tcp, section: &mut Section<'_>) -> Tcp {
    match section.inner(tls_key(), tls) {
        Some(tls) => sink.tls(tls),
        None => sink,
    }
}

#[cfg(not(feature = "tls"))]
fn tls_of_tcp(sink: Tcp, section: &mut Section<'_>) -> Tcp {
    super::words::refuse_without(section, tls_key(), "tls");
    sink
}

/// Reads the settings of TLS.
#[cfg(feature = "tls")]
pub(super) fn tls(section: &mut Section<'_>) -> Tls {
    let roots = "A file with the root certificates, in PEM, in place of the system's.";
    section
        .on(Tls::new())
        .path("roots_file", "the system's", roots, Tls::roots_file)
        .text("server_name", "the host", "The name that the server's certificate must have.", Tls::server_name)
        .with(|tls, section| match client_certificate(section) {
            Some((certificate, key)) => tls.client_certificate(certificate, key),
            None => tls,
        })
        .done()
}

/// Reads the files of a client's certificate and its key.
#[cfg(any(feature = "http", feature = "tls"))]
pub(super) fn client_certificate(section: &mut Section<'_>) -> Option<(std::path::PathBuf, std::path::PathBuf)> {
    let doc = "Shows a certificate to the server: its file and that of its key, in PEM.";
    let read = |section: &mut Section<'_>| pair(section);
    section.inner(Key::new("client_certificate", Kind::Section("client_certificate"), "none", doc), read)
}

/// Reads two files.
#[cfg(any(feature = "http", feature = "tls"))]
pub(super) fn pair(section: &mut Section<'_>) -> (std::path::PathBuf, std::path::PathBuf) {
    let certificate = section.path(Key::required("certificate", Kind::Path, "The file of the certificate."));
    let key = section.path(Key::required("key", Kind::Path, "The file of the private key."));
    (certificate.unwrap_or_default(), key.unwrap_or_default())
}

/// How the address of a syslog server may begin.
#[cfg(feature = "syslog")]
const SYSLOG: &str = "expected `local`, `udp://host:port`, `tcp://host:port`, `tls://host:port`, `unix:/path` (a stream) or \
                      `unix-datagram:/path`";

#[cfg(feature = "syslog")]
pub(super) fn syslog(section: &mut Section<'_>) -> Box<dyn Sink> {
    let doc = "The server: `local` for this machine's, `udp://host:port`, `tcp://host:port`, `tls://host:port`, \
               `unix:/path` or `unix-datagram:/path`.";
    let address = section.text(Key::new("syslog", Kind::Form("udp://logs.example.com:514"), "local", doc));
    let formats = [("rfc5424", 0), ("rfc3164", 1), ("local", 2)];
    let format = "The format of the messages; `local` is RFC 3164 without the host.";
    let sink = server(section, address.as_deref().unwrap_or("local"));
    let sink = section
        .on(sink)
        .word("facility", "user", &FACILITIES, "The part of the system that the messages come from.", Syslog::facility)
        .text("app_name", "the service", "The name of the program.", Syslog::app_name)
        .text("message_id", "none", "The id of the messages.", Syslog::message_id)
        .with(|sink, section| {
            let doc = "The name of the element with the fields.";
            let key = Key::new("element", Kind::Form("spanline@32473"), "spanline@32473", doc);
            section.text(key).into_iter().fold(sink, Syslog::element)
        })
        .flag("without_bom", "Leaves out the byte order mark before texts that are not ASCII.", Syslog::without_bom)
        .word("format", "rfc5424, or local on this machine", &formats, format, |sink, format| match format {
            0 => sink.rfc5424(),
            1 => sink.rfc3164(),
            _ => sink.local_format(),
        })
        .flag(
            "newlines",
            "Ends messages of a stream with a newline, in place of their length before them.",
            Syslog::newlines,
        )
        .duration("timeout", "10 s", TIMEOUT, Syslog::timeout)
        .done();
    section.check(|| sink.check());
    Box::new(sink)
}

/// Returns the sink for a server's address.
#[cfg(feature = "syslog")]
fn server(section: &mut Section<'_>, address: &str) -> Syslog {
    let (scheme, rest) = address.split_once(':').unwrap_or((address, ""));
    let host = rest.strip_prefix("//").unwrap_or(rest);
    #[cfg(feature = "tls")]
    let tls = section.inner(tls_key(), tls);
    #[cfg(not(feature = "tls"))]
    super::words::refuse_without(section, tls_key(), "tls");
    match scheme {
        "udp" => return Syslog::udp(host),
        "tcp" => return Syslog::tcp(host),
        #[cfg(feature = "tls")]
        "tls" => return Syslog::tls(host, tls.unwrap_or_default()),
        #[cfg(not(feature = "tls"))]
        "tls" => section.mistake("syslog", super::words::needs_feature("tls")),
        #[cfg(unix)]
        "unix" => return Syslog::unix_stream(host),
        #[cfg(unix)]
        "unix-datagram" => return Syslog::unix_datagram(host),
        #[cfg(unix)]
        "local" if rest.is_empty() => return Syslog::local(),
        _ => section.mistake("syslog", format!("{} is no server; {SYSLOG}", crate::advice::quoted(address))),
    }
    Syslog::udp("localhost")
}

#[cfg(feature = "syslog")]
const FACILITIES: [(&str, Facility); 14] = [
    ("user", Facility::User),
    ("mail", Facility::Mail),
    ("daemon", Facility::Daemon),
    ("auth", Facility::Auth),
    ("cron", Facility::Cron),
    ("authpriv", Facility::AuthPriv),
    ("local0", Facility::Local0),
    ("local1", Facility::Local1),
    ("local2", Facility::Local2),
    ("local3", Facility::Local3),
    ("local4", Facility::Local4),
    ("local5", Facility::Local5),
    ("local6", Facility::Local6),
    ("local7", Facility::Local7),
];

#[cfg(all(target_os = "linux", feature = "journald"))]
pub(super) fn journald(section: &mut Section<'_>) -> Box<dyn Sink> {
    section.bool(Key::new("journald", Kind::Bool, "true", "The text alone, `sink = \"journald\"`, does the same."));
    let sink = section
        .on(Journald::new())
        .path("socket", Journald::DEFAULT_SOCKET, "The journal's socket.", Journald::socket)
        .text("identifier", "the service", "What `SYSLOG_IDENTIFIER` is.", Journald::identifier)
        .done();
    Box::new(sink)
}
