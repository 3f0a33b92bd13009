//! Pages of other origins: what they can have a browser send without being asked, cookies included.

use reqwest::Method;
use serde_json::{Value, json};

use super::{DOORS, waiting};
use crate::harness::{Answer, Peer, TestServer, client};

const EVIL: &str = "https://evil.example";

/// What a form, an image or a `fetch` without a preflight can send: no header of its own choosing but
/// these, and whatever cookies there are.
async fn simple(method: &str, url: String, kind: &str, cookie: &str, body: &str) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let request = client()
        .request(method, url)
        .header("origin", EVIL)
        .header("referer", format!("{EVIL}/page"))
        .header("sec-fetch-site", "cross-site")
        .header("content-type", kind)
        .header("cookie", cookie)
        .body(body.to_owned());
    let answer = Answer::of(request.send().await.expect("an answer")).await;
    assert_eq!(answer.header("set-cookie"), "", "there are no cookies");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    answer
}

/// Every cookie that somebody might have thought of.
fn cookies(peer: &Peer) -> String {
    let Peer { token, ticket, .. } = peer;
    format!(
        "token={token}; Authorization=Bearer {token}; authorization={token}; session={token}; \
         access_token={token}; jwt={token}; ticket={ticket}; switchboard={token}"
    )
}

#[tokio::test]
async fn a_cookie_alone_does_nothing_at_any_door() {
    let server = TestServer::with(&["--operator-token", "op"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let cookie = cookies(&alice) + "; operator=op; Authorization=Bearer op";
    for (verb, tail, body) in DOORS.iter().chain(&[("DELETE", "", "")]) {
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json",
        ] {
            simple(verb, alice.url(tail), kind, &cookie, body)
                .await
                .expect_problem(401, "bad-token");
        }
    }
    for body in ["", "{}", "token=1", &alice.name] {
        simple("POST", alice.url("/leave"), "text/plain", &cookie, body)
            .await
            .expect_problem(401, "bad-token");
    }
    for (verb, path) in [
        ("GET", "/rooms"),
        ("DELETE", "/rooms/demo"),
        ("GET", "/ice-servers"),
    ] {
        simple(verb, server.url(path), "text/plain", &cookie, "")
            .await
            .expect_problem(401, "bad-token");
    }
    // A join needs no credential on an open server, and a cookie does not make it somebody else's.
    let join = json!({"peer": "alice", "fresh": true}).to_string();
    simple(
        "POST",
        server.url("/rooms/demo/peers"),
        "text/plain",
        &cookie,
        &join,
    )
    .await
    .expect_problem(409, "peer-exists");
    alice.say(json!({"to": "bob", "type": "marker"})).await;
    assert_eq!(waiting(&bob).await.len(), 1);
}

#[tokio::test]
async fn a_page_that_is_not_on_the_list_is_told_nothing_and_may_send_no_credential() {
    let server = TestServer::with(&["--origin", "https://page.example"]).await;
    let alice = server.join("demo", "alice").await;
    let allows = |answer: &Answer| {
        let names = answer.headers.keys();
        names
            .filter(|name| name.as_str().starts_with("access-control-allow"))
            .map(|name| (name.to_string(), answer.header(name.as_str()).to_owned()))
            .collect::<Vec<_>>()
    };
    let mut paths: Vec<String> = DOORS.iter().map(|(_, tail, _)| alice.url(tail)).collect();
    for path in [
        "/rooms/demo/peers",
        "/ice-servers",
        "/probe?ticks=1",
        "/livez",
        "/",
        "/nothing",
    ] {
        paths.push(server.url(path));
    }
    for origin in [
        EVIL,
        "null",
        "https://page.example.evil.example",
        "https://evil-page.example",
        "http://page.example",
        "https://page.example:444",
        "https://PAGE.example.",
        "https://user@page.example",
    ] {
        for path in &paths {
            // What is sent without being asked for is answered without being shown.
            let plain = client().get(path).header("origin", origin);
            let plain = Answer::of(plain.send().await.expect("an answer")).await;
            assert_eq!(allows(&plain), [], "{origin} {path}");
            // A header of one's own must be asked for, which is refused.
            let asked = client()
                .request(Method::OPTIONS, path)
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization");
            let asked = Answer::of(asked.send().await.expect("an answer")).await;
            let origins = asked.header("access-control-allow-origin");
            assert_eq!(origins, "", "{origin} {path} {asked:?}");
            assert_eq!(asked.header("set-cookie"), "");
        }
    }
    let mine = client()
        .get(&paths[0])
        .header("origin", "https://page.example");
    let mine = Answer::of(mine.send().await.expect("an answer")).await;
    assert_eq!(
        mine.header("access-control-allow-origin"),
        "https://page.example"
    );
    assert_eq!(mine.json["status"], Value::from(405));
}
