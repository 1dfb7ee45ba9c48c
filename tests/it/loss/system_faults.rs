//! Faults of the system itself: killed processes, and files that are moved and removed under a running program.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::wait::Stalls;
use crate::support::witness::{Plan, Program, Verdict, Witness, judge, texts};

/// A log and its witness.
struct Scene {
    directory: TempDir,
    log: PathBuf,
    witness: PathBuf,
    sees: Witness,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (log, witness) = (directory.path().join("logs/it.log"), directory.path().join("witness"));
        std::fs::create_dir(directory.path().join("logs")).unwrap();
        let sees = Witness::new(&witness);
        Self { directory, log, witness, sees }
    }

    fn start(&self, plan: Plan, first_thread: u64) -> Program {
        Program::start(plan, first_thread, &self.log, &self.witness)
    }

    fn judge(&self, threads: impl IntoIterator<Item = u64>) -> Verdict {
        judge(&texts(&self.log), &self.sees, threads)
    }

    fn inside(&self, name: &str) -> PathBuf {
        self.directory.path().join("logs").join(name)
    }
}

/// A killed process may leave the beginning of one line, on a line that holds nothing else.
#[track_caller]
fn are_torn_by_crashes(pieces: &[String], kills: usize) {
    assert!(pieces.len() <= kills, "{kills} processes were killed: {pieces:#?}");
    for piece in pieces {
        // The next process has ended it.
        let piece = piece.trim_end_matches('\n');
        assert!("{\"timestamp\":\"".starts_with(&piece[..piece.len().min(14)]), "not the beginning of a line: {piece}");
        assert_eq!(piece.matches("\"timestamp\":").count().max(1), 1, "glued: {piece}");
    }
}

#[test]
fn promise_10_promise_05_a_killed_process_loses_at_most_its_last_moment() {
    const KILLS: u64 = 8;
    let scene = Scene::new();
    let plan = Plan { threads: 4, max_bytes: Some(100_000), compressed: true };
    let stalls = Stalls::measure();
    let mut killed = Vec::new();
    for run in 0..KILLS {
        let mut program = scene.start(plan, run * plan.threads);
        program.wait_lines(&scene.sees, 150 + 173 * run as usize);
        killed.push(program.kill());
    }
    let mut last = scene.start(plan, KILLS * plan.threads);
    last.wait_lines(&scene.sees, 10);
    let first_thread = last.first_thread;
    last.stop();
    assert_eq!(scene.sees.dropped(first_thread), Some(0));
    let verdict = scene.judge(0..(KILLS + 1) * plan.threads);
    are_torn_by_crashes(&verdict.pieces, KILLS as usize);
    let longest = 10 * Duration::from_millis(100) + 2 * stalls.longest();
    for (thread, seq, time) in verdict.missing {
        let run = thread / plan.threads;
        assert!(run < KILLS, "the run that was not killed lost line {seq} of thread {thread}");
        let before = Duration::from_nanos(killed[run as usize].saturating_sub(time));
        assert!(before <= longest, "run {run}, thread {thread}: line {seq} was logged {before:?} before the kill");
    }
    assert!(verdict.lines > 1_000 && verdict.told == 0);
}

#[test]
fn promise_26_promise_05_four_processes_on_one_path_some_of_them_killed() {
    const KILLS: usize = 6;
    let scene = Scene::new();
    let plan = Plan { threads: 2, max_bytes: Some(100_000), compressed: true };
    let mut first_thread = 0;
    let mut start = || {
        first_thread += plan.threads;
        scene.start(plan, first_thread - plan.threads)
    };
    let mut programs: Vec<_> = (0..4).map(|_| start()).collect();
    programs.iter_mut().for_each(|program| program.wait_lines(&scene.sees, 50));
    let mut killed = Vec::new();
    for turn in 0..KILLS {
        let mut victim = programs.remove(turn * 7 % programs.len());
        victim.wait_lines(&scene.sees, 100);
        killed.extend(victim.threads());
        victim.kill();
        let mut next = start();
        next.wait_lines(&scene.sees, 50);
        programs.push(next);
    }
    programs.iter_mut().for_each(Program::ask_to_stop);
    for program in programs {
        let first_thread = program.first_thread;
        program.stop();
        assert_eq!(scene.sees.dropped(first_thread), Some(0));
    }
    let verdict = scene.judge(0..first_thread);
    are_torn_by_crashes(&verdict.pieces, KILLS);
    let lost: Vec<_> = verdict.missing.iter().filter(|(thread, ..)| !killed.contains(thread)).collect();
    assert!(
        lost.is_empty(),
        "processes that were not killed lost {} lines: {:?}",
        lost.len(),
        &lost[..lost.len().min(5)]
    );
    assert!(texts(&scene.log).len() > 5);
}

