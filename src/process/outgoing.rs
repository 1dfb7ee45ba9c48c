//! What a socket has sent and its peer has not taken.

use std::io;
use std::os::fd::AsFd;

use rustix::ioctl::{Getter, Opcode, ioctl};

/// `SIOCOUTQ` of `tcp(7)` and `unix(7)`, which has the number of `TIOCOUTQ`.
const SIOCOUTQ: Opcode = libc::TIOCOUTQ as Opcode;

/// Returns how many bytes a socket still has to deliver. Of a TCP socket: those that the peer's kernel has not acknowledged.
/// Of a Unix socket: at least those that the peer has not read.
#[expect(unsafe_code, reason = "no crate offers this request as a safe function")]
pub(crate) fn outgoing_bytes(socket: impl AsFd) -> io::Result<u64> {
    // SAFETY: the request writes one `int`, which is the output of this getter.
    let bytes = unsafe { ioctl(socket, Getter::<SIOCOUTQ, libc::c_int>::new()) }?;
    Ok(bytes.unsigned_abs().into())
}
