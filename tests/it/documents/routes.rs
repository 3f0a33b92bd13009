//! Paths: those that documents name, and those that the OpenAPI document has.

use serde_json::Value;

use super::markdown::{self, root};
use crate::harness::TestServer;

const METHODS: [&str; 5] = ["GET", "POST", "PATCH", "DELETE", "HEAD"];

/// What begins with a slash in backticks and is no path of the server.
const ELSEWHERE: [(&str, &str); 12] = [
    ("/64", "a network"),
    ("/etc/", "a file of the system"),
    ("/var/", "a file of the system"),
    ("/usr/", "a file of the system"),
    ("/state/", "a volume"),
    ("/run/", "a file of the system"),
    ("/dev/", "a file of the system"),
    ("/proc/", "a file of the system"),
    ("/path", "a place of one's own"),
    (
        "/problems/",
        "names of refusals, which tests/it/documents/words.rs looks at",
    ),
    ("/peerjs", "an entry of the npm package"),
    ("/trystero", "an entry of the npm package"),
];

/// A path with the methods that it takes.
struct Route {
    path: String,
    methods: Vec<String>,
}

async fn routes(server: &TestServer) -> Vec<Route> {
    let document = server.get("/openapi.json").await.json;
    let paths = document["paths"].as_object().expect("paths");
    let route = |(path, item): (&String, &Value)| {
        let known = METHODS.iter().map(|method| method.to_lowercase());
        let methods = known.filter(|method| item.get(method).is_some());
        Route {
            path: path.clone(),
            methods: methods.map(|method| method.to_uppercase()).collect(),
        }
    };
    paths.iter().map(route).collect()
}

/// Whether a path as people write it leads to `route`. What it begins with may be left out, as `…`.
fn leads(path: &str, route: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let (path, is_short) = match path.strip_prefix('…') {
        Some(rest) => (rest, true),
        None => (path, false),
    };
    let parts = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (given, mut known) = (
        parts(path.trim_start_matches('/')),
        parts(route.trim_start_matches('/')),
    );
    if is_short && path.is_empty() {
        return true;
    }
    if known.len() < given.len() || (!is_short && known.len() != given.len()) {
        return false;
    }
    known.drain(..known.len() - given.len());
    let mut pairs = given.iter().zip(&known);
    pairs.all(|(given, known)| given == known || (known.starts_with('{') && !given.is_empty()))
}

/// A method and a path in backticks, or a path alone.
fn asked(code: &str) -> Option<(Option<&str>, &str)> {
    let (first, rest) = code.split_once(' ').unwrap_or((code, ""));
    if METHODS.contains(&first) && (rest.starts_with('/') || rest.starts_with('…')) {
        return Some((Some(first), rest));
    }
    let is_path = code.starts_with("…/") || (code.starts_with('/') && !code.starts_with("//"));
    (rest.is_empty() && is_path).then_some((None, code))
}

#[tokio::test]
async fn every_path_that_a_document_names_is_served() {
    let server = TestServer::start().await;
    let routes = routes(&server).await;
    let mut looked = 0;
    for document in markdown::all() {
        for code in document.codes() {
            let Some((method, path)) = asked(&code) else {
                continue;
            };
            let is_elsewhere = |(prefix, _): &(&str, &str)| path.starts_with(prefix);
            if method.is_none() && ELSEWHERE.iter().any(is_elsewhere) {
                continue;
            }
            // `/events` alone is short for the door of a peer.
            let short = format!("…{path}");
            let is_named =
                |route: &str| leads(path, route) || (method.is_none() && leads(&short, route));
            let takes = |route: &Route| {
                method.is_none_or(|method| route.methods.iter().any(|known| known == method))
            };
            let served = routes
                .iter()
                .any(|route| is_named(&route.path) && takes(route));
            let is_folder = path.ends_with('/') && root().join(format!("web{path}")).is_dir();
            let is_there = served
                || is_folder
                || (path.starts_with('/') && server.get(path).await.status == 200);
            assert!(is_there, "{} names {code}", document.path);
            looked += 1;
        }
    }
    assert!(looked > 60, "{looked}");
}

#[tokio::test]
async fn every_address_that_is_typed_in_a_document_is_served() {
    let server = TestServer::start().await;
    let routes = routes(&server).await;
    let mut looked = 0;
    for document in markdown::all() {
        for block in document.blocks() {
            for (at, base) in block.text.match_indices("http://127.0.0.1:8080/") {
                let path = &block.text[at + base.len() - 1..];
                let end = |c: char| c.is_whitespace() || "\"'`)?;\\".contains(c);
                let path = path.split(end).next().unwrap_or_default();
                let served = routes.iter().any(|route| leads(path, &route.path));
                let is_there = served || server.get(path).await.status == 200;
                assert!(is_there, "{} has {path}", document.path);
                looked += 1;
            }
        }
    }
    assert!(looked >= 8, "{looked}");
}

#[tokio::test]
async fn the_table_of_doors_has_every_one() {
    let server = TestServer::start().await;
    let doors = markdown::read("docs/protocol.md").section("## Doors");
    let mut named: Vec<(String, String)> = Vec::new();
    for table in doors.tables() {
        for row in &table.rows {
            for code in markdown::codes_of(&row[0]) {
                match asked(code) {
                    Some((Some(method), path)) => named.push((method.into(), path.into())),
                    // `GET /check/request` (also `POST`…)
                    _ if METHODS.contains(&code) => {
                        let path = named.last().expect("a path").1.clone();
                        named.push((code.into(), path));
                    }
                    _ => panic!("{code} is no door"),
                }
            }
        }
    }
    for route in routes(&server).await {
        for method in route.methods.iter().filter(|method| *method != "HEAD") {
            let full = |path: &str| path.replace('…', "/rooms/{room}/peers/{peer}");
            let is_there = named
                .iter()
                .any(|(known, path)| known == method && full(path) == route.path);
            assert!(
                is_there,
                "docs/protocol.md has no row for {method} {}",
                route.path
            );
        }
    }
}

#[test]
fn a_path_leads_to_a_route_whole_or_by_its_end() {
    for (path, route) in [
        (
            "/rooms/demo/peers/bob/poll?wait=1",
            "/rooms/{room}/peers/{peer}/poll",
        ),
        ("…/poll", "/rooms/{room}/peers/{peer}/poll"),
        ("…/{peer}/poll", "/rooms/{room}/peers/{peer}/poll"),
        ("…/peers/a/events", "/rooms/{room}/peers/{peer}/events"),
        ("/", "/"),
        ("…", "/rooms/{room}"),
    ] {
        assert!(leads(path, route), "{path}");
    }
    for (path, route) in [
        ("/poll", "/rooms/{room}/peers/{peer}/poll"),
        ("…/polls", "/rooms/{room}/peers/{peer}/poll"),
        ("/rooms/demo/peers/", "/rooms/{room}/peers/{peer}"),
        ("/", "/livez"),
    ] {
        assert!(!leads(path, route), "{path}");
    }
}
