//! `switchboard listen`, the program itself: what it prints, what it survives, how it ends.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::check_ways::scanner;
use crate::harness::command::{Background, bare, run, said};
use crate::harness::{TestServer, free_port, unique, until};

fn listen<'a>(server: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
    [&["listen", server, "demo"], flags].concat()
}

#[tokio::test]
async fn programs_get_each_event_as_a_line_of_json_as_it_was_sent() {
    let server = TestServer::start().await;
    let args = listen(&server.base, &["--peer", "bob", "--until", "peer-left"]);
    let mut bob = Background::start(&args);
    let ready = bob.event("ready").await;
    assert_eq!(ready["data"]["peer"], "bob");
    let alice = server
        .join_with("demo", json!({"peer": "alice", "meta": {"name": "Alice"}}))
        .await;
    alice
        .signal(json!({"to": "bob", "type": "offer", "session": "s1", "data": {"sdp": "v=0"}}))
        .await
        .expect_status(202);
    alice
        .post(
            "/signals",
            r#"{"to":"bob","type":"chat","data":{"b":1.50,"a":"\u00e4"}}"#,
        )
        .await
        .expect_status(202);
    alice.leave().await;
    let (code, lines, errors) = bob.end().await;
    assert_eq!(code, 0, "{errors}");
    let events: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str()).collect();
    let wanted = [
        "peer-joined",
        "signal",
        "signal",
        "session-ended",
        "peer-left",
    ];
    assert_eq!(names, wanted.map(Some));
    assert_eq!(events[0]["data"]["meta"]["name"], "Alice");
    assert!(
        lines[2].contains(r#""data":{"b":1.50,"a":"\u00e4"}"#),
        "{}",
        lines[2]
    );
    for event in &events {
        assert!(event["id"].is_string(), "{event}");
        let at = event["at"].as_str().expect("a time");
        assert!(at.len() == 24 && at.ends_with('Z'), "{at}");
    }
    assert!(
        errors.contains("joined demo as bob, nobody else is there"),
        "{errors}"
    );
    assert!(errors.contains("reading by event stream"), "{errors}");
    assert!(server.hub.rooms().is_empty(), "it has left");
}

#[tokio::test]
async fn people_get_a_line_to_read_with_what_a_description_offers() {
    let server = TestServer::start().await;
    let flags = [
        "--peer",
        "bob",
        "--format",
        "pretty",
        "--until",
        "peer-left",
    ];
    let mut bob = Background::start(&listen(&server.base, &flags));
    assert!(
        bob.line()
            .await
            .contains("ready         bob  in demo, 0 to come")
    );
    let alice = server.join("demo", "alice").await;
    let sdp = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
    alice
        .say(json!({"to": "bob", "type": "offer", "session": "s1", "data": {"sdp": sdp}}))
        .await;
    alice.leave().await;
    let (code, lines, _) = bob.end().await;
    assert_eq!(code, 0);
    for (line, part) in lines.iter().zip([
        "Z  peer-joined   alice",
        "Z  signal        alice  offer s1  SDP of 38 bytes: audio",
        "Z  session-ended alice  s1 left",
        "Z  peer-left     alice  left",
    ]) {
        assert!(line.contains(part) && !line.contains('\u{1b}'), "{line:?}");
    }
}

#[tokio::test]
async fn on_a_terminal_it_is_coloured_unless_that_is_not_wanted() {
    let server = TestServer::start().await;
    for (no_colour, coloured) in [(None, true), (Some("1"), false)] {
        let line = format!(
            "{} listen {} demo --for 2s",
            env!("CARGO_BIN_EXE_switchboard"),
            server.base
        );
        let mut command = Command::new("script");
        command
            .args(["-qec", &line, "/dev/null"])
            .env("TERM", "xterm");
        command
            .env("no_proxy", "*")
            .env_remove("NO_COLOR")
            .kill_on_drop(true);
        if let Some(value) = no_colour {
            command.env("NO_COLOR", value);
        }
        let (code, output) = run(command).await;
        let text = String::from_utf8(output.stdout).expect("text");
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("ready"), "{text:?}");
        assert_eq!(text.contains("\u{1b}["), coloured, "{text:?}");
    }
}

