//! The ICE servers that peers are told of, and their credentials.

use reqwest::Method;
use serde_json::{Value, json};
use switchboard::ice::credentials::{Secrets, expiry};

use crate::harness::TestServer;

const SECRET: &str = "a secret that is shared with TURN servers";
const RELAYS: [&str; 2] = [
    "turn:turn.example:3478?transport=udp",
    "turns:turn.example:443?transport=tcp",
];

async fn server(more: &[&str]) -> TestServer {
    let relays = RELAYS.join(",");
    let mut flags = vec!["--ice-server", &relays, "--turn-secret", SECRET];
    flags.extend(more);
    TestServer::with(&flags).await
}

/// What is told holds a credential that those take who share the secret.
fn is_good(told: &Value) {
    let name = told["username"].as_str().expect("a user name");
    let secrets = Secrets::new([SECRET.as_bytes()]).expect("a secret");
    let words: Vec<_> = secrets.passwords(name).collect();
    assert_eq!(told["password"], words[0]);
    assert_eq!(told["uris"], json!(RELAYS));
    let relay = json!({"urls": RELAYS, "username": name, "credential": words[0]});
    assert_eq!(told["iceServers"], json!([relay]));
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).expect("a time");
    let ttl = told["ttl"].as_u64().expect("seconds");
    let left = expiry(name, now.as_secs()).expect("a time to come") - now.as_secs();
    assert!(
        (ttl.saturating_sub(5)..=ttl).contains(&left),
        "{left} of {ttl}"
    );
}

#[tokio::test]
async fn a_join_brings_a_credential_and_the_door_gives_another() {
    let server = server(&[]).await;
    let alice = server.join("demo", "alice").await;
    is_good(&alice.joined);
    assert_eq!(alice.joined["ttl"], 3600);
    let fresh = server
        .request(Method::GET, "/ice-servers", |request| {
            request.bearer_auth(&alice.token)
        })
        .await;
    fresh.expect_status(200);
    assert_eq!(fresh.header("cache-control"), "no-store");
    is_good(&fresh.json);
    // Whose it is shows to everyone on the path: neither a name nor the half of a cursor.
    let name = fresh.json["username"].as_str().expect("a user name");
    let (_, id) = name.split_once(':').expect("an id");
    assert_eq!(id.len(), 16);
    let (epoch, _) = alice.cursor.split_once('-').expect("a cursor");
    assert!(!name.contains("alice") && !name.contains(epoch));
    assert_eq!(
        alice.joined["username"]
            .as_str()
            .expect("one")
            .split_once(':')
            .expect("an id")
            .1,
        id
    );
}

#[tokio::test]
async fn a_stream_is_told_of_new_credentials_before_the_old_ones_run_out() {
    let server = server(&["--turn-ttl", "10s", "--heartbeat", "500ms"]).await;
    let alice = server.join("demo", "alice").await;
    let before = alice.joined["expires_at"]
        .as_str()
        .expect("a time")
        .to_owned();
    let mut stream = alice.events().await;
    let told = stream.skip_to("ice-servers").await;
    is_good(&told.data);
    assert!(told.data["expires_at"].as_str().expect("a time") > before.as_str());
    assert_eq!(told.id, None, "it stands in no mailbox");
}

#[tokio::test]
async fn a_room_may_hide_the_addresses_of_its_peers() {
    let stun = [
        "--ice-server",
        "stun:stun.example:3478",
        "--relay-room",
        "private-*",
    ];
    let server = server(&stun).await;
    let hidden = server.join("private-7", "alice").await.joined;
    assert_eq!(hidden["iceTransportPolicy"], "relay");
    is_good(&hidden);
    let open = server.join("demo", "bob").await.joined;
    assert_eq!(open.get("iceTransportPolicy"), None);
    assert_eq!(
        open["iceServers"][0],
        json!({"urls": ["stun:stun.example:3478"]})
    );
}
