//! One connection: reads frames, hands them over in batches, and acknowledges them.
//!
//! While one batch is written, the next one is read and parsed. Then nothing more is read: the sender's system and its
//! program wait.
//!
//! - A sender of `length32` frames hears how many of its frames are written, in four bytes, modulo 2³². When a batch is not
//!   written, the connection ends without that: the sender sends it again.
//! - Any other sender cannot hear it. The receiver keeps the batch and offers it again.
//!
//! At the end, the receiver closes its direction first. It reads on for a moment, because what a sender's system has
//! handed over counts as written there.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use spanline::record::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::timeout;

use super::batch::{Batch, Format};
use super::server::Shared;
use super::splitter::{Framing, NoFrame, Splitter};
use super::stop::Stop;
use super::writer::Outcome;

/// How long a sender that was told of the end may send nothing before the connection is closed.
const LINGER: Duration = Duration::from_millis(500);

/// How long what such a sender sends is still taken, unless the receiver ends and has its own time for that.
const REST: Duration = Duration::from_secs(2);

/// How long a sender may take to take the last acknowledgement.
const LAST_ACKNOWLEDGEMENT: Duration = Duration::from_secs(2);

/// The pause before a batch is offered again to outputs that have not taken it.
const PAUSE: Duration = Duration::from_millis(200);

/// A connection that carries bytes both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// How a connection is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) framing: Framing,
    pub(super) format: Format,
}

impl Reading {
    fn is_acknowledged(self) -> bool {
        self.framing == Framing::Length32
    }
}

/// Serves one connection to its end. `sender`: its address, for people.
pub(super) async fn serve(stream: Box<dyn Stream>, reading: Reading, sender: String, shared: Arc<Shared>) {
    let (input, output) = tokio::io::split(stream);
    let (batches, waiting) = mpsc::channel(1);
    let (acknowledged, counted) = watch::channel(0);
    let (output, acknowledging) = if reading.is_acknowledged() {
        (None, Some(tokio::spawn(acknowledge(output, counted))))
    } else {
        (Some(output), None)
    };
    let reader = Reader {
        input,
        output,
        splitter: Splitter::new(reading.framing, shared.limits.max_line_bytes),
        reading,
        sender,
        shared: Arc::clone(&shared),
        stop: shared.stop.clone(),
        begun: None,
        has_sent: false,
    };
    let (is_written, mut reader) = {
        let writing = write(waiting, reading, &shared, &acknowledged);
        tokio::pin!(writing);
        tokio::select! {
            is_written = &mut writing => (is_written, None),
            reader = reader.read(batches) => (writing.await, Some(reader)),
        }
    };
    drop(acknowledged);
    if let Some(mut task) = acknowledging {
        match timeout(LAST_ACKNOWLEDGEMENT, &mut task).await {
            Ok(output) => {
                if let Some(reader) = &mut reader {
                    reader.output = output.ok().flatten();
                }
            }
            Err(_) => return task.abort(),
        }
    }
    if is_written && let Some(reader) = reader {
        reader.linger().await;
    }
}

/// Writes batches as they come. Returns false if one was not written, and the sender must not hear that it was.
async fn write(
    mut batches: mpsc::Receiver<Batch>,
    reading: Reading,
    shared: &Shared,
    acknowledged: &watch::Sender<u32>,
) -> bool {
    while let Some(mut batch) = batches.recv().await {
        let frames = batch.frames();
        loop {
            match shared.writer.write(batch).await {
                Outcome::Written => {
                    // Modulo 2³², like the sender's count.
                    acknowledged.send_modify(|count| *count = count.wrapping_add(frames as u32));
                    break;
                }
                _ if reading.is_acknowledged() => return false,
                Outcome::Unknown => break,
                Outcome::NotWritten(again) if shared.stop.deadline().is_none_or(|end| end > Instant::now()) => {
                    batch = again;
                    tokio::time::sleep(PAUSE).await;
                }
                Outcome::NotWritten(_) => return false,
            }
        }
    }
    true
}

/// Why reading has ended.
enum End {
    /// The sender has nothing more, or is gone.
    Closed,
    /// It was silent, or took too long for a frame.
    TimedOut,
    /// It sent something that is no frame.
    Broken(NoFrame),
    /// The receiver ends.
    Stopped,
}

struct Reader {
    input: ReadHalf<Box<dyn Stream>>,
    /// Unless acknowledgements go there.
    output: Option<WriteHalf<Box<dyn Stream>>>,
    splitter: Splitter,
    reading: Reading,
    sender: String,
    shared: Arc<Shared>,
    stop: Stop,
    /// When the frame that is being read began.
    begun: Option<Instant>,
    has_sent: bool,
}

impl Reader {
    /// Reads until the end. Returns itself if the other side may still send.
    async fn read(mut self, batches: mpsc::Sender<Batch>) -> Self {
        let end = loop {
            let end = self.read_once(true).await;
            // What has arrived comes first.
            let broken = self.hand_over(&batches).await;
            if let Some(end) = broken.map(End::Broken).or(end) {
                break end;
            }
        };
        if self.reading.framing == Framing::Length32 && !matches!(end, End::Broken(_)) {
            // Its sender still has it.
            if matches!(end, End::TimedOut) && self.begun.is_some() {
                self.shared.counts.turned_away.add(1);
            }
            return self;
        }
        if matches!(end, End::Stopped) || (matches!(end, End::TimedOut) && self.begun.is_none()) {
            self.read_rest(&batches).await;
        }
        self.hand_over_rest(&batches, &end).await;
        self
    }

