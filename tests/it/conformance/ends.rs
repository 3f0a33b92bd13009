//! How incarnations end, what the others hear of it, and what is told to whoever asks later.

use serde_json::json;
use switchboard::hub::{Caller, Refused};
use switchboard::proto::{Door, PeerId, Reason, Refusal};

use super::guest::{Guest, poll, stream};
use super::house::{CALM, Ground, HUBS, House, ROOM, peers};
use super::words::{json as meta, numbered, room, session, to, to_all, within};

/// Each hub knows that an incarnation is over, and why.
pub async fn assert_over(house: &House, caller: &Caller, reason: Reason, detail: Option<&str>) {
    for (number, hub) in house.each() {
        hub.sync(&caller.room).await.expect("a store that answers");
        assert_eq!(hub.find(caller), over(reason), "hub {number}");
        let end = hub.end(caller.epoch).expect("it is remembered");
        assert_eq!((end.reason, end.detail.as_deref()), (reason, detail));
        assert_eq!((&end.room, &end.peer), (&caller.room, &caller.peer));
    }
}

fn over<T>(reason: Reason) -> Result<T, Refused> {
    Err(Refused::Room(Refusal::Ended(reason)))
}

/// Whatever the guest asks for is refused, at whatever hub; to leave does nothing.
async fn assert_refused(guest: &Guest<'_>, reason: Reason) {
    for number in 0..HUBS {
        let sent = guest.try_send_at(number, to_all("hello")).await;
        assert_eq!(sent, over(reason));
        let opened = guest.try_open_at(number, stream(Door::Events)).await;
        assert_eq!(opened.map(drop), over(reason));
        let polled = guest.try_open_at(number, poll(None)).await;
        assert_eq!(polled.map(drop), over(reason));
        assert_eq!(guest.set_meta(meta("1")).await, over(reason));
        assert_eq!(guest.alive().await, over(reason));
        assert_eq!(guest.check().await, over(reason));
        assert_eq!(guest.session(&session("s")).await, over(reason));
        assert_eq!(guest.announce_closing().await, Ok(()));
        assert_eq!(guest.leave(Reason::Left, None).await, Ok(()));
    }
}

/// One of three goes by `part`, while all read wherever they do.
async fn one_goes(ground: &Ground, reason: Reason, part: impl AsyncFn(&House, &Guest<'_>)) {
    let house = ground.house(CALM).await;
    let ann = house.join("ann").await;
    let (ben, cho) = (house.join("ben").await, house.join("cho").await);
    ann.send(within("s-ben", "ben", "offer")).await;
    cho.send(within("s-cho", "ann", "offer")).await;
    let mut notices = ann.read_notices().await;
    notices.hears("wake", json!({"pending": 1})).await;
    let mut events = ann.read().await;
    events
        .hears_of(&["peer-joined", "peer-joined", "signal"])
        .await;
    let mut others = [ben.read().await, cho.read().await];
    others[0].hears_of(&["peer-joined", "signal"]).await;
    part(&house, &ann).await;
    for mut reader in [notices, events] {
        assert_eq!(reader.ends().await, reason);
    }
    for (reader, session) in others.iter_mut().zip(["s-ben", "s-cho"]) {
        let ended = json!({"session": session, "peer": "ann", "reason": reason.as_str()});
        reader.hears("session-ended", ended).await;
        let left = json!({"peer": "ann", "reason": reason.as_str()});
        reader.hears("peer-left", left).await;
    }
    assert_over(&house, ann.caller(), reason, Some("why")).await;
    assert_refused(&ann, reason).await;
    for number in 0..HUBS {
        let late = ben
            .refusal_at(number, within("s-ben", "ann", "answer"))
            .await;
        assert_eq!(late, Refusal::PeerLeft(reason));
    }
    // Each was told once: what is sent now comes next.
    ben.send(numbered(1, to_all("marker"))).await;
    let marker = json!({"from": "ben", "type": "marker", "data": 1});
    others[1].hears("signal", marker).await;
    cho.send(numbered(2, to_all("marker"))).await;
    let marker = json!({"from": "cho", "type": "marker", "data": 2});
    others[0].hears("signal", marker).await;
    assert_eq!(house.peers().await.len(), 2);
    // The ends outlive the room, and its next beginning.
    for guest in [&ben, &cho] {
        guest.leave(Reason::Left, None).await.expect("done");
    }
    assert_over(&house, ann.caller(), reason, Some("why")).await;
    house.join("dan").await;
    assert_over(&house, ann.caller(), reason, Some("why")).await;
    assert_over(&house, ben.caller(), Reason::Left, None).await;
}

pub async fn who_leaves_is_gone_at_every_hub_and_stays_so(ground: &Ground) {
    let leave = async |_: &House, ann: &Guest<'_>| {
        ann.leave(Reason::Left, Some("why")).await.expect("done");
    };
    one_goes(ground, Reason::Left, leave).await;
}

pub async fn who_is_kicked_is_gone_at_every_hub_and_stays_so(ground: &Ground) {
    let kick = async |house: &House, ann: &Guest<'_>| {
        let (hub, of) = (house.hub(2), room(ROOM));
        let peer: &PeerId = &ann.caller().peer;
        hub.sync(&of).await.expect("a store that answers");
        let kicked = hub.remove(&of, peer, None, Reason::Kicked, Some("why".into()));
        kicked.await.expect("done");
    };
    one_goes(ground, Reason::Kicked, kick).await;
}

pub async fn who_is_in_a_room_that_is_closed_is_gone_at_every_hub_and_stays_so(ground: &Ground) {
    let house = ground.house(CALM).await;
    let reason = Reason::RoomClosed;
    let mut guests = Vec::new();
    for name in ["ann", "ben", "cho"] {
        guests.push(house.join(name).await);
    }
    let mut readers = Vec::new();
    for (n, guest) in guests.iter().enumerate() {
        let mut notices = guest.read_notices().await;
        notices.hears("wake", json!({"pending": 0})).await;
        let mut polled = guest.open(poll(None)).await;
        polled.hears_of(&vec!["peer-joined"; 2 - n]).await;
        readers.extend([notices, polled]);
    }
    let close = async |number: usize| {
        let (hub, of) = (house.hub(number), room(ROOM));
        hub.sync(&of).await.expect("a store that answers");
        hub.close(&of, Some("why".into())).await.expect("done")
    };
    assert!(close(1).await);
    for mut reader in readers {
        assert_eq!(reader.ends().await, reason);
    }
    for number in 0..HUBS {
        assert!(!close(number).await);
        assert!(peers(house.hub(number), &room(ROOM)).await.is_empty());
    }
    for guest in &guests {
        assert_over(&house, guest.caller(), reason, Some("why")).await;
        assert_refused(guest, reason).await;
    }
    // It begins anew, and has nothing of what was.
    let dan = house.join("dan").await;
    assert_eq!((dan.joined.order, dan.joined.peers.len()), (0, 0));
    for number in 0..HUBS {
        let refused = dan.refusal_at(number, to("ann", "hello")).await;
        assert_eq!(refused, Refusal::UnknownPeer);
    }
    for guest in &guests {
        assert_over(&house, guest.caller(), reason, Some("why")).await;
    }
}
