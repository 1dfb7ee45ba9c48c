//! Servers on this machine that do as little as possible: they read, count the lines, and answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::memmem::Finder;

/// What every line has once.
pub const NEEDLE: &str = "order loaded";

/// Lines and bytes that have arrived.
#[derive(Default)]
pub struct Arrived {
    pub lines: AtomicU64,
    pub bytes: AtomicU64,
}

/// A server, and what it has received. Its threads end with the process.
pub struct Server {
    pub address: SocketAddr,
    pub arrived: Arc<Arrived>,
}

impl Server {
    /// A server of connections.
    fn of(serve: fn(TcpStream, &Arrived) -> io::Result<()>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let server = Self { address: listener.local_addr().expect("an address"), arrived: Arc::default() };
        let arrived = Arc::clone(&server.arrived);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let arrived = Arc::clone(&arrived);
                std::thread::spawn(move || serve(stream, &arrived));
            }
        });
        server
    }

    /// Reads lines of any framing.
    pub fn stream() -> Self {
        Self::of(drain)
    }

    /// Reads frames with a length, and acknowledges them.
    pub fn acknowledging() -> Self {
        Self::of(acknowledge)
    }

    /// Reads HTTP requests, and answers 200.
    pub fn http() -> Self {
        Self::of(answer)
    }

    /// Reads datagrams.
    pub fn datagrams() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let server = Self { address: socket.local_addr().expect("an address"), arrived: Arc::default() };
        let arrived = Arc::clone(&server.arrived);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(read) = socket.recv(&mut buffer) {
                arrived.lines.fetch_add(1, Ordering::Relaxed);
                arrived.bytes.fetch_add(read as u64, Ordering::Relaxed);
            }
        });
        server
    }
}

fn drain(mut stream: TcpStream, arrived: &Arrived) -> io::Result<()> {
    let finder = Finder::new(NEEDLE);
    let (mut buffer, mut kept) = (vec![0; 256 << 10], 0);
    loop {
        let read = stream.read(&mut buffer[kept..])?;
        if read == 0 {
            return Ok(());
        }
        let filled = kept + read;
        arrived.lines.fetch_add(finder.find_iter(&buffer[..filled]).count() as u64, Ordering::Relaxed);
        arrived.bytes.fetch_add(read as u64, Ordering::Relaxed);
        // The beginning of a needle may be at the end; a whole one is not counted twice.
        kept = (NEEDLE.len() - 1).min(filled);
        buffer.copy_within(filled - kept..filled, 0);
    }
}

fn acknowledge(stream: TcpStream, arrived: &Arrived) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(256 << 10, stream);
    let (mut frames, mut body) = (0_u32, Vec::new());
    loop {
        let mut length = [0; 4];
        reader.read_exact(&mut length)?;
        body.resize(u32::from_be_bytes(length) as usize, 0);
        reader.read_exact(&mut body)?;
        frames = frames.wrapping_add(1);
        arrived.lines.fetch_add(1, Ordering::Relaxed);
        arrived.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
        if reader.buffer().len() < 4 {
            writer.write_all(&frames.to_be_bytes())?;
        }
    }
}

fn answer(stream: TcpStream, arrived: &Arrived) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(256 << 10, stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    let finder = Finder::new(NEEDLE);
    loop {
        let (mut length, mut is_snappy) = (0, false);
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            match line.trim_end().to_ascii_lowercase().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap_or(0),
                Some(("content-type", value)) => is_snappy = value.contains("snappy"),
                Some(("expect", _)) => writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?,
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
        arrived.bytes.fetch_add(length as u64, Ordering::Relaxed);
        let plain = if is_snappy { snap::raw::Decoder::new().decompress_vec(&body).ok() } else { None };
        let lines = finder.find_iter(plain.as_deref().unwrap_or(&body)).count();
        arrived.lines.fetch_add(lines as u64, Ordering::Relaxed);
        writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n")?;
    }
}
