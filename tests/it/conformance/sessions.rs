//! Sessions: from offer to bye, and what they refuse.

use serde_json::json;
use switchboard::hub::Refused;
use switchboard::proto::{Reason, Refusal, SessionState, SessionView, Signal};

use super::guest::Guest;
use super::house::{CALM, Ground, HUBS};
use super::words::{json as data, numbered, session, to, to_all, within};

/// What a party sees of its sessions, but for the time of their ends.
async fn sessions(of: &Guest<'_>) -> Vec<(String, String, &'static str)> {
    of.sessions().await.iter().map(view).collect()
}

fn view(view: &SessionView) -> (String, String, &'static str) {
    let state = match view.state {
        SessionState::Offered => "offered",
        SessionState::Answered => "answered",
        SessionState::Ended { reason, .. } => reason.as_str(),
    };
    (view.session.to_string(), view.peer.to_string(), state)
}

/// Both parties see it so, at every hub.
async fn assert_seen(ann: &Guest<'_>, ben: &Guest<'_>, name: &str, state: &'static str) {
    let of = |peer: &str| vec![(name.to_owned(), peer.to_owned(), state)];
    assert_eq!(sessions(ann).await, of("ben"));
    assert_eq!(sessions(ben).await, of("ann"));
    for _ in 0..HUBS {
        let found = ann.session(&session(name)).await.expect("a session");
        assert_eq!(vec![view(&found)], of("ben"));
    }
}

pub async fn a_session_goes_from_offer_to_bye_over_all_hubs(ground: &Ground) {
    let house = ground.house(CALM).await;
    let (ann, ben) = (house.join("ann").await, house.join("ben").await);
    let (mut a, mut b) = (ann.read().await, ben.read().await);
    a.hears_of(&["peer-joined"]).await;
    let unknown = Err(Refused::Room(Refusal::UnknownSession));
    assert_eq!(ann.session(&session("s")).await, unknown);
    let event = |from: &str, kind: &str, number: usize| json!({"from": from, "type": kind, "session": "s", "data": number});
    ann.send(numbered(1, within("s", "ben", "offer"))).await;
    b.hears("signal", event("ann", "offer", 1)).await;
    assert_seen(&ann, &ben, "s", "offered").await;
    ben.send(numbered(2, within("s", "ann", "answer"))).await;
    a.hears("signal", event("ben", "answer", 2)).await;
    assert_seen(&ann, &ben, "s", "answered").await;
    // Candidates, and an offer in the open session, leave it as it is.
    ann.send(numbered(3, within("s", "ben", "candidate"))).await;
    b.hears("signal", event("ann", "candidate", 3)).await;
    ben.send(numbered(4, within("s", "ann", "offer"))).await;
    a.hears("signal", event("ben", "offer", 4)).await;
    assert_seen(&ann, &ben, "s", "answered").await;
    // The bye comes as the end, with its data.
    let sent = ben.send(numbered(5, within("s", "ann", "bye"))).await;
    assert_eq!(sent.receipt.session, Some(session("s")));
    let ended = json!({"session": "s", "peer": "ben", "reason": "hangup", "data": 5});
    a.hears("session-ended", ended).await;
    assert_seen(&ann, &ben, "s", "hangup").await;
    // An offer without one opens a session under an id of the server's.
    let spare = Some(session("made"));
    let sent = ann.send(Signal {
        spare,
        ..to("ben", "offer")
    });
    assert_eq!(sent.await.receipt.session, Some(session("made")));
    let offer = json!({"from": "ann", "type": "offer", "session": "made", "data": null});
    b.hears("signal", offer).await;
    let of = |peer: &str| {
        let over = ("s".to_owned(), peer.to_owned(), "hangup");
        vec![("made".to_owned(), peer.to_owned(), "offered"), over]
    };
    assert_eq!(
        (sessions(&ann).await, sessions(&ben).await),
        (of("ben"), of("ann"))
    );
    // The open ones are told with each stream.
    let opened = ben.read().await.opening.sessions;
    let opened: Vec<_> = opened.iter().map(view).collect();
    assert_eq!(opened, of("ann")[..1]);
}

