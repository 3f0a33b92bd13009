//! Servers of the test's own on free ports of this machine; each ends with its handle.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use redis::FromRedisValue;

use super::port::free_port;

/// How long a server may take for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often it is looked whether something came to be.
const STEP: Duration = Duration::from_millis(20);

/// A server's process.
pub struct Server {
    program: &'static str,
    extra: Vec<String>,
    pub port: u16,
    dir: PathBuf,
    child: Child,
}

impl Server {
    /// A Redis with these options beside the usual ones.
    pub fn redis(extra: &[&str]) -> Self {
        let hint = "install redis-server 7.0 or later (Debian: apt-get install redis-server)";
        Self::start("redis-server", extra).expect(hint)
    }

    /// A Valkey; none, and loudly so, where there is no valkey-server.
    pub fn valkey() -> Option<Self> {
        let server = Self::start("valkey-server", &[]);
        if server.is_none() {
            eprintln!("SKIPPED: there is no valkey-server in PATH");
        }
        server
    }

    fn start(program: &'static str, extra: &[&str]) -> Option<Self> {
        let port = free_port();
        let dir = scratch();
        let extra: Vec<_> = extra.iter().map(|&option| option.to_owned()).collect();
        let Some(child) = spawn(program, port, &dir, &extra) else {
            let _ = std::fs::remove_dir_all(&dir);
            return None;
        };
        let server = Self {
            program,
            extra,
            port,
            dir,
            child,
        };
        server.ready();
        Some(server)
    }

    /// Waits until it answers.
    fn ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let pong = self.try_ask::<String>(&["PING"]);
            // One that wants a password answers too.
            let answers = |error: &redis::RedisError| error.code() == Some("NOAUTH");
            if pong.is_ok() || pong.is_err_and(|error| answers(&error)) {
                return;
            }
            assert!(Instant::now() < deadline, "the server never answers");
            std::thread::sleep(STEP);
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What it answers.
    pub fn try_ask<T: FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(2))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut cmd = redis::cmd(words[0]);
        for word in &words[1..] {
            cmd.arg(word);
        }
        cmd.query(&mut connection)
    }

    /// What it answers; it has to.
    pub fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_ask(words).expect("an answer")
    }

    /// Stops it where it stands.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status();
        assert!(status.expect("kill").success());
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, where it was and with what it had written.
    pub fn restart(&mut self) {
        self.kill();
        let again = spawn(self.program, self.port, &self.dir, &self.extra);
        self.child = again.expect("the same program");
        self.ready();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn spawn(program: &str, port: u16, dir: &Path, extra: &[String]) -> Option<Child> {
    let mut command = Command::new(program);
    // A Sentinel has nothing but its file.
    if let [file, sentinel] = extra
        && sentinel == "--sentinel"
    {
        let path = dir.join("sentinel.conf");
        if !path.exists() {
            let file = format!("port {port}\nbind 127.0.0.1\n{file}");
            std::fs::write(&path, file).expect("a file");
        }
        command.arg(path).arg(sentinel);
    } else {
        let port = port.to_string();
        command
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "everysec"])
            .args(["--repl-diskless-sync-delay", "0"])
            .args(extra);
    }
    command.current_dir(dir).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().ok()
}

/// A directory of the test's own.
pub fn scratch() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("switchboard-store-{}-{number}", std::process::id());
    let dir = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&dir).expect("a directory");
    dir
}

/// Waits until it is so, while all else goes on.
pub async fn until(so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "it never came to be so");
        tokio::time::sleep(STEP).await;
    }
}
