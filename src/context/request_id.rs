//! Request ids: which texts from outside are accepted, and new ids that sort by time.
//!
//! Source of the format: RFC 9562, UUID version 7 with the fraction of the millisecond in `rand_a`.

use super::ids::IdSource;
use crate::values::Timestamp;

/// The longest request id accepted from outside.
const MAX_BYTES: usize = 128;

/// Makes a request id: a UUID of version 7, which sorts by its creation time.
///
/// ```
/// let id = spanline::propagate::new_request_id();
/// assert_eq!((id.len(), &id[14..15]), (36, "7"));
/// ```
pub fn new_request_id() -> String {
    let nanos = u64::try_from(Timestamp::now().as_nanos()).unwrap_or(0);
    let (millis, rest) = (nanos / 1_000_000, nanos % 1_000_000);
    let fraction = rest * 4096 / 1_000_000;
    let first = millis << 16 | 0x7000 | fraction;
    let last = IdSource::default().number() >> 2 | 1 << 63;
    let hex = format!("{first:016x}{last:016x}");
    let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)].map(|(start, end)| hex.get(start..end).unwrap_or(""));
    parts.join("-")
}

/// Checks a request id from outside.
///
/// # Errors
/// Describes what is wrong with it.
pub(crate) fn read(bytes: &[u8]) -> Result<&str, &'static str> {
    match bytes {
        [] => Err("it is empty"),
        _ if bytes.len() > MAX_BYTES => Err("it is longer than 128 bytes"),
        _ if !bytes.iter().all(is_allowed) => Err("it contains bytes other than letters, digits and -_.:+/=@~"),
        _ => std::str::from_utf8(bytes).map_err(|_| "it is not ASCII"),
    }
}

fn is_allowed(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.:+/=@~".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_ids_are_uuids_that_sort_by_time_and_differ() {
        let ids: Vec<_> = (0..if cfg!(miri) { 100 } else { 10_000 }).map(|_| new_request_id()).collect();
        for id in &ids {
            let dashes: Vec<_> = id.match_indices('-').map(|(at, _)| at).collect();
            assert_eq!((id.len(), dashes), (36, vec![8, 13, 18, 23]));
            assert!(id.as_bytes()[14] == b'7' && b"89ab".contains(&id.as_bytes()[19]), "{id}");
            assert!(read(id.as_bytes()).is_ok());
        }
        let times: Vec<_> = ids.iter().map(|id| &id[..18]).collect();
        assert!(times.is_sorted() || Timestamp::now().as_nanos() < 0);
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn a_request_id_from_outside_is_short_and_plain() {
        for good in
            ["r-1", "0d5fbc1c-6e13-4a5e-9d37-0a2f7d6b5c11", "a+b/c==", "Root=1-67891233-abcdef012345678912345678"]
        {
            assert_eq!(read(good.as_bytes()), Ok(good));
        }
        let long = "x".repeat(129);
        for bad in ["", "a b", "a\nb", "a\"b", "a\u{1b}[31m", "ä", "a,b", "<script>", &long] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(read(&[0xff]).is_err());
    }
}
