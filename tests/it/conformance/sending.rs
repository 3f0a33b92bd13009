//! Signals: their order, their repeats, their receipts, and where they find no room.

use futures_util::future::join_all;
use serde_json::{Value, json};
use switchboard::hub::Refused;
use switchboard::proto::{Presence, Refusal, Sent, Signal};

use super::guest::Guest;
use super::house::{CALM, FLEETING, Ground, HUBS, NARROW, PATIENCE, until};
use super::reading::Event;
use super::words::{id, json as data, numbered, to, to_all, within};

/// Who said it, and the number that it carries.
fn said(event: &Event) -> (String, usize) {
    assert_eq!(event.name, "signal", "{event:?}");
    let from = event.data["from"].as_str().expect("a sender");
    let number = event.data["data"].as_u64().expect("a number");
    (from.to_owned(), number as usize)
}

pub async fn signals_come_once_and_in_the_order_of_their_answers(ground: &Ground) {
    const ALTERNATING: usize = 20;
    const AT_ONCE: usize = 20;
    let house = ground.house(CALM).await;
    let (ann, dan) = (house.join("ann").await, house.join("dan").await);
    let (ben, cho) = (house.join("ben").await, house.join("cho").await);
    let say = async |who: &Guest<'_>, number| {
        who.send(numbered(number, to("ben", "hello"))).await;
        who.send(numbered(number, to("cho", "hello"))).await;
    };
    let talk = async {
        for number in 0..ALTERNATING {
            say(if number % 2 == 0 { &ann } else { &dan }, number).await;
        }
        let at_once = async |who: &Guest<'_>| {
            for number in ALTERNATING..ALTERNATING + AT_ONCE {
                say(who, number).await;
            }
        };
        tokio::join!(at_once(&ann), at_once(&dan));
    };
    let all = ALTERNATING + 2 * AT_ONCE;
    // A stream that breaks every few signals, and goes on at another hub.
    let listen = async {
        let mut heard = Vec::new();
        let mut reader = ben.read().await;
        reader.hears_of(&["peer-joined"]).await;
        while heard.len() < all {
            heard.push(reader.next().await);
            if heard.len().is_multiple_of(7) {
                let last = heard.last().and_then(|event| event.id);
                reader = ben.read_from(last.expect("an id")).await;
                assert!(reader.opening.resumed);
            }
        }
        heard
    };
    let poll = async {
        let (mut heard, mut cursor) = (Vec::new(), None);
        while heard.len() < all {
            let answer = cho.poll(cursor, PATIENCE).await;
            assert!(answer.ended.is_none() && !answer.events.is_empty());
            heard.extend(answer.events);
            cursor = Some(answer.cursor);
        }
        heard
    };
    let ((), listened, polled) = tokio::join!(talk, listen, poll);
    for heard in [listened, polled] {
        let heard: Vec<_> = heard.iter().map(said).collect();
        let (alternating, at_once) = heard.split_at(ALTERNATING);
        for (number, heard) in alternating.iter().enumerate() {
            let from = if number % 2 == 0 { "ann" } else { "dan" };
            assert_eq!(*heard, (from.to_owned(), number));
        }
        for name in ["ann", "dan"] {
            let of = at_once.iter().filter(|(from, _)| from == name);
            let of: Vec<_> = of.map(|(_, number)| *number).collect();
            assert_eq!(of, (ALTERNATING..ALTERNATING + AT_ONCE).collect::<Vec<_>>());
        }
    }
}

pub async fn a_repeat_at_another_hub_is_a_duplicate_and_other_data_a_conflict(ground: &Ground) {
    let house = ground.house(CALM).await;
    let (ann, ben) = (house.join("ann").await, house.join("ben").await);
    let mut heard = ben.read().await;
    let signal = Signal {
        id: id("m-1"),
        ..numbered(1, within("s", "ben", "offer"))
    };
    let first = ann.send(signal.clone()).await;
    assert!(!first.duplicate);
    let changed = [
        numbered(2, signal.clone()),
        Signal {
            to: None,
            ..signal.clone()
        },
        Signal {
            session: None,
            ..signal.clone()
        },
        Signal {
            kind: to_all("answer").kind,
            ..signal.clone()
        },
    ];
    for number in 0..HUBS {
        let again = ann
            .try_send_at(number, signal.clone())
            .await
            .expect("taken");
        let duplicate = Sent {
            duplicate: true,
            ..first.clone()
        };
        assert_eq!(again, duplicate);
        for changed in &changed {
            let refused = ann.refusal_at(number, changed.clone()).await;
            assert_eq!(refused, Refusal::IdempotencyConflict);
        }
        // What was refused is not remembered; what another sent under that id is another's.
        let refused = Signal {
            id: id("m-2"),
            ..to("nobody", "hello")
        };
        let unknown = ann.refusal_at(number, refused).await;
        assert_eq!(unknown, Refusal::UnknownPeer);
    }
    let other = Signal {
        id: id("m-2"),
        ..numbered(3, to("ben", "hello"))
    };
    assert!(!ann.send(other).await.duplicate);
    let once = json!({"from": "ann", "type": "offer", "session": "s", "data": 1, "id": "m-1"});
    heard.hears("signal", once).await;
    let next = json!({"from": "ann", "type": "hello", "data": 3, "id": "m-2"});
    heard.hears("signal", next).await;
}

