//! `switchboard completions` and `switchboard man`: what shells and readers of manuals get.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::client::Failure;
use crate::config::Cli;
use crate::exit;

const NAME: &str = "switchboard";
const MANUAL: &str = "Switchboard";
/// Of the page's last change that readers notice.
const DATE: &str = "2026-11-29";

/// Print a completion script for a shell
///
/// bash: switchboard completions bash > ~/.local/share/bash-completion/completions/switchboard
/// zsh: switchboard completions zsh > a folder of $fpath/_switchboard
/// fish: switchboard completions fish > ~/.config/fish/completions/switchboard.fish
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_help = exit::TABLE)]
pub struct Completions {
    /// Which shell
    pub shell: Shell,
}

/// Print the manual page
///
/// One page with all subcommands; with --dir one page for each, as files.
/// To read it: switchboard man | man -l -
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_help = exit::TABLE)]
pub struct Pages {
    /// Write switchboard.1 and a page for each subcommand into this folder, which is made if need be
    #[arg(long, env = "SWITCHBOARD_DIR", value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
}

/// The script.
pub fn completions(options: &Completions) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut command(), NAME, &mut script);
    script
}

/// The page, or nothing where pages were written as files.
///
/// # Errors
/// [`Failure`] where they cannot be.
pub fn pages(options: &Pages) -> Result<Vec<u8>, Failure> {
    match &options.dir {
        None => Ok(whole()?),
        Some(dir) => {
            files(dir).map_err(|error| {
                Failure::Usage(format!("{} cannot be written to: {error}", dir.display()))
            })?;
            Ok(Vec::new())
        }
    }
}

/// The command line as a manual names it: without what the environment holds just now.
fn command() -> Command {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    command
}

fn page(command: &Command) -> io::Result<String> {
    let mut text = Vec::new();
    man(command).render(&mut text)?;
    Ok(clean(&String::from_utf8_lossy(&text)))
}

fn man(command: &Command) -> Man {
    Man::new(command.clone()).manual(MANUAL).date(DATE)
}

/// Without the breaks that stand beside spaces and so do nothing, which readers warn of.
fn clean(page: &str) -> String {
    let lines: Vec<_> = page.lines().collect();
    let is_space = |at: Option<usize>| {
        let line = at.and_then(|at| lines.get(at));
        line.is_some_and(|line| line.is_empty())
    };
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        if *line == ".br" && (is_space(at.checked_sub(1)) || is_space(Some(at + 1))) {
            continue;
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn files(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let whole = command();
    for command in std::iter::once(&whole).chain(whole.get_subcommands()) {
        std::fs::write(dir.join(man(command).get_filename()), page(command)?)?;
    }
    Ok(())
}

/// All in one: the page of the program, and a section for each subcommand.
fn whole() -> io::Result<Vec<u8>> {
    let whole = command();
    let mut text = page(&whole)?;
    for command in whole.get_subcommands() {
        // The options of `serve` are those of the program.
        if command.get_name() == "serve" {
            continue;
        }
        let (page, mut part) = (man(command), Vec::new());
        page.render_synopsis_section(&mut part)?;
        page.render_description_section(&mut part)?;
        page.render_options_section(&mut part)?;
        let part = String::from_utf8_lossy(&part).replace("\n.SH ", "\n.SS ");
        let name = command.get_name();
        text.push_str(&format!(
            ".SH \"{}\"\n",
            format!("{NAME} {name}").to_uppercase()
        ));
        // What begins each part is told once, by the first.
        let (_, part) = part.split_once("\n.SS SYNOPSIS").unwrap_or(("", &part));
        text.push_str(part.trim_start_matches('\n'));
    }
    Ok(clean(&text).into_bytes())
}
