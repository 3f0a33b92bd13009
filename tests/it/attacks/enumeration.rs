//! Looking for rooms and peers that one may not see.

use reqwest::Method;
use serde_json::{Value, json};

use crate::access::{ask, join, keyed, may, soon, token};
use crate::harness::{Answer, Peer, TestServer};

/// Everything of an answer that could tell, but for when it was made and what its request is called.
fn told(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), format!("{value:?}")))
        .collect();
    headers.sort();
    (answer.status, headers, answer.text.clone())
}

/// Asks the same of each room, and checks that the answers are the same byte for byte.
async fn alike(server: &TestServer, bearer: &str, rooms: &[&str]) {
    for (method, tail, body) in [
        (Method::POST, "/peers", json!({"peer": "kim"})),
        (Method::POST, "/peers", json!({"peer": "nobody-yet"})),
        (
            Method::POST,
            "/peers",
            json!({"peer": "kim", "fresh": true}),
        ),
        (Method::GET, "/peers", Value::Null),
        (Method::DELETE, "", Value::Null),
        (Method::DELETE, "/peers/kim", Value::Null),
        (Method::PATCH, "/peers/kim", json!({})),
        (
            Method::POST,
            "/peers/kim/signals",
            json!({"to": "lee", "type": "x"}),
        ),
        (Method::GET, "/peers/kim/events", Value::Null),
        (Method::GET, "/peers/kim/poll", Value::Null),
        (Method::GET, "/peers/kim/notices", Value::Null),
        (Method::GET, "/peers/kim/sessions", Value::Null),
        (Method::GET, "/peers/kim/sessions/s1", Value::Null),
        (Method::POST, "/peers/kim/alive", Value::Null),
        (Method::POST, "/peers/kim/tickets", json!({})),
        (Method::POST, "/peers/kim/leave", Value::Null),
    ] {
        let mut answers = Vec::new();
        for room in rooms {
            let path = format!("/rooms/{room}{tail}");
            let answer = ask(server, method.clone(), &path, bearer, body.clone()).await;
            assert!(
                [401, 403].contains(&answer.status),
                "{method} {path} {answer:?}"
            );
            assert!(!answer.text.contains(room), "{method} {path} {answer:?}");
            answers.push(told(&answer));
        }
        assert!(
            answers.windows(2).all(|pair| pair[0] == pair[1]),
            "{method} {tail}: {answers:#?}"
        );
    }
}

#[tokio::test]
async fn whether_there_is_a_room_shows_to_nobody_who_may_not_see_it() {
    let server = keyed(&[]).await;
    let all = may(&["join", "list", "operate"], "*");
    let here = join(&server, "staff", &all, json!({"peer": "kim"})).await;
    here.expect_status(201);
    let mine = join(&server, "class-1", &all, json!({"peer": "kim"})).await;
    mine.expect_status(201);
    let mine = Peer::of(&server, &mine.json);
    // One that there is, one that there was, and one that there never was.
    let gone = join(&server, "gone1", &all, json!({"peer": "kim"})).await;
    Peer::of(&server, &gone.json).leave().await;
    let rooms = ["staff", "gone1", "never"];
    let expired = token(&json!({"room": "*", "rights": ["join", "list"], "exp": soon(-60)}));
    for bearer in [
        "",
        "nonsense",
        &expired,
        &may(&["join", "list", "operate"], "class-*"),
        &may(&["join", "list", "operate"], "staf"),
        &may(&[], "*"),
        &mine.token,
    ] {
        alike(&server, bearer, &rooms).await;
    }
}

#[tokio::test]
async fn who_is_in_a_room_shows_to_nobody_who_may_not_list_it() {
    let server = keyed(&[]).await;
    let all = may(&["join", "list", "operate"], "*");
    for peer in ["kim", "lee"] {
        let joined = join(&server, "staff", &all, json!({"peer": peer})).await;
        joined.expect_status(201);
    }
    let mine = join(&server, "class-1", &all, json!({"peer": "mia"})).await;
    let mine = Peer::of(&server, &mine.json);
    for (method, tail, body) in [
        (Method::GET, "/events", Value::Null),
        (Method::GET, "/sessions", Value::Null),
        (Method::DELETE, "", Value::Null),
        (Method::POST, "/signals", json!({"to": "lee", "type": "x"})),
    ] {
        for bearer in ["", &mine.token, &may(&["join"], "class-*")] {
            let mut answers = Vec::new();
            for peer in ["kim", "who"] {
                let path = format!("/rooms/staff/peers/{peer}{tail}");
                let answer = ask(&server, method.clone(), &path, bearer, body.clone()).await;
                answers.push(told(&answer));
            }
            assert_eq!(answers[0], answers[1], "{method} {tail}");
            assert!([401, 403].contains(&answers[0].0));
        }
    }
    // Who may join as somebody else hears no more than that he may not join as this one.
    let mia = token(&json!({"room": "staff", "peer": "mia", "rights": ["join"], "exp": soon(60)}));
    let mut answers = Vec::new();
    for peer in ["kim", "who"] {
        answers.push(told(
            &join(&server, "staff", &mia, json!({"peer": peer})).await,
        ));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, 403);
}

#[tokio::test]
async fn an_operator_of_some_rooms_sees_no_others() {
    let server = keyed(&[]).await;
    let all = may(&["join", "operate"], "*");
    for room in ["class-1", "staff"] {
        join(&server, room, &all, json!({"peer": "kim"}))
            .await
            .expect_status(201);
    }
    let some = may(&["operate"], "class-*");
    let listed = ask(&server, Method::GET, "/rooms", &some, Value::Null).await;
    assert_eq!(
        listed.json,
        json!({"rooms": [{"room": "class-1", "peers": 1}]})
    );
    let mut answers = Vec::new();
    for room in ["staff", "never"] {
        let path = format!("/rooms/{room}");
        answers.push(told(
            &ask(&server, Method::DELETE, &path, &some, Value::Null).await,
        ));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, 403);
}
