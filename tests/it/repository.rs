//! The repository keeps its own rules: layout, sizes, documentation, promises and language.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::support::places::root;

/// Lines of a file without its unit tests.
const MAX_LINES: usize = 500;

/// Lines of a `mod.rs`, which holds declarations, re-exports, and at most one type or trait.
const MAX_DOOR_LINES: usize = 200;

/// Fields of a struct that is not plain data.
const MAX_FIELDS: usize = 12;

/// Structs of plain data, which may have more fields, each with its reason.
const PLAIN_DATA: &[(&str, &str)] = &[
    ("OutputMetrics", "one field per counter; users read them by name"),
    ("Output", "one field per setting"),
    ("LaneConfig", "one field per setting of an output, on its way to the worker"),
    ("Settings", "one field per setting"),
    ("Profile", "one field per property of a sink, each with a setter"),
    ("RollingFile", "one field per setting, until the file is open"),
];

/// Lines of an example, and those that have a peer beside a whole sink.
const MAX_EXAMPLE_LINES: usize = 60;
const LONGER_EXAMPLES: &[&str] = &["sink_batch", "sink_socket"];

/// Words that a reader has to read twice; see *Language* in CONTRIBUTING.md.
const RIDDLES: &[&str] = &[
    "as ever",
    "for ever",
    "gravest",
    "he",
    "himself",
    "his",
    "in vain",
    "of one's own",
    "of ones own",
    "of its own",
    "of their own",
    "one's own",
    "so long as",
    "so many",
    "somebody else's",
    "that which",
    "whoever",
    "whosoever",
];

/// A text file of the repository: its path below the root, and its text.
struct File {
    path: String,
    text: String,
}

impl File {
    /// The text without unit tests.
    fn code(&self) -> &str {
        self.text.split("#[cfg(test)]\nmod tests").next().unwrap()
    }

    /// The lines of code without comments.
    fn code_lines(&self) -> impl Iterator<Item = &str> {
        self.code().lines().filter(|line| !line.trim_start().starts_with("//"))
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files with one of these extensions in a folder, build directories left out.
fn files(folder: &str, extensions: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return found };
    for entry in entries.map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        let extension = std::path::Path::new(&name).extension().map_or("", |extension| extension.to_str().unwrap());
        if entry.file_type().unwrap().is_dir() && name != "target" {
            found.extend(files(&path, extensions));
        } else if extensions.contains(&extension) {
            found.push(File { text: read(&path), path });
        }
    }
    found
}

fn rust_files(folders: &[&str]) -> Vec<File> {
    folders.iter().flat_map(|folder| files(folder, &["rs"])).collect()
}

#[track_caller]
fn assert_none(wrong: &[String], rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n{}", wrong.join("\n"));
}

fn identifier(text: &str) -> &str {
    text.split(|char: char| !char.is_alphanumeric() && char != '_').next().unwrap()
}

/// The top-level module of `src` that a file belongs to.
fn module_of(path: &str) -> &str {
    path.strip_prefix("src/").unwrap().split('/').next().unwrap().trim_end_matches(".rs")
}

/// Which top-level module of `src` imports which: paths that begin with `crate::`, also through names of the root.
fn imports(sources: &[File]) -> BTreeMap<&str, BTreeSet<&str>> {
    let lib = sources.iter().find(|file| file.path == "src/lib.rs").unwrap();
    let modules: BTreeSet<&str> = sources.iter().map(|file| module_of(&file.path)).collect();
    // `pub use sink::{Memory, Sink};` makes `crate::Memory` an import of `sink`.
    let mut names: BTreeMap<&str, &str> = modules.iter().map(|module| (*module, *module)).collect();
    for statement in lib.code().split("pub use ").skip(1).filter_map(|rest| rest.split(';').next()) {
        let module = identifier(statement.trim_start_matches("crate::"));
        let all = statement.split(|char: char| !char.is_alphanumeric() && char != '_');
        names.extend(all.filter(|name| name.starts_with(char::is_uppercase)).map(|name| (name, module)));
    }
    let mut graph = BTreeMap::<_, BTreeSet<_>>::new();
    for file in sources.iter().filter(|file| file.path != "src/lib.rs") {
        let module = module_of(&file.path);
        let code = file.code_lines().collect::<Vec<_>>().join("\n");
        let used = graph.entry(module).or_default();
        for path in code.split("crate::").skip(1) {
            let group = path.strip_prefix('{').map(|group| group.split(';').next().unwrap());
            let roots = group
                .map_or(vec![identifier(path)], |group| group.split(',').map(|one| identifier(one.trim())).collect());
            used.extend(roots.iter().filter_map(|root| names.get(root)).filter(|used| **used != module));
        }
    }
    graph
}

