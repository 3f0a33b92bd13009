//! A process of clients: it does what it is told, a line of JSON each, and answers with a line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::herd::Herd;

/// Set in such a process.
const WITHIN: &str = "NODES_WORKER";
const TEST: &str = "scale::worker::scale_has_clients_in_processes_of_their_own";
/// What an answer begins with, among what else a test prints.
const ANSWER: &str = "answer: ";

/// A process of clients; it ends with this.
pub struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Worker {
    pub fn start() -> Self {
        let program = std::env::current_exe().expect("the test's own file");
        let mut child = Command::new(program)
            .args(["--exact", TEST, "--ignored", "--nocapture"])
            .env(WITHIN, "yes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self {
            child,
            input,
            output,
        }
    }

    pub fn say(&mut self, what: &Value) {
        writeln!(self.input, "{what}").expect("it listens");
    }

    pub fn hear(&mut self) -> Value {
        let mut line = String::new();
        loop {
            line.clear();
            let count = self.output.read_line(&mut line).expect("it speaks");
            assert!(count > 0, "a process of clients has ended");
            if let Some(answer) = line.strip_prefix(ANSWER) {
                return serde_json::from_str(answer).expect("JSON");
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
#[ignore = "is run by the test of scale"]
async fn scale_has_clients_in_processes_of_their_own() {
    if std::env::var_os(WITHIN).is_none() {
        return;
    }
    rlimit::increase_nofile_limit(u64::MAX).expect("a limit");
    let herd = Arc::new(Herd::default());
    let (lines, mut told) = tokio::sync::mpsc::unbounded_channel();
    // Its input ends with the test that started it, and the process with its input.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
    let mut since = Instant::now();
    println!();
    while let Some(line) = told.recv().await {
        let task: Value = serde_json::from_str(&line).expect("JSON");
        let answer = answer(&herd, &task, &mut since).await;
        println!("{ANSWER}{answer}");
    }
}

async fn answer(herd: &Arc<Herd>, task: &Value, since: &mut Instant) -> Value {
    let number = |field: &str| task[field].as_u64().unwrap_or_default() as usize;
    let rooms = number("from")..number("to");
    match task["do"].as_str().unwrap_or_default() {
        "face" => {
            let nodes = task["nodes"].as_array().into_iter().flatten();
            let nodes = nodes.filter_map(|node| node.as_str()?.parse().ok());
            herd.face(&nodes.collect::<Vec<_>>());
            json!({})
        }
        "join" => {
            herd.join(rooms).await;
            json!({})
        }
        "open" => {
            herd.open(rooms).await;
            json!({})
        }
        "relay" => {
            let span = Duration::from_secs(number("seconds") as u64);
            let (accepted, refused) = herd.relay(span, number("at_once")).await;
            // What is under way still comes; it is counted what came within that.
            let deadline = Instant::now() + Duration::from_secs(10);
            while herd.told.lock().took.len() < accepted && Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let took = std::mem::take(&mut herd.told.lock().took);
            json!({"accepted": accepted, "refused": refused, "took": took})
        }
        "watch" => {
            *since = Instant::now();
            let node = task["node"].as_str().and_then(|node| node.parse().ok());
            *herd.told.lock() = Default::default();
            json!({"reading": herd.reading(node)})
        }
        "back" => {
            // Until those of the killed node are cut they seem to read on.
            tokio::time::sleep(Duration::from_millis(500)).await;
            json!({"back": herd.back(*since).await})
        }
        _ => {
            let told = herd.told.lock();
            json!({"away": told.away, "left": told.left})
        }
    }
}
