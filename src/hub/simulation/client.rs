//! What one client of the simulation has seen: each event once and in order, or told of a gap.

use std::collections::BTreeSet;

use super::mail::Mail;
use super::open::Open;
use super::*;

#[derive(Default)]
pub(super) struct Client {
    /// The last event that came at each door.
    pub(super) seen: [u64; 2],
    /// What it was told to be missing, or has itself claimed to have seen.
    excused: [BTreeSet<u64>; 2],
    pub(super) tickets: Vec<TicketId>,
}

impl Client {
    /// It presents a cursor: nothing before it is asked for.
    pub(super) fn claims(&mut self, door: Door, seq: u64) {
        let d = door as usize;
        let seen = self.seen[d];
        self.excused[d].extend(seen + 1..=seq);
    }

    /// It was told of a gap: what is not held now, or lies before the start, will not come.
    pub(super) fn told(&mut self, door: Door, from: u64, mail: &Mail) {
        let d = door as usize;
        let held: BTreeSet<_> = mail.held().map(|(seq, _)| seq).collect();
        let gone = (self.seen[d] + 1..=mail.head()).filter(|n| *n <= from || !held.contains(n));
        self.excused[d].extend(gone);
    }

    /// An event came on this reader.
    pub(super) fn take(&mut self, open: &Open, seq: u64, mail: &Mail) {
        let d = open.door as usize;
        if open.only.is_some() {
            count("delivered", "narrowed");
            return;
        }
        if seq <= self.seen[d] {
            return;
        }
        let missed = mail.missed(open.door, self.seen[d], seq, &self.excused[d]);
        assert_eq!(
            missed, None,
            "an event went missing in silence before {seq}"
        );
        self.seen[d] = seq;
        self.excused[d] = self.excused[d].split_off(&(seq + 1));
        count("delivered", if d == 0 { "events" } else { "notices" });
    }

    /// All has been read: nothing was accepted that did not come.
    pub(super) fn is_done(&self, mail: &Mail) {
        let missed = mail.missed(
            Door::Events,
            self.seen[0],
            mail.head() + 1,
            &self.excused[0],
        );
        assert_eq!(missed, None, "an event never came");
    }
}
