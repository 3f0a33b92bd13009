//! Access tokens on the wire: who may join, list and operate what, and until when.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Peer, TestServer, unique};

pub const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A key file that is gone when its test is.
pub struct KeyFile(pub PathBuf);

impl KeyFile {
    pub fn new(text: impl AsRef<[u8]>) -> Self {
        let name = format!("switchboard-{}-{}", unique("key"), std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).expect("written");
        Self(path)
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A server with one key, and some more flags.
pub async fn keyed(flags: &[&str]) -> TestServer {
    let file = KeyFile::new(SECRET);
    let path = file.0.to_str().expect("text");
    // The key is read once, at the start.
    TestServer::with(&[&["--access-key", path], flags].concat()).await
}

/// Seconds since 1970, so much from now.
pub fn soon(seconds: i64) -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(now.as_secs()).expect("a time") + seconds
}

pub fn token(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(&Header::default(), claims, &key).expect("a token")
}

pub fn may(rights: &[&str], room: &str) -> String {
    token(&json!({"room": room, "rights": rights, "exp": soon(3600)}))
}

pub async fn ask(
    server: &TestServer,
    method: Method,
    path: &str,
    bearer: &str,
    body: Value,
) -> Answer {
    let with =
        |request: reqwest::RequestBuilder| request.bearer_auth(bearer).body(body.to_string());
    server.request(method, path, with).await
}

pub async fn join(server: &TestServer, room: &str, bearer: &str, body: Value) -> Answer {
    ask(
        server,
        Method::POST,
        &format!("/rooms/{room}/peers"),
        bearer,
        body,
    )
    .await
}

#[tokio::test]
async fn with_a_key_nobody_joins_or_lists_without_a_token_for_that_room() {
    let server = keyed(&[]).await;
    for path in ["/rooms/demo/peers", "/rooms/nobody-is-here/peers"] {
        server
            .post(path, "{}")
            .await
            .expect_problem(401, "bad-token");
        server.get(path).await.expect_problem(401, "bad-token");
    }
    let mine = may(&["join", "list"], "class-*");
    let joined = join(&server, "class-7a", &mine, json!({"peer": "kim"})).await;
    joined.expect_status(201);
    let other = join(&server, "staff", &mine, json!({"peer": "kim"})).await;
    other.expect_problem(403, "not-allowed");
    // Whether there is such a room makes no difference to who may not see it.
    let kim = Peer::of(&server, &joined.json);
    let room = join(
        &server,
        "staff",
        &may(&["join"], "staff"),
        json!({"peer": "lee"}),
    )
    .await;
    room.expect_status(201);
    let (there, not) = (
        ask(
            &server,
            Method::GET,
            "/rooms/staff/peers",
            &mine,
            Value::Null,
        )
        .await,
        ask(
            &server,
            Method::GET,
            "/rooms/other/peers",
            &mine,
            Value::Null,
        )
        .await,
    );
    there.expect_problem(403, "not-allowed");
    assert_eq!((there.status, &there.json), (not.status, &not.json));
    // A right that was not granted.
    let list = may(&["list"], "class-*");
    join(&server, "class-7a", &list, json!({}))
        .await
        .expect_problem(403, "not-allowed");
    let seen = ask(
        &server,
        Method::GET,
        "/rooms/class-7a/peers",
        &list,
        Value::Null,
    )
    .await;
    seen.expect_status(200);
    // A peer's own token lists its own room, and no other.
    let own = ask(
        &server,
        Method::GET,
        "/rooms/class-7a/peers",
        &kim.token,
        Value::Null,
    )
    .await;
    own.expect_status(200);
    let staff = ask(
        &server,
        Method::GET,
        "/rooms/staff/peers",
        &kim.token,
        Value::Null,
    )
    .await;
    staff.expect_problem(403, "not-allowed");
    // What was signed with something else, or with nothing.
    let header = Header::default();
    let claims = json!({"room": "*", "rights": ["join"], "exp": soon(60)});
    let forged = encode(&header, &claims, &EncodingKey::from_secret(&[0; 32])).expect("a token");
    join(&server, "demo", &forged, json!({}))
        .await
        .expect_problem(401, "bad-token");
    let late = token(&json!({"room": "*", "rights": ["join"], "exp": soon(-60)}));
    let late = join(&server, "demo", &late, json!({})).await;
    late.expect_problem(401, "bad-token");
    assert_eq!(late.json["reason"], "expired");
}

#[tokio::test]
async fn a_token_says_as_whom_one_joins() {
    let server = keyed(&[]).await;
    let named = |peer: Value| {
        token(&json!({"room": "demo", "peer": peer, "rights": ["join"], "exp": soon(60)}))
    };
    let kim = named(json!("kim"));
    let joined = join(&server, "demo", &kim, json!({})).await;
    joined.expect_status(201);
    assert_eq!(joined.json["peer"], "kim");
    join(&server, "demo", &kim, json!({"peer": "lee"}))
        .await
        .expect_problem(403, "not-allowed");
    // The id is in use: the access token alone does not take it over, the peer's own token does.
    join(&server, "demo", &kim, json!({}))
        .await
        .expect_problem(409, "peer-exists");
    let again = json!({"peer": "kim", "token": joined.json["token"]});
    join(&server, "demo", &kim, again).await.expect_status(200);
    let some = named(json!(["lee", "guest-*"]));
    join(&server, "demo", &some, json!({}))
        .await
        .expect_problem(422, "bad-request");
    join(&server, "demo", &some, json!({"peer": "guest-1"}))
        .await
        .expect_status(201);
    let any = join(&server, "demo", &named(json!("*")), json!({})).await;
    any.expect_status(201);
}

#[tokio::test]
async fn what_was_joined_ends_with_the_access_and_goes_on_without_a_gap_once_renewed() {
    let server = keyed(&[]).await;
    let open = may(&["join"], "demo");
    let bob = join(&server, "demo", &open, json!({"peer": "bob"})).await;
    let bob = Peer::of(&server, &bob.json);
    // Ten seconds are allowed to clocks that differ.
    let short = token(&json!({"room": "demo", "rights": ["join"], "exp": soon(-8)}));
    let alice = join(&server, "demo", &short, json!({"peer": "alice"})).await;
    alice.expect_status(201);
    let alice = Peer::of(&server, &alice.json);
    let mut stream = alice.events().await;
    let mut by_ticket = alice
        .stream(
            &format!("/notices?ticket={}", alice.ticket(None).await),
            None,
        )
        .await;
    bob.say(json!({"to": "alice", "type": "one"})).await;
    assert_eq!(stream.skip_to("signal").await.data["type"], "one");
    for reader in [&mut stream, &mut by_ticket] {
        let end = reader.skip_to("end").await;
        assert_eq!(end.data, json!({"reason": "expired", "retry": "later"}));
        assert!(reader.any().await.is_none(), "nothing follows an end");
    }
    // From now on the token is good for nothing but to join again, and to leave.
    for refused in [
        alice.signal(json!({"to": "bob", "type": "late"})).await,
        alice.get("/sessions").await,
        alice.get("/poll?wait=0").await,
        alice.post("/tickets", "{}").await,
        alice.post("/alive", "").await,
    ] {
        refused.expect_problem(401, "bad-token");
        assert_eq!(refused.json["reason"], "expired");
    }
    bob.say(json!({"to": "alice", "type": "two"})).await;
    let renewed = json!({"peer": "alice", "token": alice.token});
    let renewed = join(&server, "demo", &open, renewed).await;
    renewed.expect_status(200);
    let alice = Peer::of(&server, &renewed.json);
    let polled = alice.poll("?wait=0").await;
    let types: Vec<_> = polled["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| event["data"]["type"].clone())
        .collect();
    assert!(types.contains(&json!("two")), "{polled}");
    alice
        .signal(json!({"to": "bob", "type": "here"}))
        .await
        .expect_status(202);
}

#[tokio::test]
async fn access_beyond_all_calendars_does_not_run_out() {
    let server = keyed(&[]).await;
    for exp in [u64::MAX, 1 << 63] {
        let open = token(&json!({"room": "demo", "rights": ["join"], "exp": exp}));
        let alice = join(&server, "demo", &open, json!({})).await;
        alice.expect_status(201);
        let alice = Peer::of(&server, &alice.json);
        let mut stream = alice.events().await;
        let bob = join(&server, "demo", &open, json!({})).await;
        let told = stream.skip_to("peer-joined").await;
        assert_eq!(told.data["peer"], bob.json["peer"]);
        alice.get("/sessions").await.expect_status(200);
    }
}

#[tokio::test]
async fn an_expired_ticket_is_refused_softly_so_that_an_event_source_goes_on() {
    let server = keyed(&[]).await;
    let short = token(&json!({"room": "demo", "rights": ["join"], "exp": soon(-9)}));
    let alice = join(&server, "demo", &short, json!({"peer": "alice"})).await;
    alice.expect_status(201);
    let (alice, ticket) = (
        Peer::of(&server, &alice.json),
        alice.json["ticket"].as_str().expect("one").to_owned(),
    );
    crate::harness::until(async || alice.get("/sessions").await.status == 401).await;
    let mut refused = alice
        .stream(&format!("/events?ticket={ticket}"), None)
        .await;
    assert_eq!(refused.skip_to("end").await.data["reason"], "expired");
    // Leaving needs no access.
    alice.post("/leave", &alice.token).await.expect_status(204);
    let gone = join(
        &server,
        "demo",
        &may(&["join"], "demo"),
        json!({"peer": "alice"}),
    )
    .await;
    gone.expect_status(201);
}

#[tokio::test]
async fn to_operate_is_a_right_like_others_for_the_rooms_of_the_token() {
    let server = keyed(&[]).await;
    for room in ["class-7a", "staff"] {
        let all = may(&["join"], "*");
        join(&server, room, &all, json!({"peer": "kim"}))
            .await
            .expect_status(201);
    }
    server.get("/rooms").await.expect_problem(401, "bad-token");
    let plain = may(&["join", "list"], "*");
    ask(&server, Method::GET, "/rooms", &plain, Value::Null)
        .await
        .expect_problem(403, "not-allowed");
    let peer = join(&server, "class-7a", &plain, json!({"peer": "lee"})).await;
    let peer = Peer::of(&server, &peer.json);
    for (method, path) in [
        (Method::GET, "/rooms"),
        (Method::DELETE, "/rooms/class-7a"),
        (Method::DELETE, "/rooms/nobody-is-here"),
    ] {
        let refused = ask(&server, method, path, &peer.token, Value::Null).await;
        refused.expect_problem(403, "not-allowed");
    }
    peer.leave().await;
    let teacher = may(&["operate"], "class-*");
    let listed = ask(&server, Method::GET, "/rooms", &teacher, Value::Null).await;
    assert_eq!(
        listed.json,
        json!({"rooms": [{"room": "class-7a", "peers": 1}]})
    );
    for path in ["/rooms/staff", "/rooms/staff/peers/kim"] {
        ask(&server, Method::DELETE, path, &teacher, Value::Null)
            .await
            .expect_problem(403, "not-allowed");
    }
    ask(
        &server,
        Method::DELETE,
        "/rooms/class-7a/peers/kim",
        &teacher,
        Value::Null,
    )
    .await
    .expect_status(204);
    let listed = ask(
        &server,
        Method::GET,
        "/rooms",
        &may(&["operate"], "*"),
        Value::Null,
    )
    .await;
    assert_eq!(
        listed.json,
        json!({"rooms": [{"room": "staff", "peers": 1}]})
    );
    // To operate is not to join.
    join(&server, "class-7a", &teacher, json!({}))
        .await
        .expect_problem(403, "not-allowed");
}

#[tokio::test]
async fn ice_servers_are_for_who_may_join() {
    let server = keyed(&[]).await;
    server
        .get("/ice-servers")
        .await
        .expect_problem(401, "bad-token");
    let list = may(&["list"], "*");
    ask(&server, Method::GET, "/ice-servers", &list, Value::Null)
        .await
        .expect_problem(403, "not-allowed");
    ask(
        &server,
        Method::GET,
        "/ice-servers",
        &may(&["join"], "x"),
        Value::Null,
    )
    .await
    .expect_status(200);
}
