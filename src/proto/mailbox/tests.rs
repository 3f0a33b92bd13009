//! The resume table, the two doors, and the bounds.

use super::*;
use crate::proto::cursor::BadCursor;
use crate::proto::id::PeerId;
use crate::proto::reason::Reason;

const LIMITS: MailboxLimits = MailboxLimits {
    events: 4,
    bytes: 0,
    control_events: 3,
    control_bytes: 0,
};
const WINDOW: Duration = Duration::from_secs(180);
const OWN: Epoch = Epoch(7);
const SENDER: Epoch = Epoch(1);

fn mailbox(signals: usize) -> Mailbox {
    let mut mailbox = Mailbox::new(OWN);
    for n in 0..signals {
        mailbox.push_signal(SENDER, Frame::new("signal", &n.to_string()), &LIMITS);
    }
    mailbox
}

fn end(mailbox: &mut Mailbox, session: &str) {
    let id = SessionId::parse(session).expect("an id");
    let peer = PeerId::parse("bob").expect("an id");
    let frame = Frame::session_ended(&id, &peer, Reason::Left, None);
    mailbox.push_control(frame, What::Notice(Some(id)), &LIMITS);
}

fn info(mailbox: &mut Mailbox, of: u64) {
    mailbox.push_presence(
        Frame::new("peer-joined", "{}"),
        What::Info(Epoch(of)),
        false,
        &LIMITS,
    );
}

fn at(seq: u64) -> Option<Result<Cursor, BadCursor>> {
    Some(Ok(Cursor { epoch: OWN, seq }))
}

fn numbers(mailbox: &Mailbox, door: Door, from: u64) -> Vec<u64> {
    mailbox
        .after(door, None, from)
        .map(|(seq, _)| seq)
        .collect()
}

fn start(from: u64, resumed: bool, gap: Option<Gap>) -> Start {
    Start { from, resumed, gap }
}

const T0: Time = Time(0);

#[test]
fn without_a_cursor_it_starts_with_the_oldest_that_was_not_acknowledged() {
    let mut mailbox = mailbox(3);
    mailbox.wrote(Door::Events, 3, T0, &LIMITS);
    assert_eq!(mailbox.start(Door::Events, None, T0), start(0, false, None));
    assert_eq!(mailbox.start(Door::Events, at(2), T0), start(2, true, None));
    assert_eq!(mailbox.start(Door::Events, None, T0), start(2, false, None));
    assert_eq!(numbers(&mailbox, Door::Events, 2), [3]);
}

#[test]
fn a_cursor_that_is_held_or_at_the_head_resumes_and_may_be_repeated() {
    let mut mailbox = mailbox(3);
    mailbox.wrote(Door::Events, 3, T0, &LIMITS);
    for _ in 0..3 {
        assert_eq!(mailbox.start(Door::Events, at(1), T0), start(1, true, None));
        assert_eq!(numbers(&mailbox, Door::Events, 1), [2, 3]);
    }
    assert_eq!(mailbox.start(Door::Events, at(3), T0), start(3, true, None));
    assert!(mailbox.is_empty());
}

#[test]
fn a_cursor_older_than_what_is_held_is_told_how_many_are_lost() {
    let mut mailbox = mailbox(3);
    mailbox.wrote(Door::Events, 3, T0, &LIMITS);
    mailbox.expire(Time(180_000), WINDOW);
    mailbox.push_signal(SENDER, Frame::new("signal", "3"), &LIMITS);
    let gap = Some(Gap::Evicted { lost: 2 });
    assert_eq!(mailbox.start(Door::Events, at(1), T0), start(3, false, gap));
    let gap = Some(Gap::Evicted { lost: 2 });
    assert_eq!(mailbox.start(Door::Events, None, T0), start(3, false, gap));
    assert_eq!(numbers(&mailbox, Door::Events, 3), [4]);
}

#[test]
fn a_foreign_cursor_and_one_ahead_of_the_head_get_all_that_is_held() {
    let mut mailbox = mailbox(2);
    mailbox.wrote(Door::Events, 2, T0, &LIMITS);
    let foreign = Some(Ok(Cursor {
        epoch: Epoch(8),
        seq: 1,
    }));
    for cursor in [foreign, at(3)] {
        assert_eq!(
            mailbox.start(Door::Events, cursor, T0),
            start(0, false, Some(Gap::Reset))
        );
    }
    let bad = Some(Err(BadCursor));
    assert_eq!(
        mailbox.start(Door::Events, bad, T0),
        start(0, false, Some(Gap::BadCursor))
    );
    assert_eq!(
        mailbox.acknowledged().seq,
        0,
        "none of them acknowledged anything"
    );
}

