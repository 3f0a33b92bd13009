//! The program itself, run as people and scripts run it.

use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::PATIENCE;

/// The program; what the environment says of proxies, or to any switchboard, is none of its business
/// unless a test says so.
pub fn bare(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_uppercase();
        if upper.ends_with("_PROXY") || upper.starts_with("SWITCHBOARD_") {
            command.env_remove(name);
        }
    }
    command.args(args).kill_on_drop(true);
    command
}

/// Runs it to its end.
pub async fn run(mut command: Command) -> (i32, Output) {
    let output = tokio::time::timeout(PATIENCE * 5, command.output()).await;
    let output = output.expect("an end in time").expect("it ran");
    (output.status.code().expect("a code"), output)
}

/// The same; what it said on both outputs.
pub async fn said(args: &[&str]) -> (i32, String, String) {
    let (code, output) = run(bare(args)).await;
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (code, text(output.stdout), text(output.stderr))
}

/// One that runs, and whose lines are read as they come.
pub struct Background {
    pub child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    errors: JoinHandle<String>,
}

impl Background {
    pub fn start(args: &[&str]) -> Self {
        let mut child = bare(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut errors = child.stderr.take().expect("its errors");
        let errors = tokio::spawn(async move {
            let mut text = String::new();
            errors.read_to_string(&mut text).await.expect("text");
            text
        });
        Self {
            child,
            lines,
            errors,
        }
    }

    /// Its next line.
    pub async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        line.expect("a line in time")
            .expect("text")
            .expect("no end")
    }

    /// Its next line that is an event of that name.
    pub async fn event(&mut self, name: &str) -> Value {
        loop {
            let line = self.line().await;
            let event: Value = serde_json::from_str(&line).expect("JSON");
            if event["event"] == name {
                return event;
            }
        }
    }

    /// Sends it a signal by the name that `kill` knows.
    pub async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([name, &pid]).status().await;
        assert!(sent.expect("kill runs").success());
    }

    /// Closes the end of the pipe that its lines come by.
    pub fn close(self) -> (Child, JoinHandle<String>) {
        (self.child, self.errors)
    }

    /// Waits for its end: its code, the rest of its lines, and what it said of the connection.
    pub async fn end(mut self) -> (i32, Vec<String>, String) {
        drop(self.child.stdin.take());
        let mut rest = Vec::new();
        let read = async {
            while let Some(line) = self.lines.next_line().await.expect("text") {
                rest.push(line);
            }
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("an end in time");
        let status = self.child.wait().await.expect("an end");
        let errors = self.errors.await.expect("its errors");
        (status.code().expect("a code"), rest, errors)
    }
}