pub async fn of_repeats_at_once_one_counts(ground: &Ground) {
    let house = ground.house(CALM).await;
    let (ann, ben) = (house.join("ann").await, house.join("ben").await);
    let mut heard = ben.read().await;
    for round in 0..5 {
        let signal = Signal {
            id: id(&format!("m-{round}")),
            ..numbered(round, to("ben", "hello"))
        };
        let (ann, signal) = (&ann, &signal);
        let send = |number| async move { ann.try_send_at(number, signal.clone()).await };
        let sent = join_all((0..2 * HUBS).map(send)).await;
        let sent: Vec<_> = sent.into_iter().map(|sent| sent.expect("taken")).collect();
        let firsts = sent.iter().filter(|sent| !sent.duplicate).count();
        assert_eq!(firsts, 1);
        assert!(sent.iter().all(|one| one.receipt == sent[0].receipt));
        assert_eq!(said(&heard.next().await), ("ann".to_owned(), round));
    }
}

pub async fn a_broadcast_tells_of_everyone_how_it_is_reached(ground: &Ground) {
    let house = ground.house(FLEETING).await;
    let ann = house.join("ann").await;
    let (ben, cho) = (house.join("ben").await, house.join("cho").await);
    let dan = house.join("dan").await;
    let mut live = ben.read().await;
    live.hears_of(&["peer-joined", "peer-joined"]).await;
    drop(dan.read().await);
    live.hears_of(&["peer-away"]).await;
    for number in 0..HUBS {
        let sent = ann.try_send_at(number, numbered(number, to_all("hello")));
        let sent = sent.await.expect("taken");
        let to = sent.receipt.to.iter();
        let to: Vec<_> = to
            .map(|to| (to.peer.as_str(), to.state, to.refused))
            .collect();
        let states = [
            ("ben", Presence::Live, false),
            ("cho", Presence::Queued, false),
            ("dan", Presence::Away, false),
        ];
        assert_eq!(to, states);
        assert_eq!(sent.receipt.session, None);
        let signal = json!({"from": "ann", "type": "hello", "data": number});
        live.hears("signal", signal).await;
    }
    // The others have it kept.
    let numbers = (0..HUBS).map(|number| ("ann".to_owned(), number));
    let numbers: Vec<_> = numbers.collect();
    for kept in [&cho, &dan] {
        let answer = kept.poll(None, PATIENCE).await;
        let signals = answer.events.iter().filter(|event| event.name == "signal");
        assert_eq!(signals.map(said).collect::<Vec<_>>(), numbers);
    }
}

pub async fn an_array_is_taken_up_to_its_first_refusal(ground: &Ground) {
    let house = ground.house(CALM).await;
    let (ann, ben) = (house.join("ann").await, house.join("ben").await);
    let mut heard = ben.read().await;
    for number in 0..HUBS {
        let array = vec![
            numbered(1, to("ben", "hello")),
            numbered(2, to_all("hello")),
            numbered(3, to("nobody", "hello")),
            numbered(4, to("ben", "hello")),
        ];
        let (sent, refused) = ann.send_all_at(number, array).await.expect("present");
        assert_eq!(sent.len(), 2);
        assert_eq!(refused, Some((2, Refusal::UnknownPeer)));
        for number in [1, 2] {
            assert_eq!(said(&heard.next().await), ("ann".to_owned(), number));
        }
    }
    ann.send(Signal {
        data: Some(data(r#"{"a":1.0,"a":"\u00e9"}"#)),
        ..to("ben", "marker")
    })
    .await;
    let marker = heard.next().await;
    assert_eq!(marker.data["type"], json!("marker"));
    assert_eq!(marker.data["data"], json!({"a": "é"}));
}

pub async fn a_full_mailbox_and_a_senders_half_of_it_are_full_at_every_hub(ground: &Ground) {
    let house = ground.house(NARROW).await;
    let (ann, cho) = (house.join("ann").await, house.join("cho").await);
    let (dan, ben) = (house.join("dan").await, house.join("ben").await);
    let half = NARROW.room.mailbox.events / 2;
    for number in 0..half {
        ann.send(numbered(number, to("ben", "hello"))).await;
    }
    let full = |refusal| assert_eq!(refusal, Refusal::MailboxFull);
    for number in 0..HUBS {
        full(ann.refusal_at(number, to("ben", "hello")).await);
    }
    for number in half..2 * half {
        cho.send(numbered(number, to("ben", "hello"))).await;
    }
    let refused_to = |sent: &Sent| {
        let to = sent.receipt.to.iter().filter(|to| to.refused);
        to.map(|to| to.peer.to_string()).collect::<Vec<_>>()
    };
    for number in 0..HUBS {
        full(cho.refusal_at(number, to("ben", "hello")).await);
        full(dan.refusal_at(number, to("ben", "hello")).await);
        let sent = dan.try_send_at(number, to_all("hello")).await;
        assert_eq!(refused_to(&sent.expect("taken")), ["ben"]);
        full(dan.refusal_at(number, within("s", "ben", "offer")).await);
    }
    // Nothing that was taken is lost, and what was read makes room at every hub.
    let mut heard = ben.read().await;
    for number in 0..2 * half {
        let from = if number < half { "ann" } else { "cho" };
        assert_eq!(said(&heard.next().await), (from.to_owned(), number));
    }
    for number in 0..HUBS {
        let signal = numbered(100 + number, to("ben", "hello"));
        let mut sent = None;
        until("there is room again", async || {
            sent = Some(dan.try_send_at(number, signal.clone()).await);
            !matches!(sent, Some(Err(Refused::Room(Refusal::MailboxFull))))
        })
        .await;
        let sent = sent.and_then(Result::ok).expect("taken");
        assert_eq!(sent.receipt.to[0].state, Presence::Live);
        let event = heard.next().await;
        assert_eq!(event.data["data"], Value::from(100 + number));
    }
}
