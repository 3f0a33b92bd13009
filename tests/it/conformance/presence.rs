//! Presence: away, back, gone, and what a peer says about itself.

use serde_json::json;
use switchboard::proto::{Join, Presence, Reason, Timings};

use super::ends::assert_over;
use super::guest::Guest;
use super::house::{BRIEF, CALM, FLEETING, Ground, HUBS, House, PATIENCE, Ways, peers, wish};
use super::reading::Reading;
use super::words::{json as meta, numbered, to, to_all, within};

/// The next event is that someone is away.
async fn hears_of_away(reader: &mut Reading, name: &str, timings: Timings) {
    let grace = timings.grace.as_millis();
    let away = json!({"peer": name, "grace_ms": grace});
    reader.hears("peer-away", away).await;
}

pub async fn who_loses_its_reader_is_away_and_back_wherever_it_is_heard_of(ground: &Ground) {
    let house = ground.house(FLEETING).await;
    let (ann, ben) = (house.join("ann").await, house.join("ben").await);
    let cho = house.join("cho").await;
    let mut heard = [ann.read().await, cho.read().await];
    heard[0].hears_of(&["peer-joined", "peer-joined"]).await;
    drop(ben.read().await);
    for heard in &mut heard {
        hears_of_away(heard, "ben", FLEETING.timings).await;
    }
    let back = json!({"peer": "ben"});
    for round in 0..2 * HUBS {
        assert_eq!(house.peers().await[1].2, Presence::Away);
        // Whatever it asks for brings it back, once, and nothing more is away again.
        match round {
            0 => ben.check().await.expect("present"),
            1 => ben.alive().await.expect("present"),
            2 => ben.set_meta(meta("{}")).await.expect("present"),
            3 => drop(ben.send(to("ann", "hello")).await),
            4 => drop(ben.read().await),
            _ => drop(ben.poll(None, PATIENCE).await),
        }
        for (n, heard) in heard.iter_mut().enumerate() {
            heard.hears("peer-back", back.clone()).await;
            match (round, n) {
                (2, _) => heard.hears_of(&["peer-updated"]).await,
                (3, 0) => heard.hears_of(&["signal"]).await,
                _ => {}
            }
        }
        for heard in &mut heard {
            hears_of_away(heard, "ben", FLEETING.timings).await;
        }
    }
}

/// It is heard that one left, and each hub knows of it.
async fn leaves(house: &House, heard: &mut Reading, who: &Guest<'_>, reason: Reason) {
    let left = json!({"peer": who.caller().peer.as_str(), "reason": reason.as_str()});
    heard.hears("peer-left", left).await;
    assert_over(house, who.caller(), reason, None).await;
    assert!(who.check().await.is_err());
}

/// Nothing came after what was heard: what is sent now comes next.
async fn assert_no_more(from: &Guest<'_>, heard: &mut [Reading]) {
    from.send(numbered(1, to_all("marker"))).await;
    let name = from.caller().peer.as_str();
    let marker = json!({"from": name, "type": "marker", "data": 1});
    for reader in heard {
        reader.hears("signal", marker.clone()).await;
    }
}

pub async fn who_does_not_come_back_has_left_by_timeout_once(ground: &Ground) {
    let house = ground.house(BRIEF).await;
    let (eve, ann) = (house.join("eve").await, house.join("ann").await);
    let (ben, cho) = (house.join("ben").await, house.join("cho").await);
    let mut gone = Vec::new();
    for n in 0..HUBS {
        gone.push(house.join(&format!("gone-{n}")).await);
    }
    let mut heard = Vec::new();
    for guest in [&ann, &ben, &cho] {
        heard.push(guest.read().await);
    }
    for (n, reader) in heard.iter_mut().enumerate() {
        let joined = vec!["peer-joined"; 2 - n + HUBS];
        reader.hears_of(&joined).await;
    }
    for guest in &gone {
        let name = guest.caller().peer.as_str();
        for to in ["ann", "ben", "cho"] {
            guest
                .send(within(&format!("{name}-{to}"), to, "offer"))
                .await;
        }
        for reader in &mut heard {
            reader.hears_of(&["signal"]).await;
        }
    }
    for guest in &gone {
        drop(guest.read().await);
    }
    let grace = BRIEF.timings.grace.as_millis();
    for (reader, own) in heard.iter_mut().zip(["ann", "ben", "cho"]) {
        let mut events = Vec::new();
        for _ in 0..3 * HUBS {
            let event = reader.next().await;
            events.push((event.name, event.data));
        }
        for guest in &gone {
            let name = guest.caller().peer.as_str();
            let session = format!("{name}-{own}");
            let of = events.iter().filter(|(_, data)| data["peer"] == name);
            let away = json!({"peer": name, "grace_ms": grace});
            let ended = json!({"session": session, "peer": name, "reason": "timeout"});
            let left = json!({"peer": name, "reason": "timeout"});
            let all = [
                ("peer-away".to_owned(), away),
                ("session-ended".to_owned(), ended),
                ("peer-left".to_owned(), left),
            ];
            assert!(of.eq(&all), "{name} at {own}: {events:?}");
        }
    }
    for guest in &gone {
        assert_over(&house, guest.caller(), Reason::Timeout, None).await;
        assert!(guest.check().await.is_err());
    }
    assert_no_more(&eve, &mut heard).await;
}

