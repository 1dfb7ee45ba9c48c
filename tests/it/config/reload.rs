//! Reload: a changed file changes the running log, all or nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use spanline::sink::Memory;
use spanline::{Builder, Guard, Output};
use tempfile::TempDir;
use tracing::{Dispatch, debug, info, warn};

use crate::support::child::{child, stdout_lines};
use crate::support::faults::{Complaints, built, within};
use crate::support::ledger::{Line, read};
use crate::support::wait::{PATIENCE, until};

/// A log in a folder, started from a file there.
pub(super) struct Stage {
    folder: TempDir,
    pub(super) dispatch: Dispatch,
    pub(super) guard: Guard,
    pub(super) complaints: Complaints,
}

impl Stage {
    pub(super) fn new(text: &str) -> Self {
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

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, text: &str) {
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
        let lines = self.lines(name);
        lines.into_iter().filter(|line| line.target != "spanline::control").map(|line| line.message).collect()
    }

    /// The lines of a file that are whole. The log may be writing one about itself.
    fn lines(&self, name: &str) -> Vec<Line> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        read(text.rfind('\n').and_then(|end| text.get(..=end)).unwrap_or_default())
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

/// The messages in memory, without those about control.
fn logged(memory: &Memory) -> Vec<String> {
    let lines = read(&memory.text());
    lines.into_iter().filter(|line| line.target != "spanline::control").map(|line| line.message).collect()
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
    let lines = metrics.outputs[0].emitted.level(tracing::Level::DEBUG) + stage.messages("a.log").len() as u64;
    assert_eq!(lines, 1 + 2, "the counters go on: {metrics:?}");
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
    assert_eq!(logged(&memory), WRONG.map(|(_, why)| why));
    assert_eq!(stage.guard.handle().metrics().outputs.len(), 2);
}

/// The threads of this process with a name.
#[cfg(target_os = "linux")]
fn threads(name: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    tasks.filter(|comm| comm.trim_end() == name).count()
}

#[test]
#[cfg(target_os = "linux")]
fn a_reload_that_fails_ends_the_outputs_that_it_has_started() {
    let output = "[output.swaps]\nsink = { file = 'DIR/a.log' }\n";
    let stage = Stage::new(output);
    for round in 0..20 {
        let error = stage
            .refused(&format!("{output}queue_bytes = {}\n[output.z]\nsink = {{ file = 'DIR/a.log/z' }}", 8192 + round));
        assert!(error.contains("a.log/z"), "{error}");
    }
    until("their workers have ended", || threads("spanline-swaps") == 1);
    stage.log("line");
    assert_eq!(stage.messages("a.log"), ["line"]);
}

#[test]
fn two_outputs_can_swap_their_files() {
    let text = |a: &str, b: &str| {
        format!(
            "[output.a]\nsink = {{ file = 'DIR/{a}.log' }}\n[output.b]\nsink = {{ file = 'DIR/{b}.log' }}\nfilter = 'warn'"
        )
    };
    let stage = Stage::new(&text("one", "two"));
    (0..100).for_each(|number| stage.log(&number.to_string()));
    assert_eq!(stage.reload(&text("two", "one")).0, ["output.a", "output.b"]);
    within(&stage.dispatch, || warn!("both"));
    let numbers: Vec<_> = (0..100).map(|number| number.to_string()).chain(["both".to_owned()]).collect();
    assert_eq!(stage.messages("one.log"), numbers);
    assert_eq!(stage.messages("two.log"), ["both"]);
    // And an output that is gone leaves its file to another one, in order.
    (0..100).for_each(|number| stage.log(&number.to_string()));
    assert_eq!(stage.reload("[output.c]\nsink = { file = 'DIR/two.log' }").0, ["output.c", "output.a", "output.b"]);
    stage.log("last");
    let lines = stage.messages("two.log");
    assert_eq!((lines.len(), lines.last().unwrap().as_str()), (102, "last"));
}

#[test]
fn a_reload_knows_what_the_program_has_added_and_removed() {
    let memory = Memory::new();
    let stage = Stage::new(A);
    let handle = stage.guard.handle();
    handle.add_output(Output::new(memory.clone()).name("extra")).unwrap();
    assert_eq!(stage.reload(&format!("filter = 'info'\n{A}")).0, ["filter"]);
    stage.log("both");
    handle.remove_output("a").unwrap();
    stage.log("extra");
    assert_eq!(stage.reload(&format!("filter = 'info'\n{A}")).0, ["output.a"], "the file says that it is there");
    stage.log("both again");
    assert_eq!(stage.messages("a.log"), ["both", "both again"]);
    assert_eq!(logged(&memory), ["both", "extra", "both again"]);
    handle.remove_output("extra").unwrap();
    assert_eq!(stage.reload(B).0, ["filter", "output.b", "output.a"]);
}

#[test]
fn code_of_the_program_that_panics_fails_only_its_reload() {
    let wants_panic = std::sync::Arc::new(AtomicBool::new(false));
    let asked = std::sync::Arc::clone(&wants_panic);
    let text = format!("{A}[output.m]\nsink = {{ ours = true }}\n");
    let stage = Stage::with(&text, |builder| {
        builder.register_sink("ours", move |settings| {
            settings.flag("ours");
            if asked.load(Ordering::Relaxed) {
                crate::support::faults::panic_quietly();
            }
            Ok(Box::new(Memory::new()))
        })
    });
    wants_panic.store(true, Ordering::Relaxed);
    let error = stage.refused(&format!("filter = 'warn'\n{text}"));
    assert!(error.contains("the program's own code panicked"), "{error}");
    stage.log("line");
    wants_panic.store(false, Ordering::Relaxed);
    assert_eq!(stage.reload(&format!("filter = 'warn'\n{text}")).0, ["filter"]);
    assert_eq!(stage.messages("a.log"), ["line"]);
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
    assert_eq!(logged(&memory), ["program"]);
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
    let lines = stdout_lines(&output);
    let (about, logged): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.contains("spanline::control"));
    assert_eq!((about.len(), logged.len()), (1, 1), "{lines:?}");
    assert!(about[0].contains("\"masked\":\"filter (RUST_LOG overrides it)\""), "{about:?}");
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
        stage.lines("a.log").iter().any(|line| line.message == "configuration not reloaded")
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
    for line in BufReader::new(connection).lines().take(201) {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        found.extend(line["message"].as_str().unwrap().parse::<u32>().ok());
    }
    assert_eq!(found, (0..200).collect::<Vec<_>>());
    stage.guard.close().unwrap();
}
