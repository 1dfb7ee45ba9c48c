//! Reload: a changed file changes the running log, all or nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use spanline::sink::Memory;
use spanline::{Builder, Guard, Output};
use tempfile::TempDir;
use tracing::{Dispatch, debug, info, warn};

use crate::support::child::{child, stdout_lines};
use crate::support::faults::{Complaints, built, within};
use crate::support::ledger::read;
use crate::support::stage::messages;
use crate::support::wait::{PATIENCE, until};

/// A log in a folder, started from a file there.
struct Stage {
    folder: TempDir,
    dispatch: Dispatch,
    guard: Guard,
    complaints: Complaints,
}

impl Stage {
    fn new(text: &str) -> Self {
        Self::with(text, |builder| builder)
    }

    fn with(text: &str, set: impl FnOnce(Builder) -> Builder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let complaints = Complaints::default();
        write(&folder.path().join("spanline.toml"), &in_folder(text, folder.path()));
        let builder = Builder::from_file(folder.path().join("spanline.toml")).on_complaint(complaints.hook());
        let (dispatch, guard) = built(set(builder));
        Self { folder, dispatch, guard, complaints }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, text: &str) {
        write(&self.path("spanline.toml"), &in_folder(text, self.folder.path()));
    }

    /// Reloads another text. Returns what has changed and what is masked.
    #[track_caller]
    fn reload(&self, text: &str) -> (Vec<String>, Vec<String>) {
        self.write(text);
        let reloaded = self.guard.handle().reload().unwrap();
        (reloaded.changed, reloaded.masked)
    }

    #[track_caller]
    fn refused(&self, text: &str) -> String {
        self.write(text);
        self.guard.handle().reload().unwrap_err().to_string()
    }

    fn log(&self, text: &str) {
        within(&self.dispatch, || info!("{text}"));
    }

    /// The messages in a file, without those about control.
    fn messages(&self, name: &str) -> Vec<String> {
        self.guard.handle().flush(PATIENCE).unwrap();
        let lines = read(&fs::read_to_string(self.path(name)).unwrap_or_default());
        lines.into_iter().filter(|line| line.target != "spanline::control").map(|line| line.message).collect()
    }
}

fn in_folder(text: &str, folder: &Path) -> String {
    text.replace("DIR", folder.to_str().unwrap())
}

