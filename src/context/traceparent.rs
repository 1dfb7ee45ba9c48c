//! The texts of W3C Trace Context: `traceparent` and `tracestate`, parsed strictly and never trusted.
//!
//! Source: <https://www.w3.org/TR/trace-context-2/> (level 2, which includes level 1).

use super::ids::{SpanId, TraceId, hex_digit};

/// The bytes of a `traceparent` of version 00. Later versions begin with the same fields.
const LENGTH: usize = 55;

/// The flag that the caller may have recorded the trace.
pub(crate) const SAMPLED: u8 = 1;

/// The flags that are passed on: sampled, and that the trace id is random.
const KNOWN_FLAGS: u8 = 0b11;

/// A parsed `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceParent {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) flags: u8,
}

impl TraceParent {
    /// Parses a `traceparent`.
    ///
    /// # Errors
    /// Describes what is wrong with it.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let (head, more) = text.split_at_checked(LENGTH).ok_or("it is shorter than 55 bytes")?;
        let [v1, v2, b'-', rest @ ..] = head else { return Err("no dash after the version") };
        let (trace, rest) = rest.split_at(32);
        let [b'-', rest @ ..] = rest else { return Err("no dash after 32 digits of the trace id") };
        let (span, rest) = rest.split_at(16);
        let [b'-', flags @ ..] = rest else { return Err("no dash after 16 digits of the parent id") };
        let version = lower_hex(&[*v1, *v2]).ok_or("the version is not two lower-case hex digits")?;
        let trace = lower_hex(trace).ok_or("the trace id is not 32 lower-case hex digits")?;
        let span = lower_hex(span).ok_or("the parent id is not 16 lower-case hex digits")?;
        let flags = lower_hex(flags).ok_or("the flags are not two lower-case hex digits")?;
        match (version, more) {
            (0xff, _) => return Err("version ff is forbidden"),
            (0, []) => {}
            (0, _) => return Err("version 00 has exactly 55 bytes"),
            (_, [] | [b'-', ..]) => {}
            _ => return Err("no dash after the flags"),
        }
        let trace = TraceId::from_number(trace).ok_or("the trace id is all zeros")?;
        let span = u64::try_from(span).ok().and_then(SpanId::from_number).ok_or("the parent id is all zeros")?;
        Ok(Self { trace, span, flags: flags as u8 & KNOWN_FLAGS })
    }

    /// Returns the text, in version 00.
    pub(crate) fn text(self) -> String {
        format!("00-{}-{}-{:02x}", self.trace, self.span, self.flags)
    }
}

fn lower_hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, &byte| {
        let digit = hex_digit(byte).filter(|_| !byte.is_ascii_uppercase())?;
        Some(number << 4 | u128::from(digit))
    })
}

/// The most members that a `tracestate` may have.
const MAX_MEMBERS: usize = 32;
/// The bytes of it that are passed on. Beyond that, long members are removed first, then members from the end.
const MAX_STATE_BYTES: usize = 512;
/// A member longer than this is removed first.
const LONG_MEMBER_BYTES: usize = 128;
/// Longer than any allowed list of members; such headers are not read.
const MAX_READ_BYTES: usize = 32 * 1024;

/// Parses the values of all `tracestate` headers as one list and returns its normal form; `None` when it is empty.
///
/// The first of several members with the same key wins.
///
/// # Errors
/// Describes what is wrong with it. Nothing is passed on then.
pub(crate) fn read_state<'a>(headers: impl Iterator<Item = &'a [u8]>) -> Result<Option<String>, &'static str> {
    let mut members: Vec<(&str, &str)> = Vec::new();
    let mut bytes = 0;
    for header in headers {
        bytes += header.len();
        if bytes > MAX_READ_BYTES {
            return Err("it is longer than a list of 32 members can be");
        }
        let header = std::str::from_utf8(header).map_err(|_| "it is not ASCII")?;
        for member in header.split(',').map(|member| member.trim_matches([' ', '\t'])) {
            if member.is_empty() {
                continue;
            }
            let (key, value) = member.split_once('=').ok_or("a member has no `=`")?;
            if !is_key(key.as_bytes()) {
                return Err("a key is malformed");
            }
            if !is_state_value(value.as_bytes()) {
                return Err("a value is malformed");
            }
            if members.len() == MAX_MEMBERS {
                return Err("it has more than 32 members");
            }
            members.push((key, value));
        }
    }
    let mut seen = std::collections::HashSet::new();
    members.retain(|(key, _)| seen.insert(*key));
    let size = |(key, value): &(&str, &str)| key.len() + value.len() + 1;
    let mut length = members.iter().map(|member| size(member) + 1).sum::<usize>().saturating_sub(1);
    while length > MAX_STATE_BYTES {
        let long = members.iter().rposition(|member| size(member) > LONG_MEMBER_BYTES);
        let Some(gone) = long.or(members.len().checked_sub(1)) else { break };
        length = length.saturating_sub(size(&members.remove(gone)) + 1);
    }
    let members: Vec<_> = members.iter().map(|(key, value)| format!("{key}={value}")).collect();
    Ok((!members.is_empty()).then(|| members.join(",")))
}

