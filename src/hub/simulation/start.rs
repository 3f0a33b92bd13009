//! Where a reader has to start: the resume table of the protocol, judged by what a mailbox held.

use super::mail::{Fate, Item, Mail};
use super::*;

/// The cursor that a reader presents.
pub(super) type Presented = Option<Result<Cursor, BadCursor>>;

impl Mail {
    /// Takes the cursor and judges the opening that came of it.
    pub(super) fn start(
        &mut self,
        door: Door,
        only: Option<&SessionId>,
        presented: Presented,
        own: Epoch,
        opening: &Opening,
        now: Time,
    ) {
        let d = door as usize;
        let known = |cursor: &Cursor| cursor.epoch == own && cursor.seq <= self.head();
        let (base, resumable) = match presented {
            None => (self.acked[d], false),
            Some(Ok(cursor)) if known(&cursor) => {
                self.acknowledge(door, cursor.seq, now);
                (cursor.seq, true)
            }
            Some(strange) => {
                let gap = if strange.is_ok() {
                    Gap::Reset
                } else {
                    Gap::BadCursor
                };
                assert_eq!(opening.gap, Some(gap), "a strange cursor");
                (0, false)
            }
        };
        let strange = matches!(opening.gap, Some(Gap::Reset | Gap::BadCursor));
        assert!(!strange || !resumable && presented.is_some());
        if !strange {
            self.judge_gap(door, base, opening.gap);
        }
        assert_eq!(opening.resumed, resumable && opening.gap.is_none());
        let from = opening.cursor.seq;
        assert_eq!(opening.cursor.epoch, own);
        assert!(
            from >= base && from <= self.head(),
            "{base} leads to {from}"
        );
        assert!(!opening.resumed || from == base);
        let acked = self.acked[d];
        let mut skipped = self
            .held()
            .filter(|(seq, item)| item.is_for(door, None) && *seq > base.max(acked));
        assert!(
            skipped.all(|(seq, _)| seq > from),
            "what is held is skipped"
        );
        let follow = self
            .held()
            .filter(|(seq, item)| *seq > from && item.is_for(door, only));
        assert_eq!(opening.replayed, follow.count());
        let stale = self.overflow[d];
        assert!(!self.has_missed(door, from, stale), "slow at once");
    }

    fn judge_gap(&self, door: Door, base: u64, gap: Option<Gap>) {
        let d = door as usize;
        let after = self.items.iter().enumerate().skip(base as usize);
        let overflowed = |item: &Item| item.fate == Fate::Overflowed;
        // What went from the reserve after it was acknowledged here is missed by nobody.
        let missed = |item: &Item| !overflowed(item) || item.lost[d];
        let gone: Vec<(u64, &Item)> = after
            .map(|(at, item)| (at as u64 + 1, item))
            .filter(|(_, item)| item.is_for(door, None) && item.fate != Fate::Held && missed(item))
            .collect();
        let overflow = gone.iter().any(|(_, item)| overflowed(item));
        let missing = !gone.is_empty();
        match gap {
            None => assert!(!missing, "{base} at {door:?}: gone in silence"),
            Some(Gap::Overflow) => assert!(overflow, "no control event went missing"),
            Some(Gap::Evicted { lost }) => {
                assert!(!overflow, "an overflow is told as such");
                assert!(missing || base < self.acked[d], "nothing is gone");
                let to = base + lost;
                assert!(lost > 0 && to <= self.head(), "{lost} lost after {base}");
                assert!(
                    gone.iter().all(|(seq, _)| *seq <= to),
                    "more is lost than {lost}"
                );
            }
            Some(other) => panic!("{other:?} for a good cursor"),
        }
    }

    /// Whether a reader that stands at `at` has missed something since it was told of the overflow
    /// `told`.
    pub(super) fn has_missed(&self, door: Door, at: u64, told: u64) -> bool {
        let d = door as usize;
        let after = self.items.iter().enumerate().skip(at as usize);
        after.filter(|(_, item)| item.lost[d]).any(|(at, item)| {
            let seq = at as u64 + 1;
            item.fate == Fate::Evicted || seq > told
        })
    }

    /// Whether a client at `door` that got `seq` after `seen` has missed nothing but `excused`.
    pub(super) fn missed(
        &self,
        door: Door,
        seen: u64,
        seq: u64,
        excused: &std::collections::BTreeSet<u64>,
    ) -> Option<u64> {
        let between = seen + 1..seq;
        between
            .filter(|n| self.items[*n as usize - 1].is_for(door, None))
            .find(|n| !excused.contains(n))
    }
}
