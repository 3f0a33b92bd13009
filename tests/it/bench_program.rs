//! `switchboard bench`, the program itself: a small load, and what it says of it.

use serde_json::{Value, json};

use crate::check_ways::Home;
use crate::harness::command::said;
use crate::harness::{TestServer, free_port};

async fn bench(server: &TestServer, flags: &[&str]) -> (i32, Value) {
    let args = [&["bench", &server.base, "--json"], flags].concat();
    let (code, out, errors) = said(&args).await;
    (
        code,
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("JSON, not {out}{errors}")),
    )
}

#[tokio::test]
async fn a_small_load_is_borne_without_a_loss_by_stream_and_by_poll() {
    let server = TestServer::start().await;
    for transport in ["sse", "poll"] {
        let flags = [
            "--peers",
            "7",
            "--rooms",
            "2",
            "--rate",
            "60",
            "--for",
            "2s",
            "--transport",
            transport,
        ];
        let (code, report) = bench(&server, &flags).await;
        assert_eq!(code, 0, "{report:#}");
        let none =
            json!({"lost": 0, "doubled": 0, "reordered": 0, "unanswered": 0, "readers_lost": 0});
        assert_eq!(report["faults"], none);
        assert_eq!(report["refusals"], json!({}));
        assert_eq!(
            (&report["peers"], &report["readers_open"]),
            (&json!(7), &json!(7))
        );
        let signals = &report["signals"];
        assert_eq!(signals["accepted"], signals["arrived"]);
        let accepted = signals["accepted"].as_u64().expect("a number");
        assert!((110..=130).contains(&accepted), "{report:#}");
        let latency = |name: &str| report["latency_ms"][name].as_f64().expect("a number");
        assert!(
            0.0 < latency("p50")
                && latency("p50") <= latency("p99")
                && latency("p99") <= latency("max")
        );
        assert!(server.hub.rooms().is_empty(), "all have left");
    }
}

#[tokio::test]
async fn refusals_are_counted_by_name() {
    let server = TestServer::with(&["--signals-per-second", "1"]).await;
    let (code, report) = bench(&server, &["--peers", "2", "--rate", "200", "--for", "2s"]).await;
    assert_eq!(code, 1, "{report:#}");
    assert!(
        report["refusals"]["rate-limited"].as_u64() > Some(0),
        "{report:#}"
    );
    assert_eq!(report["faults"]["lost"], 0, "what is refused is not lost");
}

#[tokio::test]
async fn the_figures_are_told_in_words_too() {
    let server = TestServer::start().await;
    let (code, out, errors) = said(&[
        "bench",
        &server.base,
        "--peers",
        "2",
        "--rate",
        "20",
        "--for",
        "500ms",
    ])
    .await;
    assert_eq!(code, 0, "{errors}");
    for part in [
        "2 peers in 1 rooms",
        "  latency    p50 ",
        "  faults     0 lost, 0 doubled",
        "  refusals   none",
    ] {
        assert!(out.contains(part), "no {part:?} in {out}");
    }
    assert_eq!(errors, "", "no bars where there is no terminal");
}

#[tokio::test]
async fn an_access_token_that_runs_out_ends_the_run_with_a_word_on_that_alone() {
    let home = Home::new();
    let key = home.0.join("key").to_str().expect("a path").to_owned();
    std::fs::write(&key, "a-secret-of-the-tests-that-is-long-enough").expect("written");
    let server = TestServer::with(&["--access-key", &key]).await;
    // An expiry is in whole seconds, and good for 10 s more.
    let mint = ["token", "--key", &key, "--room", "run-*", "--ttl", "0"];
    let (code, minted, errors) = said(&mint).await;
    assert_eq!(code, 0, "{errors}");
    let token = minted.trim();
    crate::harness::secrets::hide(token);
    let long = ["--prefix", "run", "--peers", "4", "--for", "60s"];
    let run = ["bench", &server.base, "--access-token", token];
    let (code, out, errors) = said(&[&run[..], &long].concat()).await;
    assert_eq!((code, out.as_str()), (1, ""), "{errors}");
    let begins = "switchboard: bad-token (401): ";
    assert!(errors.starts_with(begins), "{errors}");
    assert!(
        errors.contains("the access token ran out during the run"),
        "{errors}"
    );
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(server.hub.rooms().is_empty(), "all have left");
}

#[tokio::test]
async fn servers_of_others_are_not_loaded_unasked() {
    let (code, out, errors) = said(&["bench", "https://signal.example.org"]).await;
    assert_eq!((code, out.as_str()), (2, ""), "{errors}");
    assert!(errors.contains("--i-am-allowed"), "{errors}");
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let (code, _, errors) = said(&["bench", &nowhere]).await;
    assert_eq!(code, 3, "{errors}");
}