#[tokio::test]
async fn over_a_restart_with_a_state_file_nothing_is_lost_and_nothing_comes_twice() {
    let folder = std::env::temp_dir().join(unique(&format!(
        "switchboard-listen-{}",
        std::process::id()
    )));
    std::fs::create_dir(&folder).expect("a folder");
    let (state, port) = (folder.join("state"), free_port());
    let address = format!("127.0.0.1:{port}");
    let flags = [
        "--listen",
        &address,
        "--state-file",
        state.to_str().expect("a path"),
        "--drain",
        "100ms",
    ];
    for transport in ["sse", "poll"] {
        let mut server = TestServer::with(&flags).await;
        let alice = server.join("demo", "alice").await;
        let args = [
            "--peer",
            "bob",
            "--until",
            "peer-left",
            "--transport",
            transport,
        ];
        let mut bob = Background::start(&listen(&server.base, &args));
        let hub = server.hub.clone();
        until(async || hub.open_readers() == 1).await;
        let say = async |n: u32| {
            alice
                .say(json!({"to": "bob", "type": "n", "data": n}))
                .await
        };
        say(0).await;
        assert_eq!(bob.event("signal").await["data"]["data"], 0);
        say(1).await;
        server.ask_to_stop();
        server.gone().await;
        drop(server);
        let server = TestServer::with(&flags).await;
        say(2).await;
        say(3).await;
        alice.leave().await;
        let (code, lines, errors) = bob.end().await;
        assert_eq!(code, 0, "{errors}");
        let numbers: Vec<u64> = lines
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
            .filter(|event| event["event"] == "signal")
            .filter_map(|event| event["data"]["data"].as_u64())
            .collect();
        assert_eq!(numbers, [1, 2, 3], "{transport}: {lines:#?} {errors}");
        assert!(errors.contains("trying again"), "{errors}");
        drop(server);
    }
    let _ = std::fs::remove_dir_all(&folder);
}

#[tokio::test]
async fn where_the_server_has_forgotten_all_it_joins_anew_and_says_so() {
    let address = format!("127.0.0.1:{}", free_port());
    let flags = ["--listen", address.as_str()];
    let mut server = TestServer::with(&flags).await;
    let args = ["--peer", "bob", "--until", "signal"];
    let mut bob = Background::start(&listen(&server.base, &args));
    bob.event("ready").await;
    server.ask_to_stop();
    server.gone().await;
    drop(server);
    let server = TestServer::with(&flags).await;
    let gap = bob.event("gap").await;
    let wanted = json!({"reason": "reset", "peers": [], "sessions": []});
    assert_eq!(gap["data"], wanted);
    bob.event("ready").await;
    let alice = server.join("demo", "alice").await;
    alice.say(json!({"to": "bob", "type": "hello"})).await;
    let (code, _, errors) = bob.end().await;
    assert_eq!(code, 0, "{errors}");
    assert!(
        errors.contains("knows nothing of this membership") && errors.contains("joined anew"),
        "{errors}"
    );
}

#[tokio::test]
async fn behind_a_scanner_that_holds_streams_it_goes_on_by_long_poll() {
    let server = TestServer::start().await;
    let way = scanner(&format!("reverse:{}", server.base)).await;
    let through = format!("http://127.0.0.1:{}", way.port);
    let mut bob = Background::start(&listen(&through, &["--peer", "bob", "--until", "signal"]));
    let alice = server.join("demo", "alice").await;
    until(async || {
        server
            .hub
            .rooms()
            .first()
            .is_some_and(|room| room.peers == 2)
    })
    .await;
    alice
        .say(json!({"to": "bob", "type": "hello", "data": 1}))
        .await;
    let signal = bob.event("signal").await;
    assert_eq!(signal["data"]["data"], 1);
    let (code, _, errors) = bob.end().await;
    assert_eq!(code, 0, "{errors}");
    assert!(errors.contains("going on by long-poll"), "{errors}");
}

