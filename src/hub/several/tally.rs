//! What the schedules did, by kind; a kind that never came is a fault of the schedule.

use std::cell::RefCell;
use std::collections::BTreeMap;

type Counts = BTreeMap<&'static str, BTreeMap<String, u64>>;

thread_local! {
    static COUNTS: RefCell<Counts> = const { RefCell::new(BTreeMap::new()) };
}

/// Every kind of thing that must have come in a run of the whole test.
const NEEDED: [(&str, &str); 13] = [
    (
        "entry",
        "join meta send seen away attach detach wrote lost leave lapse close \
         other-engine",
    ),
    (
        "call",
        "answer-lost append-repeated compact release swept full",
    ),
    ("fetch", "set-back snapshot on"),
    ("bell", "lost doubled heard"),
    (
        "fault",
        "crash cut-short cut-long outage-short outage-long freeze failover deaf added drained",
    ),
    ("gone", "left timeout rejoined kicked room-closed"),
    ("reader over", "drain replaced left silent"),
    ("reader", "stream poll notices elsewhere resumed"),
    ("gap", "evicted"),
    (
        "sent",
        "accepted duplicate mailbox-full repeated-elsewhere to-all",
    ),
    ("asked", "ended"),
    ("ticket", "fresh again refused"),
    ("refused", "unavailable draining"),
];

/// Counts one thing of a kind.
pub(super) fn count(group: &'static str, kind: &str) {
    COUNTS.with_borrow_mut(|counts| {
        *counts
            .entry(group)
            .or_default()
            .entry(kind.to_owned())
            .or_default() += 1;
    });
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
