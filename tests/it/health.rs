//! Health, on both addresses.

use reqwest::Method;

use crate::harness::{Answer, TestServer, client};

#[tokio::test]
async fn health_is_answered_on_both_addresses() {
    let server = TestServer::with(&["--admin-listen", "127.0.0.1:0"]).await;
    let admin = server.admin.clone().expect("a second address");
    for base in [&server.base, &admin] {
        for path in ["/livez", "/readyz", "/openapi.json"] {
            for method in [Method::GET, Method::HEAD] {
                let answer = client()
                    .request(method, format!("{base}{path}"))
                    .send()
                    .await;
                assert_eq!(answer.expect("an answer").status(), 200);
            }
        }
    }
    let nothing = client()
        .get(format!("{admin}/rooms/demo/peers"))
        .send()
        .await;
    Answer::of(nothing.expect("an answer"))
        .await
        .expect_problem(404, "unknown-path");
}

#[tokio::test]
async fn the_probe_ticks_eight_times_and_ends() {
    let server = TestServer::start().await;
    let mut stream = crate::harness::Stream::open(client().get(server.url("/probe"))).await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    let mut times = Vec::new();
    for n in 0..8 {
        let tick = stream.expect("tick").await;
        assert_eq!(tick.data["n"], n);
        times.push(tick.data["sent_ms"].as_u64().expect("a time"));
    }
    assert!(stream.any().await.is_none());
    let took = times[7] - times[0];
    assert!((1600..10_000).contains(&took), "{took}");
}
