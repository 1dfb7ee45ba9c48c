//! What operators and their programs do to a process that logs. Each row is one attempt and its outcome;
//! `operators_play` plays them.
#![cfg(all(target_os = "linux", feature = "signals"))]
// The programs close descriptors, fork and set signals, as daemons do.
#![allow(unsafe_code)]

use spanline::sink::{Stderr, Stdout};
use spanline::{Builder, Handle, Output};

use crate::process::operators_acts as acts;
use crate::process::operators_peers as peers;
use crate::support::process::file;
use crate::support::wait::PATIENCE;

pub(crate) enum Outcome {
    /// The log does not start. Its error says this.
    Refused(&'static str),
    /// Each line is written once, and `Guard::close` succeeds. Each complaint says this; there is none if it is empty.
    Whole(&'static str),
    /// The same without the first line, which the operator took away.
    Rest(&'static str),
    /// The same, and a hole of NULs is where it was.
    Hole(&'static str),
    /// The output ends with a complaint that says this, and `Handle::reopen` revives it: each later line is written.
    Revived(&'static str),
    /// The output ends, and the program does not. Exactly one complaint says this.
    Closed(&'static str),
    /// `Guard::close` returns in time with the number of lines that are left. Each complaint says this.
    Left(&'static str),
    /// A signal ends the process when the log is written. The shell sees this status.
    Ends(i32),
}
use Outcome::{Closed, Ends, Hole, Left, Refused, Rest, Revived, Whole};

pub(crate) struct Attempt {
    pub(crate) name: &'static str,
    /// The operator's shell script, which runs in the log's directory. `"$@"` is the program. The test harness prints to
    /// its stdout, so the program finds its stdin, stdout and stderr at 7, 8 and 9, and moves them if they are there.
    pub(crate) script: &'static str,
    /// What has to succeed, or this system cannot play the row.
    pub(crate) needs: &'static str,
    /// What the script finds as its stdin, and what its other end does.
    pub(crate) peer: Option<peers::Peer>,
    /// What the program does before its log starts.
    pub(crate) before: fn(),
    pub(crate) log: fn(Builder) -> Builder,
    /// What the program does between its first line and the others.
    pub(crate) acts: fn(&Handle),
    /// What the program does after its last line, if a signal is to end it.
    pub(crate) ends: fn(),
    pub(crate) outcome: Outcome,
}

const fn attempt(name: &'static str, script: &'static str, log: fn(Builder) -> Builder, outcome: Outcome) -> Attempt {
    Attempt { name, script, needs: "true", peer: None, before: || (), log, acts: |_| (), ends: || (), outcome }
}

impl Attempt {
    const fn needs(mut self, needs: &'static str) -> Self {
        self.needs = needs;
        self
    }

    const fn peer(mut self, peer: peers::Peer) -> Self {
        self.peer = Some(peer);
        self
    }

    const fn before(mut self, before: fn()) -> Self {
        self.before = before;
        self
    }

    const fn acts(mut self, acts: fn(&Handle)) -> Self {
        self.acts = acts;
        self
    }

    const fn ends(mut self, ends: fn()) -> Self {
        self.ends = ends;
        self
    }
}

const PLAIN: &str = r#"exec "$@""#;
/// All three standard streams are the script's stdin.
const INETD: &str = r#"exec "$@" 7<&0 8>&0 9>&0"#;
/// Standard output is the script's stdin.
const SOCKET: &str = r#"exec "$@" 8>&0"#;

/// The status is the program's, not that of `head`.
const HEAD: &str = r#"{ "$@" 8>&1 1>&2; echo $? >status; } | head -1 >out; exit $(cat status)"#;
/// A FIFO whose reader opens and closes it.
const LEFT_FIFO: &str = r#"mkfifo f; : <f & exec "$@" 8>f"#;
/// A FIFO that is read once the program runs.
const LATE_FIFO: &str = r#"mkfifo f; exec 8<>f; "$@" & exec 8>&-; cat f >out; wait $!"#;

const PROCESS_1: &str = r#"unshare -Urpf --mount-proc "$@""#;
const BLOCKED: &str = r#"exec python3 -c "
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.execv(sys.argv[1], sys.argv[1:])" "$@""#;
/// Continues the program once it has stopped.
const STOPPED: &str = r#""$@" & until grep -q "^State:.T" /proc/$!/status; do :; done; kill -CONT $!; wait $!"#;

const AS_SERVICE: &str = r#"chown 40402 .; exec setpriv --reuid 40402 --regid 40402 --clear-groups "$@""#;
const GONE: &str = r#"mkdir gone; cd gone; rmdir ../gone; exec "$@""#;
/// The log is on its own file system, which is copied at the end.
const MOUNTED: &str = r#"mkdir mnt; exec unshare -m sh -c '
    mount -t tmpfs none mnt; "$@"; status=$?; cp mnt/*.log .; exit $status' sh "$@""#;

const ROOT: &str = "test $(id -u) = 0";
const NAMESPACE: &str = "unshare -Urpf --mount-proc true";
const MOUNT: &str = "unshare -m mount -t tmpfs none /mnt";

fn to_file(builder: Builder) -> Builder {
    builder.output(Output::new(file()))
}

/// Rotates and compresses, so it uses every kind of descriptor.
fn to_segments(builder: Builder) -> Builder {
    let file = file().rotate_bytes(4096);
    #[cfg(feature = "gzip")]
    let file = file.gzip();
    builder.output(Output::new(file))
}

fn to_stdout(builder: Builder) -> Builder {
    builder.output(Output::new(Stdout::new()))
}

fn to_stderr(builder: Builder) -> Builder {
    builder.output(Output::new(Stderr::new()))
}

fn in_time(builder: Builder) -> Builder {
    let timeout = std::time::Duration::from_millis(300);
    builder.shutdown_timeout(timeout, timeout)
}

/// Every attempt, what it is, and what becomes of it.
pub(crate) const ATTEMPTS: &[Attempt] = &[
    // Daemons.
    attempt("a daemon forks twice, closes all from 3 up and reuses the numbers", PLAIN, to_segments, Whole(""))
        .acts(acts::daemonize),
    attempt("close_range(3, ~0)", PLAIN, to_segments, Whole("")).acts(|_| acts::close_range()),
    attempt("a program leads its file to the log's own numbers", PLAIN, to_segments, Whole(""))
        .acts(|_| acts::take_the_logs_numbers()),
    attempt("a daemon reads its own log under the log's number", PLAIN, to_file, Whole("")).acts(acts::read_own_log),
    attempt("a daemon that closed its standard streams opens its log", PLAIN, to_segments, Whole(""))
        .before(acts::close_standard_streams)
        .acts(|_| acts::print_to_standard_streams()),
    attempt("standard streams that are closed at the start", r#"exec "$@" <&- >&- 2>&-"#, to_segments, Whole(""))
        .acts(|_| acts::print_to_standard_streams()),
    attempt("a daemon that closed all descriptors gets SIGTERM", PLAIN, |b| to_file(b.flush_on_signals()), Ends(143))
        .acts(|_| acts::close_all_and_reuse())
        .ends(|| acts::send(libc::SIGTERM)),
    attempt("a daemon that closed all descriptors gets SIGHUP", PLAIN, |b| to_file(b.reopen_on_sighup()), Whole(""))
        .acts(acts::rotate_by_sighup),
    attempt("a child of posix_spawn inherits no descriptor", PLAIN, |b| to_segments(b.flush_on_signals()), Whole(""))
        .before(acts::remember_descriptors_of_a_child)
        .acts(acts::list_descriptors_of_a_child),
    // inetd and systemd.
    attempt("inetd, stream and nowait", INETD, to_file, Whole("")).peer(peers::CLIENT).acts(|_| acts::answer()),
    attempt("inetd, and the log goes to the client", INETD, to_stderr, Whole("")).peer(peers::READER),
    attempt("inetd, datagram and wait", INETD, to_file, Whole(""))
        .peer(peers::DATAGRAM)
        .acts(|_| acts::answer_datagram()),
    attempt("inetd, datagram and wait, and the log goes to stdout", INETD, to_stdout, Closed("write to stdout"))
        .peer(peers::SILENT),
    attempt("StandardOutput=socket", SOCKET, to_stdout, Whole("")).peer(peers::READER),
    attempt("a journal that reads slowly", SOCKET, to_stdout, Whole("")).peer(peers::SLOW),
    attempt("a journal that goes away", SOCKET, to_stdout, Closed("Broken pipe"))
        .peer(peers::LEAVES)
        .acts(acts::flush_and_await_the_readers_end),
    attempt("a journal that is started again", SOCKET, to_stdout, Revived("Broken pipe"))
        .peer(peers::RESTARTS)
        .acts(acts::connect_again),
    attempt("a journal that does not read", SOCKET, |b| in_time(to_stdout(b)), Left("not written in time"))
        .peer(peers::STUCK)
        .acts(|_| acts::log_much()),
    // Pipes, files and devices as standard output.
    attempt("| head -1, with SIGPIPE at its default", HEAD, to_stdout, Closed("Broken pipe"))
        .before(|| acts::default_action(libc::SIGPIPE))
        .acts(acts::flush_and_await_the_readers_end),
    attempt("a FIFO whose reader is gone before the start", LEFT_FIFO, to_stdout, Closed("Broken pipe"))
        .before(acts::await_the_readers_end),
    attempt("a FIFO whose reader comes late", LATE_FIFO, to_stdout, Whole("")),
    attempt("a pipe that another process has set to not block", SOCKET, to_stdout, Whole("temporarily unavailable"))
        .peer(peers::LATE)
        .acts(acts::await_the_full_pipe),
    attempt("/dev/full", r#"exec "$@" 8>/dev/full"#, |b| in_time(to_stdout(b)), Left("No space left on device")),
    attempt("a file that another program truncates, opened with >>", r#"exec "$@" 8>>out"#, to_stdout, Rest(""))
        .acts(|handle| acts::truncate(handle, "out")),
    attempt("a file that another program truncates, opened with >", r#"exec "$@" 8>out"#, to_stdout, Hole(""))
        .acts(|handle| acts::truncate(handle, "out")),
    attempt(
        "a file that may not grow",
        r#"ulimit -f 16; exec "$@" 8>>out"#,
        |b| in_time(to_stdout(b)),
        Left("File too large"),
    )
    .before(|| acts::default_action(libc::SIGXFSZ)),
    // Signals and containers.
    attempt("SIGTERM to process 1", PROCESS_1, to_file, Whole("")).needs(NAMESPACE).acts(|_| acts::be_process_1()),
    attempt("SIGTERM to process 1 that asked for it", PROCESS_1, |b| to_file(b.flush_on_signals()), Ends(143))
        .needs(NAMESPACE)
        .ends(|| acts::send(libc::SIGTERM)),
    attempt("nohup", r#"nohup "$@" 2>&1"#, |b| to_file(b.flush_on_sighup()), Whole(""))
        .acts(|_| acts::send(libc::SIGHUP)),
    attempt(
        "a terminal that hangs up its session",
        r#"exec setsid --ctty "$@""#,
        |b| to_file(b.flush_on_sighup()),
        Ends(129),
    )
    .peer(peers::TERMINAL)
    .ends(|| acts::tell("logged")),
    attempt(
        "SIGTERM ignored from the start",
        r#"trap "" TERM; exec "$@""#,
        |b| to_file(b.flush_on_signals()),
        Whole(""),
    )
    .acts(|_| acts::send(libc::SIGTERM)),
    attempt("SIGTERM blocked from the start", BLOCKED, |b| to_file(b.flush_on_signals()), Whole(""))
        .acts(|_| acts::send(libc::SIGTERM)),
    attempt("SIGSTOP and SIGCONT", STOPPED, to_segments, Whole("")).acts(|_| acts::send(libc::SIGSTOP)),
    attempt(
        "a timer that interrupts every call",
        SOCKET,
        |b| b.output(Output::new(Stdout::new()).synchronous(PATIENCE)),
        Whole(""),
    )
    .peer(peers::SLOW)
    .acts(|_| acts::start_timer()),
    // Limits.
    attempt("no descriptor left at the start", PLAIN, to_file, Refused("Too many open files"))
        .before(acts::use_up_descriptors),
    attempt("no descriptor left", PLAIN, to_segments, Whole("Too many open files"))
        .acts(|_| acts::use_up_descriptors()),
    attempt("no descriptor left after all were closed", PLAIN, to_segments, Whole("Too many open files"))
        .acts(acts::use_up_descriptors_of_the_log),
    attempt("no thread at the start", AS_SERVICE, to_file, Refused("cannot start the worker thread of output"))
        .needs(ROOT)
        .before(acts::forbid_threads),
    #[cfg(feature = "gzip")]
    attempt("no thread for compression", AS_SERVICE, to_segments, Whole("start the compression thread"))
        .needs(ROOT)
        .acts(|_| acts::forbid_threads()),
    attempt(
        "a log that may not grow and rotates",
        r#"ulimit -f 8; exec "$@""#,
        |b| b.output(Output::new(file().daily())),
        Whole(""),
    ),
    attempt(
        "a log that may not grow and does not rotate",
        r#"ulimit -f 8; exec "$@""#,
        |b| in_time(to_file(b)),
        Left("File too large"),
    ),
    // The file system around it.
    attempt("chroot", r#"mkdir jail; exec "$@""#, to_segments, Whole("")).needs(ROOT).acts(|_| acts::enter_jail()),
    attempt("a file system that is mounted read-only", MOUNTED, to_file, Whole("Read-only file system"))
        .needs(MOUNT)
        .acts(acts::mount_read_only),
    attempt("umask 777", r#"umask 777; exec "$@""#, to_segments, Whole("")),
    attempt("a current directory that is gone", GONE, to_segments, Whole("")),
    attempt("a privilege that is dropped", PLAIN, to_segments, Whole("Permission denied"))
        .needs(ROOT)
        .acts(|_| acts::drop_privilege()),
];