/// Replaces a file as an editor does. It has the mode that a trusted file needs, whatever the umask.
fn write(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    #[cfg(unix)]
    fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    fs::rename(new, path).unwrap();
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

const A: &str = "[output.a]\nsink = { file = 'DIR/a.log' }\n";
const B: &str = "[output.b]\nsink = { file = 'DIR/b.log' }\n";

#[test]
fn outputs_of_the_new_file_open_and_those_that_are_gone_close() {
    let stage = Stage::new(A);
    stage.log("a");
    assert_eq!(stage.reload(&format!("{A}{B}")).0, ["output.b"]);
    stage.log("both");
    assert_eq!(stage.reload(B).0, ["output.a"]);
    stage.log("b");
    assert_eq!(stage.reload(B), (vec![], vec![]), "nothing has changed");
    assert_eq!(stage.reload(&format!("# a comment\n{B}")), (vec![], vec![]));
    assert_eq!(stage.messages("a.log"), ["a", "both"]);
    assert_eq!(stage.messages("b.log"), ["both", "b"]);
    assert_eq!(stage.complaints.all(), Vec::<String>::new());
}

#[test]
fn a_changed_output_is_replaced_and_its_lines_stay_in_order() {
    let stage = Stage::new(A);
    let mut expected = Vec::new();
    for round in 0..20 {
        for number in 0..50 {
            stage.log(&format!("{round}-{number}"));
            expected.push(format!("{round}-{number}"));
        }
        let size = 4096 + round;
        assert_eq!(stage.reload(&format!("{A}queue_bytes = {}\n", size * 64)).0, ["output.a"]);
    }
    assert_eq!(stage.messages("a.log"), expected);
    let names: Vec<_> = stage.guard.handle().metrics().outputs.into_iter().map(|output| output.name).collect();
    assert_eq!(names, ["a"]);
}

#[test]
fn a_filter_changes_at_once_and_the_output_stays() {
    let stage = Stage::new(&format!("filter = 'info'\n{A}"));
    stage.log("info");
    assert_eq!(stage.reload(&format!("filter = 'warn'\n{A}")).0, ["filter"]);
    stage.log("hidden");
    assert_eq!(stage.reload(&format!("filter = 'debug'\n{A}filter = 'debug'\n")).0, ["filter", "output.a"]);
    within(&stage.dispatch, || debug!("debug"));
    let metrics = stage.guard.handle().metrics();
    assert_eq!(metrics.outputs[0].emitted.total(), 2, "the counters go on: {metrics:?}");
    assert_eq!(stage.reload(&format!("filter = 'debug'\n{A}filter = 'error'\n")).0, ["output.a"]);
    within(&stage.dispatch, || warn!("hidden"));
    assert_eq!(stage.messages("a.log"), ["info", "debug"]);
}

#[test]
fn static_fields_change_and_go_back_to_those_of_the_program() {
    let stage = Stage::with(&format!("static_fields = {{ zone = 'file', build = 1 }}\n{A}"), |builder| {
        builder.static_field("zone", "program").force(|builder| builder.static_field("forced", true))
    });
    stage.log("one");
    stage.guard.handle().flush(PATIENCE).unwrap();
    let (changed, masked) = stage.reload(&format!("static_fields = {{ build = 2, forced = false }}\n{A}"));
    assert_eq!(changed, ["static_fields.zone", "static_fields.build"]);
    assert_eq!(masked, ["static_fields.forced (forced by the program)"]);
    stage.log("two");
    stage.guard.handle().flush(PATIENCE).unwrap();
    let text = fs::read_to_string(stage.path("a.log")).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let fields = |line: &serde_json::Value| [&line["zone"], &line["build"], &line["forced"]].map(ToString::to_string);
    assert_eq!(fields(&lines[0]), ["\"file\"", "1", "true"]);
    assert_eq!(fields(&lines[1]), ["\"program\"", "2", "true"]);
}

/// What a new file may have wrong, and what the error says.
const WRONG: [(&str, &str); 7] = [
    ("fliter = 'warn'", "did you mean `filter`?"),
    ("filter = 'warn", "spanline.toml:1:"),
    ("service = 'other'", "spanline.toml:1:11: service: it cannot change while the log runs; restart the program"),
    ("max_line_bytes = '2 KiB'\nlog_panics = true", "log_panics: it cannot change"),
    ("[output.b]\nsink = { file = 'DIR/a.log/b.log' }", "a.log"),
    ("[output.b]\nsink = { file = 'DIR/b.log' }\n[output.c]\nsink = { file = 'DIR/spanline.toml/c.log' }", "c.log"),
    ("[output.program]\nqueue_bytes = '1 MiB'", "its sink is set up by the program's code"),
];

#[test]
fn promise_45_a_bad_file_changes_nothing() {
    let memory = Memory::new();
    let output = Output::new(memory.clone()).name("program");
    let stage = Stage::with(&format!("filter = 'info'\n{A}"), |builder| builder.output(output));
    for (text, why) in WRONG {
        let text = match text.starts_with('[') {
            true => format!("filter = 'error'\n{A}{text}"),
            false => format!("{text}\n{A}"),
        };
        let error = stage.refused(&text);
        assert!(error.contains(why), "{text}\n{error}");
        stage.log(why);
    }
    fs::remove_file(stage.path("spanline.toml")).unwrap();
    stage.guard.handle().reload().unwrap_err();
    assert_eq!(stage.messages("a.log"), WRONG.map(|(_, why)| why));
    assert_eq!(messages(&memory), WRONG.map(|(_, why)| why));
    assert_eq!(stage.guard.handle().metrics().outputs.len(), 2);
}

#[test]
fn outputs_of_the_program_stay_and_a_file_can_replace_them() {
    let memory = Memory::new();
    let output = || Output::new(memory.clone()).name("program").output_filter("warn");
    let stage = Stage::with(A, |builder| builder.output(output()));
    stage.log("a");
    let text = "[output.program]\nfilter = 'info'\n";
    assert_eq!(stage.reload(text).0, ["output.program", "output.a"]);
    stage.log("program");
    assert_eq!(stage.reload("").0, ["output.program"]);
    stage.log("hidden");
    let text = "[output.program]\nsink = { file = 'DIR/p.log' }\n";
    assert_eq!(stage.reload(text).0, ["output.program"]);
    stage.log("file");
    let error = stage.refused("");
    assert!(error.contains("output.program: its sink is set up by the program's code"), "{error}");
    assert_eq!(messages(&memory), ["program"]);
    assert_eq!((stage.messages("a.log"), stage.messages("p.log")), (strings(&["a"]), strings(&["file"])));
}

#[test]
fn a_reload_reports_what_masks_the_new_filter() {
    let name = this_test!();
    let inside = || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spanline.toml");
        write(&path, "filter = 'error'");
        let guard = Builder::from_file(&path).init().unwrap();
        write(&path, "filter = 'trace'");
        let reloaded = guard.handle().reload().unwrap();
        assert_eq!((reloaded.changed, reloaded.masked), (vec![], strings(&["filter (RUST_LOG overrides it)"])));
        debug!("hidden");
        info!("shown");
    };
    let Some(output) = child(name, &[("RUST_LOG", "info")], inside) else { return };
    assert_eq!(stdout_lines(&output).len(), 1);
    // And what the program forces.
    let stage = Stage::with(&format!("filter = 'error'\n{A}"), |builder| builder.force_filter("info"));
    assert_eq!(stage.reload(&format!("filter = 'off'\n{A}")).1, ["filter (the program overrides it)"]);
    stage.log("line");
    assert_eq!(stage.messages("a.log"), ["line"]);
}

