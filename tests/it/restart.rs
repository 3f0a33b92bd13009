//! The state file: a restart loses nothing that was answered with 202.

use std::path::PathBuf;

use serde_json::json;
use switchboard::state_file;

use crate::harness::{TestServer, unique, until};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!(
            "switchboard-test-{}-{}",
            std::process::id(),
            unique("state")
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    fn file(&self) -> String {
        self.0.join("state").to_str().expect("a path").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn restart(mut server: TestServer, flags: &[&str]) -> TestServer {
    server.ask_to_stop();
    server.gone().await;
    TestServer::with(flags).await
}

#[tokio::test]
async fn a_restart_with_a_state_file_goes_on_as_if_nothing_had_happened() {
    let folder = Folder::new();
    let file = folder.file();
    let flags = ["--state-file", &file, "--drain", "100ms"];
    let server = TestServer::with(&flags).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let carol = server.join("demo", "carol").await;
    let mut stream = bob.events().await;
    stream.expect("ready").await;
    alice
        .say(
            json!({"to": "bob", "type": "offer", "session": "s1", "data": {"a": 1.50}, "id": "m1"}),
        )
        .await;
    stream.expect("peer-joined").await;
    let cursor = stream.expect("signal").await.id.expect("an id");
    alice
        .say(json!({"to": "bob", "type": "offer", "session": "s2", "id": "m2"}))
        .await;
    alice
        .say(json!({"to": "bob", "type": "bye", "session": "s2"}))
        .await;
    carol.leave().await;
    alice
        .say(json!({"to": "bob", "type": "hello", "data": "last"}))
        .await;
    drop(stream);

    let server = restart(server, &flags).await;
    assert!(
        !std::path::Path::new(&file).exists(),
        "a state is good for one start"
    );
    let (alice, bob, carol) = (alice.at(&server), bob.at(&server), carol.at(&server));
    let mut stream = bob.events_after(&cursor).await;
    let ready = stream.expect("ready").await.data;
    assert_eq!(
        (&ready["resumed"], &ready["replayed"]),
        (&json!(true), &json!(4))
    );
    assert_eq!(stream.expect("signal").await.data["session"], "s2");
    assert_eq!(
        stream.expect("session-ended").await.data["reason"],
        "hangup"
    );
    assert_eq!(
        stream.expect("peer-left").await.data,
        json!({"peer": "carol", "reason": "left"})
    );
    assert_eq!(stream.expect("signal").await.data["data"], "last");
    let again =
        json!({"to": "bob", "type": "offer", "session": "s1", "data": {"a": 1.50}, "id": "m1"});
    assert_eq!(alice.say(again).await["results"][0]["duplicate"], true);
    assert_eq!(bob.get("/sessions/s2").await.json["reason"], "hangup");
    assert_eq!(bob.get("/sessions/s1").await.json["state"], "offered");
    let ended = carol.get("/sessions").await;
    ended.expect_problem(410, "ended");
    assert_eq!(ended.json["reason"], "left");
    let late = alice.signal(json!({"to": "carol", "type": "hello"})).await;
    late.expect_problem(410, "peer-left");
    alice
        .say(json!({"to": "bob", "type": "hello", "data": "and on"}))
        .await;
    assert_eq!(stream.expect("signal").await.data["data"], "and on");
    let dave = server.join("demo", "dave").await;
    assert_eq!(dave.joined["order"], 3, "orders go on rising");
}

#[tokio::test]
async fn leases_begin_afresh_after_a_restart() {
    let folder = Folder::new();
    let file = folder.file();
    let flags = [
        "--state-file",
        &file,
        "--away-after",
        "100ms",
        "--grace",
        "700ms",
    ];
    let server = TestServer::with(&flags).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut stream = bob.events().await;
    stream.expect("ready").await;
    let server = restart(server, &flags).await;
    let (alice, bob) = (alice.at(&server), bob.at(&server));
    let mut alices = alice.events_after(&alice.cursor).await;
    alices.expect("ready").await;
    assert_eq!(alices.skip_to("peer-left").await.data["reason"], "timeout");
    bob.get("/sessions").await.expect_problem(410, "ended");
}

#[tokio::test]
async fn without_a_state_file_a_client_is_told_to_join_again() {
    let server = TestServer::with(&["--secret", "the same secret over and over"]).await;
    let alice = server.join("demo", "alice").await;
    let server = restart(server, &["--secret", "the same secret over and over"]).await;
    let answer = alice.at(&server).get("/poll").await;
    answer.expect_problem(410, "ended");
    assert_eq!(answer.json["reason"], "unknown");
}

#[tokio::test]
async fn signals_that_are_accepted_while_it_stops_are_in_the_file() {
    let folder = Folder::new();
    let file = folder.file();
    let flags = [
        "--state-file",
        &file,
        "--drain",
        "500ms",
        "--mailbox-events",
        "0",
    ];
    let mut server = TestServer::with(&flags).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut stream = bob.events().await;
    stream.expect("ready").await;
    let (sender, flag) = (
        alice.clone(),
        std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0)),
    );
    let count = flag.clone();
    let sending = tokio::spawn(async move {
        let client = crate::harness::client();
        for n in 0.. {
            let body = json!({"to": "bob", "type": "n", "data": n, "id": format!("m{n}")});
            let request = client
                .post(sender.url("/signals"))
                .bearer_auth(&sender.token);
            let Ok(answer) = request.body(body.to_string()).send().await else {
                break;
            };
            if answer.status() != 202 {
                break;
            }
            count.store(n + 1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    until(async || flag.load(std::sync::atomic::Ordering::Relaxed) > 50).await;
    server.ask_to_stop();
    server.gone().await;
    sending.await.expect("sent until the end");
    let accepted = flag.load(std::sync::atomic::Ordering::Relaxed);
    let server = TestServer::with(&flags).await;
    let mut stream = bob.at(&server).events_after(&bob.cursor).await;
    stream.expect("ready").await;
    for n in 0..accepted {
        assert_eq!(stream.expect("signal").await.data["data"], n);
    }
}

#[tokio::test]
async fn a_damaged_state_file_is_refused_and_says_so() {
    let folder = Folder::new();
    let file = folder.file();
    let mut server = TestServer::with(&["--state-file", &file]).await;
    let (alice, _bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    alice
        .say(json!({"to": "bob", "type": "hello", "data": "a secret word"}))
        .await;
    server.ask_to_stop();
    server.gone().await;
    let path = std::path::Path::new(&file);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            std::fs::metadata(path)
                .expect("a file")
                .permissions()
                .mode()
                & 0o777,
            0o600
        );
    }
    let good = std::fs::read(path).expect("a file");
    assert!(state_file::read(path).is_ok_and(|state| state.is_some()));
    let refused = |bytes: &[u8]| {
        std::fs::write(path, bytes).expect("written");
        let error = state_file::read(path).err().expect("a refusal");
        assert!(error.to_string().contains(&file), "{error}");
    };
    // All but the last line break, without which nothing is missing.
    for cut in 0..good.len() - 1 {
        refused(&good[..cut]);
    }
    for at in (0..good.len()).step_by(7) {
        let mut changed = good.clone();
        changed[at] ^= 1;
        refused(&changed);
    }
    let text = String::from_utf8(good).expect("text");
    let version = |number| format!("\"switchboard_state\":{number}");
    let ours = version(state_file::VERSION);
    assert!(text.contains(&ours));
    let next = text.replacen(&ours, &version(state_file::VERSION + 1), 1);
    refused(next.as_bytes());
    refused(b"{}\n");
}
