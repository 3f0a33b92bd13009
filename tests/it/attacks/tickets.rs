//! A ticket that comes late, is another's, or is made up.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::harness::{Answer, Peer, Stream, TestServer, client};

const SECRET: &str = "a secret that this test knows";
/// Where a ticket says its random number, and when it was issued, in milliseconds since 1970.
const NONCE: usize = 5;
const ISSUED: usize = 6;

/// A ticket as its fields, signed anew with `secret`.
fn forged(ticket: &str, secret: &str, change: impl FnOnce(&mut Vec<String>)) -> String {
    let (said, _) = ticket
        .trim_start_matches("st1.")
        .split_once('.')
        .expect("two parts");
    let said = URL_SAFE_NO_PAD.decode(said).expect("base64url");
    let said = String::from_utf8(said).expect("text");
    let mut fields: Vec<String> = said.split(':').map(str::to_owned).collect();
    change(&mut fields);
    let said = fields.join(":");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(b"st1.");
    mac.update(said.as_bytes());
    let tag = mac.finalize().into_bytes();
    format!(
        "st1.{}.{}",
        URL_SAFE_NO_PAD.encode(said),
        URL_SAFE_NO_PAD.encode(tag)
    )
}

fn earlier(millis: u64) -> impl FnOnce(&mut Vec<String>) {
    move |fields| {
        let issued = u64::from_str_radix(&fields[ISSUED], 16).expect("a time");
        fields[ISSUED] = format!("{:x}", issued - millis);
        fields[NONCE] = "1".into();
    }
}

async fn show(peer: &Peer, ticket: &str, last_event_id: Option<&str>) -> Answer {
    let mut request = client().get(peer.url(&format!("/events?ticket={ticket}")));
    if let Some(id) = last_event_id {
        request = request.header("last-event-id", id);
    }
    Answer::of(request.send().await.expect("an answer")).await
}

#[tokio::test]
async fn a_ticket_that_comes_after_a_minute_is_refused() {
    let server = TestServer::with(&["--secret", SECRET]).await;
    let bob = server.join("demo", "bob").await;
    let late = forged(&bob.ticket, SECRET, earlier(61_000));
    show(&bob, &late, None)
        .await
        .expect_problem(401, "bad-token");
    show(&bob, &late, Some(&bob.cursor))
        .await
        .expect_problem(401, "bad-token");
    // So made, but within the minute, it is taken: what was refused is its age.
    let soon = forged(&bob.ticket, SECRET, earlier(5_000));
    let request = client().get(bob.url(&format!("/events?ticket={soon}")));
    Stream::open(request).await.expect("ready").await;
}

#[tokio::test]
async fn a_reconnect_with_a_ticket_that_was_first_used_an_hour_ago_is_refused() {
    let server = TestServer::with(&["--secret", SECRET]).await;
    let bob = server.join("demo", "bob").await;
    let old = forged(&bob.ticket, SECRET, earlier(3_601_000));
    for id in [None, Some(bob.cursor.as_str())] {
        show(&bob, &old, id).await.expect_problem(401, "bad-token");
    }
}

#[tokio::test]
async fn a_ticket_that_another_hand_has_signed_or_changed_is_refused() {
    let server = TestServer::with(&["--secret", SECRET]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let signed = forged(&bob.ticket, "another secret", |_| ());
    show(&bob, &signed, None)
        .await
        .expect_problem(401, "bad-token");
    // The tag of one over the words of the other.
    let (_, tag) = bob.ticket.rsplit_once('.').expect("a tag");
    let (said, _) = alice.ticket.rsplit_once('.').expect("a tag");
    show(&alice, &format!("{said}.{tag}"), None)
        .await
        .expect_problem(401, "bad-token");
    // A token is no ticket, and a ticket is no token, whatever it begins with.
    let posing = bob.token.replacen("sp1.", "st1.", 1);
    show(&bob, &posing, None)
        .await
        .expect_problem(401, "bad-token");
    let posing = bob.ticket.replacen("st1.", "sp1.", 1);
    let request = client().get(bob.url("/sessions")).bearer_auth(posing);
    Answer::of(request.send().await.expect("an answer"))
        .await
        .expect_problem(401, "bad-token");
    // A room of its own choosing below the server's signature cannot be had; of another room it is.
    let elsewhere = server.join("other", "bob").await;
    show(&bob, &elsewhere.ticket, None)
        .await
        .expect_problem(403, "not-allowed");
    let request = client().get(bob.url(&format!("/events?ticket={}", bob.ticket)));
    Stream::open(request).await.expect("ready").await;
}

#[tokio::test]
async fn a_spent_ticket_keeps_nobody_present() {
    let server = TestServer::with(&["--away-after", "200ms", "--grace", "1s"]).await;
    let (alice, bob) = (
        server.join("demo", "alice").await,
        server.join("demo", "bob").await,
    );
    let mut alices = alice.events().await;
    alices.expect("ready").await;
    alices.expect("peer-joined").await;
    let request = client().get(bob.url(&format!("/events?ticket={}", bob.ticket)));
    let mut bobs = Stream::open(request).await;
    bobs.expect("ready").await;
    drop(bobs);
    let told = async {
        alices.skip_to("peer-away").await;
        // What comes next that is of him.
        alices.next().await
    };
    let shown = async {
        loop {
            let tail = format!("/events?ticket={}", bob.ticket);
            let request = client().get(bob.url(&tail)).send();
            let _ = Answer::of(request.await.expect("an answer")).await;
            let odd = client().get(bob.url(&format!("{tail}&session=%20"))).send();
            let _ = Answer::of(odd.await.expect("an answer")).await;
        }
    };
    let told = tokio::select! {
        told = told => told,
        () = shown => unreachable!("it goes on"),
    };
    assert_eq!(
        (told.name.as_str(), &told.data["reason"]),
        ("peer-left", &"timeout".into())
    );
}

#[tokio::test]
async fn whoever_reads_the_url_of_an_open_stream_in_a_log_can_do_nothing_with_it() {
    let server = TestServer::start().await;
    let bob = server.join("demo", "bob").await;
    let request = client().get(bob.url(&format!("/events?ticket={}", bob.ticket)));
    let mut stream = Stream::open(request).await;
    stream.expect("ready").await;
    // What such a log does not hold is the cursor; its random half cannot be guessed.
    for guess in [
        None,
        Some("0000000000000000-0"),
        Some("0-0"),
        Some("-"),
        Some(""),
    ] {
        show(&bob, &bob.ticket, guess)
            .await
            .expect_problem(401, "bad-token");
    }
    for (tail, status) in [
        ("/poll?wait=0&", 401),
        ("/notices?wait=0&", 401),
        ("/sessions?", 401),
    ] {
        let request = client().get(bob.url(&format!("{tail}ticket={}", bob.ticket)));
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        answer.expect_problem(status, "bad-token");
    }
    // The stream that it belongs to goes on.
    server.join("demo", "marker").await;
    assert_eq!(stream.expect("peer-joined").await.data["peer"], "marker");
}
