//! The table of attacks in docs/security.md names tests that there are.

use std::path::Path;

/// The source of a test by its path in the table: `attacks/forged`, `faults/bounded`, `browser/x.test.mjs`.
fn source(root: &Path, file: &str) -> String {
    let path = root.join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("docs/security.md names {file}"))
}

#[test]
fn every_test_that_the_table_of_attacks_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/security.md")).expect("the threat model");
    let (_, table) = text.split_once("## Attacks").expect("the table");
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut named = 0;
    for row in rows {
        let shown = row
            .trim_end_matches('|')
            .rsplit('|')
            .next()
            .expect("a column");
        // `path: name`, several of them behind one another.
        let tests: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test shows this: {row}");
        for test in tests {
            let (file, name) = test.split_once(": ").unwrap_or_else(|| panic!("{test}"));
            let is_there = if file.ends_with(".rs") {
                source(root, file).contains(&format!("fn {name}("))
            } else {
                source(root, file).contains(name)
            };
            assert!(is_there, "{file} has no test {name}");
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}
