//! The program itself, whose log and memory can be looked at.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::{secrets, until};

/// A server as its users run it, at the most talkative level.
pub struct Program {
    child: Child,
    pub base: String,
    said: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Program {
    pub fn start(flags: &[&str]) -> Self {
        secrets::hide_options(flags);
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
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let (said, mut base) = (Arc::new(Mutex::new(String::new())), None);
        for line in lines.by_ref().map_while(Result::ok) {
            let bound = line.split("listening on ").nth(1);
            base = bound.map(|bound| bound.trim().to_owned());
            add(&said, &line);
            if base.is_some() {
                break;
            }
        }
        let Some(base) = base else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it did not start: {}", said.lock());
        };
        let rest = said.clone();
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                add(&rest, &line);
            }
        });
        Self {
            child,
            base,
            said,
            reader: Some(reader),
        }
    }

    /// Waits until it has said this so many times.
    pub async fn says(&self, words: &str, times: usize) {
        until(async || self.said.lock().matches(words).count() >= times).await;
    }

    pub fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &command]).status();
        assert!(status.expect("a shell").success(), "{command}");
    }

    /// Its share of the machine's memory, in bytes (PSS).
    pub fn memory(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let text = std::fs::read_to_string(path).expect("a process of ours");
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
        let kib = kib.and_then(|kib| kib.trim().parse::<u64>().ok());
        kib.expect("a number of KiB") * 1024
    }

    /// Asks it to go, and gives all that it has said on standard error.
    pub fn end(mut self) -> String {
        self.signal("TERM");
        self.child.wait().expect("a process of ours");
        let reader = self.reader.take().expect("a log");
        reader.join().expect("no panic");
        self.said.lock().clone()
    }
}

fn add(said: &Mutex<String>, line: &str) {
    let mut said = said.lock();
    said.push_str(line);
    said.push('\n');
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        if !std::thread::panicking() {
            assert_eq!(secrets::search(&self.said.lock()), None);
        }
    }
}
