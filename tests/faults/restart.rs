//! The server goes under load, and another comes in its place.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::client::Connection;
use crate::program::{Program, signal};
use crate::report;
use crate::storm::Storm;

const PEERS: usize = 1000;
const OPERATOR: &str = "the operator of this test";

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("switchboard-faults-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How many rooms there are, and how many peers in them.
async fn count(program: &Program) -> (usize, u64) {
    let mut connection = Connection::open(program.addr).await.expect("a server");
    let operator = format!("Authorization: Bearer {OPERATOR}\r\n");
    let answer = connection
        .call("GET", "/rooms", &operator, "")
        .await
        .expect("an answer");
    let rooms = answer.json["rooms"].as_array().expect("rooms").clone();
    let peers = rooms
        .iter()
        .map(|room| room["peers"].as_u64().expect("a number"));
    (rooms.len(), peers.sum())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long; tests/run runs it"]
async fn a_restart_with_a_state_file_under_load_loses_nothing() {
    let folder = Folder::new();
    let file = folder.0.join("state").to_str().expect("a path").to_owned();
    let flags = [
        "--state-file",
        &file,
        "--drain",
        "3s",
        "--operator-token",
        OPERATOR,
    ];
    let mut program = Program::start(&flags);
    let listen = program.addr.to_string();
    let mut storm = Storm::gather(program.addr, PEERS).await;
    storm.begin();
    storm.accepted(3000).await;
    let before = count(&program).await;
    let round = storm.watch_return();
    let asked = Instant::now();
    signal(program.id(), "TERM");
    let status = program.gone().await;
    let stopped = asked.elapsed();
    assert!(status.success(), "{status}: {}", program.said());
    let size = std::fs::metadata(&file).expect("a state file").len();
    let accepted = storm.total().accepted;
    let began = Instant::now();
    let program = Program::start_at(&listen, &flags);
    let serving = began.elapsed();
    assert!(
        !std::path::Path::new(&file).exists(),
        "it is good for one start"
    );
    let after = count(&program).await;
    storm.all_back(round).await;
    let back = began.elapsed();
    storm.accepted(accepted + 3000).await;
    let total = storm.settle().await;
    report::table(
        "SIGTERM under 1,000 signals a second, with a state file (drain 3 s), and a new start",
        &[
            "stopped after",
            "state file",
            "serves again after",
            "all are back after",
            "rooms",
            "peers",
        ],
        &[vec![
            report::seconds(stopped),
            report::size(size),
            report::seconds(serving),
            report::seconds(back),
            format!("{} and {}", before.0, after.0),
            format!("{} and {}", before.1, after.1),
        ]],
    );
    println!("{total}");
    assert_eq!(before, after);
    assert_eq!(
        (total.lost, total.twice, total.gaps, total.told),
        (0, 0, 0, 0)
    );
    assert_eq!(total.accepted, total.expected);
    assert!(total.drained as usize >= PEERS, "each reader was told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long; tests/run runs it"]
async fn after_a_crash_without_a_state_file_clients_are_told_and_come_back() {
    let mut program = Program::start(&["--operator-token", OPERATOR]);
    let listen = program.addr.to_string();
    let mut storm = Storm::gather(program.addr, PEERS).await;
    storm.begin();
    storm.accepted(3000).await;
    let round = storm.watch_return();
    program.kill();
    let began = Instant::now();
    let program = Program::start_at(&listen, &["--operator-token", OPERATOR]);
    storm.all_back(round).await;
    let back = began.elapsed();
    assert_eq!(count(&program).await, (PEERS / 10, PEERS as u64));
    let accepted = storm.total().accepted;
    storm.accepted(accepted + 5000).await;
    let total = storm.settle().await;
    report::table(
        "kill -9 under 1,000 signals a second, without a state file, and a new start",
        &[
            "all are back after",
            "told to join again",
            "went with the server, as they were told",
            "lost after that",
        ],
        &[vec![
            report::seconds(back),
            total.told.to_string(),
            total.gone.to_string(),
            total.lost.to_string(),
        ]],
    );
    println!("{total}");
    assert_eq!(total.told as usize, PEERS);
    assert_eq!((total.lost, total.twice, total.gaps), (0, 0, 0));
    assert!(
        total.gone as usize <= 2 * PEERS,
        "what was under way, no more"
    );
    assert!(back < Duration::from_secs(60));
}
