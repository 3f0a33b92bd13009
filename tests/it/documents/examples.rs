//! What is typed in the documents is typed here, and what they show is compared with what comes.

use std::path::PathBuf;

use clap::Parser as _;
use switchboard::config::Cli;

use super::markdown::{self, root};
use super::options::{command_lines, words};
use crate::harness::{Terminal, TestServer, unique, until};

/// What stands in a document for text that differs each time.
const ANY: char = '…';

/// A folder of the test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Self {
        let name = unique(&format!("switchboard-documents-{}", std::process::id()));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn the_examples_of_the_protocol_run_in_their_order_and_print_what_is_shown() {
    let document = markdown::read("docs/protocol.md");
    let blocks = document.blocks();
    let started = command_lines(&blocks[0].text);
    let [line] = started.as_slice() else {
        panic!("the document begins with a server that is started");
    };
    let flags = words(line);
    let flags: Vec<_> = flags.iter().skip(1).map(String::as_str).collect();
    let server = TestServer::with(&flags).await;
    let folder = Folder::make();
    let mut terminal = Terminal::open_in(&folder.0);
    let mut said = None;
    let mut compared = 0;
    for block in &blocks[1..] {
        if block.language == "sh" {
            assert!(said.is_none(), "what comes of this is not shown: {said:?}");
            let typed = block.text.replace("http://127.0.0.1:8080", &server.base);
            let output = terminal.run(typed.trim_end()).await;
            let (output, _) = output.rsplit_once("done ").expect("its end");
            said = Some(output.to_owned()).filter(|output| !output.trim().is_empty());
        } else if let Some(said) = said.take() {
            let (shown, came) = match block.language.as_str() {
                "json" => (squeezed(&block.text), squeezed(&said)),
                _ => (block.text.trim().to_owned(), said.trim().to_owned()),
            };
            assert!(fits(&shown, &came), "shown\n{shown}\nbut it is\n{came}");
            compared += 1;
        }
    }
    assert!(compared >= 18, "{compared}");
}

#[tokio::test]
async fn the_shell_of_the_clients_page_joins_as_it_is_typed_there() {
    let server = TestServer::start().await;
    let shell = markdown::read("docs/clients.md").section("## Shell");
    let typed = shell.blocks()[0]
        .text
        .replace("http://127.0.0.1:8080", &server.base);
    let mut terminal = Terminal::open_in(root());
    terminal.type_line(typed.trim_end()).await;
    terminal.read_until("joined as bob with []").await;
    let alice = server.join("demo", "alice").await;
    terminal.read_until("peer-joined ").await;
    alice.leave().await;
    terminal.read_until("peer-left ").await;
    terminal.interrupt().await;
    until(async || server.get("/rooms/demo/peers").await.text == r#"{"peers":[]}"#).await;
}

#[test]
fn every_command_line_of_the_documents_is_one_that_the_program_takes() {
    let mut parsed = 0;
    for document in markdown::all() {
        let blocks = document.blocks();
        let shell = blocks.iter().filter(|block| block.language == "sh");
        for line in shell.flat_map(|block| command_lines(&block.text)) {
            let taken = Cli::try_parse_from(words(&line));
            if let Err(error) = taken {
                panic!("{}: {line}\n{error}", document.path);
            }
            parsed += 1;
        }
    }
    assert!(parsed >= 5, "{parsed}");
}

/// JSON without what people put between its parts to read it.
fn squeezed(text: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let mut keep = |c: char| {
        let inside = quoted;
        if !escaped && c == '"' {
            quoted = !quoted;
        }
        escaped = inside && !escaped && c == '\\';
        inside || !c.is_whitespace()
    };
    text.chars().filter(|c| keep(*c)).collect()
}

/// Whether `text` is what is shown, where [`ANY`] stands for any text.
fn fits(shown: &str, text: &str) -> bool {
    let mut parts = shown.split(ANY);
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn what_is_shown_is_compared_but_for_what_differs_each_time() {
    assert!(fits("a…c…e", "abcde") && fits("a…", "a") && fits("…", "") && fits("ab", "ab"));
    assert!(!fits("a…c", "abcd") && !fits("ab", "abc") && !fits("a…bc", "abcbd"));
    assert!(!fits("…aa", "a"));
    assert_eq!(
        squeezed("{ \"a b\" : \"\\\" c\",\n 1 }"),
        "{\"a b\":\"\\\" c\",1}"
    );
}
