//! Servers that the benchmark starts. Whatever it starts ends with it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;

/// All that runs, for the case that the user has had enough.
static RUNNING: Mutex<Vec<Arc<Mutex<Child>>>> = Mutex::new(Vec::new());

/// A process that listens, until it is dropped.
pub(crate) struct Server {
    child: Arc<Mutex<Child>>,
    pub(crate) pid: u32,
    pub(crate) addr: SocketAddr,
    /// Where it relays media, if it does.
    pub(crate) relay: Option<SocketAddr>,
}

impl Server {
    /// Starts a program, on this CPU where one is named, and waits until it says where it listens.
    pub(crate) fn start(
        program: &Path,
        flags: &[String],
        cpu: Option<usize>,
    ) -> anyhow::Result<Self> {
        let mut command = match cpu {
            Some(cpu) => {
                // It replaces itself, so the process stays the same.
                let mut command = Command::new("taskset");
                command.arg("-c").arg(cpu.to_string()).arg(program);
                command
            }
            None => Command::new(program),
        };
        // Nothing but the flags decides how it runs.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("SWITCHBOARD_") || text == "RUST_LOG" {
                command.env_remove(&name);
            }
        }
        command
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let name = program.display();
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let says = child.stderr.take();
        let pid = child.id();
        let child = Arc::new(Mutex::new(child));
        lock(&RUNNING).push(Arc::clone(&child));
        let mut server = Self {
            child,
            pid,
            addr: SocketAddr::from(([0, 0, 0, 0], 0)),
            relay: None,
        };
        let mut lines = BufReader::new(says.context("no standard error")?).lines();
        let mut said = String::new();
        let mut relays = flags.iter().any(|flag| flag == "--turn-listen");
        let mut listens = false;
        for line in lines.by_ref() {
            let line = line?;
            let at = |addr: &str| {
                addr.parse()
                    .with_context(|| format!("{name} listens on {addr}"))
            };
            if let Some(addr) = line.strip_prefix("listening on http://") {
                (server.addr, listens) = (at(addr)?, true);
            } else if let Some(addr) = line.strip_prefix("relaying on ") {
                (server.relay, relays) = (Some(at(addr)?), false);
            }
            if listens && !relays {
                // What it has to say from now on.
                std::thread::spawn(move || {
                    for line in lines.map_while(Result::ok) {
                        eprintln!("  server: {line}");
                    }
                });
                return Ok(server);
            }
            said.push_str(&line);
            said.push('\n');
        }
        anyhow::bail!("{name} ended at its start:\n{said}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&self.child);
        lock(&RUNNING).retain(|child| !Arc::ptr_eq(child, &self.child));
    }
}

/// Ends all that runs.
pub(crate) fn end_all() {
    for child in lock(&RUNNING).iter() {
        end(child);
    }
}

fn end(child: &Mutex<Child>) {
    let mut child = lock(child);
    let _ = child.kill();
    let _ = child.wait();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends everything at Ctrl-C and SIGTERM.
pub(crate) fn end_at_signals() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(guard);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        end_all();
        std::process::exit(130);
    });
    Ok(())
}
