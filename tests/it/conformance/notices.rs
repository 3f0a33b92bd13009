//! The notices door: ends, and that signals wait.

use serde_json::json;
use switchboard::hub::Attach;
use switchboard::proto::{Door, Reason};

use super::guest::stream;
use super::house::{CALM, FLEETING, Ground, HUBS, PATIENCE};
use super::words::{numbered, session, to, within};

pub async fn whoever_reads_notices_only_is_woken_once_wherever_signals_come_in(ground: &Ground) {
    let house = ground.house(CALM).await;
    let ann = house.join("ann").await;
    let (ben, cho) = (house.join("ben").await, house.join("cho").await);
    let mut notices = ben.read_notices().await;
    notices.hears("wake", json!({"pending": 0})).await;
    for round in 0..HUBS {
        for number in 0..3 {
            ann.send(numbered(number, to("ben", "hello"))).await;
        }
        let wake = notices.next().await;
        assert_eq!(wake.name, "wake");
        let pending = wake.data["pending"].as_u64().expect("a number");
        assert!((1..=3).contains(&pending), "{pending}");
        // More of them wake nobody: what comes next is an end.
        cho.send(numbered(3, to("ben", "hello"))).await;
        let name = format!("s-{round}");
        cho.send(within(&name, "ben", "offer")).await;
        cho.send(within(&name, "ben", "bye")).await;
        let ended = json!({"session": name, "peer": "cho", "reason": "hangup"});
        notices.hears("session-ended", ended).await;
        // Read at another hub, they do not wait any more, and the next one wakes again.
        let events = ben.poll(None, PATIENCE).await;
        let head = Some(events.cursor);
        let nothing = ben.poll(head, std::time::Duration::from_millis(1)).await;
        assert_eq!(nothing.events, []);
    }
}

pub async fn notices_tell_of_ends_under_the_same_ids(ground: &Ground) {
    let house = ground.house(CALM).await;
    let ann = house.join("ann").await;
    let (ben, cho) = (house.join("ben").await, house.join("cho").await);
    ann.send(within("s1", "ben", "offer")).await;
    cho.send(within("s2", "ben", "offer")).await;
    ann.send(within("s1", "ben", "bye")).await;
    cho.leave(Reason::Left, None).await.expect("done");
    ann.send(to("ben", "hello")).await;
    let all = ben.poll(None, PATIENCE).await.events;
    let names: Vec<_> = all.iter().map(|event| event.name.as_str()).collect();
    let ends = ["session-ended", "session-ended", "peer-left"];
    let said = ["peer-joined", "signal", "signal"];
    assert_eq!(names, [&said[..], &ends[..], &["signal"]].concat());
    let at = async |number, attach| {
        let reader = ben.try_open_at(number, attach).await;
        reader.expect("a reader")
    };
    let mut older = at(HUBS, stream(Door::Notices)).await;
    older.hears_of(&ends).await;
    older.hears_of(&["wake"]).await;
    for number in 0..HUBS {
        let mut reader = at(number, stream(Door::Notices)).await;
        assert_eq!(older.ends().await, Reason::Replaced);
        assert_eq!(reader.opening.replayed, 3);
        for expected in &all[3..6] {
            assert_eq!(reader.next().await, *expected);
        }
        reader.hears_of(&["wake"]).await;
        older = reader;
    }
    // One session's end alone, behind a cursor.
    for number in 0..HUBS {
        let only = Attach {
            only: Some(session("s2")),
            cursor: all[3].id.map(Ok),
            ..stream(Door::Notices)
        };
        let mut reader = at(number, only).await;
        assert!(reader.opening.resumed);
        assert_eq!(reader.opening.replayed, 1);
        assert_eq!(reader.next().await, all[4]);
    }
    // What is acknowledged at one door is not at the other.
    let afresh = ben.poll(None, PATIENCE).await;
    assert_eq!(afresh.events, all);
}

pub async fn a_reader_of_notices_keeps_its_peer_present(ground: &Ground) {
    let house = ground.house(FLEETING).await;
    let (ann, ben) = (house.join("ann").await, house.join("ben").await);
    let dan = house.join("dan").await;
    let mut heard = ann.read().await;
    heard.hears_of(&["peer-joined", "peer-joined"]).await;
    let notices = ben.read_notices().await;
    ben.poll(None, PATIENCE).await;
    // Whoever is lost later is away, and back, and away again; this one is not.
    let grace = FLEETING.timings.grace.as_millis();
    let away = |name: &str| json!({"peer": name, "grace_ms": grace});
    drop(dan.read().await);
    heard.hears("peer-away", away("dan")).await;
    for _ in 0..2 {
        dan.check().await.expect("present");
        heard.hears("peer-back", json!({"peer": "dan"})).await;
        heard.hears("peer-away", away("dan")).await;
    }
    drop(notices);
    heard.hears("peer-away", away("ben")).await;
}

pub async fn what_an_open_reader_was_given_elsewhere_does_not_wait(ground: &Ground) {
    let house = ground.house(CALM).await;
    let (ann, ben) = (house.join("ann").await, house.join("ben").await);
    for number in 0..HUBS {
        let mut events = ben.read_from(ben.cursor(4 * number as u64)).await;
        for number in 0..3 {
            ann.send(numbered(number, to("ben", "hello"))).await;
            events.hears_of(&["signal"]).await;
        }
        let opened = ben.try_open_at(number, stream(Door::Notices)).await;
        let mut notices = opened.expect("a reader");
        notices.hears("wake", json!({"pending": 0})).await;
        // What comes in when it is gone does.
        events.leave().await;
        drop(events);
        ann.send(numbered(3, to("ben", "hello"))).await;
        notices.hears("wake", json!({"pending": 1})).await;
    }
}