pub async fn who_never_reads_has_left_by_timeout_without_being_away(ground: &Ground) {
    let ways = Ways {
        timings: Timings {
            join_grace: 2 * BRIEF.timings.grace,
            ..BRIEF.timings
        },
        ..BRIEF
    };
    let house = ground.house(ways).await;
    let ann = house.join("ann").await;
    let mut heard = ann.read().await;
    let ben = house.join("ben").await;
    heard.hears_of(&["peer-joined"]).await;
    leaves(&house, &mut heard, &ben, Reason::Timeout).await;
    let cho = house.join("cho").await;
    heard.hears_of(&["peer-joined"]).await;
    assert_no_more(&cho, &mut [heard]).await;
}

pub async fn who_said_that_it_closes_has_left(ground: &Ground) {
    let house = ground.house(FLEETING).await;
    let ann = house.join("ann").await;
    let mut heard = ann.read().await;
    for round in 0..HUBS {
        // The word may come before the loss, or after it.
        let ben = house.join("ben").await;
        heard.hears_of(&["peer-joined"]).await;
        let reader = ben.read().await;
        if round == 0 {
            drop(reader);
            hears_of_away(&mut heard, "ben", FLEETING.timings).await;
            ben.announce_closing().await.expect("done");
        } else {
            ben.announce_closing().await.expect("done");
            drop(reader);
        }
        leaves(&house, &mut heard, &ben, Reason::Left).await;
    }
    let cho = house.join("cho").await;
    heard.hears_of(&["peer-joined"]).await;
    assert_no_more(&cho, &mut [heard]).await;
}

pub async fn a_new_meta_is_seen_at_every_hub(ground: &Ground) {
    let house = ground.house(CALM).await;
    let (ann, ben) = (house.join("ann").await, house.join("ben").await);
    let mut heard = ben.read().await;
    for number in 0..HUBS {
        let text = format!(r#"{{"n":{number}}}"#);
        ann.set_meta(meta(&text)).await.expect("present");
        let told = json!({"peer": "ann", "meta": {"n": number}, "order": 0});
        heard.hears("peer-updated", told).await;
        assert_eq!(house.peers().await[0].1, text);
    }
    // So is one that comes with a join of the same incarnation; the same one again is no news.
    for text in [r#"{"n":9}"#, r#"{"n":9}"#] {
        let again = Join {
            holds: Some(ann.caller().epoch),
            meta: Some(meta(text)),
            ..wish("ann")
        };
        house.try_join(1, again).await.expect("the holder");
    }
    ann.send(numbered(1, to("ben", "marker"))).await;
    let told = json!({"peer": "ann", "meta": {"n": 9}, "order": 0});
    heard.hears("peer-updated", told).await;
    heard.hears_of(&["signal"]).await;
    for (_, hub) in house.each() {
        let listed = peers(hub, &ann.caller().room).await;
        assert_eq!(listed[0].meta, meta(r#"{"n":9}"#));
    }
}

pub async fn unread_presence_comes_to_its_latest(ground: &Ground) {
    let house = ground.house(FLEETING).await;
    let ben = house.join("ben").await;
    let (ann, cho) = (house.join("ann").await, house.join("cho").await);
    let mut watch = cho.read().await;
    drop(ann.read().await);
    watch.hears_of(&["peer-away"]).await;
    for number in 0..2 * HUBS {
        let text = format!(r#"{{"n":{number}}}"#);
        ann.set_meta(meta(&text)).await.expect("present");
        let all = ["peer-back", "peer-updated", "peer-away"];
        watch.hears_of(&all).await;
    }
    cho.leave(Reason::Left, None).await.expect("done");
    assert_eq!(watch.ends().await, Reason::Left);
    let dan = house.join("dan").await;
    dan.send(numbered(1, to("ben", "marker"))).await;
    let mut reader = ben.read().await;
    assert_eq!(reader.opening.replayed, 6);
    let n = 2 * HUBS - 1;
    let ann = json!({"peer": "ann", "meta": {"n": n}, "order": 1});
    reader.hears("peer-joined", ann).await;
    reader.hears_of(&["peer-joined"]).await;
    hears_of_away(&mut reader, "ann", FLEETING.timings).await;
    let left = json!({"peer": "cho", "reason": "left"});
    reader.hears("peer-left", left).await;
    reader.hears_of(&["peer-joined", "signal"]).await;
}
