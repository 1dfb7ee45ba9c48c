//! The repository keeps to its own layout.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may use: the design's one-way imports. `builder` and `lib` know every stage.
const MAY_USE: &[(&str, &[&str])] = &[
    ("docs", &[]),
    ("process", &[]),
    ("sync", &[]),
    ("error", &[]),
    ("metrics", &["record"]),
    ("record", &["context"]),
    ("context", &["record", "sync"]),
    ("rotation", &["error", "record"]),
    ("complaint", &["record", "sync"]),
    ("filter", &["context", "error", "sync"]),
    ("redact", &["context", "docs", "record"]),
    ("limit", &["record", "sync"]),
    ("held", &["context", "error", "filter", "record", "sync"]),
    ("schema", &["context", "error", "record"]),
    ("sink", &["error", "metrics", "record", "rotation", "schema", "sync"]),
    ("queue", &["context", "error", "metrics", "record", "sync"]),
    (
        "worker",
        &[
            "complaint",
            "context",
            "error",
            "held",
            "limit",
            "metrics",
            "process",
            "queue",
            "record",
            "redact",
            "schema",
            "sink",
            "sync",
        ],
    ),
    ("layer", &["complaint", "context", "filter", "held", "limit", "metrics", "queue", "record", "redact", "worker"]),
    ("propagate", &["context", "error", "layer", "record"]),
    ("tower", &["context", "propagate", "record"]),
    ("appender", &["metrics", "queue", "record", "worker"]),
];

/// Lines of a file without its tests.
const MAX_LINES: usize = 500;

/// All Rust files below a folder, whole.
fn files(folder: &str) -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    found
}

/// The sources without their tests.
fn sources() -> Vec<(PathBuf, String)> {
    let code = |text: String| text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
    files("src").into_iter().map(|(path, text)| (path, code(text))).collect()
}

fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn imports_run_one_way() {
    let may_use = MAY_USE.iter().copied().collect::<BTreeMap<_, _>>();
    let mut wrong = Vec::new();
    for (path, code) in sources() {
        let module = module_of(&path);
        if matches!(module.as_str(), "lib" | "builder" | "docs") {
            continue;
        }
        let allowed = may_use.get(module.as_str()).unwrap_or_else(|| panic!("{module} has no place in the layout"));
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for used in code.split("crate::").skip(1) {
            let used: String = used.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
            let is_module = may_use.contains_key(used.as_str()) || used == "builder";
            if is_module && used != module && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{} uses crate::{used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_stay_short_and_safe() {
    for (path, code) in sources() {
        let lines = code.lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines without its tests", path.display());
        let header = code.starts_with("//!") || path.ends_with("lib.rs");
        assert!(header, "{} says nothing about itself", path.display());
        let is_unsafe = code.lines().any(|line| line.trim_start().starts_with("unsafe ") || line.contains("unsafe {"));
        assert!(!is_unsafe || path.ends_with("process.rs"), "{} is unsafe", path.display());
    }
}

/// Whoever reads the unsafe code should need a minute.
#[test]
fn the_unsafe_file_stays_small_and_says_why() {
    let (_, code) = sources().into_iter().find(|(path, _)| path.ends_with("process.rs")).unwrap();
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let real = lines.iter().filter(|line| !line.is_empty() && !line.starts_with("//")).count();
    assert!(real <= 80, "process.rs has {real} lines of code");
    let blocks = code.matches("unsafe {").count();
    assert_eq!(code.matches("// SAFETY: ").count(), blocks);
}

#[test]
fn every_sink_schema_and_feature_is_in_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let readme = read("README.md");
    for file in ["src/sink/mod.rs", "src/schema/mod.rs"] {
        for line in read(file).lines().filter(|line| line.starts_with("pub use")) {
            let names = line.rsplit("::").next().unwrap().trim_matches([';', '{', '}']);
            for name in names.split(", ").filter(|name| !NOT_SINKS.contains(name)) {
                assert!(readme.contains(name), "{name} of {file} is not in the README");
            }
        }
    }
    let manifest = read("Cargo.toml");
    let features = manifest.split("[features]").nth(1).unwrap().split("\n[").next().unwrap();
    for (name, _) in features.lines().filter_map(|line| line.split_once(" = ")).filter(|(name, _)| *name != "default") {
        assert!(readme.contains(&format!("| `{name}` |")), "feature {name} is not in the README");
    }
}

/// What the folders of sinks and schemas export besides those.
const NOT_SINKS: [&str; 11] = [
    "Line",
    "Period",
    "Async",
    "AsyncSink",
    "Batch",
    "Columns",
    "Control",
    "Iter",
    "OwnThread",
    "OwnThreads",
    "Profile",
];

/// Promises are numbered for ever: what was given up keeps its number. Those between are still to come.
const PROMISES: [std::ops::RangeInclusive<u64>; 2] = [1..=40, 43..=43];

#[test]
fn every_promise_has_its_tests_and_every_such_test_its_promise() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/promises.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse::<u64>().ok());
    let mut promised: Vec<_> = rows.collect();
    promised.sort_unstable();
    assert_eq!(promised, PROMISES.into_iter().flatten().collect::<Vec<_>>(), "each once in docs/promises.md");

    let texts = ["src", "tests"].into_iter().flat_map(files).map(|(_, text)| text);
    let tested: BTreeSet<u64> = texts.flat_map(|text| promises_of_tests(&text)).collect();
    assert_eq!(tested, promised.into_iter().collect(), "numbers in names of tests, and promised ones");
}

/// The numbers that names of tests in `text` carry: a test may show several promises.
fn promises_of_tests(text: &str) -> Vec<u64> {
    let tests = text.split("#[test]").skip(1).filter_map(|after| after.split("fn ").nth(1)?.split('(').next());
    let numbers = tests.flat_map(|name| name.split("promise_").skip(1).filter_map(|part| part.get(..2)?.parse().ok()));
    numbers.collect()
}
