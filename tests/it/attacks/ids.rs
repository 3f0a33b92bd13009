//! Rooms and peers with names that mean something to a path, a file system or a parser.

use serde_json::json;

use super::send;
use crate::harness::TestServer;

/// As they stand in a path.
const BAD: &[&str] = &[
    "..",
    ".",
    "%2e",
    "%2e%2e",
    "%2E.",
    ".%2e",
    "%2e%2e%2f%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "a%2fb",
    "a%2Fpeers",
    "%2f",
    "a%5cb",
    "a\\b",
    "a%00",
    "%00",
    "a%00.js",
    "%252e%252e",
    "a%252fb",
    // Overlong UTF-8 of `.`, `/` and NUL; a surrogate; bytes that are no text.
    "%c0%ae%c0%ae",
    "%c0%af",
    "%e0%80%af",
    "%c0%80",
    "%ed%a0%80",
    "%ff%fe",
    "%c3%bc",
    "%e2%80%a8",
    "a%0d%0ab",
    "a%0ab",
    "a%20b",
    "a+b",
    "a;b",
    "a:b",
    "a@b",
    "*",
    "%",
    "%2",
    "%zz",
    "%u002e",
    "",
];

#[tokio::test]
async fn no_such_name_is_a_room_a_peer_or_a_session() {
    let server = TestServer::with(&["--operator-token", "op"]).await;
    let alice = server.join("demo", "alice").await;
    let long: Vec<String> = [65, 1000, 64 * 1024]
        .map(|length| "x".repeat(length))
        .into();
    let names = BAD.iter().copied().chain(long.iter().map(String::as_str));
    for bad in names {
        for (method, path) in [
            ("POST", format!("/rooms/{bad}/peers")),
            ("GET", format!("/rooms/{bad}/peers")),
            ("DELETE", format!("/rooms/{bad}/peers/alice")),
            ("POST", format!("/rooms/{bad}/peers/alice/signals")),
            ("GET", format!("/rooms/demo/peers/{bad}/events")),
            ("GET", format!("/rooms/demo/peers/{bad}/sessions")),
            ("POST", format!("/rooms/demo/peers/{bad}/leave")),
            ("PATCH", format!("/rooms/demo/peers/{bad}")),
            ("GET", format!("/rooms/demo/peers/alice/sessions/{bad}")),
        ] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                 Authorization: Bearer {}\r\nContent-Length: 0\r\n\r\n",
                alice.token
            );
            let heard = send(&server, request).await;
            let statuses = heard.statuses();
            let shown = path.get(..80).unwrap_or(&path);
            assert_eq!(statuses.len(), 1, "{method} {shown}: {}", heard.0);
            // What is left when a segment is empty or a dot is another path, which there is not.
            assert!(
                [400, 404, 405, 414, 422, 431].contains(&statuses[0]),
                "{method} {shown}: {}",
                heard.0
            );
        }
    }
    for bad in [
        "", ".", "..", "a/b", "../x", "a\\b", "a\0", "ü", "%2e%2e", "\u{202e}",
    ] {
        for field in ["to", "session", "id"] {
            let mut signal = json!({"to": "alice", "type": "x"});
            signal[field] = json!(bad);
            alice.signal(signal).await.expect_problem(422, "bad-id");
        }
        let join = json!({ "peer": bad }).to_string();
        let join = server.post("/rooms/demo/peers", &join).await;
        join.expect_problem(422, "bad-id");
    }
    let rooms = server
        .request(reqwest::Method::GET, "/rooms", |r| r.bearer_auth("op"))
        .await;
    assert_eq!(rooms.json, json!({"rooms": [{"room": "demo", "peers": 1}]}));
}

#[tokio::test]
async fn one_room_has_one_name_however_its_path_is_written() {
    let server = TestServer::start().await;
    server.join("demo", "alice").await;
    let request = "POST /rooms/%64em%6F/peers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                   Content-Length: 16\r\n\r\n{\"peer\":\"alice\"}";
    let heard = send(&server, request).await;
    assert_eq!(heard.statuses(), [409], "{}", heard.0);
}

#[tokio::test]
async fn no_path_leads_out_of_the_pages() {
    let server = TestServer::start().await;
    for path in [
        "/../Cargo.toml",
        "/client/../../Cargo.toml",
        "/client/%2e%2e/%2e%2e/Cargo.toml",
        "/client/..%2f..%2fCargo.toml",
        "/client/%c0%ae%c0%ae/Cargo.toml",
        "/client//etc/passwd",
        "//etc/passwd",
        "/client/switchboard.js%00.css",
        "/client/switchboard.js/",
        "/problems/../Cargo.toml",
        "/problems/%2e%2e%2fCargo.toml",
        "/.git/config",
        "/file:///etc/passwd",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let heard = send(&server, request).await;
        assert!(
            matches!(heard.statuses()[..], [400 | 404]),
            "{path}: {}",
            heard.0
        );
        assert!(!heard.0.contains("[package]") && !heard.0.contains("root:"));
    }
}