/// Reads the files in this order.
fn judge_files(files: &[PathBuf], scene: &Scene, threads: std::ops::Range<u64>) -> Verdict {
    let texts: Vec<_> = files.iter().map(|path| crate::support::log_directory::read(path)).collect();
    judge(&texts, &scene.sees, threads)
}

fn nothing_is_wrong(verdict: &Verdict) {
    assert_eq!(verdict.pieces, Vec::<String>::new());
    let first = verdict.missing.first();
    assert!(first.is_none(), "{} lines are missing, the first: {first:?}", verdict.missing.len());
}

#[test]
fn promise_23_a_file_that_is_repeatedly_renamed_and_deleted_loses_no_line() {
    let scene = Scene::new();
    let mut program = scene.start(Plan { threads: 4, max_bytes: None, compressed: false }, 0);
    let mut texts = Vec::new();
    let mut deleted = Vec::new();
    for turn in 0..20 {
        program.wait_lines(&scene.sees, 40);
        // What is deleted can be read as long as it is open.
        deleted.push(std::fs::File::open(&scene.log).unwrap());
        match turn % 2 {
            0 => std::fs::rename(&scene.log, scene.inside(&format!("moved.{turn}"))).unwrap(),
            _ => std::fs::remove_file(&scene.log).unwrap(),
        }
        crate::support::wait::until("a new file", || scene.log.exists());
    }
    let threads = program.threads();
    program.stop();
    deleted.push(std::fs::File::open(&scene.log).unwrap());
    for mut file in deleted {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut file, &mut text).unwrap();
        texts.push(text);
    }
    nothing_is_wrong(&judge(&texts, &scene.sees, threads));
}

#[test]
fn promise_24_a_directory_that_is_repeatedly_moved_away_loses_no_line() {
    let scene = Scene::new();
    let mut program = scene.start(Plan { threads: 4, max_bytes: Some(30_000), compressed: true }, 0);
    let directory = scene.directory.path().join("logs");
    let (begun, stalls) = (Instant::now(), Stalls::measure());
    let moved = |turn: usize| scene.directory.path().join(format!("moved.{turn}"));
    for turn in 0..10 {
        program.wait_lines(&scene.sees, 150);
        std::fs::rename(&directory, moved(turn)).unwrap();
        crate::support::wait::until("a new file", || scene.log.exists());
    }
    // Where a rotation that just fails would leave the lines where they are, for ten seconds each time.
    assert!(begun.elapsed() < Duration::from_secs(10) + 10 * stalls.longest(), "{:?}", begun.elapsed());
    let threads = program.threads();
    program.stop();
    let mut all: Vec<_> = (0..10).flat_map(|turn| texts(&moved(turn).join("it.log"))).collect();
    all.extend(texts(&scene.log));
    nothing_is_wrong(&judge(&all, &scene.sees, threads));
}

mod logrotate {
    use std::fs;
    use std::process::Command;

    use super::*;
    use crate::support::witness::has;

    const ROTATIONS: usize = 6;

    /// Rotates once, as logrotate does it; with logrotate itself, if it is there.
    struct Rotation {
        scene: Scene,
        is_real: bool,
        mode: &'static str,
    }

    impl Rotation {
        fn new(mode: &'static str) -> Self {
            let is_real = has("logrotate");
            if !is_real {
                assert!(std::env::var_os("CI").is_none(), "logrotate is missing, which .ci/run installs");
                eprintln!("logrotate is not installed: its steps are done by the test");
            }
            Self { scene: Scene::new(), is_real, mode }
        }

