//! Rooms: who lists them, and what a hub has of one that it comes to late.

use serde_json::json;
use switchboard::hub::{JoinedRoom, Refused};
use switchboard::proto::{Reason, Refusal, Signal};

use super::ends::assert_over;
use super::guest::Guest;
use super::house::{CALM, Ground, HUBS, House, until, wish};
use super::words::{id, json as meta, numbered, to, within};

/// Each hub comes to list these rooms, with so many peers.
async fn assert_listed(house: &House, rooms: &[(&str, usize)]) {
    for (number, hub) in house.each() {
        until(&format!("hub {number} lists {rooms:?}"), async || {
            let all = hub.all_rooms().await.expect("a store that answers");
            let all = all.iter().map(|view| (view.room.as_str(), view.peers));
            all.eq(rooms.iter().copied())
        })
        .await;
    }
}

pub async fn all_rooms_are_listed_at_every_hub(ground: &Ground) {
    let house = ground.house(CALM).await;
    assert_listed(&house, &[]).await;
    let mut guests = Vec::new();
    for (of, name) in [
        ("blue", "ann"),
        ("green", "ben"),
        ("blue", "cho"),
        ("red", "dan"),
        ("blue", "eve"),
        ("red", "fay"),
    ] {
        guests.push(house.join_in(of, name).await);
    }
    assert_listed(&house, &[("blue", 3), ("green", 1), ("red", 2)]).await;
    for n in [0, 1] {
        guests[n].leave(Reason::Left, None).await.expect("done");
    }
    assert_listed(&house, &[("blue", 2), ("red", 2)]).await;
    let red = &guests[3].caller().room;
    let hub = house.hub(1);
    hub.sync(red).await.expect("a store that answers");
    assert!(hub.close(red, None).await.expect("done"));
    assert_listed(&house, &[("blue", 2)]).await;
    guests.push(house.join_in("green", "gus").await);
    assert_listed(&house, &[("blue", 2), ("green", 1)]).await;
}

/// Who has joined, each of whose first call comes to that hub.
fn guests<'h, const N: usize>(
    house: &'h House,
    joined: &[JoinedRoom],
    first: usize,
) -> [Guest<'h>; N] {
    std::array::from_fn(|n| Guest::new(house, joined[n].clone(), first))
}

pub async fn a_hub_that_comes_later_has_all_of_a_room(ground: &Ground) {
    /// More than a log holds before what it came to is kept in its place.
    const MANY: usize = 300;
    let mut house = ground.house(CALM).await;
    let mut joined = Vec::new();
    for name in ["ann", "ben", "gone"] {
        joined.push(house.join(name).await.joined);
    }
    let repeated = Signal {
        id: id("m-1"),
        ..numbered(1, within("s", "ben", "offer"))
    };
    let (first, cursor) = {
        let [ann, ben, gone] = guests(&house, &joined, 0);
        gone.leave(Reason::Left, Some("why")).await.expect("done");
        let first = ann.send(repeated.clone()).await;
        for number in 0..MANY {
            let text = format!(r#"{{"n":{number}}}"#);
            ann.set_meta(meta(&text)).await.expect("present");
        }
        let mut reader = ben.read().await;
        reader.hears_of(&["peer-joined", "peer-left"]).await;
        let offer = reader.next().await;
        assert_eq!(offer.data["type"], json!("offer"));
        reader.leave().await;
        (first, offer.id.expect("an id"))
    };
    house.another().await;
    let late = HUBS;
    let [ann, ben, gone] = guests(&house, &joined, late);
    let mut reader = ben.read_from(cursor).await;
    assert!(reader.opening.resumed);
    let news = json!({"peer": "ann", "meta": {"n": MANY - 1}, "order": 0});
    reader.hears("peer-updated", news).await;
    let listed = house.peers().await;
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].1, format!(r#"{{"n":{}}}"#, MANY - 1));
    let again = ann.try_send_at(late, repeated).await.expect("taken");
    assert!(again.duplicate);
    assert_eq!(again.receipt, first.receipt);
    assert_eq!(
        (ann.sessions().await.len(), ben.sessions().await.len()),
        (1, 1)
    );
    let left = ann.refusal_at(late, to("gone", "hello")).await;
    assert_eq!(left, Refusal::PeerLeft(Reason::Left));
    assert_over(&house, gone.caller(), Reason::Left, Some("why")).await;
    let over = Refused::Room(Refusal::Ended(Reason::Left));
    assert_eq!(gone.check().await, Err(over));
    // It serves as well as the others.
    let dan = house.try_join(late, wish("dan")).await;
    assert_eq!(dan.expect("joined").order, 3);
    reader.hears_of(&["peer-joined"]).await;
    ben.try_send_at(late, within("s", "ann", "bye"))
        .await
        .expect("taken");
    let mut heard = ann.read().await;
    heard
        .hears_of(&["peer-joined", "peer-joined", "peer-left", "peer-joined"])
        .await;
    let ended = json!({"session": "s", "peer": "ben", "reason": "hangup"});
    heard.hears("session-ended", ended).await;
}
