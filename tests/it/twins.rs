//! An answer is the same whoever has read the request: line by line, by both ways.

use std::collections::BTreeMap;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{Peer, TestServer};

/// What is the same by both ways: the status, the lines of the head, and the shape of the body.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    status: u16,
    lines: BTreeMap<String, String>,
    shape: String,
}

/// A way through a server, and the peers that ask by it.
struct Way {
    server: TestServer,
    alice: Peer,
}

impl Way {
    async fn new(express: &str, origins: &[&str]) -> Self {
        let flags = [&["--express", express], origins].concat();
        let server = TestServer::with(&flags).await;
        let alice = server.join("demo", "alice").await;
        let bob = server.join("demo", "bob").await;
        bob.say(json!({"to": "alice", "type": "hello"})).await;
        Self { server, alice }
    }

    async fn told(&self, method: &str, path: &str, change: &Change<'_>) -> Told {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let path = path.replace("TICKET", &self.alice.ticket);
        let request = reqwest::Client::new().request(method, self.server.url(&path));
        let request = change(request, &self.alice);
        let mut answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let mut lines = BTreeMap::new();
        for (name, value) in answer.headers() {
            let value = value.to_str().expect("text").to_owned();
            // In no order: methods and headers that are allowed.
            let mut parts: Vec<_> = value.split(", ").map(str::to_owned).collect();
            parts.sort();
            let told = lines.insert(name.to_string(), parts.join(", "));
            assert_eq!(told, None, "{name} twice");
        }
        assert!(lines.contains_key("x-request-id"), "{lines:?}");
        let kind = lines.get("content-type").map_or("", String::as_str);
        let stream = kind == "text/event-stream";
        // What differs by nature: the time, and what a stream that leaves is framed with.
        for name in [
            "date",
            "content-length",
            "connection",
            "transfer-encoding",
            "x-request-id",
        ] {
            lines.remove(name);
        }
        let shape = if stream {
            let first = answer.chunk().await.expect("a stream").expect("a piece");
            let text = String::from_utf8_lossy(&first).into_owned();
            assert!(text.contains("event: ready\n"), "{text}");
            "a stream".to_owned()
        } else {
            let body = answer.bytes().await.expect("a body");
            serde_json::from_slice(&body).map_or_else(
                |_| String::from_utf8_lossy(&body).into_owned(),
                |json: Value| shape(&json),
            )
        };
        Told {
            status,
            lines,
            shape,
        }
    }
}

type Change<'a> = dyn Fn(RequestBuilder, &Peer) -> RequestBuilder + 'a;

/// The names of a JSON text, without what differs from server to server; words of ours stay.
fn shape(json: &Value) -> String {
    match json {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                let known = matches!(
                    name.as_str(),
                    "type" | "status" | "title" | "detail" | "state"
                );
                let value = if known {
                    value.to_string()
                } else {
                    shape(value)
                };
                format!("{name}:{value}")
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("{:?}", items.iter().map(shape).collect::<Vec<_>>()),
        Value::String(_) => "text".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::Bool(_) | Value::Null => json.to_string(),
    }
}

