//! The repository keeps to its own layout.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may use: the design's one-way imports. `builder` and `lib` know every stage.
const MAY_USE: &[(&str, &[&str])] = &[
    ("docs", &[]),
    ("process", &[]),
    ("sync", &[]),
    ("direct_mapped", &[]),
    ("error", &[]),
    ("fork", &["process", "sync"]),
    ("metrics", &["record"]),
    ("byte_size", &["error"]),
    ("into_filter", &["error", "filter"]),
    ("record", &["context", "values"]),
    ("context", &["record", "sync", "values"]),
    ("rotation", &["error", "record"]),
    ("read", &["error", "record", "rotation"]),
    ("complaint", &["fork", "record", "sync"]),
    ("filter", &["context", "error", "sync"]),
    ("redact", &["context", "direct_mapped", "docs", "record"]),
    ("limit", &["fork", "record", "sync", "values"]),
    ("held", &["byte_size", "context", "error", "filter", "fork", "into_filter", "record", "sync"]),
    ("redaction", &["context", "record", "redact"]),
    ("schema", &["context", "direct_mapped", "error", "record"]),
    ("sink", &["byte_size", "error", "metrics", "record", "rotation", "sync"]),
    ("queue", &["context", "direct_mapped", "error", "metrics", "record", "sink", "sync"]),
    ("values", &[]),
    ("flight_recorder", &["context", "error", "filter", "record"]),
    (
        "worker",
        &[
            "complaint",
            "context",
            "error",
            "limit",
            "metrics",
            "queue",
            "record",
            "redaction",
            "schema",
            "sink",
            "sync",
        ],
    ),
    ("layer", &["complaint", "context", "filter", "held", "limit", "metrics", "queue", "record", "redact", "worker"]),
    ("propagate", &["context", "error", "layer", "record", "values"]),
    ("tower", &["context", "error", "propagate", "record", "values"]),
    ("appender", &["metrics", "outputs", "queue", "record", "values", "worker"]),
    ("outputs", &["metrics", "queue", "values", "worker"]),
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
fn every_sink_schema_and_feature_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let pages =
        fs::read_dir(root.join("docs")).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let pages = pages.fold(read("README.md"), |all, page| all + &page);
    let schemas = read("src/schema/mod.rs");
    let rows = schemas.split("table::schemas! {").nth(1).unwrap().split('}').next().unwrap();
    for name in rows.lines().filter_map(|row| row.trim().strip_suffix(',')?.split("::").nth(1)) {
        assert!(pages.contains(name), "{name} of src/schema/mod.rs is neither in the README nor in docs/");
    }
    for file in ["src/sink/mod.rs"] {
        for line in read(file).lines().filter(|line| line.starts_with("pub use")) {
            let names = line.rsplit("::").next().unwrap().trim_matches([';', '{', '}']);
            for name in names.split(", ") {
                assert!(pages.contains(name), "{name} of {file} is neither in the README nor in docs/");
            }
        }
    }
    let manifest = read("Cargo.toml");
    let features = manifest.split("[features]").nth(1).unwrap().split("\n[").next().unwrap();
    let page = read("docs/features.md");
    for (name, _) in features.lines().filter_map(|line| line.split_once(" = ")).filter(|(name, _)| *name != "default") {
        assert!(page.contains(&format!("| `{name}` |")), "feature {name} is not in docs/features.md");
    }
}

/// Each page of docs/ has its line in src/docs.rs and in src/docs_links.md, and no page links to one that is not there.
#[test]
fn every_page_is_on_docs_rs_and_every_link_leads_to_a_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let (module, links) = (read(&root.join("src/docs.rs")), read(&root.join("src/docs_links.md")));
    let pages: Vec<PathBuf> = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    for page in &pages {
        let file = page.file_name().unwrap().to_str().unwrap();
        let name = file.trim_end_matches(".md").replace('-', "_");
        assert!(module.contains(&format!("{name} = \"{file}\";")), "{file} is not in src/docs.rs");
        assert!(links.contains(&format!("[{name}]: crate::docs::{name}\n")), "{name} is not in src/docs_links.md");
    }
    for page in pages.iter().chain([&root.join("README.md")]) {
        let text = read(page);
        for after in text.split("][").skip(1) {
            let name = after.split(']').next().unwrap();
            let target = text.lines().find_map(|line| line.strip_prefix(&format!("[{name}]: ")));
            let target = target.unwrap_or_else(|| panic!("{} does not say where [{name}] leads", page.display()));
            let target = page.parent().unwrap().join(target);
            assert!(target.is_file(), "{} links to {}", page.display(), target.display());
            assert!(links.contains(&format!("[{name}]: ")), "[{name}] leads nowhere on docs.rs");
        }
    }
}

/// Promises are numbered for ever: what was given up keeps its number.
const PROMISES: u64 = 39;

#[test]
fn every_promise_has_its_tests_and_every_such_test_its_promise() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/promises.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse::<u64>().ok());
    let mut promised: Vec<_> = rows.collect();
    promised.sort_unstable();
    assert_eq!(promised, (1..=PROMISES).collect::<Vec<_>>(), "each once in docs/promises.md");

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
