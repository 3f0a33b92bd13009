//! `switchboard check`, the program itself, over good ways and bad ones.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use crate::check_ways::{compressor, cutter, loser, redirector, scanner, turn};
use crate::harness::command::{bare, run};
use crate::harness::{TestServer, free_port, unique};

/// The check.
fn program(args: &[&str]) -> Command {
    bare(&[&["check"], args].concat())
}

async fn check(args: &[&str]) -> (i32, Value) {
    let (code, output) = run(program(&[args, &["--json"]].concat())).await;
    let json = serde_json::from_slice(&output.stdout);
    (
        code,
        json.unwrap_or_else(|_| panic!("JSON, not {output:?}")),
    )
}

fn target(server: &TestServer) -> SocketAddr {
    server
        .base
        .trim_start_matches("http://")
        .parse()
        .expect("an address")
}

#[tokio::test]
async fn over_a_good_way_the_stream_is_usable_whole() {
    let server = TestServer::start().await;
    let (code, said) = check(&[&server.base]).await;
    assert_eq!(code, 0, "{said:#}");
    assert_eq!(said["verdict"]["usable"], "sse");
    assert_eq!(said["verdict"]["advice"], Value::Array(Vec::new()));
    let facts = &said["facts"];
    for fact in ["join", "stream", "poll", "long_poll", "websocket"] {
        assert_eq!(facts[fact]["ok"], true, "{fact}: {facts:#}");
    }
    for method in ["get", "post", "patch", "delete"] {
        assert_eq!(facts["path"][method]["ok"], true, "{method}");
    }
    assert_eq!(facts["path"]["authorization"], "kept");
    assert_eq!(
        facts["ticks"]["arrived_ms"].as_array().map(Vec::len),
        Some(8)
    );
    let fates = facts["silences"].as_array().expect("silences");
    assert!(
        fates.len() == 4 && fates.iter().all(|one| one["fate"] == "kept"),
        "{fates:?}"
    );
    assert!(server.hub.rooms().is_empty(), "it leaves its room");
}

#[tokio::test]
async fn a_relay_on_the_servers_own_port_is_told_from_others() {
    let server = TestServer::with(&["--turn-listen", "127.0.0.1:0"]).await;
    let joined = server.join("own-port", "ada").await.joined;
    let word = |name: &str| joined[name].as_str().expect("a word").to_owned();
    let own = format!("turn:{}?transport=tcp", target(&server));
    let mut args = vec![server.base.as_str(), "--quick", "--ice", &own];
    let (name, password) = (word("username"), word("password"));
    args.extend(["--username", &name, "--credential", &password]);
    let (code, said) = check(&args).await;
    assert_eq!(code, 0, "{said:#}");
    let ice = said["facts"]["ice"].as_array().expect("answers");
    let shared: Vec<_> = ice.iter().map(|one| one["shared"] == true).collect();
    assert_eq!(shared, [false, false, true], "{ice:#?}");
    let media =
        "A relay for picture and sound can be had, over UDP, TCP, TCP on the server's own port.";
    assert_eq!(said["verdict"]["media"], media);
    let (_, output) = run(program(&args)).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(" on the server's own port (turn:"), "{text}");
}

