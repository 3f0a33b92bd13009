//! `switchboard send`, the program itself: what is sent, what is told of it, what comes back.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::check_ways::forgetter;
use crate::harness::command::{Background, said};
use crate::harness::{TestServer, free_port};

fn send<'a>(server: &'a str, to: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
    [&["send", server, "demo", to], flags].concat()
}

#[tokio::test]
async fn a_signal_is_sent_as_it_is_written_and_its_receipt_told() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let mut stream = bob.events().await;
    stream.expect("ready").await;
    let data = r#"{"b":1.50,"a":"x"}"#;
    let flags = ["--peer", "alice", "--data", data, "--id", "m1"];
    let (code, out, errors) = said(&send(&server.base, "bob", &flags)).await;
    assert_eq!(code, 0, "{errors}");
    let receipt: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        receipt,
        json!({"id": "m1", "to": [{"peer": "bob", "state": "live"}]})
    );
    let signal = stream.skip_to("signal").await;
    assert_eq!(
        (
            &signal.data["from"],
            &signal.data["type"],
            &signal.data["id"]
        ),
        (&json!("alice"), &json!("message"), &json!("m1"))
    );
    assert_eq!(signal.data["data"], json!({"b": 1.50, "a": "x"}));
    assert_eq!(stream.skip_to("peer-left").await.data["reason"], "left");

    let flags = ["--type", "offer", "--session", "s1", "--format", "pretty"];
    let (code, out, _) = said(&send(&server.base, "bob", &flags)).await;
    assert_eq!((code, out.as_str()), (0, "sent offer s1 to bob (live)\n"));
    let _kim = server.join("demo", "kim").await;
    let (code, out, _) = said(&send(&server.base, "*", &["--format", "pretty"])).await;
    assert_eq!(
        (code, out.as_str()),
        (0, "sent message to bob (live), kim (queued)\n")
    );
}

#[tokio::test]
async fn an_answer_is_waited_for_and_printed_with_what_comes_before_it() {
    let server = TestServer::start().await;
    for transport in ["auto", "poll"] {
        let bob = server.join_with("demo", json!({})).await;
        let mut stream = bob.events().await;
        stream.expect("ready").await;
        let flags = [
            "--type",
            "offer",
            "--data",
            "1",
            "--wait",
            "20s",
            "--transport",
            transport,
        ];
        let alice = Background::start(&send(&server.base, &bob.name, &flags));
        let offer = stream.skip_to("signal").await.data;
        let say = async |kind: &str, session: &Value| {
            bob.say(json!({"to": offer["from"], "type": kind, "session": session}))
                .await
        };
        say("candidate", &offer["session"]).await;
        say("answer", &offer["session"]).await;
        let (code, lines, errors) = alice.end().await;
        assert_eq!(code, 0, "{errors}");
        let kinds: Vec<Value> = lines[1..]
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["data"]["type"].clone())
            .collect();
        assert_eq!(kinds, ["candidate", "answer"], "{lines:?}");
        bob.leave().await;
    }
}

#[tokio::test]
async fn whoever_stays_after_what_was_waited_for_is_told_to_go_on_behind_it() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let mut stream = bob.events().await;
    stream.expect("ready").await;
    for transport in ["sse", "poll"] {
        let flags = ["--peer", transport, "--wait", "20s", "--stay"];
        let flags = [&flags[..], &["--transport", transport]].concat();
        let alice = Background::start(&send(&server.base, "bob", &flags));
        stream.skip_to("signal").await;
        // A poll brings both.
        let signal = |n: u8| json!({"to": transport, "type": "n", "data": n});
        let both = bob.signal(json!([signal(1), signal(2)])).await;
        both.expect_status(202);
        let (code, lines, errors) = alice.end().await;
        assert_eq!(code, 0, "{errors}");
        let last = lines.last().expect("what came back");
        let last: Value = serde_json::from_str(last).expect("JSON");
        assert_eq!(last["data"]["data"], 1, "{last}");
        let (_, words) = errors.split_once("go on with ").expect("how to go on");
        let words: Vec<_> = words.split_whitespace().collect();
        crate::harness::secrets::hide(words[3]);
        let listen = ["listen", &server.base, "demo", "--until", "signal"];
        let mut listen = Background::start(&[&listen, &words[..]].concat());
        assert_eq!(listen.event("signal").await["data"]["data"], 2, "{errors}");
        assert_eq!(listen.end().await.0, 0);
    }
}