#[test]
fn a_log_without_a_file_has_nothing_to_reload() {
    let (_, guard) = built(spanline::builder().output(Output::new(Memory::new())));
    let error = guard.handle().reload().unwrap_err().to_string();
    assert!(error.contains("not started from a configuration"), "{error}");
    let (_, guard) = built(Builder::from_toml("[output.a]\nsink = 'stderr'\nfilter = 'off'"));
    assert_eq!(guard.handle().reload().unwrap(), spanline::Reloaded::default(), "the text is the same");
}

#[test]
fn a_watched_file_is_reloaded_when_an_editor_replaces_it_and_when_a_link_leads_elsewhere() {
    let stage = Stage::with(&format!("filter = 'error'\n{A}"), Builder::watch);
    let logs = |text: &str| {
        until("the new filter is in force", || {
            stage.log(text);
            stage.messages("a.log").contains(&text.to_owned())
        });
    };
    stage.write(&format!("filter = 'info'\n{A}"));
    logs("renamed");
    // As Kubernetes does it: the file is a link through a directory that another one replaces.
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        let config = |name: &str, filter: &str| {
            fs::create_dir(stage.path(name)).unwrap();
            write(
                &stage.path(name).join("spanline.toml"),
                &in_folder(&format!("filter = '{filter}'\n{A}"), stage.folder.path()),
            );
        };
        config("one", "error");
        symlink("one", stage.path("..data")).unwrap();
        fs::remove_file(stage.path("spanline.toml")).unwrap();
        symlink("..data/spanline.toml", stage.path("spanline.toml")).unwrap();
        until("the link is followed", || {
            stage.log("linked");
            let before = stage.messages("a.log").len();
            stage.log("linked");
            stage.messages("a.log").len() == before
        });
        config("two", "info");
        symlink("two", stage.path("..new")).unwrap();
        fs::rename(stage.path("..new"), stage.path("..data")).unwrap();
        logs("swapped");
    }
    stage.write("nonsense");
    until("the failure is reported", || {
        let lines = read(&fs::read_to_string(stage.path("a.log")).unwrap());
        lines.iter().any(|line| line.message == "configuration not reloaded")
    });
    assert_eq!(stage.complaints.all().len(), 1, "{:?}", stage.complaints.all());
    logs("still there");
}

#[test]
fn watch_without_a_file_is_an_error() {
    let error = Builder::from_toml("watch = true").build::<tracing_subscriber::Registry>().err().unwrap();
    assert!(error.to_string().contains("watch has no effect"), "{error}");
}

/// The server is down when its output is replaced. The old output's lines go to disk, and the new one sends them.
#[test]
#[cfg(all(feature = "spool", feature = "net"))]
fn lines_that_a_replaced_spool_has_kept_are_sent_by_its_successor() {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = |bytes: u64| {
        let spool = format!("spool = 'DIR/spool', patience = '10 ms', sink = {{ tcp = '{address}' }}");
        format!("[output.a]\nsink = {{ {spool} }}\nqueue_bytes = {bytes}\n")
    };
    let stage = Stage::new(&text(1 << 20));
    (0..100).for_each(|number| stage.log(&number.to_string()));
    assert_eq!(stage.reload(&text(1 << 21)).0, ["output.a"]);
    (100..200).for_each(|number| stage.log(&number.to_string()));
    let server = TcpListener::bind(address).unwrap();
    let (connection, _) = server.accept().unwrap();
    let mut found = Vec::new();
    for line in BufReader::new(connection).lines().take(200) {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        found.push(line["message"].as_str().unwrap().parse::<u32>().unwrap());
    }
    assert_eq!(found, (0..200).collect::<Vec<_>>());
    stage.guard.close().unwrap();
}

