//! What the programs of `operators` do while they log.
#![cfg(all(target_os = "linux", feature = "signals"))]
#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use spanline::Handle;

use crate::process::operators_play::{at_end, directory, log_lines};
use crate::support::process::FILE;
use crate::support::users::SERVICE;
use crate::support::wait::{PATIENCE, until};

const PROGRAM_DATA: &str = "program data\n";

/// The program's own file, which must not change.
pub(crate) const PROGRAM_FILE: &str = "program";

pub(crate) fn path() -> PathBuf {
    PathBuf::from(std::env::var_os(FILE).unwrap())
}

/// Tells the peer, or the script, that it is so far.
pub(crate) fn tell(what: &str) {
    File::create(directory().join(what)).unwrap();
}

pub(crate) fn send(signal: i32) {
    // SAFETY: the signal goes to this process.
    unsafe { libc::kill(libc::getpid(), signal) };
}

pub(crate) fn default_action(signal: i32) {
    // SAFETY: the default action is a valid disposition, and no other thread sets one.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// The descriptors of this process from 3 up that the predicate accepts.
fn numbers(accepts: impl Fn(&Path) -> bool) -> BTreeSet<i32> {
    let open = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let open = open.filter(|link| fs::read_link(link).is_ok_and(|target| accepts(&target)));
    let numbers = open.map(|link| link.file_name().unwrap().to_str().unwrap().parse().unwrap());
    numbers.filter(|number| *number > 2).collect()
}

pub(crate) fn close_range() {
    // SAFETY: nothing else in this process uses a descriptor but the log, which has to notice it.
    unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
}

/// Opens the program's file, leads each of the numbers to it, and asks at the end that it is as the program left it.
fn open_program_file(numbers: impl IntoIterator<Item = i32>) {
    let mut program = File::options().create(true).append(true).open(directory().join(PROGRAM_FILE)).unwrap();
    let own = program.as_raw_fd();
    for number in numbers.into_iter().filter(|number| *number != own) {
        // SAFETY: the number is the program's from now on.
        unsafe { libc::dup2(own, number) };
        at_end(move || assert!(is_program_file(number), "{number} was closed"));
    }
    program.write_all(PROGRAM_DATA.as_bytes()).unwrap();
    at_end(move || {
        program.write_all(PROGRAM_DATA.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(directory().join(PROGRAM_FILE)).unwrap(), PROGRAM_DATA.repeat(2));
    });
}

fn is_program_file(number: i32) -> bool {
    fs::read_link(format!("/proc/self/fd/{number}")).is_ok_and(|target| target.ends_with(PROGRAM_FILE))
}

pub(crate) fn close_all_and_reuse() {
    close_range();
    open_program_file(3..32);
}

pub(crate) fn daemonize(handle: &Handle) {
    // The parent's worker writes the parent's line, and between two processes there is no order.
    handle.flush(PATIENCE).unwrap();
    for _ in 0..2 {
        // SAFETY: the child runs on with this thread alone, as the log promises to support.
        let child = unsafe { libc::fork() };
        if child != 0 {
            let mut status = 0;
            // SAFETY: the child is this process's own, and `status` has room for the answer. The child has done the work.
            unsafe {
                libc::waitpid(child, &raw mut status, 0);
                libc::_exit(i32::from(status != 0));
            }
        }
        // SAFETY: the call changes the session only.
        unsafe { libc::setsid() };
    }
    close_all_and_reuse();
}

pub(crate) fn take_the_logs_numbers() {
    let logs = numbers(|target| target.starts_with(directory()));
    assert!(logs.len() > 1, "{logs:?}");
    open_program_file(logs);
}

/// The program shows its log, say, and its descriptor has the log's number: same file, other rights.
pub(crate) fn read_own_log(handle: &Handle) {
    handle.flush(PATIENCE).unwrap();
    for number in numbers(|target| target == path()) {
        let program = File::open(path()).unwrap();
        // SAFETY: the number is the program's from now on.
        unsafe { libc::dup2(program.as_raw_fd(), number) };
        at_end(move || {
            // SAFETY: the call reads the descriptor's flags only.
            let flags = unsafe { libc::fcntl(number, libc::F_GETFL) };
            assert!(flags != -1 && flags & libc::O_ACCMODE == libc::O_RDONLY, "the log closed {number}");
        });
    }
}

pub(crate) fn close_standard_streams() {
    for number in 0..3 {
        // SAFETY: the program's own, and nothing reads or writes them at the moment.
        unsafe { libc::close(number) };
    }
}

/// Prints, whatever the standard streams are. It must not land in the log.
pub(crate) fn print_to_standard_streams() {
    let print = || {
        for number in 0..3 {
            // SAFETY: the bytes live until the call returns.
            unsafe { libc::write(number, c"printed\n".as_ptr().cast(), 8) };
        }
    };
    print();
    at_end(print);
}

pub(crate) fn rotate_by_sighup(handle: &Handle) {
    handle.flush(PATIENCE).unwrap();
    close_all_and_reuse();
    for n in 1..=3 {
        fs::rename(path(), path().with_extension(format!("{n}.log"))).unwrap();
        send(libc::SIGHUP);
        until("the new file", || path().exists());
        log_lines(1);
        handle.flush(PATIENCE).unwrap();
    }
}

static INHERITED: Mutex<String> = Mutex::new(String::new());

fn descriptors_of_a_child() -> String {
    let output = Command::new("ls").arg("/proc/self/fd").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn remember_descriptors_of_a_child() {
    *INHERITED.lock().unwrap() = descriptors_of_a_child();
}

/// At any time: also while a segment is closed and compressed.
pub(crate) fn list_descriptors_of_a_child(handle: &Handle) {
    for _ in 0..10 {
        log_lines(1);
        handle.rotate(PATIENCE).unwrap();
        assert_eq!(descriptors_of_a_child(), *INHERITED.lock().unwrap());
    }
}

/// Answers the client of a stream.
pub(crate) fn answer() {
    let mut stream = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    let mut request = [0; 8];
    stream.read_exact(&mut request).unwrap();
    stream.write_all(b"answer\n").unwrap();
    assert_eq!(&request, b"request\n");
}

pub(crate) fn answer_datagram() {
    let socket = UdpSocket::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    let (length, client) = socket.recv_from(&mut [0; 16]).unwrap();
    assert_eq!(length, 8);
    socket.send_to(b"answer\n", client).unwrap();
}

/// Waits until standard output has no reader.
pub(crate) fn await_the_readers_end() {
    let stdout = std::io::stdout();
    until("the end of the reader", || {
        let mut ends = [PollFd::new(&stdout, PollFlags::OUT)];
        poll(&mut ends, Some(&Timespec::default())).unwrap();
        ends[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
    });
}

pub(crate) fn flush_and_await_the_readers_end(handle: &Handle) {
    handle.flush(PATIENCE).unwrap();
    await_the_readers_end();
}

/// Where [`peers::RESTARTS`](crate::process::operators_peers::RESTARTS) listens after its end.
pub(crate) const JOURNAL: &str = "journal";

pub(crate) fn connect_again(handle: &Handle) {
    flush_and_await_the_readers_end(handle);
    tracing::info!("nobody reads it");
    handle.flush(PATIENCE).unwrap_err();
    let journal = OwnedFd::from(UnixStream::connect(directory().join(JOURNAL)).unwrap());
    rustix::stdio::dup2_stdout(&journal).unwrap();
    handle.reopen(PATIENCE).unwrap();
}

/// More than a socket holds.
pub(crate) fn log_much() {
    (0..4).for_each(|_| tracing::info!(text = "x".repeat(500_000)));
}

/// Lets the reader begin once the pipe was full.
pub(crate) fn await_the_full_pipe(handle: &Handle) {
    let handle = handle.clone();
    std::thread::spawn(move || {
        until("the full pipe", || handle.metrics().outputs[0].retries > 0);
        tell("full");
    });
}

pub(crate) fn truncate(handle: &Handle, name: &str) {
    handle.flush(PATIENCE).unwrap();
    File::options().write(true).open(directory().join(name)).unwrap().set_len(0).unwrap();
}

/// Signals have no default action, and orphans become this process's children, which nobody else may wait for.
pub(crate) fn be_process_1() {
    assert_eq!(std::process::id(), 1);
    send(libc::SIGTERM);
    // SAFETY: the children only fork and exit.
    unsafe {
        if libc::fork() == 0 {
            if libc::fork() == 0 {
                libc::_exit(8);
            }
            libc::_exit(7);
        }
    }
    at_end(|| {
        let mut ended = Vec::new();
        until("the end of both children", || {
            let mut status = 0;
            // SAFETY: `status` has room for the answer.
            if unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } > 0 {
                ended.push(libc::WEXITSTATUS(status));
            }
            ended.len() == 2
        });
        ended.sort_unstable();
        assert_eq!(ended, [7, 8]);
    });
}

extern "C" fn ignore(_: i32) {}

/// Two timers whose signals interrupt system calls, as a watchdog and a profiler set them.
pub(crate) fn start_timer() {
    for (signal, timer) in [(libc::SIGALRM, libc::ITIMER_REAL), (libc::SIGPROF, libc::ITIMER_PROF)] {
        let interval = libc::timeval { tv_sec: 0, tv_usec: 1_000 };
        let interval = libc::itimerval { it_interval: interval, it_value: interval };
        // SAFETY: zeros are a valid action, without SA_RESTART. The handler does nothing. All live until the calls return.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = ignore as extern "C" fn(i32) as usize;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
            libc::setitimer(timer as _, &raw const interval, std::ptr::null_mut());
        }
    }
}

/// Opens files until the limit is reached.
pub(crate) fn use_up_descriptors() {
    // The test harness raises no limit: few are enough.
    rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit { current: Some(64), maximum: Some(64) },
    )
    .unwrap();
    while let Ok(file) = File::open("/dev/null") {
        std::mem::forget(file);
    }
}