#[tokio::test]
async fn the_exit_status_says_how_it_ended() {
    let server = TestServer::with(&["--operator-token", "an operator of the tests"]).await;
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let _taken = server.join("demo", "taken").await;
    for (url, flags, code, part) in [
        (&server.base, &["--for", "100ms"][..], 0, "joined demo"),
        (&server.base, &["--peer", "taken"], 1, "peer-exists (409)"),
        (&server.base, &["--peer", "a/b"], 2, "--peer"),
        (&server.base, &["--meta", "{"], 2, "--meta"),
        (&server.base, &["--token", "sp1.a.b"], 2, "--peer"),
        (
            &server.base,
            &["--peer", "taken", "--token", "sp1.a.b"],
            1,
            "bad-token",
        ),
        (&nowhere, &[], 3, "not reached"),
        (
            &server.base,
            &["--for", "100ms", "--count", "9"],
            4,
            "before all",
        ),
    ] {
        let (got, _, errors) = said(&listen(url, flags)).await;
        assert_eq!(got, code, "{flags:?}: {errors}");
        assert!(errors.contains(part), "{flags:?}: {errors}");
    }
    let mut bob = Background::start(&listen(&server.base, &["--peer", "bob"]));
    bob.event("ready").await;
    let kicked = server
        .request(
            Method::DELETE,
            "/rooms/demo/peers/bob?detail=enough",
            |request| request.bearer_auth("an operator of the tests"),
        )
        .await;
    kicked.expect_status(204);
    assert_eq!(bob.event("end").await["data"]["reason"], "kicked");
    let (code, _, errors) = bob.end().await;
    assert_eq!(code, 4, "{errors}");
    assert!(errors.contains("reason kicked: enough"), "{errors}");
}

#[tokio::test]
async fn whoever_is_told_to_end_before_it_has_joined_has_not_seen_what_it_waited_for() {
    // One that takes connections and never speaks.
    let mute = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", mute.local_addr().expect("an address"));
    for (args, wanted) in [
        (listen(&url, &[]), 0),
        (listen(&url, &["--until", "signal"]), 4),
        (listen(&url, &["--count", "1"]), 4),
        (vec!["send", &url, "demo", "bob"], 4),
    ] {
        let program = Background::start(&args);
        let _joining = mute.accept().await.expect("a connection");
        program.signal("-TERM").await;
        let (code, _, errors) = program.end().await;
        assert_eq!(code, wanted, "{args:?}: {errors}");
    }
}

#[tokio::test]
async fn whoever_closes_the_pipe_has_it_end_quietly_and_leave() {
    let server = TestServer::start().await;
    let mut bob = Background::start(&listen(&server.base, &["--peer", "bob"]));
    bob.event("ready").await;
    // Without another event: it notices on its own.
    let (mut child, errors) = bob.close();
    assert_eq!(child.wait().await.expect("an end").code(), Some(0));
    let errors = errors.await.expect("its errors");
    assert_eq!(
        errors.lines().count(),
        2,
        "nothing but joining and reading: {errors}"
    );
    until(async || server.hub.rooms().is_empty()).await;
}

#[tokio::test]
async fn at_sigterm_it_leaves_unless_it_is_to_stay_and_then_says_how_to_go_on() {
    let server = TestServer::start().await;
    let alice = server.join("demo", "alice").await;
    let mut stream = alice.events().await;
    stream.expect("ready").await;
    let mut bob = Background::start(&listen(&server.base, &["--peer", "bob"]));
    bob.event("ready").await;
    bob.signal("-TERM").await;
    assert_eq!(bob.end().await.0, 0);
    assert_eq!(stream.skip_to("peer-left").await.data["reason"], "left");

    let mut kim = Background::start(&listen(&server.base, &["--peer", "kim", "--stay"]));
    kim.event("ready").await;
    alice
        .say(json!({"to": "kim", "type": "n", "data": 1}))
        .await;
    kim.event("signal").await;
    kim.signal("-INT").await;
    let (code, _, errors) = kim.end().await;
    assert_eq!(code, 0, "{errors}");
    let (_, words) = errors.split_once("go on with ").expect("how to go on");
    let mut flags: Vec<_> = words.split_whitespace().collect();
    crate::harness::secrets::hide(flags[3]);
    flags.extend(["--until", "signal"]);
    alice
        .say(json!({"to": "kim", "type": "n", "data": 2}))
        .await;
    let mut kim = Background::start(&listen(&server.base, &flags));
    assert_eq!(kim.event("ready").await["data"]["resumed"], true);
    assert_eq!(kim.event("signal").await["data"]["data"], 2);
    assert_eq!(kim.end().await.0, 0);
    assert_eq!(
        server.hub.rooms().first().map(|room| room.peers),
        Some(2),
        "it has not left"
    );
}