#[tokio::test]
async fn the_exit_status_says_what_became_of_it() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    for (url, to, flags, code, part) in [
        (&server.base, "nobody", &[][..], 1, "unknown-peer (404)"),
        (
            &server.base,
            "bob",
            &["--type", "a b"],
            1,
            "bad-signal (422)",
        ),
        (&server.base, "bob", &["--data", "{"], 2, "--data: no JSON"),
        (
            &server.base,
            "bob",
            &["--data", "@/nowhere"],
            2,
            "/nowhere cannot be read",
        ),
        (
            &server.base,
            "bob",
            &["--lines", "--data", "-"],
            2,
            "--lines and --data -",
        ),
        (&server.base, "a/b", &[], 2, "PEER"),
        (&nowhere, "bob", &[], 3, "not reached"),
        (
            &server.base,
            "bob",
            &["--wait", "200ms"],
            4,
            "nothing came back in time",
        ),
    ] {
        let (got, _, errors) = said(&send(url, to, flags)).await;
        assert_eq!(got, code, "{flags:?}: {errors}");
        assert!(errors.contains(part), "{flags:?}: {errors}");
    }
    let mut stream = bob.events().await;
    stream.expect("ready").await;
    let flags = ["--type", "offer", "--session", "s9", "--wait", "20s"];
    let alice = Background::start(&send(&server.base, "bob", &flags));
    let offer = loop {
        let signal = stream.skip_to("signal").await.data;
        if signal["session"] == "s9" {
            break signal;
        }
    };
    bob.say(json!({"to": offer["from"], "type": "bye", "session": "s9"}))
        .await;
    let (code, _, errors) = alice.end().await;
    assert_eq!(code, 4, "{errors}");
    assert!(
        errors.contains("the session has ended, reason hangup"),
        "{errors}"
    );
}

#[tokio::test]
async fn each_line_of_standard_input_is_a_signal_and_all_come_in_order() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let kim = server.join("demo", "kim").await;
    let mut alice = Background::start(&send(&server.base, "bob", &["--lines", "--type", "n"]));
    let mut input = alice.child.stdin.take().expect("its input");
    let mut text = String::new();
    for n in 0..20 {
        text.push_str(&format!("{{\"data\":{n}}}\n\n"));
    }
    text.push_str("{\"to\":\"kim\",\"type\":\"chat\",\"id\":\"k1\"}\n");
    input.write_all(text.as_bytes()).await.expect("typed");
    drop(input);
    let (code, lines, errors) = alice.end().await;
    assert_eq!((code, lines.len()), (0, 21), "{errors}");
    let told = bob.poll("wait=0").await;
    let signals = told["events"].as_array().expect("events").iter();
    let numbers: Vec<_> = signals
        .filter(|event| event["event"] == "signal")
        .map(|event| event["data"]["data"].as_u64())
        .collect();
    assert_eq!(numbers, (0..20).map(Some).collect::<Vec<_>>());
    assert!(
        kim.poll("wait=0")
            .await
            .to_string()
            .contains(r#""id":"k1""#)
    );

    for (typed, part) in [
        (&b"hello\n"[..], "a line is none of a signal"),
        (b"\xff\n", "standard input cannot be read"),
    ] {
        let mut bad = Background::start(&send(&server.base, "bob", &["--lines"]));
        let mut input = bad.child.stdin.take().expect("its input");
        input.write_all(typed).await.expect("typed");
        let (code, _, errors) = bad.end().await;
        assert_eq!(code, 2, "{errors}");
        assert!(errors.contains(part), "{errors}");
        drop(input);
    }
}

#[tokio::test]
async fn where_the_answer_is_lost_it_is_sent_again_and_delivered_once() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let target = server
        .base
        .trim_start_matches("http://")
        .parse()
        .expect("an address");
    let way = format!("http://{}", forgetter(target, 1).await);
    let (code, out, errors) = said(&send(&way, "bob", &["--data", "7"])).await;
    assert_eq!(code, 0, "{errors}");
    assert_eq!(
        serde_json::from_str::<Value>(&out).expect("JSON")["duplicate"],
        true,
        "{out}"
    );
    let told = bob.poll("wait=0").await.to_string();
    assert_eq!(told.matches(r#""data":7"#).count(), 1, "{told}");
}

#[tokio::test]
async fn a_full_mailbox_is_told_by_its_name() {
    let server = TestServer::with(&["--mailbox-events", "2"]).await;
    let _bob = server.join("demo", "bob").await;
    let flags = ["--peer", "alice", "--patience", "0", "--stay"];
    let (code, _, errors) = said(&send(&server.base, "bob", &flags)).await;
    assert_eq!(code, 0, "{errors}");
    let (_, words) = errors.split_once("go on with ").expect("how to go on");
    let words: Vec<_> = words.split_whitespace().take(4).collect();
    crate::harness::secrets::hide(words[3]);
    // One sender may fill half of it.
    let flags = [&words[..], &["--patience", "0"]].concat();
    let (code, _, errors) = said(&send(&server.base, "bob", &flags)).await;
    assert_eq!(code, 1, "{errors}");
    assert!(errors.contains("mailbox-full (429)"), "{errors}");
    let (code, out, errors) = said(&send(&server.base, "*", &flags)).await;
    assert_eq!(code, 1, "{errors}");
    assert!(
        out.contains(r#""refused":"mailbox-full""#) && errors.contains("mailbox-full"),
        "{out} {errors}"
    );
}