/// The text of one of many configurations. All take every INFO.
fn text(number: u64) -> String {
    let schema = ["flat", "nested", "flat"][(number % 3) as usize];
    let queue = 64 + number % 5;
    let output = |name: &str| {
        format!(
            "[output.{name}]\nsink = {{ file = 'DIR/{name}.log' }}\nschema = '{schema}'\n\
             overflow = {{ block = '60 s' }}\nqueue_bytes = '{queue} KiB'\n"
        )
    };
    let filter = ["info", "debug", "trace,nobody=off"][(number / 7 % 3) as usize];
    // Exactly one output.
    format!("filter = '{filter}'\n{}", output(["a", "b", "c", "d"][(number / 3 % 4) as usize]))
}

/// Returns the next of a reproducible series of numbers.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[cfg(target_os = "linux")]
fn count(directory: &str) -> usize {
    fs::read_dir(directory).unwrap().count()
}

/// 1,000 reloads and 1,000 changes of the filter in random order, while 8 threads log. There is always exactly one output,
/// so each line is in exactly one file.
#[test]
fn promise_45_reloads_under_load_lose_duplicate_and_tear_nothing() {
    const THREADS: u64 = 8;
    const CHANGES: u64 = 2_000;
    let stage = Stage::new(&text(0));
    let handle = stage.guard.handle();
    let ends = AtomicBool::new(false);
    let begin = Barrier::new(THREADS as usize + 1);
    let mut state = 42;
    let logged: Vec<u64> = std::thread::scope(|scope| {
        let logging: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (dispatch, ends, begin) = (&stage.dispatch, &ends, &begin);
                scope.spawn(move || {
                    begin.wait();
                    let mut seq = 0;
                    while !ends.load(Ordering::Relaxed) {
                        within(dispatch, || info!(thread, seq, "line"));
                        seq += 1;
                        // The changes are what is tested, not a full queue.
                        std::thread::yield_now();
                        if seq % 16 == 0 {
                            std::thread::park_timeout(std::time::Duration::from_millis(1));
                        }
                    }
                    seq
                })
            })
            .collect();
        begin.wait();
        #[cfg(target_os = "linux")]
        let mut before = None;
        for round in 0..CHANGES {
            match random(&mut state) % 2 {
                0 => {
                    stage.write(&text(random(&mut state) % 1000));
                    handle.reload().unwrap();
                }
                _ => handle.set_filter(["info", "debug", "trace"][(random(&mut state) % 3) as usize]).unwrap(),
            }
            #[cfg(target_os = "linux")]
            if round == CHANGES / 4 {
                before = Some((count("/proc/self/fd"), count("/proc/self/task")));
            }
            let _ = round;
        }
        ends.store(true, Ordering::Relaxed);
        let logged = logging.into_iter().map(|thread| thread.join().unwrap()).collect();
        handle.flush(PATIENCE).unwrap();
        #[cfg(target_os = "linux")]
        {
            let (files, threads) = before.unwrap();
            // Other tests of this process come and go.
            until("descriptors and threads do not grow", || {
                count("/proc/self/fd") <= files + 64 && count("/proc/self/task") <= threads + 64
            });
        }
        logged
    });
    let mut seen: BTreeMap<(u64, u64), u32> = BTreeMap::new();
    for name in ["a.log", "b.log", "c.log", "d.log"] {
        let text = fs::read_to_string(stage.path(name)).unwrap_or_default();
        assert!(text.is_empty() || text.ends_with('\n'), "{name}: the last line is torn");
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let fields = if line["fields"].is_object() { &line["fields"] } else { &line };
            if let (Some(thread), Some(seq)) = (fields["thread"].as_u64(), fields["seq"].as_u64()) {
                *seen.entry((thread, seq)).or_default() += 1;
            }
        }
    }
    let (twice, lines): (Vec<_>, u64) = (seen.iter().filter(|(_, times)| **times > 1).collect(), seen.len() as u64);
    assert!(twice.is_empty(), "{} lines are there twice: {:?}", twice.len(), twice.first());
    assert_eq!(lines, logged.iter().sum::<u64>(), "lines are lost");
    assert_eq!(stage.complaints.all(), Vec::<String>::new());
}
