//! Links and files: whatever a document leads to is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::markdown::{self, Document, root};

/// What is made, and so not there before.
const MADE: [&str; 4] = [
    "target/",
    "web/client/dist/",
    "fuzz/artifacts",
    "fuzz/corpus",
];

/// Names that stand for any.
const EXAMPLES: [&str; 2] = ["foo.rs", "mod.rs"];

/// The places that links of a document lead to, of other sites none.
fn targets(document: &Document) -> Vec<String> {
    let prose = document.prose();
    let ends = prose.split("](").skip(1);
    let targets = ends.filter_map(|rest| rest.split([')', ' ']).next());
    let own = targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
    own.map(str::to_owned).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut followed = 0;
    for document in markdown::all() {
        let folder = Path::new(&document.path).parent().expect("a folder");
        for target in targets(&document) {
            let (file, anchor) = match target.split_once('#') {
                Some((file, anchor)) => (file, Some(anchor)),
                None => (target.as_str(), None),
            };
            let path = if file.is_empty() {
                root().join(&document.path)
            } else {
                root().join(folder).join(file)
            };
            assert!(path.exists(), "{} links to {target}", document.path);
            if let Some(anchor) = anchor {
                let text = fs::read_to_string(&path).expect("a document");
                let path = target.clone();
                let anchors = Document { path, text }.anchors();
                let leads = anchors.iter().any(|known| known == anchor);
                assert!(leads, "{} links to {target}", document.path);
            }
            followed += 1;
        }
    }
    assert!(followed > 50, "{followed}");
}

#[test]
fn every_file_in_backticks_is_there() {
    let top: BTreeSet<String> = fs::read_dir(root())
        .expect("the project")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let names = file_names(root());
    let mut looked = 0;
    for document in markdown::all() {
        let folder = root().join(&document.path);
        let folder = folder.parent().expect("a folder");
        for code in document.codes() {
            // In the table of attacks the name of a test follows.
            let path = code.split(": ").next().unwrap_or_default();
            let is_plain = path
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
            if !is_plain
                || path.contains("NAME")
                || EXAMPLES.contains(&path)
                || MADE.iter().any(|made| path.starts_with(made))
            {
                continue;
            }
            let first = path.split('/').next().unwrap_or_default();
            let there = root().join(path).exists() || folder.join(path).exists();
            if path.contains('/') && top.contains(first) {
                looked += 1;
                // A module of Rust is named by its file or by its folder.
                let module = root().join(format!("{path}.rs")).exists();
                assert!(there || module, "{} names {path}", document.path);
            } else if !path.contains('/')
                && ["rs", "md", "mjs", "py"]
                    .iter()
                    .any(|ext| path.ends_with(&format!(".{ext}")))
            {
                looked += 1;
                assert!(names.contains(path), "{} names {path}", document.path);
            }
        }
    }
    assert!(looked > 50, "{looked}");
}

/// The names of all files but those that are made or fetched.
fn file_names(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if !path.is_dir() {
            names.insert(name);
        } else if !["target", "node_modules", ".git", "venv"].contains(&name.as_str()) {
            names.extend(file_names(&path));
        }
    }
    names
}
