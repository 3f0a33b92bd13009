//! A reader that is there and does not read.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::peer::{Kind, Peer};
use crate::program::{Program, signal};
use crate::readers::{AWAY_AFTER, NOISE, Row, SILENT, row};
use crate::scene::{Got, Scene, read_on};

/// Without a request for so long, whoever has posted `alive` is silent.
const PROOF: Duration = Duration::from_secs(90);

/// A process that goes with the test, however that ends.
struct Curl(Child);

impl Drop for Curl {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that reads is stopped, and goes on later. With `proof` it has posted `alive` before.
pub async fn stopped(place: u32, addr: SocketAddr, proof: bool) -> Row {
    let mut scene = Scene::begin(addr, &format!("stopped-{proof}")).await;
    let url = format!("http://{addr}{}", scene.bob.path("/events"));
    let curl = Command::new("curl")
        .args([
            "-sN",
            "--noproxy",
            "*",
            "-H",
            scene.bob.bearer().trim(),
            &url,
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl runs");
    let mut curl = Curl(curl);
    let mut lines = BufReader::new(curl.0.stdout.take().expect("a pipe")).lines();
    let (first, lines) = tokio::task::spawn_blocking(move || {
        let mut first: Vec<String> = Vec::new();
        while !first.iter().any(|line| line.contains(r#""type":"offer""#)) {
            first.push(lines.next().expect("an event").expect("a line"));
        }
        (first, lines)
    })
    .await
    .expect("read");
    if proof {
        let answer = scene
            .bob
            .call("POST", "/alive", "")
            .await
            .expect("an answer");
        assert_eq!(answer.status, 204);
    }
    signal(curl.0.id(), "STOP");
    let begun = Instant::now();
    let patience = if proof {
        PROOF + AWAY_AFTER + NOISE
    } else {
        Duration::from_secs(40)
    };
    while scene.watch.at("peer-away").is_none() && begun.elapsed() < patience {
        scene.say().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(
        scene.watch.at("peer-away").is_some(),
        proof,
        "only who has proved can fall silent"
    );
    scene.say().await;
    // Without an end: what was sent until now.
    let sent = scene.accepted.len() - 1;
    signal(curl.0.id(), "CONT");
    let rest = tokio::task::spawn_blocking(move || {
        let mut rest = Vec::new();
        for line in lines.map_while(Result::ok) {
            let last = line.contains(r#""reason":"silent""#);
            rest.push(line);
            if last {
                break;
            }
            let numbers = rest
                .iter()
                .filter(|line| line.contains(r#""type":"n""#))
                .count();
            if !proof && numbers >= sent {
                break;
            }
        }
        rest
    });
    let rest = tokio::time::timeout(Duration::from_secs(30), rest).await;
    let rest = rest.expect("in time").expect("read");
    drop(curl);
    let mut got = Got::default();
    for line in first.iter().chain(&rest) {
        if let Some(id) = line.strip_prefix("id: ") {
            id.clone_into(&mut got.cursor);
        }
        if let Some(data) = line.strip_prefix("data: ")
            && let Ok(event) = serde_json::from_str::<serde_json::Value>(data)
            && let (Some(_), Some(number)) = (event["type"].as_str(), event["data"].as_u64())
        {
            got.numbers.push(number);
        }
    }
    scene.come_back(addr, Kind::Sse, &mut got).await;
    let (name, peer) = if proof {
        assert!(
            rest.iter()
                .any(|line| line.contains(r#""reason":"silent""#)),
            "it is told"
        );
        (
            "stopped (SIGSTOP), had posted alive",
            format!("end: silent, then {}", got.summary()),
        )
    } else {
        ("stopped for 40 s, never posted alive", got.summary())
    };
    (place, row(name, "SSE", begun, &scene, &peer))
}

/// A reader stops reading while 10 MB are sent to it. The kernel would give its connection up after
/// some 18 s.
pub async fn stalled(place: u32) -> Row {
    let program = Program::start(&["--slow-after", "5s", "--heartbeat", "2s"]);
    let addr = program.addr;
    let mut scene = Scene::begin(addr, "stalled").await;
    let carol = Peer::join(addr, "stalled", "carol")
        .await
        .expect("carol joins");
    let mut got = Got::default();
    let mut open = scene
        .open(addr, Kind::Sse, &mut got)
        .await
        .expect("a reader");
    scene.read(&mut open, &mut got).await.expect("the offer");
    let begun = Instant::now();
    let more = "x".repeat(16 * 1024);
    for turn in 0..640 {
        let from = if turn % 2 == 0 {
            scene.alice.clone()
        } else {
            carol.clone()
        };
        if scene.watch.at("peer-away").is_none() {
            scene.say_from(&from, &more).await;
        }
    }
    scene.watch.until("peer-away", SILENT).await;
    let rest = async { while matches!(read_on(&mut open, &mut got).await, Ok(true)) {} };
    tokio::time::timeout(NOISE, rest).await.expect("in time");
    let end = got.end.clone();
    scene.come_back(addr, Kind::Sse, &mut got).await;
    scene.watch.until("peer-back", NOISE).await;
    assert_eq!(got.resumed, Some(true));
    assert_eq!(end.as_deref(), Some("slow"));
    let peer = format!("end: slow, then {}", got.summary());
    (
        place,
        row(
            "stops reading, 10 MB sent to it (slow after 5 s)",
            "SSE",
            begun,
            &scene,
            &peer,
        ),
    )
}
