//! The configuration files on the pages have no mistakes.

use std::fs;

use crate::support::places::root;

#[test]
fn the_files_on_the_pages_have_no_mistakes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spanline.toml");
    for page in ["docs/migration.md", "docs/recipes.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        // A ConfigMap contains such a file, indented.
        let maps = blocks(&text, "yaml").into_iter().filter_map(|block| block.split("spanline.toml: |\n").nth(1));
        let maps =
            maps.map(|map| map.lines().map_while(|line| line.strip_prefix("    ")).collect::<Vec<_>>().join("\n"));
        let files: Vec<String> = blocks(&text, "toml").into_iter().map(str::to_owned).chain(maps).collect();
        assert!(!files.is_empty(), "{page} has no file");
        for file in files {
            fs::write(&path, &file).unwrap();
            if let Err(error) = spanline::config::check(&path) {
                panic!("{page}: {error:#}\n{file}");
            }
        }
    }
}

/// Returns the blocks of a language on a page.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let begin = format!("```{language}\n");
    page.split(&begin).skip(1).filter_map(|after| after.split("```").next()).collect()
}