#[test]
fn imports_go_one_way() {
    let sources = rust_files(&["src"]);
    let graph = imports(&sources);
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(module) = next.pop() {
            if seen.insert(module) {
                next.extend(graph.get(module).into_iter().flatten());
            }
        }
        seen.contains(to)
    };
    let edges = graph.iter().flat_map(|(from, used)| used.iter().map(move |to| (*from, *to)));
    let cycles: Vec<_> = edges
        .filter(|(from, to)| reaches(to, from))
        .map(|(from, to)| format!("{from} imports {to}, which leads back to {from}"))
        .collect();
    assert_none(&cycles, "modules of src import each other");
}

#[test]
fn each_mod_rs_is_a_door() {
    let mut wrong = Vec::new();
    for file in rust_files(&["src", "tool/src"]) {
        if !file.path.ends_with("/mod.rs") {
            continue;
        }
        let path = &file.path;
        let items: Vec<&str> = file.code_lines().filter(|line| line.starts_with(char::is_alphabetic)).collect();
        let item = |line: &str| {
            let line = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub(super) ")).unwrap_or(line);
            identifier(line.strip_prefix("pub ").unwrap_or(line)).to_owned()
        };
        let types =
            items.iter().filter(|line| ["struct", "enum", "trait", "union"].contains(&item(line).as_str())).count();
        if types > 1 {
            wrong.push(format!("{path} has {types} types; expected at most the one that the folder is about"));
        }
        let bodies = ["fn", "async", "const", "static", "macro_rules"];
        wrong.extend(
            items.iter().filter(|line| bodies.contains(&item(line).as_str())).map(|line| format!("{path}: {line}")),
        );
        let lines = file.code().lines().count();
        if lines > MAX_DOOR_LINES {
            wrong.push(format!("{path} has {lines} lines; expected at most {MAX_DOOR_LINES}"));
        }
    }
    assert_none(&wrong, "mod.rs holds more than declarations, re-exports, and one type or trait");
}

#[test]
fn files_stay_short_and_have_a_header() {
    let mut wrong = Vec::new();
    for file in rust_files(&["src", "tests", "tool", "examples", "benches", "fuzz/src"]) {
        let lines = file.code().lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{} has {lines} lines without its unit tests; expected at most {MAX_LINES}", file.path));
        }
        if !file.text.starts_with("//!") && file.path != "src/lib.rs" {
            wrong.push(format!("{} has no header", file.path));
        }
    }
    assert_none(&wrong, "files are too long or have no header");
}

#[test]
fn structs_have_few_fields() {
    let mut wrong = Vec::new();
    for file in rust_files(&["src", "tool/src"]) {
        let lines: Vec<&str> = file.code_lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some((before, name)) = line.split_once("struct ") else { continue };
            if !line.ends_with('{') || !(before.trim().is_empty() || before.trim_start().starts_with("pub")) {
                continue;
            }
            let name = identifier(name);
            let indent = line.len() - line.trim_start().len();
            let inside =
                lines[at + 1..].iter().take_while(|line| line.len() <= indent || !line[indent..].starts_with('}'));
            let is_field = |line: &&&str| {
                let text = line.get(indent + 4..).unwrap_or_default();
                text.starts_with(|char: char| char.is_lowercase() || char == '_') && text.contains(": ")
            };
            let fields = inside.filter(is_field).count();
            let is_plain = PLAIN_DATA.iter().any(|(of, _)| *of == name);
            if fields > MAX_FIELDS && !is_plain {
                wrong.push(format!("{}: {name} has {fields} fields; expected at most {MAX_FIELDS}", file.path));
            }
        }
    }
    assert_none(&wrong, "structs have too many fields; group them by purpose");
}

