//! The sink of syslog servers. The messages are made by the schema that it brings along.
//!
//! Sources: RFC 5424, RFC 5425 (TLS), RFC 5426 (UDP), RFC 6587 (TCP), RFC 3164.

use std::fmt;
use std::time::Duration;

use super::super::{Control, Lines, Next, Profile, Sink};
use super::datagram_sink::{DatagramSink, DatagramTarget};
use super::framing::Framing;
use super::stream_sink::{StreamSink, Target};
#[cfg(feature = "tls")]
use super::tls::Tls;
use crate::error::Error;
use crate::schema::{SyslogFormat, SyslogMessage, SyslogSettings};

/// The part of a system that a message comes from, as syslog names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Facility {
    /// 1: programs of users.
    #[default]
    User = 1,
    /// 2: mail.
    Mail = 2,
    /// 3: services of the system.
    Daemon = 3,
    /// 4: logins and permissions.
    Auth = 4,
    /// 9: programs that run at set times.
    Cron = 9,
    /// 10: logins and permissions that not everybody may see.
    AuthPriv = 10,
    /// 16: free for use.
    Local0 = 16,
    /// 17: free for use.
    Local1 = 17,
    /// 18: free for use.
    Local2 = 18,
    /// 19: free for use.
    Local3 = 19,
    /// 20: free for use.
    Local4 = 20,
    /// 21: free for use.
    Local5 = 21,
    /// 22: free for use.
    Local6 = 22,
    /// 23: free for use.
    Local7 = 23,
}

/// Sends lines to a syslog server: as RFC 5424 messages with the ids as structured data, or as RFC 3164.
///
/// ```text
/// <14>1 2026-11-20T10:15:38.123456Z host orders 4711 - [opentelemetry trace_id="4bf9…" span_id="00f0…"][spanline@32473
/// level="INFO" target="orders" request_id="r-1" spans="request"] order loaded user_id=42
/// ```
///
/// (One line.) The sink brings its schema along: do not set one on the output. A message has a byte order mark, as RFC 5424
/// asks for, if its text is not ASCII.
///
/// # Examples
/// ```
/// use spanline::Output;
/// use spanline::sink::{Facility, Syslog};
///
/// let output = Output::new(Syslog::tcp("logs.example.com:601").facility(Facility::Local0).app_name("orders"));
/// # let _ = output;
/// ```
pub struct Syslog {
    transport: Transport,
    settings: SyslogSettings,
}

enum Transport {
    Stream(Box<StreamSink>),
    Datagram(Box<DatagramSink>),
}

/// RFC 5612's number for examples: the element is no other company's.
const ELEMENT: &str = "spanline@32473";

#[cfg(all(unix, not(target_os = "macos")))]
const LOCAL: &str = "/dev/log";
#[cfg(target_os = "macos")]
const LOCAL: &str = "/var/run/syslog";

impl Syslog {
    /// Sends datagrams to `host:port`; the port is 514 by default. A line that was sent is written.
    pub fn udp(address: impl Into<String>) -> Self {
        let target = DatagramTarget::Udp { address: address.into(), default_port: Some(514) };
        Self::new(Transport::Datagram(Box::new(DatagramSink::new(target))))
    }

    /// Connects to `host:port`; the port is 601 by default. Messages are framed by octet counting. Lines are written as
    /// those of [`Tcp`](super::Tcp).
    pub fn tcp(address: impl Into<String>) -> Self {
        Self::stream(Target::Tcp { address: address.into(), default_port: Some(601) })
    }

    /// Connects to `host:port` with TLS; the port is 6514 by default. Messages are framed by octet counting.
    #[cfg(feature = "tls")]
    pub fn tls(address: impl Into<String>, tls: Tls) -> Self {
        let mut sink = StreamSink::new(Target::Tcp { address: address.into(), default_port: Some(6514) });
        sink.tls = Some(tls);
        sink.framing = Framing::OctetCount;
        Self::new(Transport::Stream(Box::new(sink)))
    }

    /// Sends datagrams to this machine's `/dev/log`, as RFC 3164 without the host: what daemons expect there.
    #[cfg(unix)]
    pub fn local() -> Self {
        Self::unix_datagram(LOCAL).local_format()
    }

    /// Sends datagrams to a Unix socket.
    #[cfg(unix)]
    pub fn unix_datagram(path: impl Into<std::path::PathBuf>) -> Self {
        Self::new(Transport::Datagram(Box::new(DatagramSink::new(DatagramTarget::Unix(path.into())))))
    }

