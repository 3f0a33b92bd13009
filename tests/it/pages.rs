//! The pages and the client, out of the binary; and who gets which at `/`.

use reqwest::Method;

use crate::harness::TestServer;

#[tokio::test]
async fn a_browser_gets_the_demo_and_curl_the_help() {
    let server = TestServer::start().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let page = server
        .request(Method::GET, "/", |r| r.header("accept", browser))
        .await;
    page.expect_status(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe-inline"));
    assert!(policy.contains("frame-ancestors 'none'"));
    assert_eq!(page.header("referrer-policy"), "no-referrer");
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