#[tokio::test]
async fn at_the_termination_channel_only_ends_are_told() {
    let server = TestServer::start().await;
    for transport in ["sse", "poll"] {
        let flags = [
            "--peer",
            "bob",
            "--notices",
            "--until",
            "peer-left",
            "--transport",
            transport,
        ];
        let bob = Background::start(&listen(&server.base, &flags));
        let hub = server.hub.clone();
        until(async || hub.open_readers() == 1).await;
        let alice = server.join("demo", "alice").await;
        alice
            .say(json!({"to": "bob", "type": "n", "data": 1}))
            .await;
        alice.leave().await;
        let (code, lines, errors) = bob.end().await;
        assert_eq!(code, 0, "{errors}");
        let told = lines.join("\n");
        assert!(
            !told.contains(r#""event":"signal""#) && told.contains("peer-left"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn access_that_has_run_out_is_renewed_from_its_file() {
    let folder =
        std::env::temp_dir().join(unique(&format!("switchboard-renew-{}", std::process::id())));
    std::fs::create_dir(&folder).expect("a folder");
    let path = |name: &str| folder.join(name).to_str().expect("a path").to_owned();
    let (key, token) = (path("key"), path("token"));
    std::fs::write(&key, "a-secret-of-the-tests-that-is-long-enough").expect("written");
    let mint = async |ttl: &str| {
        let args = ["token", "--key", &key, "--room", "demo", "--ttl", ttl];
        let (code, minted, errors) = said(&args).await;
        assert_eq!(code, 0, "{errors}");
        crate::harness::secrets::hide(&minted);
        std::fs::write(&token, minted).expect("written");
    };
    let server = TestServer::with(&["--access-key", &key]).await;
    // An expiry is in whole seconds, and good for 10 s more.
    mint("0").await;
    let file = format!("@{token}");
    let flags = [
        "--peer",
        "bob",
        "--until",
        "signal",
        "--access-token",
        &file,
    ];
    let mut bob = Background::start(&listen(&server.base, &flags));
    bob.event("ready").await;
    mint("1h").await;
    assert_eq!(bob.event("end").await["data"]["reason"], "expired");
    assert_eq!(bob.event("ready").await["data"]["resumed"], true);
    let access = std::fs::read_to_string(&token).expect("a token");
    let joined = server
        .request(Method::POST, "/rooms/demo/peers", |request| {
            request
                .bearer_auth(access.trim())
                .body(r#"{"peer":"alice"}"#)
        })
        .await;
    joined.expect_status(201);
    let alice = crate::harness::Peer::of(&server, &joined.json);
    alice.say(json!({"to": "bob", "type": "hello"})).await;
    let (code, _, errors) = bob.end().await;
    assert_eq!(code, 0, "{errors}");
    assert!(errors.contains("the access has run out"), "{errors}");
    let _ = std::fs::remove_dir_all(&folder);
}

#[tokio::test]
async fn the_help_is_its_reference() {
    let (code, output) = run(bare(&["listen", "--help"])).await;
    let help = String::from_utf8(output.stdout).expect("text");
    assert_eq!(code, 0);
    for part in [
        "--until",
        "--notices",
        "--access-token",
        "SWITCHBOARD_TOKEN",
        "  4  the other side",
    ] {
        assert!(help.contains(part), "no {part} in {help}");
    }
}
