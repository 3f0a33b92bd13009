//! Options and variables: those that documents name, and those that there are.

use std::collections::BTreeSet;

use clap::{Arg, Command, CommandFactory as _};
use switchboard::config::Cli;

use super::markdown::{self, codes_of};

/// Variables that only tests read.
const OF_TESTS: [&str; 2] = ["SWITCHBOARD_BIN", "SWITCHBOARD_NODES"];

/// Options in backticks that are another program's: in which document, and whose.
const FOREIGN: [(&str, &str, &str); 3] = [
    ("docs/performance.md", "--json", "cargo bench"),
    ("docs/clients.md", "--poll", "examples/shell/peer.sh"),
    ("docs/deploy.md", "--network", "docker run"),
];

/// The program and its subcommands.
fn commands() -> Vec<Command> {
    let program = Cli::command();
    let mut all: Vec<_> = program.get_subcommands().cloned().collect();
    all.push(program);
    all
}

fn arguments() -> Vec<Arg> {
    let commands = commands();
    let all = commands.iter().flat_map(Command::get_arguments);
    all.cloned().collect()
}

fn flags() -> BTreeSet<String> {
    let arguments = arguments();
    let long = arguments.iter().filter_map(Arg::get_long);
    let own = ["help", "version"].into_iter();
    long.chain(own).map(str::to_owned).collect()
}

/// The lines of a block that call the program, each whole.
pub fn command_lines(block: &str) -> Vec<String> {
    let whole = block.replace("\\\n", " ");
    let lines = whole.lines().map(|line| {
        let line = line.split(" # ").next().unwrap_or_default();
        line.trim().trim_end_matches('&').trim().to_owned()
    });
    lines
        .filter(|line| line.starts_with("switchboard"))
        .collect()
}

/// The words of a command line as a shell has them, up to where its output goes elsewhere.
pub fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (None, '|' | ';' | '&' | '<' | '>') => break,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, c) if c.is_whitespace() => words.push(String::new()),
            _ => words.last_mut().expect("a word").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The names of the options in a piece of text.
fn options_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| c.is_whitespace() || "\"',=[]()".contains(c));
    words.filter_map(|word| word.strip_prefix("--").filter(|name| !name.is_empty()))
}

#[test]
fn every_option_that_a_document_names_is_there() {
    let known = flags();
    let mut named = 0;
    for document in markdown::all() {
        for code in document
            .codes()
            .iter()
            .filter(|code| code.starts_with("--"))
        {
            for name in options_in(code) {
                let flag = format!("--{name}");
                let foreign = FOREIGN
                    .iter()
                    .any(|(path, option, _)| *path == document.path && *option == flag);
                assert!(
                    known.contains(name) || foreign,
                    "{} names {flag}",
                    document.path
                );
                named += 1;
            }
        }
    }
    assert!(named > 80, "{named}");
}

#[test]
fn every_option_and_subcommand_after_the_programs_name_is_there() {
    let known = flags();
    let program = Cli::command();
    let subcommands: Vec<_> = program.get_subcommands().map(Command::get_name).collect();
    let mut texts: Vec<(String, String)> = Vec::new();
    for document in markdown::all() {
        let blocks = document.blocks();
        let shell = blocks.iter().filter(|block| block.language == "sh");
        let lines = shell.flat_map(|block| command_lines(&block.text));
        let lines = lines.map(|line| words(&line).join(" "));
        let codes = document.codes();
        let codes = codes
            .into_iter()
            .filter(|code| code.starts_with("switchboard "));
        texts.extend(lines.chain(codes).map(|text| (document.path.clone(), text)));
    }
    for document in markdown::settings() {
        let lines = document.text.lines();
        let said = lines.filter(|line| !line.trim_start().starts_with('#'));
        let lines = said.filter_map(|line| line.split_once("/switchboard"));
        texts.extend(lines.map(|(_, rest)| (document.path.clone(), format!("switchboard{rest}"))));
    }
    assert!(texts.len() > 10, "{}", texts.len());
    for (path, text) in texts {
        for name in options_in(&text) {
            assert!(known.contains(name), "{path}: {text}");
        }
        let second = text.split_whitespace().nth(1).unwrap_or_default();
        let is_word = !second.is_empty() && second.bytes().all(|b| b.is_ascii_lowercase());
        assert!(!is_word || subcommands.contains(&second), "{path}: {text}");
    }
}

