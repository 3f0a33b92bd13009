//! Readers: who replaces whom, where one goes on, and what it is told to have missed.

use serde_json::json;
use switchboard::hub::Attach;
use switchboard::proto::{BadCursor, Cursor, Door, Epoch, Gap, Presence, Reason};

use super::guest::{from, poll, stream};
use super::house::{CALM, Ground, HUBS, NARROW, PATIENCE};
use super::reading::{Event, answer};
use super::words::{numbered, to};

fn numbers(events: &[Event]) -> Vec<u64> {
    let number = |event: &Event| event.data["data"].as_u64().expect("a number");
    events.iter().map(number).collect()
}

pub async fn a_newer_reader_elsewhere_replaces_the_older_whose_late_drop_touches_nothing(
    ground: &Ground,
) {
    let house = ground.house(CALM).await;
    let (ann, ben) = (house.join("ann").await, house.join("ben").await);
    let mut older = ben.read().await;
    for round in 0..2 * HUBS {
        let mut newer = ben.read().await;
        assert_eq!(older.ends().await, Reason::Replaced);
        // What comes in between is for the newer one alone.
        let sent = ann.send(numbered(round, to("ben", "hello"))).await;
        assert_eq!(sent.receipt.to[0].state, Presence::Live);
        if round % 2 == 0 {
            drop(older);
        } else {
            older.leave().await;
            assert_eq!(older.ends().await, Reason::Replaced);
        }
        let sent = ann.send(numbered(100 + round, to("ben", "hello"))).await;
        assert_eq!(sent.receipt.to[0].state, Presence::Live);
        for number in [round, 100 + round] {
            let said = json!({"from": "ann", "type": "hello", "data": number});
            newer.hears("signal", said).await;
        }
        for (_, hub) in house.each() {
            hub.sync(&ben.caller().room).await.expect("a store");
            assert!(hub.has_reader(ben.caller(), Door::Events));
        }
        // The next one begins where this one stood.
        older = ben.read_from(newer.cursor()).await;
        assert_eq!(newer.ends().await, Reason::Replaced);
        assert!(older.opening.resumed && older.opening.replayed == 0);
    }
}

pub async fn a_reader_goes_on_elsewhere_where_it_stood(ground: &Ground) {
    let house = ground.house(CALM).await;
    let (ann, ben) = (house.join("ann").await, house.join("ben").await);
    for number in 0..12 {
        ann.send(numbered(number, to("ben", "hello"))).await;
    }
    let mut reader = ben.read().await;
    assert!(!reader.opening.resumed);
    assert_eq!(reader.opening.replayed, 12);
    assert_eq!(reader.opening.cursor, ben.cursor(0));
    for round in 0..4 {
        let mut last = None;
        for number in 3 * round..3 * round + 3 {
            let said = json!({"from": "ann", "type": "hello", "data": number});
            last = reader.hears("signal", said).await.id;
        }
        // It has been given all, and the client has got so much: the rest is given again.
        drop(reader);
        let last = last.expect("an id");
        reader = ben.read_from(last).await;
        let opening = &reader.opening;
        assert!(opening.resumed && opening.gap.is_none());
        assert_eq!((opening.cursor, opening.replayed), (last, 9 - 3 * round));
        assert!(opening.peers.is_empty() && opening.sessions.is_empty());
    }
}

pub async fn what_is_missing_is_told_of_at_every_hub(ground: &Ground) {
    let house = ground.house(NARROW).await;
    let (ann, cho) = (house.join("ann").await, house.join("cho").await);
    let ben = house.join("ben").await;
    let most = NARROW.room.mailbox.events as u64;
    // Twice as much as is held, each time read to its end; the client shows no cursor.
    for round in 0..2 {
        for number in 0..most {
            let from = if number % 2 == 0 { &ann } else { &cho };
            let number = round * most + number;
            from.send(numbered(number as usize, to("ben", "hello")))
                .await;
        }
        let events = ben.poll(None, PATIENCE).await.events;
        assert_eq!(
            numbers(&events),
            (0..(round + 1) * most).collect::<Vec<_>>()
        );
    }
    let evicted = |lost| Some(Gap::Evicted { lost });
    let at = |seq| Some(Ok(ben.cursor(seq)));
    let other = Some(Ok(Cursor {
        epoch: Epoch(ben.caller().epoch.0 ^ 1),
        seq: 1,
    }));
    let table = [
        (None, evicted(most)),
        (at(0), evicted(most)),
        (at(3), evicted(most - 3)),
        (other, Some(Gap::Reset)),
        (at(2 * most + 1), Some(Gap::Reset)),
        (Some(Err(BadCursor)), Some(Gap::BadCursor)),
    ];
    let rest: Vec<_> = (most..2 * most).collect();
    for (cursor, gap) in table {
        for number in 0..HUBS {
            let attach = Attach {
                cursor,
                ..stream(Door::Events)
            };
            let mut reader = ben.try_open_at(number, attach).await.expect("a reader");
            let opening = &reader.opening;
            assert_eq!(opening.gap, gap, "at {number}: {cursor:?}");
            assert!(!opening.resumed);
            assert_eq!(opening.replayed, rest.len());
            assert_eq!(opening.cursor, ben.cursor(most));
            assert_eq!(opening.peers.len(), 2);
            for expected in &rest {
                let event = reader.next().await;
                assert_eq!(event.data["data"].as_u64(), Some(*expected));
            }
        }
    }
    for number in 0..HUBS {
        let attach = from(ben.cursor(most + 3));
        let reader = ben.try_open_at(number, attach).await.expect("a reader");
        assert!(reader.opening.resumed && reader.opening.gap.is_none());
        assert_eq!(reader.opening.replayed, rest.len() - 3);
    }
}

