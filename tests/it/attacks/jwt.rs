//! Access tokens that nobody with a key has made, or that are for something else, shown at the doors.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};

use crate::access::{KeyFile, SECRET, ask, keyed, may, soon, token};
use crate::harness::TestServer;

const RSA_PUBLIC: &[u8] = include_bytes!("../../../src/access/tests/rsa.pub.pem");
const RSA_PRIVATE: &[u8] = include_bytes!("../../../src/access/tests/rsa.pem");
const ED_PUBLIC: &[u8] = include_bytes!("../../../src/access/tests/ed.pub.pem");

fn claims() -> Value {
    json!({"room": "*", "rights": ["join", "list", "operate"], "exp": soon(600)})
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn signed(header: &Header, claims: &Value, secret: &[u8]) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret)).expect("a token")
}

/// Checks that a token opens no door that asks for one.
async fn opens_nothing(server: &TestServer, token: &str, why: &str) {
    for (method, path) in [
        (Method::POST, "/rooms/demo/peers"),
        (Method::GET, "/rooms/demo/peers"),
        (Method::GET, "/ice-servers"),
        (Method::GET, "/rooms"),
        (Method::DELETE, "/rooms/demo"),
        (Method::DELETE, "/rooms/demo/peers/alice"),
        (Method::POST, "/rooms/demo/peers/alice/signals"),
        (Method::GET, "/rooms/demo/peers/alice/events"),
    ] {
        let body = json!({"to": "alice", "type": "x"});
        let answer = ask(server, method.clone(), path, token, body).await;
        assert_eq!(answer.status, 401, "{why}: {method} {path} {answer:?}");
        answer.expect_problem(401, "bad-token");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

/// Checks that nothing has come of what was tried.
async fn only_alice_is_there(server: &TestServer, good: &str) {
    let seen = ask(server, Method::GET, "/rooms", good, Value::Null).await;
    assert_eq!(seen.json, json!({"rooms": [{"room": "demo", "peers": 1}]}));
}

#[tokio::test]
async fn tokens_without_a_signature_or_with_one_of_a_public_key_open_no_door() {
    let keys = [KeyFile::new(RSA_PUBLIC), KeyFile::new(ED_PUBLIC)];
    let paths: Vec<_> = keys
        .iter()
        .map(|key| key.0.to_str().expect("text"))
        .collect();
    let server = TestServer::with(&["--access-key", paths[0], "--access-key", paths[1]]).await;
    let good = EncodingKey::from_rsa_pem(RSA_PRIVATE).expect("a key");
    let good = encode(&Header::new(Algorithm::RS256), &claims(), &good).expect("a token");
    let alice = ask(
        &server,
        Method::POST,
        "/rooms/demo/peers",
        &good,
        json!({"peer": "alice"}),
    );
    alice.await.expect_status(201);
    let (signed_part, signature) = good.rsplit_once('.').expect("two parts");
    let (_, body) = signed_part.split_once('.').expect("two parts");
    for alg in ["none", "None", "nOnE", "NONE", ""] {
        let header = part(&json!({"alg": alg, "typ": "JWT"}));
        for tail in ["", signature] {
            opens_nothing(&server, &format!("{header}.{body}.{tail}"), alg).await;
        }
    }
    opens_nothing(&server, signed_part, "no signature").await;
    opens_nothing(&server, &format!("{signed_part}."), "an empty signature").await;
    // Public keys as secrets, in every form in which somebody might read the file.
    for public in [
        RSA_PUBLIC,
        RSA_PUBLIC.trim_ascii(),
        ED_PUBLIC,
        ED_PUBLIC.trim_ascii(),
    ] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let confused = signed(&Header::new(algorithm), &claims(), public);
            opens_nothing(&server, &confused, "a public key as a secret").await;
        }
    }
    // A key of the sender's own, which the header brings along or points to.
    let mut header = Header::new(Algorithm::HS256);
    header.jku = Some(format!("{}/client/switchboard.js", server.base));
    header.x5u = header.jku.clone();
    header.kid = Some("../../../dev/null".into());
    opens_nothing(
        &server,
        &signed(&header, &claims(), b""),
        "a key from elsewhere",
    )
    .await;
    let jwk = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET)});
    let brought = part(&json!({"alg": "HS256", "typ": "JWT", "jwk": jwk}));
    let brought = format!("{brought}.{body}.{signature}");
    opens_nothing(&server, &brought, "a key in the header").await;
    only_alice_is_there(&server, &good).await;
}

