//! What operators look at: the history, the figures; and how a request is called.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Peer, Stream, TestServer, client, until};

const TOKEN: &str = "an operator's long secret";

async fn operated(flags: &[&str]) -> TestServer {
    let mut all = vec!["--operator-token", TOKEN];
    all.extend(flags);
    TestServer::with(&all).await
}

async fn get(server: &TestServer, path: &str) -> Answer {
    server
        .request(Method::GET, path, |request| request.bearer_auth(TOKEN))
        .await
}

async fn watch(server: &TestServer, path: &str, cursor: Option<&str>) -> Stream {
    let mut request = client().get(server.url(path)).bearer_auth(TOKEN);
    if let Some(cursor) = cursor {
        request = request.header("last-event-id", cursor);
    }
    Stream::open(request).await
}

/// What was told, as `event peer-or-from …`, without what differs from run to run.
fn gist(name: &str, data: &Value) -> String {
    let mut words = vec![name.to_owned()];
    for field in [
        "peer",
        "from",
        "to",
        "type",
        "session",
        "state",
        "transport",
        "how",
        "ice",
        "way",
        "slug",
        "reason",
    ] {
        words.extend(data[field].as_str().map(str::to_owned));
    }
    words.join(" ")
}

async fn next(stream: &mut Stream) -> String {
    let event = stream.next().await;
    assert!(event.id.is_some(), "{event:?}");
    assert_eq!(event.data["room"], "demo");
    gist(&event.name, &event.data)
}

/// A call from its joins to its end; some signals are refused.
async fn call(server: &TestServer) -> (Peer, Peer) {
    let alice = server.join("demo", "alice").await;
    let bob = server.join("demo", "bob").await;
    let mut stream = bob.events().await;
    stream.expect("ready").await;
    let signal = |from: &Peer, to: &str, kind: &str| {
        let sent = json!({"to": to, "type": kind, "session": "s1", "data": {"sdp": "v=0 secret"}});
        let from = from.clone();
        async move { from.signal(sent).await }
    };
    signal(&alice, "bob", "offer").await.expect_status(202);
    signal(&bob, "alice", "answer").await.expect_status(202);
    signal(&alice, "bob", "candidate").await.expect_status(202);
    signal(&alice, "carol", "offer").await.expect_status(404);
    let report = json!({"session": "s1", "ice": "connected", "way": "relay-tls"});
    alice.post("/reports", report).await.expect_status(204);
    signal(&alice, "bob", "bye").await.expect_status(202);
    bob.leave().await;
    while stream.any().await.is_some() {}
    (alice, bob)
}

const LADDER: [&str; 14] = [
    "joined alice",
    "joined bob",
    "reading bob sse fresh",
    "signal alice bob offer s1 live",
    "session alice bob s1 offered",
    "signal bob alice answer s1 queued",
    "session bob alice s1 answered",
    "signal alice bob candidate s1 live",
    "refused alice carol offer s1 unknown-peer",
    "report alice s1 connected relay-tls",
    "signal alice bob bye s1 live",
    "session alice bob s1 ended hangup",
    "stopped bob sse left",
    "left bob left",
];