    /// Connects to a Unix socket of streams. Messages are framed by octet counting.
    #[cfg(unix)]
    pub fn unix_stream(path: impl Into<std::path::PathBuf>) -> Self {
        Self::stream(Target::Unix(path.into()))
    }

    fn stream(target: Target) -> Self {
        let mut sink = StreamSink::new(target);
        sink.framing = Framing::OctetCount;
        Self::new(Transport::Stream(Box::new(sink)))
    }

    fn new(transport: Transport) -> Self {
        let settings = SyslogSettings {
            format: SyslogFormat::default(),
            facility: Facility::default() as u8,
            app_name: None,
            message_id: None,
            element: ELEMENT.to_owned(),
            has_bom: true,
        };
        Self { transport, settings }
    }

    /// Sets the facility, which is `User` by default. The severity is that of the level.
    pub fn facility(mut self, facility: Facility) -> Self {
        self.settings.facility = facility as u8;
        self
    }

    /// Sets the name of the program. By default it is the service, else the name of the executable.
    pub fn app_name(mut self, name: impl Into<String>) -> Self {
        self.settings.app_name = Some(name.into());
        self
    }

    /// Sets the id of all messages. By default it is the event's name, if it has one.
    pub fn message_id(mut self, id: impl Into<String>) -> Self {
        self.settings.message_id = Some(id.into());
        self
    }

    /// Sets the name of spanline's element of structured data: a name, `@` and the enterprise number of your company.
    /// `spanline@32473` by default, with the number for examples.
    pub fn element(mut self, name: impl Into<String>) -> Self {
        self.settings.element = name.into();
        self
    }

    /// Omits the byte order mark, which some readers take for text.
    pub fn without_bom(mut self) -> Self {
        self.settings.has_bom = false;
        self
    }

    /// Sends messages of RFC 3164 for old servers, in local time. The ids are fields behind the message. On a connection, a
    /// newline ends each.
    pub fn rfc3164(mut self) -> Self {
        self.settings.format = SyslogFormat::Rfc3164;
        self.newlines()
    }

    /// Sends messages of RFC 3164 without the host, as [`local`](Self::local) does: for a `/dev/log` at another path.
    pub fn local_format(mut self) -> Self {
        self.settings.format = SyslogFormat::Local;
        self.newlines()
    }

    /// Sends messages of RFC 5424, which is the default except for [`local`](Self::local).
    pub fn rfc5424(mut self) -> Self {
        self.settings.format = SyslogFormat::Rfc5424;
        self
    }

    /// Ends each message on a connection with a newline, instead of octet counting.
    pub fn newlines(mut self) -> Self {
        if let Transport::Stream(sink) = &mut self.transport {
            sink.framing = Framing::Newline;
        }
        self
    }

    /// Sets how long the server may take or acknowledge nothing while lines wait for a connection, see
    /// [`Tcp::timeout`](super::Tcp::timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        if let Transport::Stream(sink) = &mut self.transport {
            sink.timeout = timeout;
        }
        self
    }

    /// Checks the name of the element: RFC 5424's `SD-NAME`.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let name = &self.settings.element;
        let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic() && !b"=]\"".contains(&byte));
        let is_own = name.split_once('@').is_some_and(|(name, number)| {
            !name.is_empty() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        });
        if is_plain && is_own && name.len() <= 32 {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the element is called {name:?}; expected a name, @ and a number, such as {ELEMENT}, of 32 characters at most"
        )))
    }
}

impl Sink for Syslog {
    fn write(&mut self, lines: &mut Lines) -> Result<Next, Error> {
        match &mut self.transport {
            Transport::Stream(sink) => sink.write(lines),
            Transport::Datagram(sink) => sink.write(lines),
        }
    }

    fn control(&mut self, control: Control) -> Result<(), Error> {
        if control == Control::Open {
            self.check()?;
        }
        match &mut self.transport {
            Transport::Stream(sink) => sink.control(control),
            Transport::Datagram(sink) => sink.control(control),
        }
    }

    fn profile(&self) -> Profile {
        Profile::new("syslog").schema(SyslogMessage::new(self.settings.clone())).logs_nothing()
    }
}

impl fmt::Debug for Syslog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.transport {
            Transport::Stream(sink) => sink.fmt_as("Syslog", f),
            Transport::Datagram(sink) => sink.fmt_as("Syslog", f),
        }
    }
}