pub async fn control_events_that_found_no_room_are_told_of_at_every_hub(ground: &Ground) {
    let house = ground.house(NARROW).await;
    let ben = house.join("ben").await;
    let most = NARROW.room.mailbox.control_events;
    for n in 0..=most {
        house.join(&format!("peer-{n}")).await;
    }
    for number in 0..HUBS {
        let attach = stream(Door::Events);
        let mut reader = ben.try_open_at(number, attach).await.expect("a reader");
        let opening = &reader.opening;
        assert_eq!(opening.gap, Some(Gap::Overflow));
        assert_eq!((opening.resumed, opening.replayed), (false, most));
        assert_eq!(opening.peers.len(), most + 1);
        for n in 1..=most {
            let event = reader.next().await;
            assert_eq!(event.data["peer"], json!(format!("peer-{n}")));
        }
    }
}

pub async fn a_poll_at_the_same_cursor_tells_the_same_at_every_hub(ground: &Ground) {
    let house = ground.house(CALM).await;
    let (ann, ben) = (house.join("ann").await, house.join("ben").await);
    for number in 0..6 {
        ann.send(numbered(number, to("ben", "hello"))).await;
    }
    let first = ben.poll(None, PATIENCE).await;
    assert_eq!(numbers(&first.events), (0..6).collect::<Vec<_>>());
    for _ in 0..HUBS {
        let again = ben.poll(None, PATIENCE).await;
        assert_eq!((&again.events, again.cursor), (&first.events, first.cursor));
    }
    let third = first.events[2].id;
    for _ in 0..HUBS {
        let again = ben.poll(third, PATIENCE).await;
        assert!(again.opening.resumed);
        assert_eq!(again.events, first.events[3..]);
    }
    // What was acknowledged is not told again.
    let afresh = ben.poll(None, PATIENCE).await;
    assert_eq!(afresh.events, first.events[3..]);
    // A poll that is given up loses nothing.
    drop(ben.open(poll(Some(first.cursor))).await);
    ann.send(numbered(6, to("ben", "hello"))).await;
    drop(ben.open(poll(Some(first.cursor))).await);
    for _ in 0..HUBS {
        let last = ben.poll(Some(first.cursor), PATIENCE).await;
        assert_eq!(numbers(&last.events), [6]);
    }
}

pub async fn a_held_poll_is_answered_by_what_comes_in_elsewhere_and_by_a_newer_poll(
    ground: &Ground,
) {
    let house = ground.house(CALM).await;
    let (ann, ben) = (house.join("ann").await, house.join("ben").await);
    let mut cursor = None;
    for round in 0..HUBS {
        let held = ben.open(poll(cursor)).await;
        let number = round as u64;
        let send = ann.send(numbered(round, to("ben", "hello")));
        let (answered, _) = tokio::join!(answer(held, PATIENCE), send);
        assert_eq!(numbers(&answered.events), [number]);
        cursor = Some(answered.cursor);
        let held = ben.open(poll(cursor)).await;
        let newer = async {
            let newer = ben.open(poll(cursor)).await;
            ann.send(numbered(100 + round, to("ben", "hello"))).await;
            answer(newer, PATIENCE).await
        };
        let (superseded, answered) = tokio::join!(answer(held, PATIENCE), newer);
        assert_eq!(superseded.ended, Some(Reason::Replaced));
        assert_eq!(superseded.events, []);
        assert_eq!(Some(superseded.cursor), cursor);
        assert_eq!(numbers(&answered.events), [100 + number]);
        cursor = Some(answered.cursor);
    }
}
