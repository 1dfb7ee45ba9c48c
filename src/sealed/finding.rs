//! What is wrong with a sealed segment.

use std::fmt;

/// Blocks of a segment, with the numbers of their lines in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocks {
    pub(super) first: u32,
    pub(super) last: u32,
    /// The first line, and the one after the last.
    pub(super) lines: (u64, u64),
}

/// What is wrong with a segment by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The header is not what its writer signed.
    Header,
    /// Bytes that are no block.
    Bytes { at: u64, count: u64 },
    /// A block that is not what its writer signed.
    Damaged { position: u32, at: u64 },
    /// Its lines are intact, but its signature is not.
    Signature { position: u32 },
    /// The block that has its signature was changed, or is missing.
    Uncovered { position: u32 },
    /// It is signed, but was not sealed with this segment's secret.
    Forged { position: u32 },
    /// They are not there.
    Missing(Blocks),
    /// It stands after a later one.
    Moved { position: u32 },
    /// It is there twice.
    Repeated { position: u32 },
    /// The next block, or segment, was written after another one.
    Replaced { position: u32 },
    /// Something stands after the end.
    AfterEnd { at: u64 },
    /// The last block is cut.
    Torn { at: u64, count: u64 },
    /// The end is missing.
    NoEnd { lines: u64 },
}

/// Returns whether a crash explains it, or a writer that still writes.
pub(crate) fn is_of_a_crash(finding: &Finding) -> bool {
    matches!(finding, Finding::Torn { .. } | Finding::NoEnd { .. })
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => write!(f, "the header was changed"),
            Self::Bytes { at, count } => write!(f, "{count} bytes at byte {at} are no block"),
            Self::Damaged { position, at } => write!(f, "block {position}, at byte {at}, was changed"),
            Self::Signature { position } => {
                write!(f, "the signature of block {position} was changed; its lines are intact")
            }
            Self::Uncovered { position } => {
                write!(f, "block {position} is not signed: the block with its signature was changed, or is missing")
            }
            Self::Forged { position } => {
                write!(
                    f,
                    "block {position} is forged: its signature is right, but its lines are not sealed with the segment's secret"
                )
            }
            Self::Missing(Blocks { first, last, lines: (from, to) }) => {
                let which =
                    if first == last { format!("block {first} is") } else { format!("blocks {first} to {last} are") };
                write!(f, "{which} missing, with {}", counted(to.saturating_sub(*from)))
            }
            Self::Moved { position } => write!(f, "block {position} stands after a later one"),
            Self::Repeated { position } => write!(f, "block {position} is there twice"),
            Self::Replaced { position } => write!(f, "block {position} was replaced"),
            Self::AfterEnd { at } => write!(f, "the block at byte {at} stands after the end"),
            Self::Torn { at, count } => write!(f, "the last block, at byte {at}, is cut after {count} bytes"),
            Self::NoEnd { lines } => write!(f, "ended without a seal, {} readable", counted(*lines)),
        }
    }
}

/// Returns a number of lines as text.
fn counted(lines: u64) -> String {
    if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") }
}