#[test]
fn control_events_past_the_reserve_go_missing_and_signals_stay() {
    let mut mailbox = mailbox(2);
    for of in 10..16 {
        info(&mut mailbox, of);
    }
    assert_eq!(numbers(&mailbox, Door::Events, 0), [1, 2, 6, 7, 8]);
    let overflow = Some(Gap::Overflow);
    assert_eq!(
        mailbox.start(Door::Events, at(1), T0),
        start(1, false, overflow)
    );
    assert_eq!(
        mailbox.start(Door::Events, at(3), T0),
        start(5, false, overflow)
    );
    assert_eq!(mailbox.start(Door::Events, at(6), T0), start(6, true, None));
}

#[test]
fn what_was_never_written_is_held_whatever_time_passes() {
    let mut mailbox = mailbox(3);
    mailbox.wrote(Door::Events, 1, T0, &LIMITS);
    mailbox.expire(Time(10_000_000), WINDOW);
    assert_eq!(numbers(&mailbox, Door::Events, 0), [2, 3]);
    assert_eq!(mailbox.deadline(WINDOW), None);
}

#[test]
fn what_was_written_is_held_within_the_bounds() {
    let mut mailbox = mailbox(6);
    mailbox.wrote(Door::Events, 6, T0, &LIMITS);
    assert_eq!(numbers(&mailbox, Door::Events, 0), [3, 4, 5, 6]);
    assert_eq!(mailbox.deadline(WINDOW), Some(Time(180_000)));
    let gap = Some(Gap::Evicted { lost: 2 });
    assert_eq!(mailbox.start(Door::Events, None, T0), start(2, false, gap));
}

#[test]
fn the_notices_door_sees_ends_only_and_acknowledges_by_itself() {
    let mut mailbox = mailbox(1);
    end(&mut mailbox, "s1");
    mailbox.push_signal(SENDER, Frame::new("signal", "1"), &LIMITS);
    end(&mut mailbox, "s2");
    assert_eq!(numbers(&mailbox, Door::Notices, 0), [2, 4]);
    let only = SessionId::parse("s2").expect("an id");
    let narrowed: Vec<_> = mailbox
        .after(Door::Notices, Some(&only), 0)
        .map(|(n, _)| n)
        .collect();
    assert_eq!(narrowed, [4]);
    mailbox.wrote(Door::Events, 4, T0, &LIMITS);
    mailbox.start(Door::Events, at(4), T0);
    assert_eq!(
        numbers(&mailbox, Door::Notices, 0),
        [2, 4],
        "acknowledged at another door"
    );
    assert_eq!(
        mailbox.start(Door::Notices, at(1), T0),
        start(1, true, None)
    );
    assert_eq!(
        mailbox.start(Door::Notices, at(4), T0),
        start(4, true, None)
    );
    assert!(mailbox.is_empty());
}

#[test]
fn an_acknowledgement_at_the_notices_door_keeps_signals_for_the_other() {
    let mut mailbox = mailbox(2);
    end(&mut mailbox, "s1");
    mailbox.start(Door::Notices, at(3), T0);
    assert_eq!(numbers(&mailbox, Door::Events, 0), [1, 2, 3]);
    assert_eq!(mailbox.waiting(), 2);
}

#[test]
fn a_cursor_acknowledges_also_what_this_node_had_not_written() {
    let mut mailbox = mailbox(3);
    mailbox.start(Door::Events, at(2), T0);
    assert_eq!(mailbox.waiting(), 1);
    assert_eq!(
        mailbox.start(Door::Events, at(1), T0).gap,
        Some(Gap::Evicted { lost: 1 })
    );
}

#[test]
fn nothing_is_refused_or_dropped_where_there_are_no_bounds() {
    let none = MailboxLimits {
        events: 0,
        bytes: 0,
        control_events: 0,
        control_bytes: 0,
    };
    let mut mailbox = mailbox(1000);
    assert!(mailbox.accepts(SENDER, 1_000_000, &none));
    mailbox.wrote(Door::Events, 1000, T0, &none);
    assert_eq!(mailbox.len(), 1000);
}

#[test]
fn a_notice_that_was_written_but_not_acknowledged_does_not_go_in_silence() {
    let mut mailbox = mailbox(0);
    end(&mut mailbox, "s1");
    mailbox.wrote(Door::Notices, 1, T0, &LIMITS);
    for of in 10..16 {
        info(&mut mailbox, of);
    }
    assert_eq!(
        mailbox.start(Door::Notices, at(0), T0).gap,
        Some(Gap::Overflow)
    );
}

#[test]
fn a_reader_that_was_told_of_an_overflow_is_still_told_of_an_eviction() {
    let mut mailbox = mailbox(3);
    mailbox.wrote(Door::Events, 3, T0, &LIMITS);
    for of in 10..14 {
        info(&mut mailbox, of);
    }
    assert_eq!(
        mailbox.start(Door::Events, at(0), T0).gap,
        Some(Gap::Overflow)
    );
    let told = mailbox.overflow(Door::Events);
    assert!(!mailbox.has_missed(Door::Events, 0, told));
    mailbox.expire(Time(180_000), WINDOW);
    assert!(mailbox.has_missed(Door::Events, 0, told));
}