        fn rotate(&self) {
            if !self.is_real {
                return self.imitate();
            }
            let (config, state) = (self.scene.directory.path().join("conf"), self.scene.directory.path().join("state"));
            let log = self.scene.log.display();
            // It refuses directories that others may write to, and has to be told to act as their owner.
            fs::write(&config, format!("{log} {{\n  rotate 100\n  {}\n  nocompress\n  missingok\n}}\n", self.mode))
                .unwrap();
            set_mode(&config, 0o600);
            set_mode(self.scene.log.parent().unwrap(), 0o700);
            let run =
                Command::new("logrotate").arg("--force").arg("--state").arg(&state).arg(&config).output().unwrap();
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        }

        /// `logrotate.c`: the older ones move up; then rename and create, or copy and truncate.
        fn imitate(&self) {
            let number = |number: usize| self.scene.inside(&format!("it.log.{number}"));
            for at in (1..ROTATIONS).rev().filter(|at| number(*at).exists()) {
                fs::rename(number(at), number(at + 1)).unwrap();
            }
            if self.mode == "copytruncate" {
                fs::copy(&self.scene.log, number(1)).unwrap();
                fs::File::options().write(true).open(&self.scene.log).unwrap().set_len(0).unwrap();
            } else {
                fs::rename(&self.scene.log, number(1)).unwrap();
                let _ = fs::File::options().write(true).create_new(true).open(&self.scene.log);
            }
        }

        /// Its files, the oldest first.
        fn files(&self) -> Vec<PathBuf> {
            let numbered = (1..=ROTATIONS).rev().map(|number| self.scene.inside(&format!("it.log.{number}")));
            numbered.chain([self.scene.log.clone()]).collect()
        }
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn promise_23_logrotate_create_loses_no_line() {
        let rotation = Rotation::new("create 0600");
        let mut program = rotation.scene.start(Plan { threads: 4, max_bytes: None, compressed: false }, 0);
        for _ in 0..ROTATIONS {
            program.wait_lines(&rotation.scene.sees, 100);
            crate::support::wait::until("lines in the new file", || {
                fs::metadata(&rotation.scene.log).unwrap().len() > 0
            });
            rotation.rotate();
        }
        program.wait_lines(&rotation.scene.sees, 100);
        let threads = program.threads();
        program.stop();
        let files = rotation.files();
        nothing_is_wrong(&judge_files(&files, &rotation.scene, threads));
        assert!(files.iter().all(|path| fs::metadata(path).unwrap().len() > 0), "each has its part");
    }

    #[test]
    fn promise_23_logrotate_copytruncate_loses_only_lines_written_meanwhile() {
        let rotation = Rotation::new("copytruncate");
        let mut program = rotation.scene.start(Plan { threads: 4, max_bytes: None, compressed: false }, 0);
        for _ in 0..ROTATIONS {
            program.wait_lines(&rotation.scene.sees, 100);
            rotation.rotate();
        }
        program.wait_lines(&rotation.scene.sees, 100);
        let threads = program.threads();
        program.stop();
        let files = rotation.files();
        assert!(files.iter().all(|path| !crate::support::log_directory::read(path).contains('\0')), "there is a hole");
        let verdict = judge_files(&files, &rotation.scene, threads.clone());
        // What is copied while a line is written may end inside it.
        assert!(verdict.pieces.iter().all(|piece| !piece.ends_with('\n')), "{:?}", verdict.pieces);
        assert!(verdict.pieces.len() <= ROTATIONS, "{:?}", verdict.pieces);
        // Each rotation may take one run of lines from each thread: those written between its copying and its cutting.
        for thread in threads {
            let lost: Vec<_> =
                verdict.missing.iter().filter(|missing| missing.0 == thread).map(|(_, seq, _)| *seq).collect();
            let runs = lost.chunk_by(|one, next| one + 1 == *next).count();
            assert!(runs <= ROTATIONS, "thread {thread} has {runs} gaps: {lost:?}");
        }
        assert!(verdict.lines > 1_000);
    }
}