#[test]
fn every_variable_that_a_document_names_is_there() {
    let arguments = arguments();
    let known: BTreeSet<_> = arguments
        .iter()
        .filter_map(|argument| argument.get_env()?.to_str())
        .chain(OF_TESTS)
        .collect();
    let mut named = 0;
    for document in markdown::all().into_iter().chain(markdown::settings()) {
        for (at, _) in document.text.match_indices("SWITCHBOARD_") {
            let name = document.text[at..].split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
            let name = name.into_iter().next().unwrap_or_default();
            assert!(
                name == "SWITCHBOARD_" || known.contains(name),
                "{} names {name}",
                document.path
            );
            named += 1;
        }
    }
    assert!(named > 15, "{named}");
}

#[test]
fn every_option_of_a_server_is_named_in_a_document() {
    let texts: String = markdown::all()
        .into_iter()
        .map(|document| document.text)
        .collect();
    let named: BTreeSet<_> = options_in(&texts.replace('`', " "))
        .map(str::to_owned)
        .collect();
    let program = Cli::command();
    for flag in program.get_arguments().filter_map(Arg::get_long) {
        assert!(named.contains(flag), "no document says --{flag}");
    }
}

#[test]
fn every_default_in_a_table_of_options_is_the_true_one() {
    let program = Cli::command();
    let mut compared = 0;
    for document in markdown::all() {
        for table in document.tables() {
            let column = |name: &str| table.head.iter().position(|head| head == name);
            let Some(default) = column("default") else {
                continue;
            };
            let Some(option) = column("option").or(column("flag")) else {
                continue;
            };
            for row in &table.rows {
                let flags: Vec<_> = codes_of(&row[option])
                    .into_iter()
                    .filter_map(|code| options_in(code).next())
                    .collect();
                let said: Vec<_> = match flags.len() {
                    1 => vec![row[default].as_str()],
                    _ => row[default].split(", ").collect(),
                };
                for (index, flag) in flags.iter().enumerate() {
                    let argument = program
                        .get_arguments()
                        .find(|known| known.get_long() == Some(flag));
                    let argument =
                        argument.unwrap_or_else(|| panic!("{}: --{flag}", document.path));
                    // One word may stand for all of a row.
                    let said = said.get(index).unwrap_or(&said[0]);
                    assert!(
                        is_default(said, argument),
                        "{}: --{flag} {said}",
                        document.path
                    );
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 40, "{compared}");
}

/// Whether a cell says what the program has for this option where nothing is given.
fn is_default(said: &str, argument: &Arg) -> bool {
    let plain = |text: &str| text.replace(['`', ',', ' '], "").to_lowercase();
    let said = plain(said);
    let value = argument.get_default_values().first();
    let help = argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let true_one = match (value, help.split_once("[default: ")) {
        (Some(value), _) if value == "0" => "none".to_owned(),
        (Some(value), _) => plain(&value.to_string_lossy()),
        (None, Some((_, told))) if !said.starts_with("none") => {
            let word = told.split([']', ' ', ',']).next();
            plain(word.unwrap_or_default())
        }
        (None, _) => "none".to_owned(),
    };
    let rest = said.strip_prefix(&true_one);
    // 64 is no 640, but it may be 64 a second.
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
}

#[test]
fn a_command_line_is_read_as_a_shell_reads_it() {
    let block = "# one\nswitchboard --listen 127.0.0.1:1 \\\n  --origin 'a b' & # two\nswitchboard token | jq -c '.a'\nls\n";
    let lines: Vec<_> = command_lines(block)
        .iter()
        .map(|line| words(line))
        .collect();
    let first = ["switchboard", "--listen", "127.0.0.1:1", "--origin", "a b"];
    assert_eq!(lines, [&first[..], &["switchboard", "token"]]);
}
