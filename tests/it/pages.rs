//! The pages and the client, out of the binary; and who gets which at `/`.

use reqwest::Method;

use crate::harness::TestServer;

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[tokio::test]
async fn a_browser_gets_the_demo_and_curl_the_help() {
    let server = TestServer::start().await;
    let page = server
        .request(Method::GET, "/", |r| r.header("accept", BROWSER))
        .await;
    page.expect_status(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    for accept in [None, Some("*/*"), Some("text/plain")] {
        let help = server
            .request(Method::GET, "/", |request| match accept {
                Some(accept) => request.header("accept", accept),
                None => request,
            })
            .await;
        assert_eq!(help.header("content-type"), "text/plain; charset=utf-8");
        assert!(
            help.text.contains(&server.base),
            "commands for this very server"
        );
        let call = format!("{}/#my-room ", server.base);
        assert!(help.text.contains(&call), "a link to one call for two");
    }
}

/// What all pages have, but for where they may connect to and what they may ask for.
fn content_policy(connect: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src {connect}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

fn permissions(own: &str) -> String {
    format!(
        "{own}, display-capture=(), geolocation=(), midi=(), payment=(), usb=(), serial=(), \
         hid=(), accelerometer=(), gyroscope=(), magnetometer=(), xr-spatial-tracking=()"
    )
}

#[tokio::test]
async fn every_page_says_exactly_what_it_may_do() {
    let server = TestServer::start().await;
    let call =
        "camera=(self), microphone=(self), clipboard-write=(self), autoplay=(self)".to_owned();
    let check = "camera=(), microphone=(), clipboard-write=(self), autoplay=()".to_owned();
    for (path, connect, own) in [
        ("/", "'self'", call),
        ("/check", "'self' ws: wss:", check.clone()),
        ("/console", "'self'", check),
    ] {
        let get = async |etag: &str| {
            let with = |r: reqwest::RequestBuilder| {
                r.header("accept", BROWSER).header("if-none-match", etag)
            };
            server.request(Method::GET, path, with).await
        };
        let page = get("\"another\"").await;
        page.expect_status(200);
        let kept = get(page.header("etag")).await;
        kept.expect_status(304);
        for answer in [&page, &kept] {
            for (name, value) in [
                ("content-security-policy", content_policy(connect).as_str()),
                ("permissions-policy", permissions(&own).as_str()),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-opener-policy", "same-origin"),
                ("x-content-type-options", "nosniff"),
                ("cache-control", "no-cache"),
            ] {
                let values: Vec<_> = answer.headers.get_all(name).iter().collect();
                assert_eq!(values, [value], "{name} of {path}");
            }
            let vary = answer.headers.get_all("vary").iter();
            let vary: Vec<_> = vary.map(|value| value.to_str().expect("text")).collect();
            let vary = vary.join(", ").to_lowercase();
            assert!(vary.contains("accept"), "{vary:?}");
        }
        assert_eq!(page.header("cross-origin-resource-policy"), "same-origin");
        // A policy that forbids what stands within the page would stop the page itself.
        for within in ["<script>", "<style", " style=", " onclick=", "javascript:"] {
            assert!(!page.text.contains(within), "{within} in {path}");
        }
    }
    // There is no other way to a page, which would go without these.
    for path in [
        "/index.html",
        "/check/index.html",
        "/check/",
        "/console/index.html",
    ] {
        let answer = server
            .request(Method::GET, path, |r| r.header("accept", BROWSER))
            .await;
        answer.expect_problem(404, "unknown-path");
    }
}

#[tokio::test]
async fn nothing_is_taken_for_another_type_and_only_the_client_for_other_sites() {
    let server = TestServer::start().await;
    for (path, policy) in [
        ("/client/switchboard.js", "cross-origin"),
        ("/client/adapters/peerjs.js", "cross-origin"),
        ("/demo/main.js", "same-origin"),
        ("/demo/base.css", "same-origin"),
        ("/demo/mark.svg", "same-origin"),
        ("/check/main.js", "same-origin"),
        ("/console/main.js", "same-origin"),
    ] {
        let asset = server.get(path).await;
        asset.expect_status(200);
        assert_eq!(asset.header("x-content-type-options"), "nosniff", "{path}");
        let told = asset.header("cross-origin-resource-policy");
        assert_eq!(told, policy, "{path}");
        // A module is fetched with CORS, also from elsewhere.
        let elsewhere =
            |r: reqwest::RequestBuilder| r.header("origin", "https://elsewhere.example");
        let module = server.request(Method::GET, path, elsewhere).await;
        assert_eq!(module.header("access-control-allow-origin"), "*", "{path}");
    }
    let alice = server.join("demo", "alice").await;
    let answers = [
        server.get("/").await,
        server.get("/livez").await,
        server.get("/nowhere").await,
        server.get("/rooms/demo/peers").await,
        server.get("/rooms/demo/peers/nobody/events").await,
        server
            .request(Method::PUT, "/rooms/demo/peers", |r| r)
            .await,
        alice.signal(serde_json::json!({"type": "note"})).await,
        alice.signal(serde_json::json!({"type": "?"})).await,
    ];
    for answer in answers {
        assert_eq!(
            answer.header("x-content-type-options"),
            "nosniff",
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn the_client_is_served_as_modules_that_can_be_asked_for_again() {
    let server = TestServer::start().await;
    let module = server.get("/client/switchboard.js").await;
    module.expect_status(200);
    assert!(module.header("content-type").starts_with("text/javascript"));
    assert_eq!(module.header("cache-control"), "no-cache");
    let etag = module.header("etag").to_owned();
    let again = server
        .request(Method::GET, "/client/switchboard.js", |r| {
            r.header("if-none-match", &etag)
        })
        .await;
    again.expect_status(304);
    let head = server
        .request(Method::HEAD, "/client/switchboard.js", |r| r)
        .await;
    head.expect_status(200);
}