pub async fn a_bye_without_a_session_ends_all_with_that_peer(ground: &Ground) {
    let house = ground.house(CALM).await;
    let ann = house.join("ann").await;
    let (ben, cho) = (house.join("ben").await, house.join("cho").await);
    ann.send(within("s1", "ben", "offer")).await;
    ben.send(within("s2", "ann", "offer")).await;
    ann.send(within("other", "cho", "offer")).await;
    let mut heard = ben.read().await;
    heard.hears_of(&["peer-joined", "signal"]).await;
    ann.send(Signal {
        data: Some(data(r#"{"why":"done"}"#)),
        ..to("ben", "bye")
    })
    .await;
    for name in ["s1", "s2"] {
        let why = json!({"why": "done"});
        let ended = json!({"session": name, "peer": "ann", "reason": "hangup", "data": why});
        heard.hears("session-ended", ended).await;
    }
    let left = ("other".to_owned(), "ann".to_owned(), "offered");
    assert_eq!(sessions(&cho).await, [left]);
    assert_eq!(sessions(&ben).await.len(), 2);
}

pub async fn what_a_session_refuses_is_refused_at_every_hub(ground: &Ground) {
    let house = ground.house(CALM).await;
    let ann = house.join("ann").await;
    let (ben, cho) = (house.join("ben").await, house.join("cho").await);
    let (dan, eve) = (house.join("dan").await, house.join("eve").await);
    ann.send(within("s1", "ben", "offer")).await;
    ann.send(within("over", "ben", "offer")).await;
    ben.send(within("over", "ann", "bye")).await;
    ann.send(within("left", "dan", "offer")).await;
    dan.leave(Reason::Left, None).await.expect("done");
    ann.send(within("s2", "eve", "offer")).await;
    ann.send(within("s3", "eve", "offer")).await;
    assert_eq!(CALM.room.sessions, 3);
    let in_over = Signal {
        session: Some(session("over")),
        ..to_all("hello")
    };
    let over = |reason| Refusal::SessionOver(reason);
    let of_ann = [
        (within("never", "ben", "bye"), Refusal::UnknownSession),
        (to("cho", "bye"), Refusal::UnknownSession),
        (within("s1", "cho", "offer"), Refusal::SessionTaken),
        (within("s1", "cho", "candidate"), Refusal::SessionTaken),
        (within("s1", "cho", "bye"), Refusal::SessionTaken),
        (within("over", "ben", "offer"), over(Reason::Hangup)),
        (within("over", "ben", "answer"), over(Reason::Hangup)),
        (within("over", "ben", "candidate"), over(Reason::Hangup)),
        (within("over", "ben", "bye"), over(Reason::Hangup)),
        (in_over, over(Reason::Hangup)),
        (
            within("left", "dan", "answer"),
            Refusal::PeerLeft(Reason::Left),
        ),
        (to("dan", "hello"), Refusal::PeerLeft(Reason::Left)),
        (to("nobody", "hello"), Refusal::UnknownPeer),
        (to("ann", "hello"), Refusal::ToSelf),
        (within("s4", "ben", "offer"), Refusal::TooManySessions),
        (within("s4", "cho", "offer"), Refusal::TooManySessions),
    ];
    let of_cho = [
        (within("s1", "ben", "offer"), Refusal::SessionTaken),
        (within("s1", "ann", "answer"), Refusal::SessionTaken),
        (within("s5", "ann", "offer"), Refusal::TooManySessions),
    ];
    for number in 0..HUBS {
        for (guest, table) in [(&ann, &of_ann[..]), (&cho, &of_cho[..])] {
            for (signal, refusal) in table {
                let refused = guest.refusal_at(number, signal.clone()).await;
                assert_eq!(refused, *refusal, "at {number}: {signal:?}");
            }
        }
    }
    let list = sessions(&ann).await;
    let list: Vec<_> = list
        .iter()
        .map(|(session, peer, state)| (session.as_str(), peer.as_str(), *state))
        .collect();
    let all = [
        ("left", "dan", "left"),
        ("over", "ben", "hangup"),
        ("s1", "ben", "offered"),
        ("s2", "eve", "offered"),
        ("s3", "eve", "offered"),
    ];
    assert_eq!(list, all);
    // Of all that was refused nothing came, and what names a session never opened opens none.
    ann.send(within("never", "cho", "candidate")).await;
    let events = cho.poll(None, super::house::PATIENCE).await.events;
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["peer-joined", "peer-joined", "peer-left", "signal"]);
    assert_eq!(sessions(&cho).await, []);
    assert_eq!(sessions(&eve).await.len(), 2);
}

pub async fn the_sessions_of_a_party_that_leaves_end_once_and_before_it(ground: &Ground) {
    let house = ground.house(CALM).await;
    let ann = house.join("ann").await;
    let (ben, cho) = (house.join("ben").await, house.join("cho").await);
    ann.send(within("s1", "ben", "offer")).await;
    ann.send(within("s2", "ben", "offer")).await;
    cho.send(within("s3", "ann", "offer")).await;
    // Said at the end of the one, and left at the end of the other.
    ann.send(within("s2", "ben", "bye")).await;
    ann.leave(Reason::Left, None).await.expect("done");
    let reason = Reason::Left;
    cho.send(numbered(1, to("ben", "marker"))).await;
    ben.send(numbered(2, to("cho", "marker"))).await;
    let ended = |name: &str, reason: Reason| {
        let data = json!({"session": name, "peer": "ann", "reason": reason.as_str()});
        ("session-ended".to_owned(), data)
    };
    let left = || {
        (
            "peer-left".to_owned(),
            json!({"peer": "ann", "reason": "left"}),
        )
    };
    let marker = |from: &str, number: usize| {
        let data = json!({"from": from, "type": "marker", "data": number});
        ("signal".to_owned(), data)
    };
    let heard = async |guest: &Guest<'_>| {
        let events = guest.poll(None, super::house::PATIENCE).await.events;
        let told = events.into_iter().map(|event| (event.name, event.data));
        let is_end = |(name, data): &(String, serde_json::Value)| {
            name != "peer-joined" && data["type"] != json!("offer")
        };
        told.filter(is_end).collect::<Vec<_>>()
    };
    let to_ben = [
        ended("s2", Reason::Hangup),
        ended("s1", reason),
        left(),
        marker("cho", 1),
    ];
    assert_eq!(heard(&ben).await, to_ben);
    assert_eq!(
        heard(&cho).await,
        [ended("s3", reason), left(), marker("ben", 2)]
    );
}