#[tokio::test]
async fn a_call_is_told_step_by_step_as_it_happens_and_from_envelopes_only() {
    let server = operated(&[]).await;
    let mut stream = watch(&server, "/rooms/demo/history", None).await;
    let ready = stream.expect("ready").await;
    assert_eq!(ready.data["resumed"], false);
    assert_eq!(ready.data["heartbeat_ms"], 15_000);
    call(&server).await;
    let mut told = Vec::new();
    for expected in &LADDER {
        let event = stream.next().await;
        assert!(!event.raw.contains("secret"), "{event:?}");
        assert_eq!(gist(&event.name, &event.data), *expected);
        told.push(event);
    }
    assert!(told[6].data["after_ms"].is_u64() && told[12].data["ms"].is_u64());
    assert_eq!(told[7].data["bytes"], r#"{"sdp":"v=0 secret"}"#.len());
    // Whoever comes later reads the same, from anywhere.
    let id = told[9].id.as_deref();
    let mut again = watch(&server, "/rooms/demo/history", id).await;
    let ready = again.expect("ready").await;
    assert_eq!(
        (&ready.data["resumed"], &ready.data["gap"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(next(&mut again).await, LADDER[10]);
}

#[tokio::test]
async fn the_history_can_be_polled_at_the_same_cursor() {
    let server = operated(&[]).await;
    call(&server).await;
    let page = get(&server, "/rooms/demo/history?wait=0").await;
    let events = page.json["events"].as_array().expect("events");
    assert_eq!(events[0]["event"], "ready");
    let told: Vec<_> = events[1..]
        .iter()
        .map(|event| gist(event["event"].as_str().expect("a name"), &event["data"]))
        .collect();
    assert_eq!(told, LADDER);
    let cursor = page.json["cursor"].as_str().expect("a cursor");
    let path = format!("/history?wait=20&cursor={cursor}");
    let held = get(&server, &path);
    let joining = async {
        server.join("other", "dave").await;
    };
    let (held, ()) = tokio::join!(held, joining);
    assert_eq!(
        held.json["events"][0]["data"]["peer"], "dave",
        "{}",
        held.text
    );
    let none = get(
        &server,
        &format!("/rooms/demo/history?wait=0&cursor={cursor}"),
    )
    .await;
    assert_eq!(none.json["events"], json!([]));
}

#[tokio::test]
async fn past_its_bound_the_oldest_lines_go_and_who_comes_late_is_told() {
    let server = operated(&["--max-history", "5"]).await;
    let mut stream = watch(&server, "/history", None).await;
    stream.expect("ready").await;
    server.join("demo", "alice").await;
    let first = stream.expect("joined").await.id.expect("an id");
    for n in 0..6 {
        server.join("demo", &format!("p{n}")).await;
    }
    let mut late = watch(&server, "/history", Some(&first)).await;
    let ready = late.expect("ready").await;
    assert_eq!(
        (&ready.data["resumed"], &ready.data["gap"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(late.expect("joined").await.data["peer"], "p1");
    let mut foreign = watch(&server, "/history", Some("0123456789abcdef-3")).await;
    assert_eq!(foreign.expect("ready").await.data["gap"], true);
}

#[tokio::test]
async fn only_operators_read_it_and_only_so_many_at_a_time() {
    let open = TestServer::start().await;
    let alice = open.join("demo", "alice").await;
    assert_eq!(alice.joined["reports"], Value::Null);
    for path in ["/history", "/rooms/demo/history", "/metrics"] {
        open.get(path).await.expect_problem(404, "unknown-path");
    }
    let server = operated(&[]).await;
    let alice = server.join("demo", "alice").await;
    assert_eq!(alice.joined["reports"], true);
    for path in ["/history", "/rooms/demo/history", "/metrics"] {
        server.get(path).await.expect_problem(401, "bad-token");
        let shown = server
            .request(Method::GET, path, |request| {
                request.bearer_auth(&alice.token)
            })
            .await;
        shown.expect_problem(403, "not-allowed");
    }
    for bad in ["wait=26", "wait=-1", "wait=soon"] {
        get(&server, &format!("/history?{bad}"))
            .await
            .expect_problem(422, "bad-request");
    }
    get(&server, "/history?cursor=nonsense")
        .await
        .expect_problem(400, "bad-cursor");
    let mut open = Vec::new();
    for _ in 0..32 {
        let mut stream = watch(&server, "/history", None).await;
        stream.expect("ready").await;
        open.push(stream);
    }
    get(&server, "/history")
        .await
        .expect_problem(503, "overloaded");
    drop(open);
    until(async || get(&server, "/history?wait=0").await.status == 200).await;
}

#[tokio::test]
async fn who_looks_on_is_told_when_the_server_goes_away() {
    let mut server = operated(&[]).await;
    let mut stream = watch(&server, "/history", None).await;
    stream.expect("ready").await;
    server.ask_to_stop();
    let end = stream.skip_to("end").await;
    assert_eq!(end.data, json!({"reason": "drain", "retry": "now"}));
    assert!(stream.any().await.is_none());
    server.gone().await;
}

#[tokio::test]
async fn kinds_of_candidates_that_a_client_found_are_told_each_once() {
    let server = operated(&[]).await;
    let alice = server.join("demo", "alice").await;
    let mut stream = watch(&server, "/rooms/demo/history", None).await;
    for (found, told) in [
        (json!(["relay", "host", "relay"]), json!(["host", "relay"])),
        (json!([]), json!([])),
    ] {
        let report = json!({"ice": "failed", "found": found});
        alice.post("/reports", report).await.expect_status(204);
        assert_eq!(stream.skip_to("report").await.data["found"], told);
    }
}

#[tokio::test]
async fn a_bad_report_is_refused_and_a_good_one_needs_neither_session_nor_way() {
    let server = operated(&[]).await;
    let alice = server.join("demo", "alice").await;
    alice
        .post("/reports", json!({"ice": "failed"}))
        .await
        .expect_status(204);
    for bad in [
        json!({}),
        json!({"ice": "melted"}),
        json!({"ice": "failed", "way": "pigeon"}),
        json!({"ice": 1}),
        json!({"ice": "failed", "found": ["host", "carrier"]}),
        json!({"ice": "failed", "found": "host"}),
    ] {
        let refused = alice.post("/reports", bad).await;
        refused.expect_problem(422, "bad-request");
    }
    let array = alice.post("/reports", json!(["s1", "failed", null])).await;
    array.expect_problem(422, "bad-request");
    let bad = alice
        .post("/reports", json!({"ice": "failed", "session": "a b"}))
        .await;
    bad.expect_problem(422, "bad-id");
    alice
        .post("/reports", "nonsense")
        .await
        .expect_problem(400, "bad-json");
}

/// The value of a figure, by its name and labels as they are written.
fn figure(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| {
        let (shown, value) = line.rsplit_once(' ')?;
        (shown == format!("switchboard_{name}")).then_some(value)
    });
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .parse()
        .expect("a number")
}

#[tokio::test]
async fn what_happened_is_counted() {
    let server = operated(&[]).await;
    let (alice, _) = call(&server).await;
    let _open = alice.events().await;
    server
        .get("/nothing")
        .await
        .expect_problem(404, "unknown-path");
    until(async || {
        let text = get(&server, "/metrics").await.text;
        figure(&text, r#"readers{transport="sse"}"#) == 1.0
    })
    .await;
    let answer = get(&server, "/metrics").await;
    assert_eq!(
        answer.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = answer.text;
    for (name, value) in [
        ("joins_total", 2.0),
        ("rooms", 1.0),
        ("peers", 1.0),
        (r#"reads_total{outcome="fresh",transport="sse"}"#, 2.0),
        (r#"signals_total{result="accepted",type="offer"}"#, 1.0),
        (r#"signals_total{result="refused",type="offer"}"#, 1.0),
        (r#"signals_total{result="accepted",type="candidate"}"#, 1.0),
        (r#"deliveries_total{state="live"}"#, 3.0),
        (r#"deliveries_total{state="queued"}"#, 1.0),
        ("sessions_total", 1.0),
        ("sessions_answered_seconds_count", 1.0),
        (r#"session_duration_seconds_count{answered="yes"}"#, 1.0),
        (r#"session_ends_total{reason="hangup"}"#, 1.0),
        (r#"peer_ends_total{reason="left"}"#, 1.0),
        (
            r#"ice_reports_total{state="connected",way="relay-tls"}"#,
            1.0,
        ),
        (r#"refusals_total{slug="unknown-path"}"#, 1.0),
        ("draining", 0.0),
    ] {
        assert_eq!(figure(&text, name), value, "{name}: {text}");
    }
    assert!(figure(&text, r#"delivery_seconds_count{transport="sse"}"#) >= 3.0);
    assert!(figure(&text, "connections") >= 1.0);
    assert!(text.contains("switchboard_build_info{version="));
    assert!(text.contains("switchboard_process_resident_memory_bytes "));
    assert!(!text.contains("store_up"), "there is no store: {text}");
}

#[tokio::test]
async fn the_second_address_tells_figures_without_a_token() {
    let server = TestServer::with(&["--admin-listen", "127.0.0.1:0"]).await;
    server.join("demo", "alice").await;
    let admin = server.admin.clone().expect("a second address");
    let answer = client().get(format!("{admin}/metrics")).send().await;
    let answer = Answer::of(answer.expect("an answer")).await;
    assert_eq!(figure(&answer.text, "joins_total"), 1.0);
}

/// What a program of Prometheus's says of a text that it is given.
fn promtool(arguments: &[&str], text: &str) {
    use std::io::Write as _;
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, which Debian has in the package prometheus");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(text.as_bytes()).expect("written");
    drop(stdin);
    let done = child.wait_with_output().expect("its end");
    let said =
        String::from_utf8_lossy(&done.stderr).into_owned() + &String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}\n{text}");
}

#[tokio::test]
async fn prometheus_finds_nothing_to_say_against_the_figures_nor_against_the_alerts() {
    let flags = [
        "--turn-listen",
        "127.0.0.1:0",
        "--turn-allow-peer",
        "127.0.0.0/8",
    ];
    let server = operated(&flags).await;
    call(&server).await;
    let text = get(&server, "/metrics").await.text;
    let names = |text: &str| -> BTreeSet<String> {
        let named = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        named
            .filter_map(|line| line.split(' ').next().map(str::to_owned))
            .collect()
    };
    let told = names(&text);
    tokio::task::spawn_blocking(move || promtool(&["check", "metrics"], &text))
        .await
        .expect("no complaint");
    let root = env!("CARGO_MANIFEST_DIR");
    let alerts = format!("{root}/deploy/prometheus/alerts.yml");
    let tests = format!("{root}/deploy/prometheus/alerts_test.yml");
    let rules = alerts.clone();
    tokio::task::spawn_blocking(move || {
        promtool(&["check", "rules", &rules], "");
        promtool(&["test", "rules", &tests], "");
    })
    .await
    .expect("no complaint");
    let board = format!("{root}/deploy/grafana/switchboard.json");
    for file in [alerts, board] {
        let asked = std::fs::read_to_string(&file).expect("a file");
        let words = asked.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let mut named = 0;
        // One that only nodes with a store have.
        let known = |name: &str| name == "switchboard_store_up" || told.contains(name);
        for name in words.filter(|word| word.starts_with("switchboard_")) {
            let bare = ["_bucket", "_count", "_sum"]
                .iter()
                .find_map(|end| name.strip_suffix(end))
                .unwrap_or(name);
            assert!(known(name) || known(bare), "{file} names {name}");
            named += 1;
        }
        assert!(named > 5, "{file} names figures");
    }
}

#[tokio::test]
async fn a_request_keeps_the_name_that_it_comes_with_and_gets_one_otherwise() {
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for path in ["/readyz", "/nothing", "/rooms/demo/peers/alice/poll?wait=0"] {
        let token = &alice.token;
        let ask = |name: &'static str, value: &'static str| {
            server.request(Method::GET, path, move |request| {
                let request = request.bearer_auth(token);
                if name.is_empty() {
                    request
                } else {
                    request.header(name, value)
                }
            })
        };
        let id = |answer: &Answer| answer.header("x-request-id").to_owned();
        assert_eq!(id(&ask("x-request-id", "mine-1").await), "mine-1", "{path}");
        let traced = ask("traceparent", parent).await;
        assert_eq!(id(&traced), "4bf92f3577b34da6a3ce929d0e0e4736");
        let (one, other) = (id(&ask("", "").await), id(&ask("", "").await));
        assert!(one.len() == 16 && one != other, "{one} {other}");
    }
    let stream = alice.events().await;
    assert_eq!(stream.headers["x-request-id"].len(), 16);
}
