//! The program, as a process of the test's own: started, signalled and ended by its process id.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use crate::secrets;

/// All peers of these tests come from one address.
const UNBOUNDED: [&str; 4] = ["--max-readers-per-ip", "0", "--joins-per-second", "0"];

/// Where the program is.
pub fn file() -> String {
    std::env::var("SWITCHBOARD_BIN")
        .unwrap_or_else(|_| env!("CARGO_BIN_EXE_switchboard").to_owned())
}

/// A running server.
pub struct Program {
    child: Child,
    pub addr: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Program {
    /// Starts the program on a free port.
    pub fn start(flags: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", flags)
    }

    /// Starts the program on this address.
    pub fn start_at(listen: &str, flags: &[&str]) -> Self {
        let mut command = Command::new(file());
        command.env("RUST_LOG", "trace");
        Self::run(command, listen, flags)
    }

    /// Starts the program on this address by a command that leads to [`file`].
    pub fn run(mut command: Command, listen: &str, flags: &[&str]) -> Self {
        secrets::hide_options(flags);
        let ours = std::env::vars().map(|(name, _)| name);
        for name in ours.filter(|name| name.starts_with("SWITCHBOARD_")) {
            command.env_remove(name);
        }
        let mut child = command
            .args(["--listen", listen])
            .args(UNBOUNDED)
            .args(flags)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut addr = None;
        for line in lines.by_ref().map_while(Result::ok) {
            let bound = line.split("listening on http://").nth(1);
            addr = bound.and_then(|addr| addr.trim().parse().ok());
            log.lock().push(line);
            if addr.is_some() {
                break;
            }
        }
        let Some(addr) = addr else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it did not start:\n{}", log.lock().join("\n"));
        };
        let rest = log.clone();
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                rest.lock().push(line);
            }
        });
        Self {
            child,
            addr,
            log,
            reader: Some(reader),
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has ended by itself.
    pub async fn gone(&mut self) -> ExitStatus {
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().expect("a process of ours") {
                return status;
            }
            assert!(std::time::Instant::now() < deadline, "it does not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends it where it is, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().expect("a process of ours");
        self.child.wait().expect("a process of ours");
    }

    /// What it said on standard error.
    pub fn said(&self) -> String {
        self.log.lock().join("\n")
    }

    /// Its share of the machine's memory, in bytes (PSS).
    pub fn memory(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.id());
        let text = std::fs::read_to_string(path).expect("a process of ours");
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.trim().parse::<u64>().ok())
            .expect("a number of KiB")
            * 1024
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // To the last line.
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        if std::thread::panicking() {
            eprintln!("the program said:\n{}", self.said());
        } else if let Some(line) = secrets::search(&self.said()) {
            panic!("this stands in its log: {line}");
        }
    }
}

/// Sends a process of ours a signal: TERM, STOP, CONT.
pub fn signal(process: u32, name: &str) {
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{name} {process}")])
        .status();
    assert!(status.expect("a shell").success(), "kill -{name} {process}");
}
