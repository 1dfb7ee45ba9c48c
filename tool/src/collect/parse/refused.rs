//! Why bytes are no record.

use std::fmt;

/// Why bytes are no record. The text never has any of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Refused {
    /// Nothing but white space.
    Empty,
    /// A pickle of Python, which is never loaded.
    Pickle,
    /// Text or JSON in another encoding than UTF-8.
    NotUtf8,
    /// No JSON, or only the beginning of it.
    NotJson,
    /// JSON, but no object.
    NotAnObject,
    /// Nested deeper than readers of JSON read.
    TooDeep,
    /// No message of OTLP.
    NotOtlp,
    /// More records in one request than senders batch, or more than [`MAX_BYTES`](super::otlp::MAX_BYTES) of them.
    TooLarge,
}

impl Refused {
    /// Returns a short name for counters and reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Pickle => "pickle",
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::TooDeep => "too_deep",
            Self::NotOtlp => "not_otlp",
            Self::TooLarge => "too_large",
        }
    }

    /// Tells apart what is not JSON.
    pub(super) fn of_broken(bytes: &[u8]) -> Self {
        if is_pickle(bytes) { Self::Pickle } else { Self::NotJson }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "expected a JSON object, found an empty line",
            Self::Pickle => {
                "expected a JSON object, found a Python pickle, which is never loaded; let the handler send JSON"
            }
            Self::NotUtf8 => "expected UTF-8, found other bytes",
            Self::NotJson => "expected a JSON object, found something else or only a part of one",
            Self::NotAnObject => "expected a JSON object, found another JSON value",
            Self::TooDeep => "expected at most 128 levels of nesting, found more",
            Self::NotOtlp => "expected an ExportLogsServiceRequest of OTLP, found something else or only a part of one",
            Self::TooLarge => {
                "expected at most 100,000 records in a request, and 64 MiB with the attributes of their resource; send \
                 smaller batches"
            }
        })
    }
}

/// Returns whether bytes look like a pickle, of any protocol.
fn is_pickle(bytes: &[u8]) -> bool {
    /// How dictionaries, lists, tuples and objects begin in protocols 0 and 1.
    const OLD: [&[u8]; 7] = [b"(dp", b"(lp", b"(tp", b"(i", b"}q", b"]q", b"ccopy_reg\n"];
    // `DatagramHandler` and `SocketHandler` put the length in front.
    let bytes = match bytes.split_first_chunk() {
        Some((length, pickle)) if u32::from_be_bytes(*length) as usize == pickle.len() => pickle,
        _ => bytes,
    };
    matches!(bytes, [0x80, 0..=5, ..]) || OLD.iter().any(|start| bytes.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pickles_of_all_protocols_are_told_apart() {
        // `pickle.dumps({"msg": "x"}, protocol)`, and how logging's SocketHandler sends: protocol 1.
        let pickles: [&[u8]; 5] = [
            b"(dp0\nVmsg\np1\nVx\np2\ns.",
            b"}q\0X\x03\0\0\0msgq\x01X\x01\0\0\0xq\x02s.",
            b"\x80\x02}q\0.",
            b"\x80\x05.",
            b"\0\0\0\x07}q\0X\x03s.",
        ];
        for pickle in pickles {
            assert_eq!(Refused::of_broken(pickle), Refused::Pickle);
        }
        for other in [&b"\x80"[..], b"\x80\x06", b"(", b"hello", b"}"] {
            assert_eq!(Refused::of_broken(other), Refused::NotJson);
        }
    }
}
