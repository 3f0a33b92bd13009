//! What the schedules did, by kind; a kind that never came is a fault of the schedule.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::*;

type Counts = BTreeMap<&'static str, BTreeMap<&'static str, u64>>;

thread_local! {
    static COUNTS: RefCell<Counts> = const { RefCell::new(BTreeMap::new()) };
}

/// Every kind of thing that must have come in a run of the whole test.
const NEEDED: [(&str, &str); 17] = [
    ("delivered", "events notices narrowed"),
    ("gap", "evicted overflow reset bad-cursor"),
    ("left", "left timeout kicked room-closed rejoined"),
    (
        "session ended",
        "hangup left timeout kicked room-closed rejoined",
    ),
    (
        "signal",
        "live queued away broadcast refused-in-broadcast duplicate duplicate-over-restart",
    ),
    (
        "refused",
        "ended unknown-peer peer-left to-self session-taken session-over unknown-session \
         too-many-sessions mailbox-full-all mailbox-full-half idempotency-conflict",
    ),
    (
        "join",
        "new again by-key peer-exists room-full too-many-rooms draining",
    ),
    (
        "reader over",
        "replaced silent slow drain left timeout kicked room-closed rejoined unknown",
    ),
    (
        "reader",
        "opened resumed too-many draining dropped late-drop",
    ),
    ("poll", "answered held repeated aborted superseded"),
    ("ticket", "taken again late spent replaced"),
    ("restart", "kept drained killed mid-write open-session"),
    ("presence", "away back closing closed closed-already"),
    ("told", "wake ping without-data"),
    ("late", "leave send alive meta read"),
    ("over", "remembered forgotten"),
    ("mailbox", "expired unwritten-kept"),
];

/// Counts one thing of a kind.
pub(super) fn count(group: &'static str, kind: &'static str) {
    count_many(group, kind, 1);
}

pub(super) fn count_many(group: &'static str, kind: &'static str, n: usize) {
    if n > 0 {
        COUNTS.with_borrow_mut(|counts| {
            *counts.entry(group).or_default().entry(kind).or_default() += n as u64;
        });
    }
}

/// The kind of a refusal.
pub(super) fn kind_of(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Ended(_) => "ended",
        Refusal::PeerExists => "peer-exists",
        Refusal::RoomFull => "room-full",
        Refusal::UnknownPeer => "unknown-peer",
        Refusal::PeerLeft(_) => "peer-left",
        Refusal::ToSelf => "to-self",
        Refusal::SessionTaken => "session-taken",
        Refusal::SessionOver(_) => "session-over",
        Refusal::UnknownSession => "unknown-session",
        Refusal::TooManySessions => "too-many-sessions",
        Refusal::MailboxFull => "mailbox-full",
        Refusal::Crowded => "crowded",
        Refusal::IdempotencyConflict => "idempotency-conflict",
    }
}

/// One line with all counts.
pub(super) fn summary() -> String {
    COUNTS.with_borrow(|counts| {
        let mut groups = Vec::new();
        for (group, kinds) in counts {
            let kinds: Vec<_> = kinds
                .iter()
                .map(|(kind, n)| format!("{kind} {n}"))
                .collect();
            groups.push(format!("{group}: {}", kinds.join(", ")));
        }
        groups.join("; ")
    })
}

/// The kinds that never came.
pub(super) fn missing() -> Vec<String> {
    COUNTS.with_borrow(|counts| {
        let came =
            |group: &str, kind: &str| counts.get(group).is_some_and(|k| k.contains_key(kind));
        let all = NEEDED.iter().flat_map(|(group, kinds)| {
            let kinds = kinds.split_whitespace();
            kinds.map(move |kind| (*group, kind))
        });
        all.filter(|(group, kind)| !came(group, kind))
            .map(|(group, kind)| format!("{group} {kind}"))
            .collect()
    })
}