#[tokio::test]
async fn the_table_says_what_was_found_in_words() {
    let server = TestServer::start().await;
    let (code, output) = run(program(&[&server.base, "--quick"])).await;
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(code, 0, "{text}");
    for part in [
        "Calls can be set up from here, over the event stream.",
        "No TURN server is configured: calls between strict networks will fail.",
        "  ok    POST ",
        "  ok    Event stream      first event after ",
        "  -     WebSocket         possible",
        "  -     Silence           not measured",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
}

#[tokio::test]
async fn behind_a_scanner_that_holds_responses_it_is_the_long_poll() {
    let server = TestServer::start().await;
    let reverse = scanner(&format!("reverse:{}", server.base)).await;
    let through = format!("http://127.0.0.1:{}", reverse.port);
    let (code, said) = check(&[&through]).await;
    assert_eq!(code, 1, "{said:#}");
    assert_eq!(said["verdict"]["usable"], "poll");
    assert_eq!(said["facts"]["long_poll"]["ok"], true);
    let advice = said["verdict"]["advice"][0].as_str().expect("an advice");
    assert!(
        advice.contains("text/event-stream") && advice.contains(&through),
        "{advice}"
    );
}

#[tokio::test]
async fn a_proxy_is_taken_from_the_command_line_and_from_the_environment() {
    let server = TestServer::start().await;
    let forward = scanner("regular").await;
    let proxy = format!("http://127.0.0.1:{}", forward.port);
    let (code, said) = check(&[&server.base, "--quick", "--proxy", &proxy]).await;
    assert_eq!(
        (code, &said["verdict"]["usable"]),
        (1, &"poll".into()),
        "{said:#}"
    );
    let mut command = program(&[&server.base, "--quick", "--json"]);
    command.env("http_proxy", &proxy).env("HTTP_PROXY", &proxy);
    let (code, output) = run(command).await;
    assert_eq!(code, 1, "{output:?}");
    let (code, said) = check(&[&server.base, "--quick", "--proxy", "http://127.0.0.1:9"]).await;
    assert_eq!(code, 3, "{said:#}");
}

#[tokio::test]
async fn where_silence_is_cut_after_5_s_it_is_limited_and_says_above_which_time() {
    let server = TestServer::start().await;
    let gate = cutter(target(&server), Duration::from_secs(5)).await;
    let (code, said) = check(&[&format!("http://{gate}")]).await;
    assert_eq!(code, 1, "{said:#}");
    assert_eq!(said["verdict"]["usable"], "sse");
    let advice = said["verdict"]["advice"][0].as_str().expect("an advice");
    assert!(
        advice.contains("idle time-out") && advice.contains("above 15 s"),
        "{advice}"
    );
    let silences = said["facts"]["silences"].as_array().expect("silences");
    for one in &silences[1..] {
        assert_eq!(one["fate"], "cut", "{silences:?}");
        assert!(
            one["for_ms"]
                .as_u64()
                .is_some_and(|ms| (4900..9000).contains(&ms)),
            "{one}"
        );
    }
    assert_eq!(said["facts"]["long_poll"]["ok"], false);
}

#[tokio::test]
async fn relays_are_asked_over_udp_tcp_and_tls() {
    let server = TestServer::start().await;
    let (turn, secure) = turn().await;
    let (plain, tls) = (
        format!("turn:localhost:{}", turn.port),
        format!("turns:localhost:{secure}"),
    );
    let stun = format!("stun:127.0.0.1:{}", turn.port);
    let asked = |credential: &str| {
        let args = [
            &server.base,
            "--quick",
            "--json",
            "--ice",
            &plain,
            "--ice",
            &tls,
            "--ice",
            &stun,
        ];
        let mut command = program(&args);
        command.args(["--username", "ada"]);
        command.env("SWITCHBOARD_CREDENTIAL", credential);
        command.env("SSL_CERT_FILE", turn.home.0.join("cert.pem"));
        command
    };
    let (code, output) = run(asked("s3cret-word")).await;
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let ice = said["facts"]["ice"].as_array().expect("answers");
    let what: Vec<_> = ice
        .iter()
        .map(|one| (one["what"].as_str().expect("a name"), &one["ok"]))
        .collect();
    let yes = &Value::Bool(true);
    let wanted = [
        ("TURN over UDP", yes),
        ("TURN over TCP", yes),
        ("TURN over TLS", yes),
        ("STUN", yes),
    ];
    assert_eq!(what, wanted, "{ice:#?}");
    assert_eq!(code, 0);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("s3cret"));

    let (code, output) = run(asked("wrong")).await;
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(code, 1, "a relay was named and none is to be had");
    for one in &said["facts"]["ice"].as_array().expect("answers")[..3] {
        assert_eq!(one["why"], "the user name or password was refused", "{one}");
    }
}

#[tokio::test]
async fn a_stream_that_is_compressed_on_the_way_is_read_as_a_browser_reads_it() {
    let server = TestServer::start().await;
    let way = compressor(target(&server)).await;
    let (code, said) = check(&["--quick", &format!("http://{way}")]).await;
    assert_eq!(code, 0, "{said:#}");
    assert_eq!(said["facts"]["ticks"]["encoding"], "gzip", "{said:#}");
    let advice = said["verdict"]["advice"][0].as_str().expect("an advice");
    assert!(advice.contains("Do not compress"), "{advice}");
}

#[tokio::test]
async fn one_lost_post_of_five_is_told_and_blocks_nothing() {
    let server = TestServer::start().await;
    let way = loser(target(&server), 3).await;
    let (code, output) = run(program(&["--quick", &format!("http://{way}")])).await;
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("4 of 5 answered"), "{told}");
}

#[tokio::test]
async fn an_address_that_sends_on_says_where_to() {
    let way = redirector("https://elsewhere.example").await;
    let (code, said) = check(&["--quick", &format!("http://{way}")]).await;
    assert_eq!(code, 3, "{said:#}");
    let reason = said["verdict"]["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("sends you on to https://elsewhere.example"),
        "{reason}"
    );
    // The same host over TLS is what is checked then; nobody listens there.
    let there = free_port();
    let secure: &'static str = format!("https://127.0.0.1:{there}").leak();
    let way = redirector(secure).await;
    let (code, said) = check(&["--quick", &format!("http://{way}")]).await;
    assert_eq!(code, 3, "{said:#}");
    assert_eq!(said["facts"]["server"], secure);
}

