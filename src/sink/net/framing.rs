//! How a stream shows where a line ends.

/// How a stream shows where a line ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Framing {
    /// By its newline.
    #[default]
    Newline,
    /// By its length, as four bytes in network order in front of it. It has no newline.
    Length32,
    /// By its length, as digits and a space in front of it: RFC 6587's octet counting. It has no newline.
    #[cfg(feature = "syslog")]
    OctetCount,
}

impl Framing {
    /// Appends a line, which ends in a newline.
    pub(super) fn put(self, line: &[u8], out: &mut Vec<u8>) {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        match self {
            Self::Newline => {
                out.extend_from_slice(text);
                out.push(b'\n');
            }
            Self::Length32 => {
                out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                out.extend_from_slice(text);
            }
            #[cfg(feature = "syslog")]
            Self::OctetCount => {
                out.extend_from_slice(itoa::Buffer::new().format(text.len()).as_bytes());
                out.push(b' ');
                out.extend_from_slice(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_framing_shows_where_a_line_ends() {
        let framed = |framing: Framing| {
            let mut out = Vec::new();
            framing.put(b"{}\n", &mut out);
            framing.put(b"\n", &mut out);
            out
        };
        assert_eq!(framed(Framing::Newline), b"{}\n\n");
        assert_eq!(framed(Framing::Length32), b"\0\0\0\x02{}\0\0\0\0");
        #[cfg(feature = "syslog")]
        assert_eq!(framed(Framing::OctetCount), b"2 {}0 ");
    }
}
