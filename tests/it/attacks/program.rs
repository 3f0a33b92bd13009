//! The program itself, whose log and memory can be looked at.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use crate::harness::secrets;

/// A server as its users run it, at the most talkative level.
pub(super) struct Program {
    child: Child,
    pub(super) base: String,
    log: Option<JoinHandle<String>>,
}

impl Program {
    pub(super) fn start(flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        let ours = std::env::vars().map(|(name, _)| name);
        for name in ours.filter(|name| name.starts_with("SWITCHBOARD_")) {
            command.env_remove(name);
        }
        let mut child = command
            .args(["--listen", "127.0.0.1:0", "--workers", "2", "--drain", "0"])
            .args(flags)
            .env("RUST_LOG", "trace")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        let (mut log, mut base) = (String::new(), None);
        while base.is_none() {
            let mut line = String::new();
            if said.read_line(&mut line).expect("text") == 0 {
                break;
            }
            let bound = line.split("listening on ").nth(1);
            base = bound.map(|bound| bound.trim().to_owned());
            log.push_str(&line);
        }
        let Some(base) = base else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it did not start: {log}");
        };
        let log = std::thread::spawn(move || {
            let _ = said.read_to_string(&mut log);
            log
        });
        Self {
            child,
            base,
            log: Some(log),
        }
    }

    pub(super) fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &command]).status();
        assert!(status.expect("a shell").success(), "{command}");
    }

    /// Its share of the machine's memory, in bytes (PSS).
    pub(super) fn memory(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let text = std::fs::read_to_string(path).expect("a process of ours");
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
        let kib = kib.and_then(|kib| kib.trim().parse::<u64>().ok());
        kib.expect("a number of KiB") * 1024
    }

    /// Asks it to go, and gives all that it has said on standard error.
    pub(super) fn end(mut self) -> String {
        self.signal("TERM");
        self.child.wait().expect("a process of ours");
        let log = self.log.take().expect("a log");
        log.join().expect("no panic")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(log) = self.log.take()
            && let Ok(log) = log.join()
            && !std::thread::panicking()
        {
            assert_eq!(secrets::search(&log), None);
        }
    }
}
