//! Going away: readers are told, and who comes back is told the same.

use serde_json::json;

use crate::harness::TestServer;

#[tokio::test]
async fn a_server_that_goes_away_ends_its_readers_with_drain() {
    let mut server = TestServer::with(&["--drain", "600ms"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut stream = alice.events().await;
    stream.expect("ready").await;
    stream.expect("peer-joined").await;
    let one = bob.clone();
    let held = tokio::spawn(async move { one.poll(&format!("cursor={}", one.cursor)).await });
    crate::harness::until(async || server.open_readers() == 2).await;
    server.ask_to_stop();
    crate::harness::until(async || server.hub.is_draining()).await;
    let end = stream.expect("end").await;
    assert_eq!(end.data, json!({"reason": "drain", "retry": "now"}));
    assert_eq!(stream.retries.len(), 2, "a reconnect time of its own");
    let told = held.await.expect("an answer");
    assert_eq!(
        told["events"][0]["data"],
        json!({"reason": "drain", "retry": "now"})
    );
    server.gone().await;
}

#[tokio::test]
async fn while_it_goes_away_it_is_not_ready_and_takes_nobody_new() {
    let mut server = TestServer::with(&["--drain", "3s"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut streams = Vec::new();
    for peer in [&alice, &bob] {
        let mut stream = peer.events().await;
        stream.expect("ready").await;
        streams.push(stream);
    }
    server
        .hub
        .drain(std::time::Duration::from_secs(3), |window| window);
    server.get("/readyz").await.expect_problem(503, "draining");
    server.get("/livez").await.expect_status(200);
    server
        .post("/rooms/demo/peers", "")
        .await
        .expect_problem(503, "draining");
    let mut soft = alice.events().await;
    let end = soft.expect("end").await;
    assert_eq!(
        end.data,
        json!({"reason": "drain", "retry": "now"}),
        "a stream is refused softly"
    );
    alice.get("/poll").await.expect_problem(503, "draining");
    alice.say(json!({"to": "bob", "type": "n"})).await;
    server.ask_to_stop();
    server.gone().await;
}