/// Checks a key. Level 2 allows a digit first and `@` anywhere, which includes both key formats of level 1.
fn is_key(key: &[u8]) -> bool {
    let is_first = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_next = |byte: &u8| is_first(byte) || b"_-*/@".contains(byte);
    matches!(key, [first, rest @ ..] if is_first(first) && rest.len() < 256 && rest.iter().all(is_next))
}

fn is_state_value(value: &[u8]) -> bool {
    (1..=256).contains(&value.len()) && value.iter().all(|byte| matches!(byte, 0x20..=0x7e) && !b",=".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn traceparent_is_parsed_strictly() {
        let read = TraceParent::parse(GOOD.as_bytes()).expect("well-formed");
        assert_eq!(read.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(read.span.to_string(), "00f067aa0ba902b7");
        assert_eq!((read.flags, read.text()), (SAMPLED, GOOD.to_owned()));
        for (bad, why) in [
            ("", "shorter"),
            ("not a traceparent", "shorter"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "shorter"),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "ff is forbidden"),
            ("0-04bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "no dash after the version"),
            ("0A-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "the version is not"),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "the trace id is not"),
            ("00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01", "after 32 digits"),
            ("00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", "the trace id is not"),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", "the trace id is all zeros"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "the parent id is all zeros"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00F067aa0ba902b7-01", "the parent id is not"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A", "the flags are not"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01", "after 16 digits"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", "exactly 55"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ", "exactly 55"),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more", "no dash after the flags"),
        ] {
            let error = TraceParent::parse(bad.as_bytes()).expect_err(bad);
            assert!(error.contains(why), "{bad}: {error}");
        }
        assert!(TraceParent::parse(&[0xff; 55]).is_err());
    }

    #[test]
    fn the_known_part_of_a_later_version_is_parsed() {
        for more in ["", "-", "-what-is-to-come"] {
            let text = format!("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff{more}");
            let read = TraceParent::parse(text.as_bytes()).expect("a later version");
            assert_eq!(read.text(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03");
        }
    }

    fn state(headers: &[&str]) -> Result<Option<String>, &'static str> {
        read_state(headers.iter().map(|header| header.as_bytes()))
    }

    #[test]
    fn tracestate_is_parsed_strictly() {
        let long_key = "k".repeat(257);
        let long_value = format!("k={}", "v".repeat(257));
        let many = (0..33).map(|number| format!("k{number}=v")).collect::<Vec<_>>().join(",");
        for bad in ["k", "=v", "k=", "K=v", "k=a=b", "k =v", "_k=v", "k=ä", "k=\u{7f}", "a=1;b=2", &long_value, &many]
        {
            assert!(state(&[bad]).is_err(), "{bad}");
        }
        assert!(state(&[&format!("{long_key}=v")]).is_err());
        assert!(state(&["a=1", &"x".repeat(40_000)]).is_err());
        for (good, read) in [
            ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
            (" a=1 ,\tb=2\t,, c=x y ", "a=1,b=2,c=x y"),
            ("0tenant@system=1,a*/_-@=2", "0tenant@system=1,a*/_-@=2"),
            ("a=1,b=2,a=3", "a=1,b=2"),
        ] {
            assert_eq!(state(&[good]), Ok(Some(read.to_owned())));
        }
        assert_eq!(state(&["a=1", "", "b=2"]), Ok(Some("a=1,b=2".to_owned())));
        assert_eq!(state(&[]), Ok(None));
        assert_eq!(state(&[" , ,"]), Ok(None));
    }

    #[test]
    fn a_long_tracestate_loses_its_long_members_first_then_its_last_ones() {
        let long = format!("long={}", "v".repeat(200));
        let short: Vec<_> = (0..10).map(|number| format!("k{number}={}", "v".repeat(50))).collect();
        let read = state(&[&short[0], &long, &short[1..].join(",")]).expect("well-formed").expect("some");
        assert_eq!(read, short[..9].join(","));
    }
}
