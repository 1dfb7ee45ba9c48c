//! The lines that are there at the beginning, merged by time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;

use super::places::Begin;
use super::show::Show;
use super::signals::Signals;
use super::source::Source;
use crate::report::Report;

/// How many lines are read between two looks for signals.
const LINES: usize = 1000;

/// Prints what is in the logs already.
pub(super) fn print<S: Show>(
    sources: &mut [Source],
    begin: Begin,
    screen: &mut S,
    signals: &mut Signals,
    report: &mut Report,
) -> io::Result<()> {
    // What comes from now on is printed live.
    if begin == Begin::Last(0) {
        return Ok(());
    }
    let mut next = BinaryHeap::new();
    let mut lines = vec![Vec::new(); sources.len()];
    let mut found = VecDeque::new();
    for (number, (source, line)) in sources.iter_mut().zip(&mut lines).enumerate() {
        if source.is_log() && source.next(line, report) {
            next.push(Reverse((source.place(line), number)));
        }
    }
    for read in 1.. {
        let Some(Reverse((_, number))) = next.pop() else { break };
        let (Some(source), Some(line)) = (sources.get_mut(number), lines.get_mut(number)) else { break };
        match begin {
            Begin::Start => screen.take(&source.entry(line))?,
            Begin::Last(count) => {
                if screen.wants(&source.entry(line)) {
                    found.push_back((number, line.clone()));
                    if found.len() > count {
                        found.pop_front();
                    }
                }
            }
        }
        if source.next(line, report) {
            next.push(Reverse((source.place(line), number)));
        }
        if read % LINES == 0 {
            screen.obey(report)?;
            if signals.has_arrived() || screen.is_done() {
                break;
            }
        }
    }
    for (number, line) in &found {
        if let Some(source) = sources.get_mut(*number) {
            screen.take(&source.entry(line))?;
        }
    }
    screen.flush()
}
