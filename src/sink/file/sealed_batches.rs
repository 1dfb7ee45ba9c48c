//! Divides lines into the batches of a sealed file.

use super::rotating_writer::file_time;
use crate::record::Timestamp;
use crate::rotation::{PeriodState, Schedule};
use crate::sealed::Batch;
use crate::sink::Lines;

/// The most bytes of lines in a batch, unless one line has more.
const BATCH_BYTES: usize = 64 << 10;

/// From this size of a write on, no further batch is begun for it: a crash that cuts the write loses its batches together.
pub(super) const GROUP_BYTES: usize = 256 << 10;

/// Returns the next batches of whole lines, which are written at once. `room`: how far the file may grow. They end with the
/// period of the file.
pub(super) fn batches<'a>(lines: &'a Lines, clock: Timestamp, schedule: &Schedule, room: u64) -> Vec<Batch<'a>> {
    let text = lines.as_bytes();
    let (mut batches, mut start, mut end) = (Vec::new(), 0, 0);
    let (mut count, mut first, mut last) = (0, None, clock);
    let mut add = |range, lines, first: &mut Option<Timestamp>, last| {
        let text = text.get(range).unwrap_or_default();
        batches.push(Batch { text, lines, first: first.take().unwrap_or(clock), last });
    };
    for line in lines.iter() {
        let next = end + line.bytes.len();
        if end > 0 && (next > text.len() || schedule.state_at(file_time(&line, clock)) != PeriodState::Current) {
            break;
        }
        if end > start && next - start > BATCH_BYTES {
            add(start..end, count, &mut first, last);
            (start, count) = (end, 0);
            // Compression makes room, but how much is not known yet.
            if end >= GROUP_BYTES || (end + BATCH_BYTES) as u64 > room {
                break;
            }
        }
        (end, count, last) = (next, count + 1, line.time);
        first.get_or_insert(line.time);
    }
    if end > start {
        add(start..end, count, &mut first, last);
    }
    batches
}