#[tokio::test]
async fn tokens_that_have_run_out_or_are_for_something_else_open_no_door() {
    let server = keyed(&[
        "--access-audience",
        "switchboard",
        "--access-issuer",
        "school",
    ])
    .await;
    let with = |changes: Value| {
        let mut claims = claims();
        claims["aud"] = json!("switchboard");
        claims["iss"] = json!("school");
        for (name, value) in changes.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        claims
    };
    let good = token(&with(json!({})));
    let alice = ask(
        &server,
        Method::POST,
        "/rooms/demo/peers",
        &good,
        json!({"peer": "alice"}),
    );
    alice.await.expect_status(201);
    for changes in [
        json!({"exp": soon(-60)}),
        json!({"exp": 0}),
        json!({"nbf": soon(60)}),
        json!({"aud": "another"}),
        json!({"aud": null}),
        json!({"aud": []}),
        json!({"iss": "another"}),
        json!({"iss": null}),
        json!({"room": null}),
        json!({"rights": null}),
        json!({"exp": null}),
        json!({"exp": "9999999999"}),
        json!({"exp": -1}),
        json!({"exp": 1e300}),
    ] {
        let why = changes.to_string();
        opens_nothing(&server, &token(&with(changes)), &why).await;
    }
    let mut header = Header::default();
    for typ in ["dpop+jwt", "logout+jwt", "secevent+jwt"] {
        header.typ = Some(typ.into());
        let other = signed(&header, &with(json!({})), SECRET.as_bytes());
        opens_nothing(&server, &other, typ).await;
    }
    // Somebody else's secret; and this server's own peer token, which is no access token.
    let other = signed(&Header::default(), &with(json!({})), &[7; 32]);
    opens_nothing(&server, &other, "another secret").await;
    for odd in ["", ".", "..", "a.b.c", "e30.e30.e30", "null", "Bearer"] {
        opens_nothing(&server, odd, odd).await;
    }
    only_alice_is_there(&server, &good).await;
}

#[tokio::test]
async fn a_token_grants_no_more_than_it_says() {
    let server = keyed(&[]).await;
    let owner = may(&["join", "list", "operate"], "*");
    let alice = ask(
        &server,
        Method::POST,
        "/rooms/demo/peers",
        &owner,
        json!({"peer": "alice"}),
    );
    alice.await.expect_status(201);
    for (rights, room) in [
        (&["list"][..], "demo"),
        (&["join"], "other"),
        (&["join"], "dem"),
        (&["join"], "demo-*"),
        (&["join"], ""),
        (&["operate"], "demo"),
        (&["Join", "JOIN", "*", "all"], "demo"),
        (&[], "*"),
    ] {
        let join = json!({"peer": "mallory"});
        let join = ask(
            &server,
            Method::POST,
            "/rooms/demo/peers",
            &may(rights, room),
            join,
        )
        .await;
        join.expect_problem(403, "not-allowed");
    }
    for rights in [&["join", "list"][..], &["join"], &["list"]] {
        for (method, path) in [
            (Method::GET, "/rooms"),
            (Method::DELETE, "/rooms/demo"),
            (Method::DELETE, "/rooms/nobody-is-here"),
            (Method::DELETE, "/rooms/demo/peers/alice"),
        ] {
            let refused = ask(&server, method, path, &may(rights, "*"), Value::Null).await;
            refused.expect_problem(403, "not-allowed");
        }
    }
    only_alice_is_there(&server, &owner).await;
}
