//! W3C baggage: values that a request carries through all services. Only the keys that the program allows are read and sent.
//!
//! Source: <https://www.w3.org/TR/baggage/>, with its limits of 64 members and 8192 bytes.

use std::fmt::Write;

use super::variables::Variables;
use crate::error::Error;
use crate::layer::with_current;
use crate::values::percent_decoded;

const BAGGAGE: &str = "baggage";
const MAX_MEMBERS: usize = 64;
const MAX_BYTES: usize = 8192;

/// A value is cut to this many bytes.
const MAX_VALUE_BYTES: usize = 256;

/// Returns the allowed members of `baggage` headers as context variables, decoded and cut to 256 bytes each.
///
/// `headers`: the values of all headers of that name. Other members, and the members' properties, are skipped.
///
/// ```
/// use spanline::propagate::from_baggage;
///
/// let variables = from_baggage(&["userId"], ["userId=Am%C3%A9lie,serverNode=DF%2028"])?;
/// variables.in_scope(|| tracing::info!("has the field userId: Am\u{e9}lie"));
/// # Ok::<(), spanline::Error>(())
/// ```
///
/// # Errors
/// Returns an error when a member is malformed, or when there are more than 64 members or 8192 bytes.
pub fn from_baggage<K: AsRef<str>, V: AsRef<[u8]>>(
    allowed: &[K],
    headers: impl IntoIterator<Item = V>,
) -> Result<Variables, Error> {
    let (mut variables, mut members, mut bytes) = (Variables::default(), 0, 0);
    for header in headers {
        let header = header.as_ref();
        // Its members may be secrets of other programs, so the error does not show them.
        let reject = |why| Err(Error::invalid(format!("{BAGGAGE}: {why}")));
        bytes += header.len();
        if bytes > MAX_BYTES {
            return reject("it is longer than 8192 bytes");
        }
        for member in header.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty()) {
            members += 1;
            if members > MAX_MEMBERS {
                return reject("it has more than 64 members");
            }
            let mut parts = member.split(|byte| *byte == b';');
            let pair = parts.next().unwrap_or_default();
            let Some(at) = pair.iter().position(|byte| *byte == b'=') else {
                return reject("a member has no `=`");
            };
            let (key, value) = (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default());
            if let Some(name) = allowed.iter().find(|name| name.as_ref().as_bytes() == key.trim_ascii()) {
                let value = percent_decoded(value.trim_ascii(), MAX_VALUE_BYTES);
                variables = variables.and(name.as_ref(), value);
            }
        }
    }
    Ok(variables)
}

/// Returns the value of a `baggage` header with the current fields of these names, from spans and variables.
///
/// Returns `None` when there are none. A field that would make the header longer than 8192 bytes is omitted.
///
/// ```
/// spanline::with("tenant", "acme").in_scope(|| {
///     if let Some(baggage) = spanline::propagate::to_baggage(&["tenant"]) {
///         println!("baggage: {baggage}");
///     }
/// });
/// ```
pub fn to_baggage<K: AsRef<str>>(allowed: &[K]) -> Option<String> {
    let mut baggage = String::new();
    with_current(|context| {
        for name in allowed.iter().map(AsRef::as_ref).take(MAX_MEMBERS) {
            let Some(value) = context.spans().find_map(|span| span.last_field(name)) else { continue };
            let Some(text) = value.to_text() else { continue };
            let before = baggage.len();
            baggage.push_str(if before == 0 { "" } else { "," });
            baggage.push_str(name);
            baggage.push('=');
            encode(&text, &mut baggage);
            if baggage.len() > MAX_BYTES {
                baggage.truncate(before);
            }
        }
    });
    (!baggage.is_empty()).then_some(baggage)
}

fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}
