//! System calls that fail, as on a broken disk or a poor file system.
#![cfg(target_os = "linux")]
#![allow(unsafe_code)]

/// Makes a system call of this thread, and of threads that it starts, fail with `errno` from now on.
///
/// `first`: only with this first argument, for example a descriptor.
pub(crate) fn refuse(call: i64, first: Option<i32>, errno: i32) {
    let statement = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter { code: code as u16, jt, jf, k };
    let load = |offset| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0);
    let unless = |value: u32, skip| statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, 0, skip);
    let answer = |value| statement(libc::BPF_RET | libc::BPF_K, value, 0, 0);
    // The number of the call is the first word of `seccomp_data`, its first argument is at 16.
    let argument = 16 + if cfg!(target_endian = "big") { 4 } else { 0 };
    let mut filter = match first {
        Some(first) => vec![load(0), unless(call as u32, 3), load(argument), unless(first as u32, 1)],
        None => vec![load(0), unless(call as u32, 1)],
    };
    filter.extend([answer(libc::SECCOMP_RET_ERRNO | errno as u32), answer(libc::SECCOMP_RET_ALLOW)]);
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the filter lives until the call returns, which copies it.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    assert!(done, "{}", std::io::Error::last_os_error());
}
