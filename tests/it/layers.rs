//! What holds of the sources as a whole: main → server → http → hub → backplane → proto, and no bound without a test.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use switchboard::config::Cli;

/// What each module may name of the crate's others, and of outside crates.
const ALLOWED: &[(&str, &[&str], &[&str])] = &[
    (
        "proto",
        &["proto"],
        &[
            "std",
            "bytes",
            "smallvec",
            "thiserror",
            "twox_hash",
            "serde",
        ],
    ),
    (
        "backplane",
        &["backplane", "proto"],
        &[
            "std",
            "bytes",
            "futures_util",
            "getrandom",
            "memchr",
            "parking_lot",
            "redis",
            "thiserror",
            "tokio",
            "tracing",
        ],
    ),
    (
        "hub",
        &["hub", "backplane", "proto"],
        &[
            "std",
            "thiserror",
            "parking_lot",
            "tokio",
            "tracing",
            "serde_json",
        ],
    ),
    // What asks a server knows no more of it than what goes over the wire.
    (
        "client",
        &["client", "exit", "proto"],
        &["clap", "getrandom", "serde_json", "tokio", "uuid"],
    ),
    (
        "terminal",
        &["terminal", "client", "config", "exit", "proto"],
        &["clap", "humantime", "serde_json", "tokio", "uuid"],
    ),
    (
        "bench",
        &["bench", "terminal", "client", "config", "exit", "progress"],
        &["clap", "parking_lot", "serde_json", "tokio", "uuid"],
    ),
];

/// The sources under a folder, but for what only tests see.
fn sources(under: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(under).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if ["tests", "scenarios", "simulation", "model"].contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
    files
}

fn module(file: &Path, root: &Path) -> String {
    let inside = file.strip_prefix(root).expect("under src");
    let first = inside
        .components()
        .next()
        .expect("a name")
        .as_os_str()
        .to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The first parts of every path that a file imports or names in full.
fn named(text: &str) -> Vec<(String, String)> {
    let words = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || "_:".contains(c))));
    let mut paths = Vec::new();
    for word in words.filter(|word| word.contains("::")) {
        let mut parts = word.split("::");
        let first = parts.next().unwrap_or_default().to_owned();
        paths.push((first, parts.next().unwrap_or_default().to_owned()));
    }
    paths
}

#[test]
fn each_layer_imports_only_what_stands_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let outside = [
        "actix_web",
        "actix_cors",
        "actix_web_lab",
        "tokio",
        "tracing",
        "getrandom",
        "parking_lot",
        "hmac",
        "sha2",
        "base64",
        "clap",
        "uuid",
        "rust_embed",
        "socket2",
        "serde_json",
        "futures_core",
        "anyhow",
        "bytesize",
        "humantime",
        "tracing_subscriber",
    ];
    let mut seen = 0;
    for file in sources(&root) {
        let Some((_, inner, crates)) = ALLOWED
            .iter()
            .find(|(name, ..)| *name == module(&file, &root))
        else {
            continue;
        };
        seen += 1;
        for (first, second) in named(&fs::read_to_string(&file).expect("a source")) {
            let place = file.display();
            if first == "crate" {
                assert!(
                    inner.contains(&second.as_str()),
                    "{place} names crate::{second}"
                );
            }
            if outside.contains(&first.as_str()) {
                assert!(crates.contains(&first.as_str()), "{place} names {first}");
            }
        }
    }
    assert!(seen > 15, "the sources were found");
}

#[test]
fn the_core_does_not_ask_for_the_time() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources(&root.join("proto"))
        .into_iter()
        .chain([root.join("proto.rs")])
    {
        let text = fs::read_to_string(&file).expect("a source");
        for word in [
            "Instant::",
            "time::Instant",
            "SystemTime",
            "std::env",
            "std::fs",
            "std::net",
            "std::thread",
        ] {
            assert!(!text.contains(word), "{} names {word}", file.display());
        }
    }
}

#[test]
fn only_the_problem_module_maps_refusals_to_statuses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources(&root) {
        let text = fs::read_to_string(&file).expect("a source");
        let maps = text.contains("impl From<Refus");
        assert!(
            !maps || file.ends_with("http/problem.rs"),
            "{}",
            file.display()
        );
    }
}

#[test]
fn one_file_alone_knows_the_crate_that_relays() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources(&root.join("ice")) {
        let paths = named(&fs::read_to_string(&file).expect("a source"));
        let knows = paths
            .iter()
            .any(|(first, _)| ["turn", "stun", "webrtc_util"].contains(&first.as_str()));
        let engine = file.ends_with("ice/relay/engine.rs");
        assert_eq!(knows, engine, "{}", file.display());
    }
}

#[test]
fn every_bound_says_what_happens_past_it_and_has_a_test_that_sets_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let tests: String = ["it", "faults"]
        .into_iter()
        .flat_map(|folder| sources(&root.join(folder)))
        .map(|file| fs::read_to_string(file).expect("a source"))
        .collect();
    let command = Cli::command();
    let mut bounds = 0;
    for flag in command.get_arguments() {
        let name = flag.get_long().unwrap_or_default();
        let is_bound = name.starts_with("max-")
            || name.contains("-per-")
            || name.ends_with("-events")
            || name.ends_with("-bytes")
            || name.ends_with("-timeout");
        if !is_bound {
            continue;
        }
        bounds += 1;
        let help = flag.get_help().expect("help").to_string();
        let says = help.contains("past it") || help.contains("the oldest go first");
        assert!(says, "--{name}: {help}");
        assert!(
            tests.contains(&format!("\"--{name}\"")),
            "--{name} is set by no test"
        );
    }
    assert!(bounds >= 19, "{bounds}");
}
