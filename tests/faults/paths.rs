//! A path that loses half of what it carries: proxies that cut, answers that never arrive.

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::json;

use crate::client::Connection;
use crate::gate::{Gate, Rule};
use crate::peer::{Kind, Peer};
use crate::readers::{Row, room, row};
use crate::scene::{Got, Scene, after, read_on};

/// A proxy hands on half an event, and cuts.
pub async fn cut_in_mid_event(place: u32, addr: SocketAddr, kind: Kind) -> Row {
    let gate = Gate::before(addr).await;
    let mut scene = Scene::begin(addr, &room("mid-event", kind)).await;
    let mut got = Got::default();
    let mut open = scene
        .open(gate.addr, kind, &mut got)
        .await
        .expect("a reader");
    scene.read(&mut open, &mut got).await.expect("the offer");
    if kind == Kind::Poll {
        open = scene
            .open(gate.addr, kind, &mut got)
            .await
            .expect("a reader");
    }
    gate.rule(Rule::CutIn(r#""type":"n","data":3"#.into()));
    let begun = Instant::now();
    let send = async {
        for _ in 0..5 {
            scene.say().await;
        }
        scene
    };
    let mut cut = false;
    let read = async {
        for _ in 0..10 {
            match read_on(&mut open, &mut got).await {
                Ok(true) => {}
                // A poll's answer was whole: the next one.
                Ok(false) => return got,
                Err(_) => {
                    cut = true;
                    return got;
                }
            }
        }
        got
    };
    let (scene, mut got) = tokio::join!(send, read);
    let mut tries = 0;
    while kind == Kind::Poll && !cut {
        tries += 1;
        assert!(tries < 10, "it cuts at last");
        let mut open = scene
            .open(gate.addr, kind, &mut got)
            .await
            .expect("a reader");
        cut = read_on(&mut open, &mut got).await.is_err();
    }
    assert!(cut && got.numbers.len() < scene.accepted.len(), "{got:?}");
    gate.rule(Rule::Pass);
    scene.come_back(gate.addr, kind, &mut got).await;
    assert_eq!(got.resumed, Some(true));
    (
        place,
        row(
            "a proxy cuts in mid-event",
            kind.name(),
            begun,
            &scene,
            &got.summary(),
        ),
    )
}

/// The server has written a poll's answer, and it never arrives.
pub async fn lost_poll(place: u32, addr: SocketAddr) -> Row {
    let gate = Gate::before(addr).await;
    let mut scene = Scene::begin(addr, "lost-poll").await;
    for _ in 0..4 {
        scene.say().await;
    }
    let mut got = Got::default();
    gate.rule(Rule::Swallow);
    let begun = Instant::now();
    for _ in 0..3 {
        let mut open = scene
            .open(gate.addr, Kind::Poll, &mut got)
            .await
            .expect("a poll");
        assert!(read_on(&mut open, &mut got).await.is_err(), "it is lost");
    }
    gate.rule(Rule::Pass);
    scene.come_back(gate.addr, Kind::Poll, &mut got).await;
    (
        place,
        row(
            "three answers lost after they were written",
            "poll",
            begun,
            &scene,
            &got.summary(),
        ),
    )
}

/// The server has accepted a signal, and its answer never arrives: the sender repeats it.
pub async fn lost_answer(place: u32, addr: SocketAddr) -> Row {
    let gate = Gate::before(addr).await;
    let mut scene = Scene::begin(addr, "lost-answer").await;
    let mut got = Got::default();
    let mut open = scene
        .open(addr, Kind::Sse, &mut got)
        .await
        .expect("a reader");
    scene.read(&mut open, &mut got).await.expect("the offer");
    let begun = Instant::now();
    let mut behind = scene.alice.clone();
    behind.addr = gate.addr;
    let signal = json!({"to": "bob", "type": "n", "data": 1, "id": "m-1"});
    gate.rule(Rule::Swallow);
    for _ in 0..3 {
        behind
            .signal(&signal)
            .await
            .expect_err("the answer is lost");
    }
    gate.rule(Rule::Pass);
    let answer = behind.signal(&signal).await.expect("an answer");
    assert_eq!(answer.json["results"][0]["duplicate"], true);
    scene.count(answer, 1);
    let more = json!({"to": "bob", "type": "n", "data": 2, "id": "m-2"});
    let answer = behind.signal(&more).await.expect("an answer");
    scene.count(answer, 2);
    scene.read(&mut open, &mut got).await.expect("both");
    assert_eq!(got.numbers, [0, 1, 2]);
    let told = "duplicate: true at the fourth try; delivered once";
    (
        place,
        row(
            "a sender's 202 lost three times",
            "SSE",
            begun,
            &scene,
            told,
        ),
    )
}

/// The answer to a join never arrives: with its key the same incarnation is answered again.
pub async fn lost_join(place: u32, addr: SocketAddr) -> Row {
    let gate = Gate::before(addr).await;
    gate.rule(Rule::Swallow);
    let begun = Instant::now();
    let body = json!({"peer": "alice", "key": "my own random word"}).to_string();
    let path = "/rooms/lost-join/peers";
    let mut connection = Connection::open(gate.addr).await.expect("a server");
    connection
        .call("POST", path, "", &body)
        .await
        .expect_err("the answer is lost");
    let mut connection = Connection::open(addr).await.expect("a server");
    let answer = connection
        .call("POST", path, "", &body)
        .await
        .expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    let peer = Peer::of(addr, &answer.json);
    let listed = connection
        .call("GET", path, &peer.bearer(), "")
        .await
        .expect("an answer");
    assert_eq!(listed.json["peers"].as_array().map(Vec::len), Some(1));
    let dash = || "–".to_owned();
    let told = format!(
        "200 after {}: the same incarnation",
        after(begun, Some(Instant::now()))
    );
    (
        place,
        vec![
            "the answer to a join lost".into(),
            dash(),
            dash(),
            dash(),
            dash(),
            dash(),
            told,
        ],
    )
}
