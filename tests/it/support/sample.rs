//! How much a test tries: a sample in the gate, and everything in `.ci/long`, which sets `SPANLINE_LONG`.

/// Whether this is the long run.
pub(crate) fn is_long() -> bool {
    std::env::var_os("SPANLINE_LONG").is_some()
}

/// Returns a number of tries.
pub(crate) fn tries(sample: usize, long: usize) -> usize {
    if is_long() { long } else { sample }
}

/// Returns the distance between the positions that are tried: each one in the long run.
pub(crate) fn step(sample: usize) -> usize {
    if is_long() { 1 } else { sample }
}
