//! Joins: who is in, under which order, and who is refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;
use switchboard::hub::Refused;
use switchboard::proto::{Join, Presence, Reason, Refusal};

use super::ends::assert_over;
use super::guest::Guest;
use super::house::{CALM, Ground, HUBS, seen, wish};
use super::words::json as meta;

fn exists<T: std::fmt::Debug>(joined: Result<T, Refused>) {
    let refused = joined.expect_err("taken");
    assert_eq!(refused, Refused::Room(Refusal::PeerExists));
}

pub async fn who_joins_is_seen_at_every_hub(ground: &Ground) {
    let house = ground.house(CALM).await;
    let ann = house.join("ann").await;
    let mut heard = ann.read().await;
    let ben = Join {
        meta: Some(meta(r#"{"name":"Ben"}"#)),
        ..wish("ben")
    };
    let ben = house.try_join(1, ben).await.expect("joined");
    let cho = house.join("cho").await;
    let told = |peer: &str, meta: &str, state, order| (peer.into(), meta.into(), state, order);
    let ann = told("ann", "{}", Presence::Live, 0);
    let named = told("ben", r#"{"name":"Ben"}"#, Presence::Queued, 1);
    assert_eq!((ben.order, cho.joined.order), (1, 2));
    assert_eq!(ben.cursor.seq, 0);
    assert_eq!(seen(&ben.peers), std::slice::from_ref(&ann));
    assert_eq!(seen(&cho.joined.peers), [ann.clone(), named.clone()]);
    let third = told("cho", "{}", Presence::Queued, 2);
    assert_eq!(house.peers().await, [ann, named, third]);
    let ben = json!({"peer": "ben", "meta": {"name": "Ben"}, "order": 1});
    heard.hears("peer-joined", ben).await;
    let cho = json!({"peer": "cho", "meta": {}, "order": 2});
    heard.hears("peer-joined", cho).await;
}

pub async fn a_peer_id_is_taken_at_every_hub_but_for_its_holder(ground: &Ground) {
    let house = ground.house(CALM).await;
    let ann = house.join("ann").await;
    let (epoch, stranger) = (ann.caller().epoch, house.join("ben").await);
    for number in 0..HUBS {
        exists(house.try_join(number, wish("ann")).await);
        let holds = Some(stranger.caller().epoch);
        let wrong = Join {
            holds,
            fresh: true,
            ..wish("ann")
        };
        exists(house.try_join(number, wrong).await);
        let holds = Some(epoch);
        let right = Join {
            holds,
            ..wish("ann")
        };
        let again = house.try_join(number, right).await.expect("the holder");
        assert!(!again.new);
        assert_eq!((again.caller, again.order), (ann.caller().clone(), 0));
    }
}

pub async fn a_fresh_join_ends_the_older_incarnation_everywhere(ground: &Ground) {
    let house = ground.house(CALM).await;
    let (mut ann, ben) = (house.join("ann").await, house.join("ben").await);
    let mut heard = ben.read().await;
    for number in 1..=HUBS {
        let mut own = ann.read().await;
        if number == 1 {
            own.hears_of(&["peer-joined"]).await;
        }
        let fresh = Join {
            holds: Some(ann.caller().epoch),
            fresh: true,
            ..wish("ann")
        };
        let joined = house.try_join(number, fresh).await.expect("the holder");
        assert!(joined.new);
        assert_ne!(joined.caller.epoch, ann.caller().epoch);
        let order = joined.order;
        assert_eq!(order, number as u64 + 1);
        assert_eq!(own.ends().await, Reason::Rejoined);
        assert_over(&house, ann.caller(), Reason::Rejoined, None).await;
        let left = json!({"peer": "ann", "reason": "rejoined"});
        heard.hears("peer-left", left).await;
        let back = json!({"peer": "ann", "meta": {}, "order": order});
        heard.hears("peer-joined", back).await;
        ann = Guest::new(&house, joined, number);
    }
    assert_eq!(house.peers().await.len(), 2);
}

pub async fn a_key_answers_the_same_join_at_every_hub(ground: &Ground) {
    let house = ground.house(CALM).await;
    let keyed = |name: &str, key: &str, assigned| Join {
        key: Some(Arc::from(key)),
        assigned,
        ..wish(name)
    };
    let first = house.try_join(0, keyed("ann", "word", false)).await;
    let first = first.expect("joined");
    let assigned = house.try_join(1, keyed("made-1", "other", true)).await;
    let assigned = assigned.expect("joined");
    for number in 0..HUBS {
        let again = house.try_join(number, keyed("ann", "word", false)).await;
        let again = again.expect("the same client");
        assert!(!again.new);
        assert_eq!(again.caller, first.caller);
        exists(house.try_join(number, keyed("ann", "wrong", false)).await);
        // The id that a hub makes is another with each try.
        let other = keyed(&format!("made-again-{number}"), "other", true);
        let again = house.try_join(number, other).await;
        let again = again.expect("the same client");
        assert!(!again.new);
        assert_eq!(again.caller, assigned.caller);
    }
    assert_eq!(house.peers().await.len(), 2);
}

pub async fn a_full_room_is_full_at_every_hub(ground: &Ground) {
    let house = ground.house(CALM).await;
    let most = CALM.room.peers;
    let mut all = Vec::new();
    for n in 0..most {
        all.push(house.join(&format!("peer-{n}")).await);
    }
    let full = Refused::Room(Refusal::RoomFull);
    for (number, one) in all.iter().enumerate().take(HUBS) {
        let refused = house.try_join(number, wish("late")).await;
        assert_eq!(refused.expect_err("full"), full);
        // Who is in is not kept out.
        let again = Join {
            holds: Some(one.caller().epoch),
            ..wish(&format!("peer-{number}"))
        };
        house.try_join(number, again).await.expect("present");
    }
    for (n, one) in all.iter().enumerate().take(HUBS) {
        one.leave(Reason::Left, None).await.expect("done");
        let late = wish(&format!("late-{n}"));
        house.try_join(n + 1, late).await.expect("a place");
        let refused = house.try_join(n + 2, wish("later")).await;
        assert_eq!(refused.expect_err("full"), full);
    }
    // Of more at once than there are places as many come in as there are.
    for guest in &all[HUBS..] {
        guest.leave(Reason::Left, None).await.expect("done");
    }
    let (places, wishes) = (most - HUBS, most + HUBS);
    let house = &house;
    let join = |n| async move { house.try_join(n, wish(&format!("rush-{n}"))).await };
    let rush = join_all((0..wishes).map(join)).await;
    let (came, kept): (Vec<_>, Vec<_>) = rush.into_iter().partition(Result::is_ok);
    assert_eq!((came.len(), kept.len()), (places, wishes - places));
    assert!(
        kept.into_iter()
            .all(|kept| kept.err() == Some(full.clone()))
    );
    assert_eq!(house.peers().await.len(), most);
}

pub async fn orders_rise_wherever_peers_join(ground: &Ground) {
    let house = ground.house(CALM).await;
    let most = CALM.room.peers;
    for round in 0..2 {
        let house = &house;
        let join = |n| async move { house.join(&format!("peer-{n}")).await };
        let all: Vec<_> = join_all((0..most - 1).map(join)).await;
        let orders = all.iter().map(|guest| guest.joined.order);
        let orders: BTreeSet<_> = orders.collect();
        assert_eq!(orders, (0..most as u64 - 1).collect(), "round {round}");
        let late = house.join("late").await;
        assert_eq!(late.joined.order, most as u64 - 1);
        let listed = house.peers().await;
        let listed: Vec<_> = listed.into_iter().map(|(.., order)| order).collect();
        assert_eq!(listed, (0..most as u64).collect::<Vec<_>>());
        // A peer that leaves makes none lower.
        all[0].leave(Reason::Left, None).await.expect("done");
        let last = house.join("last").await;
        assert_eq!(last.joined.order, most as u64);
        // After all have left the room begins anew.
        for guest in all[1..].iter().chain([&late, &last]) {
            guest.leave(Reason::Left, None).await.expect("done");
        }
        assert_eq!(house.peers().await, []);
    }
}
