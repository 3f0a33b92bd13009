//! A shell, as a person types into it and reads what it prints.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::PATIENCE;

/// A shell as a person has it open; it ends with the test.
pub struct Terminal {
    shell: Child,
    keys: ChildStdin,
    screen: Lines<BufReader<ChildStdout>>,
}

impl Terminal {
    pub fn open() -> Self {
        Self::open_in(&std::env::temp_dir())
    }

    /// One that stands in the folder `place`.
    pub fn open_in(place: &Path) -> Self {
        let mut shell = Command::new("bash")
            .arg("--norc")
            .current_dir(place)
            .env("no_proxy", "*")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("bash is installed");
        let keys = shell.stdin.take().expect("its input");
        let screen = BufReader::new(shell.stdout.take().expect("its output")).lines();
        Self {
            shell,
            keys,
            screen,
        }
    }

    pub async fn type_line(&mut self, line: &str) {
        self.keys
            .write_all(format!("{line}\n").as_bytes())
            .await
            .expect("typed");
    }

    /// Runs a command to its end; what it printed.
    pub async fn run(&mut self, line: &str) -> String {
        self.type_line(line).await;
        self.type_line("echo; echo \"done $?\"").await;
        self.read_until("done ").await
    }

    /// What is printed up to a line that begins with `mark`.
    pub async fn read_until(&mut self, mark: &str) -> String {
        let mut seen = String::new();
        loop {
            let line = tokio::time::timeout(PATIENCE, self.screen.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("no {mark:?} in time after {seen}"));
            let line = line.expect("text").expect("the shell is still there");
            seen.push_str(&line);
            seen.push('\n');
            if line.starts_with(mark) {
                return seen;
            }
        }
    }

    /// Presses Ctrl-C on the command that runs.
    pub async fn interrupt(&mut self) {
        let shell = self.shell.id().expect("a shell that runs").to_string();
        let pids = Command::new("pgrep").args(["-P", &shell]).output().await;
        let pids = String::from_utf8(pids.expect("procps is installed").stdout).expect("numbers");
        let pid = pids.trim();
        assert!(!pid.is_empty(), "a command runs");
        let sent = Command::new("kill").args(["-INT", pid]).status().await;
        assert!(sent.expect("kill runs").success());
    }
}
