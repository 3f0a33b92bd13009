//! The documents as text: their blocks, tables, headings, and what stands in backticks.

use std::fs;
use std::path::{Path, PathBuf};

/// Where people put documents of their own, beside the folders of the project that have one each.
const FOLDERS: [&str; 5] = ["", "docs", "deploy", "web/client", "examples"];

/// Files that name options or paths, and are no Markdown.
const FILES: [&str; 2] = ["Dockerfile", "fly.toml"];

/// A file that people read.
pub struct Document {
    /// Its path, from the project's folder.
    pub path: String,
    pub text: String,
}

/// What stands between two fences.
pub struct Block {
    pub language: String,
    pub text: String,
}

/// A table: its head, and its rows.
pub struct Table {
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All documents in Markdown.
pub fn all() -> Vec<Document> {
    let mut found = files(FOLDERS.iter().map(|folder| root().join(folder)));
    found.retain(|path| path.extension().is_some_and(|ext| ext == "md"));
    let documents: Vec<_> = found.iter().map(|path| Document::read(path)).collect();
    assert!(documents.len() >= 12, "the documents were found");
    documents
}

/// What is read by those who deploy: units, images, settings.
pub fn settings() -> Vec<Document> {
    let mut found = files([root().join("deploy")].into_iter());
    found.retain(|path| path.extension().is_none_or(|ext| ext != "md"));
    found.extend(FILES.iter().map(|file| root().join(file)));
    found.iter().map(|path| Document::read(path)).collect()
}

/// One document, by its path.
pub fn read(path: &str) -> Document {
    Document::read(&root().join(path))
}

fn files(folders: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let entries = folders.flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = paths.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

impl Document {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|_| panic!("{}", path.display()));
        let path = path.strip_prefix(root()).expect("within the project");
        let path = path.to_string_lossy().into_owned();
        Self { path, text }
    }

    /// What is fenced, in order; and the text without it.
    fn parted(&self) -> (Vec<Block>, String) {
        let (mut blocks, mut prose) = (Vec::<Block>::new(), String::new());
        let mut open = false;
        for line in self.text.lines() {
            let fence = line.trim_start().strip_prefix("```");
            match (fence, open) {
                (Some(language), false) => blocks.push(Block {
                    language: language.trim().to_owned(),
                    text: String::new(),
                }),
                (None, true) => {
                    let block = blocks.last_mut().expect("a block");
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, false) => {
                    prose.push_str(line);
                    prose.push('\n');
                }
                (Some(_), true) => {}
            }
            open ^= fence.is_some();
        }
        assert!(!open, "{}: a fence is not closed", self.path);
        (blocks, prose)
    }

    pub fn blocks(&self) -> Vec<Block> {
        self.parted().0
    }

    /// All but what is fenced.
    pub fn prose(&self) -> String {
        self.parted().1
    }

    /// What stands in backticks.
    pub fn codes(&self) -> Vec<String> {
        let prose = self.prose();
        let parts = prose.split("\n\n").flat_map(|part| {
            assert!(
                part.matches('`').count() % 2 == 0,
                "{}: a backtick is missing in {part}",
                self.path
            );
            part.split('`').skip(1).step_by(2)
        });
        parts
            .map(|code| code.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    }

    /// What follows the heading, up to the next one that stands as high.
    pub fn section(&self, heading: &str) -> Document {
        let level = heading.split(' ').next().expect("a heading");
        let text = format!("\n{}", self.text);
        let (_, rest) = text
            .split_once(&format!("\n{heading}\n"))
            .unwrap_or_else(|| panic!("{} has no {heading:?}", self.path));
        // One sharp is a comment, in a shell.
        let ends = (2..=level.len()).filter_map(|n| rest.find(&format!("\n{} ", "#".repeat(n))));
        let text = &rest[..ends.min().unwrap_or(rest.len())];
        Self {
            path: format!("{}, {heading}", self.path),
            text: text.to_owned(),
        }
    }

    /// Where a link may lead within this document.
    pub fn anchors(&self) -> Vec<String> {
        let prose = self.prose();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        headings.map(anchor).collect()
    }

    pub fn tables(&self) -> Vec<Table> {
        let mut tables: Vec<Table> = Vec::new();
        let mut within = false;
        for line in self.prose().lines() {
            let Some(row) = line.trim().strip_prefix('|') else {
                within = false;
                continue;
            };
            let row = row.strip_suffix('|').unwrap_or(row);
            let cells: Vec<_> = row
                .split(" | ")
                .map(|cell| cell.trim().to_owned())
                .collect();
            if !within {
                let (head, rows) = (cells, Vec::new());
                tables.push(Table { head, rows });
            } else if !row.starts_with("---") {
                tables.last_mut().expect("a head").rows.push(cells);
            }
            within = true;
        }
        tables
    }
}

/// How a heading is named in links: in small letters, with a dash for each space.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || "-_".contains(c) => Some(c),
        _ => None,
    });
    kept.collect()
}

/// What stands in backticks within one line or cell.
pub fn codes_of(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn a_document_is_parted_into_what_is_fenced_and_what_is_not() {
    let text = "# A b: `c`!\n\n```sh\n# no heading\n```\nIt is `one\ntwo`.\n\n| a | b |\n|---|---|\n| `c` | d |\n";
    let document = Document {
        path: "a.md".into(),
        text: text.into(),
    };
    assert_eq!(document.anchors(), ["a-b-c"]);
    assert_eq!(document.codes(), ["c", "one two", "c"]);
    let blocks = document.blocks();
    assert_eq!(
        (blocks[0].language.as_str(), blocks[0].text.as_str()),
        ("sh", "# no heading\n")
    );
    let tables = document.tables();
    assert_eq!(tables[0].head, ["a", "b"]);
    assert_eq!(tables[0].rows, [["`c`", "d"]]);
    assert_eq!(document.section("# A b: `c`!").blocks().len(), 1);
}
