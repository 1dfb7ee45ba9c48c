//! A server that takes lines over HTTP and does what a script says: every fault that a sink has to survive.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::wait::until;

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Answers with a status, headers and a body.
    Answer(u16, &'static str, String),
    /// Answers as this function says, from the request.
    By(fn(&Request) -> (u16, String)),
    /// Answers with 413 when the body has more bytes than this, without reading it, and closes the connection.
    TooLarge(usize),
    /// Answers with 400 when the body has this text.
    Refuses(&'static str),
    /// Answers 200 and closes the connection without saying so.
    ThenClose,
    /// Sends the answer of a status byte by byte, this far apart.
    ByteByByte(u16, Duration),
    /// Sends these bytes as the answer.
    Raw(&'static [u8]),
    /// Sends what is no HTTP.
    Garbage,
    /// Closes the connection within the answer.
    HalfAnAnswer,
    /// Closes the connection without an answer, after the request was read.
    Close,
    /// Closes the connection before the request was read, which resets it.
    Reset,
    /// Never answers.
    Silence,
}

impl Step {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, "", String::new())
    }

    pub(crate) fn json(status: u16, body: impl Into<String>) -> Self {
        Self::Answer(status, "Content-Type: application/json\r\n", body.into())
    }
}

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// Method and target.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Decompressed.
    pub(crate) body: String,
    pub(crate) raw: Vec<u8>,
    /// The number of its connection.
    pub(crate) connection: usize,
    /// The status that the server answered with, if any.
    pub(crate) status: Option<u16>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

impl Request {
    /// Returns the body, decompressed.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self.header("content-encoding") {
            Some("gzip") => {
                let mut bytes = Vec::new();
                flate2::read::GzDecoder::new(&*self.raw).read_to_end(&mut bytes).unwrap();
                bytes
            }
            Some("zstd") => zstd::decode_all(&*self.raw).unwrap(),
            Some(other) => panic!("unknown encoding {other}"),
            None => self.raw.clone(),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    script: Mutex<VecDeque<Step>>,
    always: Mutex<Option<Step>>,
    requests: Mutex<Vec<Request>>,
    connections: Mutex<Vec<(usize, TcpStream)>>,
    accepted: AtomicUsize,
    is_stuck: AtomicBool,
}

/// A server on the loopback. Dropping it closes everything.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    listening: Option<Arc<AtomicBool>>,
}

impl Server {
    pub(crate) fn start(script: impl IntoIterator<Item = Step>) -> Self {
        let mut server = Self { address: (Ipv4Addr::LOCALHOST, 0).into(), state: Arc::default(), listening: None };
        *server.state.script.lock().unwrap() = script.into_iter().collect();
        server.listen();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does this once the script has ended, instead of answering 200.
    pub(crate) fn always(&self, step: Step) {
        *self.state.always.lock().unwrap() = Some(step);
    }

    pub(crate) fn then(&self, steps: impl IntoIterator<Item = Step>) {
        self.state.script.lock().unwrap().extend(steps);
    }

    /// Closes all connections and the port.
    pub(crate) fn kill(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.store(false, Ordering::SeqCst);
            let _ = TcpStream::connect(self.address);
        }
        self.hang_up();
    }