    /// Reads what has arrived. Returns why there will be no more.
    async fn read_once(&mut self, obeys_stop: bool) -> Option<End> {
        let limits = &self.shared.limits;
        let longest = match self.begun {
            Some(begun) => limits.line_timeout.saturating_sub(begun.elapsed()),
            None => limits.idle_timeout,
        };
        let read = tokio::select! {
            biased;
            () = self.stop.begins(), if obeys_stop => return Some(End::Stopped),
            read = timeout(longest, self.input.read_buf(self.splitter.room())) => read,
        };
        match read {
            Err(_) => Some(End::TimedOut),
            Ok(Ok(0)) => Some(End::Closed),
            Ok(Ok(_)) => None,
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => None,
            Ok(Err(_)) => Some(End::Closed),
        }
    }

    /// Hands over all frames that are there. Returns what is no frame.
    async fn hand_over(&mut self, batches: &mpsc::Sender<Batch>) -> Option<NoFrame> {
        let is_counted = self.reading.is_acknowledged();
        let mut had_frames = false;
        loop {
            let turn = self.shared.memory.turn().await;
            let mut batch = Batch::default();
            let now = Timestamp::now();
            let broken = loop {
                if batch.is_full() {
                    break None;
                }
                match self.splitter.next() {
                    Err(broken) => break Some(broken),
                    Ok(None) => break None,
                    Ok(Some(frame)) if !is_counted && frame.bytes.is_empty() => had_frames = true,
                    Ok(Some(frame)) => {
                        had_frames = true;
                        batch.add(&frame, self.reading.format, &self.sender, now);
                    }
                }
            };
            let is_last = broken.is_some() || !batch.is_full();
            self.send(batch, turn, batches).await;
            if is_last {
                let keeps = !had_frames && self.begun.is_some();
                let begun = if keeps { self.begun } else { Some(Instant::now()) };
                self.begun = begun.filter(|_| self.splitter.has_begun());
                return broken;
            }
        }
    }

    /// Closes this direction, and reads what the sender's system still has until the sender is silent or hangs up.
    async fn read_rest(&mut self, batches: &mpsc::Sender<Batch>) {
        if let Some(mut output) = self.output.take() {
            let _ = timeout(LINGER, output.shutdown()).await;
            self.output = Some(output);
        }
        // At the end, the outputs need some time, too.
        let reserve = self.shared.limits.shutdown_timeout / 4;
        let end = self.stop.deadline().and_then(|end| end.checked_sub(reserve));
        let end = end.unwrap_or_else(|| Instant::now() + REST);
        while Instant::now() < end
            && let Ok(None) = timeout(LINGER, self.read_once(false)).await
        {
            if self.hand_over(batches).await.is_some() {
                return;
            }
        }
    }

    /// Hands over the frame that the end has cut off.
    async fn hand_over_rest(&mut self, batches: &mpsc::Sender<Batch>, end: &End) {
        if let End::Broken(NoFrame(what)) = end {
            self.shared.counts.turned_away.add(1);
            self.shared.reporter.complain("frames", &format!("closed the connection of {}: {what}", self.sender));
        }
        // A last line may have no newline.
        let is_line = self.splitter.is_line() && matches!(end, End::Closed | End::Stopped);
        let mut batch = Batch::default();
        if let Some(rest) = self.splitter.rest().filter(|rest| !rest.bytes.is_empty()) {
            if is_line {
                batch.add(&rest, self.reading.format, &self.sender, Timestamp::now());
            } else {
                batch.add_torn(rest.bytes, &self.sender, Timestamp::now());
            }
        }
        self.send(batch, None, batches).await;
    }

    /// Hands over a batch. `turn`: the turn in which it was parsed.
    async fn send(&mut self, mut batch: Batch, turn: Option<OwnedSemaphorePermit>, batches: &mpsc::Sender<Batch>) {
        if batch.records.is_empty() {
            return;
        }
        let shared = &self.shared;
        batch.take_memory(&shared.memory).await;
        drop(turn);
        batch.count_in(&shared.counts);
        if !std::mem::replace(&mut self.has_sent, true) {
            shared.counts.senders.add(1);
        }
        // The other side is gone only when this one is dropped.
        let _ = batches.send(batch).await;
    }

    /// Closes the connection without a reset: reads what is still on its way, to nowhere.
    async fn linger(mut self) {
        if let Some(mut output) = self.output.take() {
            let _ = timeout(LINGER, output.shutdown()).await;
        }
        let mut buffer = [0; 4096];
        let begun = Instant::now();
        while begun.elapsed() < REST
            && let Ok(Ok(1..)) = timeout(LINGER, self.input.read(&mut buffer)).await
        {}
    }
}

/// Tells a sender how many of its frames are written, and returns the direction if the sender has taken everything.
///
/// Nothing waits for a sender that never reads: the newest number replaces those that were not sent.
async fn acknowledge(
    mut output: WriteHalf<Box<dyn Stream>>,
    mut counted: watch::Receiver<u32>,
) -> Option<WriteHalf<Box<dyn Stream>>> {
    let mut sent = 0;
    loop {
        // The last number is there even when nobody can change it any more.
        let goes_on = counted.changed().await.is_ok();
        let count = *counted.borrow_and_update();
        if count != sent {
            output.write_all(&count.to_be_bytes()).await.ok()?;
            output.flush().await.ok()?;
            sent = count;
        }
        if !goes_on {
            return Some(output);
        }
    }
}