#[test]
fn prose_has_no_riddles() {
    let rust =
        ["src", "tests", "tool", "examples", "benches", "fuzz"].iter().flat_map(|folder| files(folder, &["rs", "md"]));
    let scripts = [
        "check-api",
        "check-endings",
        "check-examples",
        "check-light",
        "check-packages",
        "docs",
        "features",
        "lib.sh",
        "long",
    ];
    let scripts = scripts.into_iter().chain(["minimal-versions", "miri", "run"]).map(|name| format!(".ci/{name}"));
    let single =
        ["README.md", "CHANGELOG.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "Cargo.toml", "fuzz/run"];
    let single = single.into_iter().map(str::to_owned).chain(scripts).filter(|path| root().join(path).exists());
    let single = single.map(|path| File { text: read(&path), path });
    let mut wrong = Vec::new();
    for file in rust.chain(files("docs", &["md"])).chain(single) {
        if file.path == "tests/it/repository.rs" {
            continue;
        }
        for (at, line) in file.text.lines().enumerate() {
            // Names of tests are sentences too.
            let words = line.to_lowercase().replace('_', " ");
            let words: Vec<&str> = words.split(|char: char| !char.is_alphanumeric() && char != '\'').collect();
            let is_code =
                file.path.ends_with(".rs") && !line.contains("//") && !line.contains("fn ") && !line.contains('"');
            let found = RIDDLES.iter().find(|riddle| {
                let riddle: Vec<&str> = riddle.split(' ').collect();
                words.windows(riddle.len()).any(|window| window == riddle)
            });
            if let Some(riddle) = found.filter(|_| !is_code) {
                wrong.push(format!("{}:{}: {riddle:?} in: {}", file.path, at + 1, line.trim()));
            }
        }
    }
    assert_none(&wrong, "prose needs plainer words");
}

#[test]
fn only_small_files_of_the_process_are_unsafe() {
    let is_unsafe = |line: &str| {
        line.trim_start().starts_with("unsafe ") || line.contains("unsafe {") || line.contains("unsafe extern")
    };
    for file in rust_files(&["src", "tool/src"]).iter().filter(|file| file.code_lines().any(is_unsafe)) {
        assert!(file.path.starts_with("src/process/"), "{} is unsafe", file.path);
        let lines = file.code_lines().filter(|line| !line.trim().is_empty()).count();
        assert!(
            lines <= 85,
            "{} has {lines} lines of code; expected at most 85, which can be read in a minute",
            file.path
        );
        let count = |text| file.code().matches(text).count();
        let (blocks, reasons) = (count("unsafe {") + count("unsafe impl "), count("// SAFETY: "));
        assert_eq!(blocks, reasons, "each unsafe block of {} says why it is sound", file.path);
    }
}

#[test]
fn every_sink_schema_and_feature_is_documented() {
    let pages = files("docs", &["md"]).into_iter().fold(read("README.md"), |all, page| all + &page.text);
    let schemas = read("src/schema/mod.rs");
    let rows = schemas.split("table::schemas! {").nth(1).unwrap().split('}').next().unwrap();
    let schemas = rows.lines().filter_map(|row| row.trim().strip_suffix(',')?.split("::").nth(1));
    let sinks = read("src/sink/mod.rs");
    let sinks = sinks.lines().filter(|line| line.starts_with("pub use"));
    let sinks = sinks.flat_map(|line| line.rsplit("::").next().unwrap().trim_matches([';', '{', '}']).split(", "));
    for name in schemas.chain(sinks) {
        assert!(pages.contains(name), "{name} is neither in the README nor in docs/");
    }
    let page = read("docs/features.md");
    for name in features("Cargo.toml").iter().filter(|name| *name != "default") {
        assert!(page.contains(&format!("| `{name}` |")), "feature {name} is not in docs/features.md");
    }
}

/// `.ci/check-examples` compares what each prints with its header.
#[test]
fn every_example_is_short_and_documented() {
    let page = read("docs/getting-started.md");
    let mut wrong = Vec::new();
    for file in files("examples", &["rs"]) {
        let Some(name) = file.path.trim_start_matches("examples/").strip_suffix(".rs") else { continue };
        if name.contains('/') {
            continue;
        }
        let lines = file.text.lines().filter(|line| !line.starts_with("//!")).count();
        if lines > MAX_EXAMPLE_LINES && !LONGER_EXAMPLES.contains(&name) {
            wrong.push(format!("{name} has {lines} lines below its header; expected at most {MAX_EXAMPLE_LINES}"));
        }
        if !file.text.contains("//! ```text\n") {
            wrong.push(format!("{name} does not say what it prints"));
        }
        if !page.contains(&format!("`{name}`")) {
            wrong.push(format!("{name} is not in docs/getting-started.md"));
        }
    }
    assert_none(&wrong, "examples are long or not documented");
}

/// Returns the names of the features in a manifest.
fn features(manifest: &str) -> BTreeSet<String> {
    let manifest = read(manifest);
    let features = manifest.split("[features]").nth(1).unwrap().split("\n[").next().unwrap();
    features.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn the_tests_have_the_features_of_the_library() {
    assert_eq!(features("tests/Cargo.toml"), features("Cargo.toml"));
    let manifest = read("tests/Cargo.toml");
    for name in features("Cargo.toml").iter().filter(|name| *name != "default") {
        assert!(manifest.contains(&format!("\"spanline/{name}\"]")), "{name} does not turn on the library's");
    }
}

/// Each page of docs/ has a line in src/docs.rs and in src/docs_links.md, and is in the table of contents. Every link leads
/// to a page.
#[test]
fn every_page_is_on_docs_rs_and_every_link_leads_to_a_page() {
    let (module, links, index) = (read("src/docs.rs"), read("src/docs_links.md"), read("docs/index.md"));
    let mut pages = files("docs", &["md"]);
    for page in &pages {
        let file = page.path.trim_start_matches("docs/");
        let name = file.trim_end_matches(".md").replace('-', "_");
        assert!(module.contains(&format!("{name} = \"{file}\";")), "{file} is not in src/docs.rs");
        assert!(links.contains(&format!("[{name}]: crate::docs::{name}\n")), "{name} is not in src/docs_links.md");
        assert!(file == "index.md" || index.contains(&format!("][{name}]")), "{file} is not in docs/index.md");
    }
    pages.push(File { path: "README.md".to_owned(), text: read("README.md") });
    for File { path, text } in &pages {
        for after in text.split("][").skip(1) {
            let name = after.split(']').next().unwrap();
            let target = text.lines().find_map(|line| line.strip_prefix(&format!("[{name}]: ")));
            let target = target.unwrap_or_else(|| panic!("{path} does not say where [{name}] leads"));
            let target = root().join(path).parent().unwrap().join(target);
            assert!(target.is_file(), "{path} links to {}", target.display());
            assert!(links.contains(&format!("[{name}]: ")), "[{name}] leads nowhere on docs.rs");
        }
    }
}

/// Promises keep their numbers. Those in the gaps belong to later work.
const PROMISES: std::ops::RangeInclusive<u64> = 1..=54;

#[test]
fn every_promise_has_tests_and_every_such_test_a_promise() {
    let page = read("docs/promises.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse::<u64>().ok());
    let mut promised: Vec<_> = rows.collect();
    promised.sort_unstable();
    assert_eq!(promised, PROMISES.collect::<Vec<_>>(), "each once in docs/promises.md");
    let texts = rust_files(&["src", "tests", "tool"]);
    let tested: BTreeSet<u64> = texts.iter().flat_map(|file| promises_of_tests(&file.text)).collect();
    assert_eq!(tested, promised.into_iter().collect(), "numbers in names of tests, and promised ones");
}

/// The numbers in the names of the tests in `text`. One test may show several promises.
fn promises_of_tests(text: &str) -> Vec<u64> {
    let tests = text.split("#[test]").skip(1).filter_map(|after| after.split("fn ").nth(1)?.split('(').next());
    let numbers = tests.flat_map(|name| name.split("promise_").skip(1).filter_map(|part| part.get(..2)?.parse().ok()));
    numbers.collect()
}