pub(crate) fn use_up_descriptors_of_the_log(handle: &Handle) {
    handle.flush(PATIENCE).unwrap();
    close_range();
    use_up_descriptors();
    log_lines(1);
    until("the failed write", || handle.metrics().outputs[0].retries > 0);
    for number in 10..30 {
        // SAFETY: one of those that were opened above.
        unsafe { libc::close(number) };
    }
}

pub(crate) fn forbid_threads() {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(rustix::process::Resource::Nproc, none).unwrap();
}

pub(crate) fn enter_jail() {
    std::os::unix::fs::chroot(directory().join("jail")).unwrap();
    std::env::set_current_dir("/").unwrap();
    at_end(|| assert_eq!(fs::read_dir("/").unwrap().count(), 0));
}

fn remount(how: &str) -> bool {
    Command::new("mount").args(["-o", how]).arg(directory()).output().unwrap().status.success()
}

pub(crate) fn mount_read_only(handle: &Handle) {
    handle.flush(PATIENCE).unwrap();
    assert!(!remount("remount,ro"), "the system refuses it while a file is open");
    close_range();
    assert!(remount("remount,ro"));
    log_lines(1);
    until("the failed write", || handle.metrics().outputs[0].retries > 0);
    assert!(remount("remount,rw"));
}

pub(crate) fn drop_privilege() {
    // SAFETY: the call changes the process's user only.
    assert_eq!(unsafe { libc::setresuid(SERVICE, SERVICE, SERVICE) }, 0);
}