#[tokio::test]
async fn both_ways_tell_the_same() {
    let none: &Change<'_> = &|request, _| request;
    let own: &Change<'_> = &|request, alice| request.bearer_auth(&alice.token);
    let forged: &Change<'_> = &|request, _| request.bearer_auth("sp1.a.b");
    let note: &Change<'_> = &|request, alice| {
        let signal = r#"{"to":"bob","type":"note","data":"x","id":"n1"}"#;
        request.bearer_auth(&alice.token).body(signal)
    };
    let several: &Change<'_> = &|request, alice| {
        let signals = r#"[{"to":"bob","type":"note"},{"to":"nobody","type":"note"}]"#;
        request.bearer_auth(&alice.token).body(signals)
    };
    let stranger: &Change<'_> = &|request, alice| {
        let signal = r#"{"to":"nobody","type":"note"}"#;
        request.bearer_auth(&alice.token).body(signal)
    };
    let broken: &Change<'_> = &|request, alice| request.bearer_auth(&alice.token).body(r#"{"to":"#);
    let large: &Change<'_> = &|request, alice| {
        let body = "x".repeat(100_000);
        request.bearer_auth(&alice.token).body(body)
    };
    let no_text: &Change<'_> = &|request, alice| {
        let body = vec![b'"', 0xff, b'"'];
        request.bearer_auth(&alice.token).body(body)
    };
    let token: &Change<'_> = &|request, alice| request.body(alice.token.clone());
    let preflight: &Change<'_> = &|request, _| {
        request
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "Content-Type,authorization",
            )
    };
    let other_method: &Change =
        &|request, _| request.header("access-control-request-method", "PUT");
    let other_header: &Change<'_> = &|request, _| {
        request
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "x-other")
    };
    let peer = "/rooms/demo/peers/alice";
    let asked: Vec<(&str, String, &Change<'_>)> = vec![
        ("POST", "/rooms/demo/peers".into(), none),
        ("POST", "/rooms/demo/peers".into(), broken),
        ("POST", "/rooms/de%6Do/peers".into(), none),
        ("POST", "/rooms/../peers".into(), none),
        ("POST", "/rooms/a:b/peers".into(), none),
        ("GET", "/rooms/demo/peers".into(), own),
        ("PUT", "/rooms/demo/peers".into(), none),
        ("POST", format!("{peer}/signals"), note),
        ("POST", format!("{peer}/signals"), note),
        ("POST", format!("{peer}/signals"), several),
        ("POST", format!("{peer}/signals"), stranger),
        ("POST", format!("{peer}/signals"), broken),
        ("POST", format!("{peer}/signals"), large),
        ("POST", format!("{peer}/signals"), no_text),
        ("POST", format!("{peer}/signals"), forged),
        ("POST", format!("{peer}/signals"), none),
        ("GET", format!("{peer}/signals"), own),
        ("POST", format!("{peer}/peers"), none),
        ("POST", "/rooms/demo/peers/bob/signals".into(), note),
        ("GET", format!("{peer}/poll?wait=0"), own),
        ("GET", format!("{peer}/poll?wait=26"), own),
        ("GET", format!("{peer}/poll?cursor=x"), own),
        ("GET", format!("{peer}/events?clock=1"), own),
        ("GET", format!("{peer}/events?access_token=x"), own),
        ("GET", format!("{peer}/events?ticket=TICKET"), none),
        ("GET", format!("{peer}/notices"), own),
        ("GET", format!("{peer}/notices?wait=0"), own),
        ("GET", format!("{peer}/sessions"), own),
        ("POST", format!("{peer}/alive"), own),
        ("POST", format!("{peer}/alive"), none),
        ("OPTIONS", format!("{peer}/signals"), preflight),
        ("OPTIONS", format!("{peer}/signals"), other_method),
        ("OPTIONS", format!("{peer}/signals"), other_header),
        ("OPTIONS", format!("{peer}/signals"), none),
        ("POST", format!("{peer}/leave?if=closed"), token),
        ("POST", format!("{peer}/leave?if=open"), token),
        ("DELETE", peer.into(), forged),
        ("DELETE", format!("{peer}?detail=bye"), own),
        ("POST", format!("{peer}/signals"), note),
        ("DELETE", peer.into(), own),
        ("POST", format!("{peer}/leave"), token),
    ];
    let listed = ["--origin", "https://page.example,https://other.example"];
    for (origins, origin) in [
        (&[][..], None),
        (&[], Some("https://page.example")),
        (&listed, Some("https://page.example")),
        (&listed, Some("https://stranger.example")),
    ] {
        let express = Way::new("true", origins).await;
        let web = Way::new("false", origins).await;
        for (method, path, change) in &asked {
            let change: &Change<'_> = &|request, alice| {
                let request = change(request, alice);
                match origin {
                    Some(origin) => request.header("origin", origin),
                    None => request,
                }
            };
            let there = web.told(method, path, change).await;
            let here = express.told(method, path, change).await;
            assert_eq!(here, there, "{method} {path} from {origin:?}");
        }
    }
}
