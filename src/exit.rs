//! The exit status: one table for all subcommands.

use std::process::ExitCode;

/// How a subcommand ended, as scripts see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// It failed, or the server refused.
    Failed = 1,
    /// The command line, or a file that it names, is wrong.
    Usage = 2,
    /// The server cannot be reached, or its certificate is not trusted.
    Unreachable = 3,
    /// The other side ended it, or what was waited for did not come.
    Over = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The table at the end of each `--help`.
pub const TABLE: &str = "Exit status, of every subcommand:
  0  done
  1  failed: the server refused, and standard error says why (health: it is not well; check: usable with limits; bench: something was lost, doubled, reordered or refused)
  2  the command line, or a file that it names, is wrong
  3  the server cannot be reached, or its certificate is not trusted (check: it is not usable from here)
  4  the other side ended it, or what was waited for did not come in time";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::config::Cli;

    #[test]
    fn the_help_of_every_subcommand_ends_in_the_table() {
        let mut whole = Cli::command();
        let root = whole.render_long_help().to_string();
        assert!(root.trim_end().ends_with(TABLE), "{root}");
        let known = |command: &&mut clap::Command| command.get_name() != "help";
        for command in whole.get_subcommands_mut().filter(known) {
            let (name, help) = (
                command.get_name().to_owned(),
                command.render_long_help().to_string(),
            );
            assert!(help.trim_end().ends_with(TABLE), "{name}: {help}");
        }
    }
}