#[tokio::test]
async fn a_server_that_is_not_there_and_a_wrong_command_line_have_codes_of_their_own() {
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let (code, said) = check(&[&nowhere]).await;
    assert_eq!(
        (code, &said["verdict"]["usable"]),
        (3, &"none".into()),
        "{said:#}"
    );
    assert_eq!(
        said["verdict"]["advice"][0],
        format!("Allow HTTP requests to {nowhere}/.")
    );
    for (args, part) in [
        (&["ftp://127.0.0.1"][..], "begins with http:// or https://"),
        (&["127.0.0.1:8080"], "begins with http:// or https://"),
        (&["localhost:8080"], "begins with http:// or https://"),
        (&["--quick"], "<URL>"),
        (&["http://a", "--ice", "http://b"], "--ice"),
        (&["http://a", "--room", "a b"], "--room"),
        (
            &["http://a", "--access-token", "@/none"],
            "/none cannot be read",
        ),
    ] {
        let (code, output) = run(program(args)).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(code == 2 && said.contains(part), "{args:?}: {said}");
    }
}

#[tokio::test]
async fn a_name_without_an_address_is_told_from_a_path_that_is_blocked() {
    // No name has a part of more than 63 bytes (RFC 1035, section 2.3.4): nobody needs to be asked.
    let name = format!("{}.example", "a".repeat(64));
    let nowhere = format!("http://{name}");
    let word = |text: &Value| text.as_str().expect("a text").to_owned();
    let unknown =
        format!("The server is not reached: no address is known here of the name {name} (");
    let proxied = ["http://127.0.0.1:9", "--proxy", &nowhere];
    for (args, advice) in [
        (&[nowhere.as_str()][..], "Have the name in http://aaa"),
        (
            &proxied,
            "Say which HTTP proxy leads to http://127.0.0.1:9/",
        ),
    ] {
        let (code, said) = check(&[args, &["--quick"]].concat()).await;
        let verdict = &said["verdict"];
        assert_eq!(code, 3, "{said:#}");
        assert!(word(&verdict["reason"]).starts_with(&unknown), "{said:#}");
        assert!(word(&verdict["advice"][0]).starts_with(advice), "{said:#}");
    }
    let (code, output) = run(bare(&["listen", &nowhere, "demo"])).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(code == 3 && errors.contains("HTTPS_PROXY"), "{errors}");
}

#[tokio::test]
async fn a_server_that_asks_for_access_tokens_is_checked_with_one() {
    let folder =
        std::env::temp_dir().join(unique(&format!("switchboard-check-{}", std::process::id())));
    std::fs::create_dir(&folder).expect("a folder");
    let path = |name: &str| folder.join(name).to_str().expect("a path").to_owned();
    let (key, token) = (path("key"), path("token"));
    std::fs::write(&key, "a-secret-of-the-tests-that-is-long-enough").expect("written");
    let (code, minted) = run(bare(&["token", "--key", &key, "--room", "lab-*"])).await;
    assert_eq!(code, 0, "{minted:?}");
    let minted = String::from_utf8(minted.stdout).expect("a token");
    crate::harness::secrets::hide(&minted);
    std::fs::write(&token, minted).expect("written");
    let server = TestServer::with(&["--access-key", &key]).await;
    let (file, url) = (format!("@{token}"), server.base.as_str());
    let wants = "The server wants an access token";
    for (args, exit, parts) in [
        (&[][..], 3, &["HTTP 401", wants][..]),
        (&["--access-token", &file], 3, &["HTTP 403", wants]),
        (
            &["--access-token", &file, "--room", "lab-1"],
            0,
            &["over the event stream"],
        ),
    ] {
        let (code, output) = run(program(&[&[url, "--quick"], args].concat())).await;
        let text = String::from_utf8_lossy(&output.stdout);
        let has_all = parts.iter().all(|part| text.contains(part));
        assert!(code == exit && has_all, "{args:?}: {text}");
    }
    let _ = std::fs::remove_dir_all(&folder);
}

#[tokio::test]
async fn the_help_of_the_check_is_its_reference_and_the_server_still_starts_without_a_subcommand() {
    let (code, output) = run(program(&["--help"])).await;
    let help = String::from_utf8(output.stdout).expect("text");
    assert_eq!(code, 0);
    for part in [
        "Exit status: 0",
        "--proxy",
        "--json",
        "--quick",
        "--ice",
        "--username",
        "--credential",
        "SWITCHBOARD_CREDENTIAL",
        "HTTPS_PROXY",
    ] {
        assert!(help.contains(part), "no {part} in {help}");
    }
    let text = String::from_utf8(run(bare(&["--help"])).await.1.stdout).expect("text");
    assert!(text.contains("Check whether a server is usable"), "{text}");
    // An option of the check in the environment does not keep the server from its work.
    let mut serve = bare(&["--listen", "127.0.0.1:0", "--heartbeat", "1ms"]);
    serve.env("SWITCHBOARD_PROXY", "http://127.0.0.1:9");
    let (code, output) = run(serve).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(code == 1 && said.contains("--heartbeat must be"), "{said}");
}
