//! Cross-origin rules: what a page of another origin may do.

use reqwest::Method;

use crate::harness::{Answer, TestServer};

async fn preflight(server: &TestServer, origin: &str, method: &str, headers: &str) -> Answer {
    server
        .request(
            Method::OPTIONS,
            "/rooms/demo/peers/alice/signals",
            |request| {
                request
                    .header("origin", origin)
                    .header("access-control-request-method", method)
                    .header("access-control-request-headers", headers)
            },
        )
        .await
}

#[tokio::test]
async fn an_open_server_lets_any_origin_in_without_credentials() {
    let server = TestServer::start().await;
    let headers = "authorization,content-type,last-event-id,idempotency-key,traceparent";
    for method in ["GET", "POST", "PATCH", "DELETE"] {
        let answer = preflight(&server, "https://page.example", method, headers).await;
        assert!(answer.status == 200 || answer.status == 204, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert!(
            answer
                .header("access-control-allow-methods")
                .contains(method)
        );
        let allowed = answer.header("access-control-allow-headers").to_lowercase();
        assert!(
            headers.split(',').all(|header| allowed.contains(header)),
            "{allowed}"
        );
        assert_eq!(answer.header("access-control-max-age"), "7200");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
    }
    let answer = server
        .request(Method::GET, "/rooms/demo/peers", |request| {
            request.header("origin", "https://page.example")
        })
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(
        answer.header("timing-allow-origin"),
        "*",
        "pages may see the HTTP version"
    );
    assert_eq!(
        answer
            .header("access-control-expose-headers")
            .to_lowercase(),
        "retry-after"
    );
}

#[tokio::test]
async fn an_allow_list_names_the_origin_back_and_no_other() {
    let flags = [
        "--origin",
        "https://page.example",
        "--origin",
        "https://www.page.example",
    ];
    let server = TestServer::with(&flags).await;
    let ask = |origin: &'static str| {
        server.request(Method::GET, "/rooms/demo/peers", move |r| {
            r.header("origin", origin)
        })
    };
    for origin in ["https://page.example", "https://www.page.example"] {
        let answer = ask(origin).await;
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        assert_eq!(answer.header("timing-allow-origin"), origin);
        let preflight = preflight(&server, origin, "POST", "authorization").await;
        assert_eq!(preflight.header("access-control-allow-origin"), origin);
        for answer in [answer, preflight] {
            assert!(answer.header("vary").to_lowercase().contains("origin"));
            assert_eq!(answer.header("access-control-allow-credentials"), "");
        }
    }
    // Near misses, and what a sandboxed frame sends.
    for origin in [
        "https://other.example",
        "http://page.example",
        "https://page.example:8443",
        "https://page.example.evil.example",
        "https://evilpage.example",
        "null",
    ] {
        let answer = ask(origin).await;
        let preflight = preflight(&server, origin, "POST", "authorization").await;
        assert_eq!(preflight.status, 422, "{origin}");
        for answer in [&answer, &preflight] {
            assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
            assert_eq!(answer.header("timing-allow-origin"), "", "{origin}");
        }
        // Or a cache would give this answer to the origins that may.
        assert!(answer.header("vary").to_lowercase().contains("origin"));
    }
}

#[tokio::test]
async fn refusals_can_be_read_across_origins_too() {
    let server = TestServer::start().await;
    let answer = server
        .request(Method::POST, "/rooms/demo/peers/alice/signals", |request| {
            request.header("origin", "https://page.example").body("{}")
        })
        .await;
    answer.expect_problem(401, "bad-token");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}
