//! Whether each receiver got each message once and in order. Every message has a number; those of
//! one sender count from 0.

use std::collections::BTreeSet;

/// What went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
}

impl Faults {
    pub(crate) fn any(self) -> bool {
        self != Self::default()
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            lost,
            duplicated,
            reordered,
        } = self;
        write!(
            f,
            "{lost} lost, {duplicated} duplicated, {reordered} reordered"
        )
    }
}

/// What one receiver got from one sender.
#[derive(Clone, Debug, Default)]
struct Lane {
    /// The number after the highest that came.
    next: u32,
    /// Those below it that did not come.
    missing: BTreeSet<u32>,
}

/// What all receivers got.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    lanes: Vec<Lane>,
    faults: Faults,
}

impl Tally {
    pub(crate) fn new(lanes: usize) -> Self {
        Self {
            lanes: vec![Lane::default(); lanes],
            faults: Faults::default(),
        }
    }

    /// A message came; whether it is new.
    pub(crate) fn got(&mut self, lane: usize, number: u32) -> bool {
        let lane = &mut self.lanes[lane];
        if number >= lane.next {
            lane.missing.extend(lane.next..number);
            lane.next = number + 1;
            return true;
        }
        let is_late = lane.missing.remove(&number);
        if is_late {
            self.faults.reordered += 1;
        } else {
            self.faults.duplicated += 1;
        }
        is_late
    }

    /// How many messages of a lane have come, with those that are missing among them.
    pub(crate) fn reached(&self, lane: usize) -> u32 {
        self.lanes[lane].next
    }

    /// All that this lane will ever get has come, out of `sent`; it begins anew.
    pub(crate) fn close(&mut self, lane: usize, sent: u32) {
        let Lane { next, missing } = std::mem::take(&mut self.lanes[lane]);
        self.faults.lost += missing.len() as u64 + u64::from(sent.saturating_sub(next));
    }

    pub(crate) fn faults(&self) -> Faults {
        self.faults
    }
}

/// The number in a message's data: what follows `"n":`.
pub(crate) fn number(data: &[u8]) -> Option<u32> {
    let at = memchr::memmem::find(data, b"\"n\":")?;
    let digits = data[at + 4..].iter().take_while(|b| b.is_ascii_digit());
    digits.fold(None, |number: Option<u32>, digit| {
        Some(
            number
                .unwrap_or(0)
                .wrapping_mul(10)
                .wrapping_add(u32::from(digit - b'0')),
        )
    })
}
