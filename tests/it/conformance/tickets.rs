//! Tickets: each opens one reader, whichever hub it comes to.

use std::sync::atomic::{AtomicU64, Ordering};

use switchboard::hub::{Attach, Refused, TicketId, TicketRefused};
use switchboard::proto::{Cursor, Door, Reason};

use super::guest::{Guest, stream};
use super::house::{CALM, Ground, HUBS, House};

/// A ticket of now.
fn ticket(house: &House) -> TicketId {
    static NONCE: AtomicU64 = AtomicU64::new(1);
    TicketId {
        nonce: NONCE.fetch_add(1, Ordering::Relaxed),
        issued: house.hub(0).calendar(),
    }
}

/// Reads with a ticket.
fn with(house: &House, ticket: TicketId) -> Attach {
    Attach {
        ticket: Some((ticket, house.hub(0).calendar())),
        ..stream(Door::Events)
    }
}

/// The browser's own reconnect.
fn again(house: &House, ticket: TicketId, cursor: Cursor) -> Attach {
    Attach {
        cursor: Some(Ok(cursor)),
        reconnect: true,
        ..with(house, ticket)
    }
}

/// Every hub refuses it, for that reason.
async fn assert_refused(guest: &Guest<'_>, attach: impl Fn() -> Attach, why: TicketRefused) {
    for number in 0..HUBS {
        let refused = guest.try_open_at(number, attach()).await;
        let refused = refused.err().expect("no reader");
        assert_eq!(refused, Refused::Ticket(why), "at {number}");
    }
}

pub async fn a_ticket_is_spent_at_every_hub_once_it_has_opened_a_reader(ground: &Ground) {
    let house = ground.house(CALM).await;
    let ann = house.join("ann").await;
    let first = ticket(&house);
    let _reader = ann.open(with(&house, first)).await;
    assert_refused(&ann, || with(&house, first), TicketRefused::Spent).await;
    // Only the browser's own reconnect is taken, at each of them.
    for number in 0..HUBS {
        let reconnect = again(&house, first, ann.cursor(0));
        let reader = ann.try_open_at(number, reconnect).await.expect("a reader");
        assert!(reader.opening.resumed);
    }
    let stranger = Cursor {
        epoch: house.join("ben").await.caller().epoch,
        seq: 0,
    };
    let wrong = || again(&house, first, stranger);
    assert_refused(&ann, wrong, TicketRefused::Spent).await;
    // Not so any more once a cursor was shown where others may read it.
    let shown = Attach {
        cursor: Some(Ok(ann.cursor(0))),
        cursor_shown: true,
        ..stream(Door::Notices)
    };
    ann.open(shown).await;
    let reconnect = || again(&house, first, ann.cursor(0));
    assert_refused(&ann, reconnect, TicketRefused::Spent).await;
    // One that came too late never opened anything.
    let old = TicketId {
        issued: first.issued - 60_000,
        ..ticket(&house)
    };
    assert_refused(&ann, || with(&house, old), TicketRefused::Late).await;
}

pub async fn a_ticket_whose_reader_was_replaced_is_dead_at_every_hub(ground: &Ground) {
    let house = ground.house(CALM).await;
    let ann = house.join("ann").await;
    let mut older = ticket(&house);
    let mut reader = ann.open(with(&house, older)).await;
    for round in 0..HUBS {
        let newer = ticket(&house);
        let next = ann.open(with(&house, newer)).await;
        assert_eq!(reader.ends().await, Reason::Replaced);
        let dead = TicketRefused::Replaced;
        assert_refused(&ann, || with(&house, older), dead).await;
        let reconnect = || again(&house, older, ann.cursor(0));
        assert_refused(&ann, reconnect, dead).await;
        // What was refused has replaced nobody.
        for (_, hub) in house.each() {
            assert!(hub.has_reader(ann.caller(), Door::Events), "round {round}");
        }
        (older, reader) = (newer, next);
    }
}