    /// Closes all connections.
    pub(crate) fn hang_up(&self) {
        for (_, connection) in self.state.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Listens on the same port as before.
    pub(crate) fn listen(&mut self) {
        let mut bound = None;
        until("the port to be free", || {
            bound = TcpListener::bind(self.address).ok();
            bound.is_some()
        });
        let listener = bound.unwrap();
        self.address = listener.local_addr().unwrap();
        let (state, listening) = (Arc::clone(&self.state), Arc::new(AtomicBool::new(true)));
        self.listening = Some(Arc::clone(&listening));
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if !listening.load(Ordering::SeqCst) {
                    break;
                }
                let number = state.accepted.fetch_add(1, Ordering::SeqCst);
                state.connections.lock().unwrap().push((number, stream.try_clone().unwrap()));
                let state = Arc::clone(&state);
                std::thread::spawn(move || {
                    let _ = serve(stream, number, &state);
                    // Closes it, with a reset if something was not read.
                    state.connections.lock().unwrap().retain(|(other, _)| *other != number);
                });
            }
        });
    }

    /// Accepts connections and reads nothing, or goes on.
    pub(crate) fn stuck(&self, is_stuck: bool) {
        self.state.is_stuck.store(is_stuck, Ordering::SeqCst);
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    /// The lines of all requests that were answered with 2xx, in the order of the requests.
    pub(crate) fn stored(&self) -> Vec<String> {
        let requests = self.state.requests.lock().unwrap();
        let good = requests.iter().filter(|request| request.status.is_some_and(|status| (200..300).contains(&status)));
        good.flat_map(|request| request.body.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn serve(stream: TcpStream, connection: usize, state: &State) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let pause = || std::thread::park_timeout(Duration::from_millis(1));
        while state.is_stuck.load(Ordering::SeqCst) {
            pause();
        }
        let Some(mut request) = head(&mut reader, connection)? else { return Ok(()) };
        while state.is_stuck.load(Ordering::SeqCst) {
            pause();
        }
        let next = state.script.lock().unwrap().pop_front();
        let step = next.or_else(|| state.always.lock().unwrap().clone()).unwrap_or(Step::status(200));
        let length: usize = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        let note = |mut request: Request, status| {
            request.status = status;
            state.requests.lock().unwrap().push(request);
        };
        match &step {
            Step::Reset => {
                note(request, None);
                return Ok(());
            }
            Step::TooLarge(most) if length > *most => {
                note(request, Some(413));
                writer.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
                return Ok(());
            }
            _ => {}
        }
        if request.header("expect").is_some() {
            writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        request.raw = vec![0; length];
        reader.read_exact(&mut request.raw)?;
        request.body = String::from_utf8(request.bytes()).unwrap_or_default();
        let answer = |status: u16, headers: &str, body: &str| {
            format!("HTTP/1.1 {status} Said\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
        };
        match step {
            Step::Answer(status, headers, body) => {
                note(request, Some(status));
                writer.write_all(answer(status, headers, &body).as_bytes())?;
            }
            Step::By(by) => {
                let (status, body) = by(&request);
                note(request, Some(status));
                writer.write_all(answer(status, "", &body).as_bytes())?;
            }
            Step::Raw(bytes) => {
                note(request, None);
                writer.write_all(bytes)?;
            }
            Step::Refuses(text) => {
                let status = if request.body.contains(text) { 400 } else { 200 };
                note(request, Some(status));
                writer.write_all(answer(status, "", "").as_bytes())?;
            }
            Step::TooLarge(_) => {
                note(request, Some(200));
                writer.write_all(answer(200, "", "").as_bytes())?;
            }
            Step::ThenClose => {
                note(request, Some(200));
                writer.write_all(answer(200, "", "").as_bytes())?;
                return writer.shutdown(Shutdown::Both);
            }
            Step::ByteByByte(status, apart) => {
                note(request, Some(status));
                for byte in answer(status, "", "").bytes() {
                    writer.write_all(&[byte])?;
                    std::thread::park_timeout(apart);
                }
            }
            Step::Garbage => {
                note(request, None);
                writer.write_all(b"\x16\x03\x01\x02\x00 220 mail.example ESMTP\r\n\r\n")?;
                return writer.shutdown(Shutdown::Both);
            }
            Step::HalfAnAnswer => {
                note(request, None);
                writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Le")?;
                return writer.shutdown(Shutdown::Both);
            }
            Step::Close => {
                note(request, None);
                return writer.shutdown(Shutdown::Both);
            }
            Step::Silence => {
                note(request, None);
                // Until the sink hangs up.
                return reader.read_to_end(&mut Vec::new()).map(drop);
            }
            Step::Reset => {}
        }
    }
}

/// Reads a request up to its body; `None` at the end of the connection.
fn head(reader: &mut impl BufRead, connection: usize) -> std::io::Result<Option<Request>> {
    let mut request = Request { connection, ..Request::default() };
    if reader.read_line(&mut request.line)? == 0 {
        return Ok(None);
    }
    request.line.truncate(request.line.trim_end().len());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { return Ok(Some(request)) };
        request.headers.push((name.to_lowercase(), value.to_owned()));
    }
}
