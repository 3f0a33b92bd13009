//! One incarnation's proof of life: when it counts as away, and when as gone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reason::Reason;
use super::time::Time;

/// The spans that presence and delivery are judged by.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Timings {
    /// No reader and no request for so long: away.
    pub away_after: Duration,
    /// Counted from the same loss: left, `timeout`.
    pub grace: Duration,
    /// The same for a peer that has not read at all yet.
    pub join_grace: Duration,
    /// How long a written event is held for a reader that did not get it.
    pub resume_window: Duration,
    /// The longest silence on a stream.
    pub heartbeat: Duration,
    /// A stream whose connection takes nothing for so long, although there is something for it,
    /// ends; zero: none does.
    pub slow_after: Duration,
}

/// A client that has once posted `alive` is expected to make a request at least so often.
pub const PROOF_OF_LIFE: Duration = Duration::from_secs(90);

/// Of requests that follow each other within this, other nodes hear the first.
const SEEN: Duration = Duration::from_secs(1);
/// The same of one that proves to be alive, which it is to do every [`PROOF_OF_LIFE`].
const PROOF_SEEN: Duration = Duration::from_secs(20);

/// How long a client's word that it is about to close counts: behind a proxy a closed connection
/// may be noticed only at the end of a poll.
pub const CLOSING: Duration = Duration::from_secs(40);

/// While that word counts, a stream has a `ping` this often: a proxy between notices by writes, at
/// times only by the second, that its client has gone.
pub const CLOSING_PING: Duration = Duration::from_secs(2);

/// What is due for an incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Tell the others that it is away.
    Away,
    /// End it, for this reason.
    End(Reason),
    /// Close its readers, `silent`.
    Silent,
}

/// An incarnation's lease: kept alive by open readers and by requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lease {
    /// The last sign of life while no reader was open, or when the last one closed.
    since: Time,
    readers: u32,
    has_read: bool,
    away: bool,
    /// The last request, once the client has posted `alive`.
    proof: Option<Time>,
    /// When the client said that it is about to close, and nothing since.
    closing: Option<Time>,
}

impl Lease {
    /// A lease that begins with the join.
    pub fn new(now: Time) -> Self {
        Self {
            since: now,
            readers: 0,
            has_read: false,
            away: false,
            proof: None,
            closing: None,
        }
    }

    /// The lease begins afresh: it was kept while nobody could be heard, and no reader is open.
    pub fn renew(&mut self, now: Time) {
        self.since = now;
        self.readers = 0;
        self.proof = self.proof.map(|_| now);
        self.closing = None;
    }

    /// A reader opened.
    pub fn attached(&mut self) {
        self.readers += 1;
        self.has_read = true;
        self.closing = None;
    }

    /// Whether the peer is to count as away: nobody has heard of it for long enough.
    pub fn is_lost(&self, now: Time, timings: &Timings) -> bool {
        let idle = now.since(self.since);
        self.readers == 0 && self.has_read && !self.away && idle >= timings.away_after
    }

    /// It counts as away from now on.
    pub fn go_away(&mut self) {
        self.away = true;
    }

    /// A reader closed; with the last one the clock starts.
    pub fn detached(&mut self, now: Time) {
        self.readers = self.readers.saturating_sub(1);
        if self.readers == 0 {
            self.since = now;
        }
    }

    /// An authenticated request came. Whether the peer is back by that.
    pub fn request(&mut self, now: Time) -> bool {
        self.since = now;
        self.proof = self.proof.map(|_| now);
        self.closing = None;
        std::mem::take(&mut self.away)
    }

    /// The client posted `alive`: from now on it is expected to go on making requests.
    pub fn proved(&mut self, now: Time) {
        self.proof = Some(now);
    }

    /// The client is about to close: lost within [`CLOSING`], it has left. Whatever it asks for next
    /// takes that back.
    pub fn announce_closing(&mut self, now: Time) {
        self.closing = Some(now);
    }

    /// How often a stream of this client that is given nothing else is given a `ping`.
    pub fn heartbeat(&self, now: Time, timings: &Timings) -> Duration {
        let closing = self.closing.is_some_and(|at| now.since(at) < CLOSING);
        if closing {
            timings.heartbeat.min(CLOSING_PING)
        } else {
            timings.heartbeat
        }
    }

    /// Whether a request that does nothing else tells something: all nodes are told of those only. While
    /// a reader is open a client that proves to be alive is heard of now and then, and others not at all.
    pub fn wants(&self, now: Time) -> bool {
        let old = |at: Time, span| now.since(at) >= span;
        self.away
            || self.closing.is_some()
            || (self.readers == 0 && old(self.since, SEEN))
            || self.proof.is_some_and(|at| old(at, PROOF_SEEN))
    }

    /// Whether the client has posted `alive`.
    pub fn is_proving(&self) -> bool {
        self.proof.is_some()
    }

    /// Whether the peer counts as away.
    pub fn is_away(&self) -> bool {
        self.away
    }

    /// Whether a reader is open.
    pub fn is_read(&self) -> bool {
        self.readers > 0
    }

    /// Why the incarnation is over, if it is: where the client closed as it had said, or the grace
    /// has run out.
    pub fn over(&self, now: Time, timings: &Timings) -> Option<Reason> {
        if self.readers > 0 {
            return None;
        }
        let idle = now.since(self.since);
        if self.has_closed() && idle >= timings.away_after {
            return Some(Reason::Left);
        }
        (idle >= self.grace(timings)).then_some(Reason::Timeout)
    }

    /// Whether the last reader closed while the client's word that it would was good.
    fn has_closed(&self) -> bool {
        let good = |at: Time| self.since.since(at) < CLOSING;
        self.has_read && self.closing.is_some_and(good)
    }

    fn grace(&self, timings: &Timings) -> Duration {
        if self.has_read {
            timings.grace
        } else {
            timings.join_grace
        }
    }

    /// What is due now, until it was done.
    pub fn due(&self, now: Time, timings: &Timings) -> Option<Due> {
        if self.readers > 0 {
            let silent = self.proof.is_some_and(|at| now.since(at) >= PROOF_OF_LIFE);
            return silent.then_some(Due::Silent);
        }
        if let Some(reason) = self.over(now, timings) {
            return Some(Due::End(reason));
        }
        self.is_lost(now, timings).then_some(Due::Away)
    }

    /// When [`Lease::due`] will next have something to say, if nothing happens before.
    pub fn deadline(&self, timings: &Timings) -> Option<Time> {
        if self.readers > 0 {
            return self.proof.map(|at| at + PROOF_OF_LIFE);
        }
        let left = self.since + self.grace(timings);
        if self.has_read && (!self.away || self.has_closed()) {
            Some(left.min(self.since + timings.away_after))
        } else {
            Some(left)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: Timings = Timings {
        away_after: Duration::from_secs(2),
        grace: Duration::from_secs(30),
        join_grace: Duration::from_secs(120),
        resume_window: Duration::from_secs(180),
        heartbeat: Duration::from_secs(15),
        slow_after: Duration::from_secs(10),
    };

    #[test]
    fn a_lost_reader_is_away_and_then_gone_counted_from_the_loss() {
        let mut lease = Lease::new(Time(0));
        lease.attached();
        assert_eq!(lease.deadline(&T), None);
        lease.detached(Time(10_000));
        assert_eq!(lease.deadline(&T), Some(Time(12_000)));
        assert_eq!(lease.due(Time(11_999), &T), None);
        assert_eq!(lease.due(Time(12_000), &T), Some(Due::Away));
        lease.go_away();
        assert_eq!(lease.due(Time(12_001), &T), None);
        assert_eq!(lease.deadline(&T), Some(Time(40_000)));
        assert_eq!(lease.due(Time(40_000), &T), Some(Due::End(Reason::Timeout)));
    }

    #[test]
    fn a_peer_that_never_read_has_the_join_grace_and_is_never_away() {
        let lease = Lease::new(Time(0));
        assert_eq!(lease.deadline(&T), Some(Time(120_000)));
        assert_eq!(lease.due(Time(119_999), &T), None);
        assert_eq!(
            lease.due(Time(120_000), &T),
            Some(Due::End(Reason::Timeout))
        );
    }

    #[test]
    fn a_request_without_a_reader_starts_the_clock_again_and_brings_back() {
        let mut lease = Lease::new(Time(0));
        lease.attached();
        lease.detached(Time(0));
        assert_eq!(lease.due(Time(2_000), &T), Some(Due::Away));
        lease.go_away();
        assert!(lease.request(Time(29_000)));
        assert!(!lease.request(Time(29_500)));
        assert_eq!(lease.deadline(&T), Some(Time(31_500)));
        assert_eq!(lease.due(Time(31_500), &T), Some(Due::Away));
    }

    #[test]
    fn two_readers_are_lost_only_when_both_are() {
        let mut lease = Lease::new(Time(0));
        lease.attached();
        lease.attached();
        lease.detached(Time(1_000));
        assert_eq!(lease.due(Time(60_000), &T), None);
        lease.detached(Time(60_000));
        assert_eq!(lease.due(Time(62_000), &T), Some(Due::Away));
    }

    #[test]
    fn who_is_lost_as_he_said_has_left_instead_of_being_away() {
        let mut lease = Lease::new(Time(0));
        lease.attached();
        lease.announce_closing(Time(10_000));
        assert_eq!(lease.due(Time(10_000), &T), None);
        lease.detached(Time(10_100));
        assert_eq!(lease.deadline(&T), Some(Time(12_100)));
        assert_eq!(lease.due(Time(12_099), &T), None);
        assert_eq!(lease.due(Time(12_100), &T), Some(Due::End(Reason::Left)));
    }

    #[test]
    fn the_word_that_overtakes_or_follows_the_loss_counts_as_much() {
        let mut lease = Lease::new(Time(0));
        lease.attached();
        lease.detached(Time(1_000));
        assert_eq!(lease.due(Time(3_000), &T), Some(Due::Away));
        lease.go_away();
        lease.announce_closing(Time(3_500));
        assert_eq!(lease.deadline(&T), Some(Time(3_000)));
        assert_eq!(lease.due(Time(3_500), &T), Some(Due::End(Reason::Left)));
    }

    #[test]
    fn who_goes_on_or_is_lost_much_later_did_not_close() {
        let mut asked = Lease::new(Time(0));
        asked.attached();
        let (mut read, mut late) = (asked.clone(), asked.clone());
        for lease in [&mut asked, &mut read, &mut late] {
            lease.announce_closing(Time(0));
        }
        asked.request(Time(1_000));
        asked.detached(Time(1_100));
        assert_eq!(asked.due(Time(3_100), &T), Some(Due::Away));
        read.detached(Time(1_000));
        read.attached();
        read.detached(Time(1_500));
        assert_eq!(read.due(Time(3_500), &T), Some(Due::Away));
        late.detached(Time(40_000));
        assert_eq!(late.due(Time(42_000), &T), Some(Due::Away));
    }

    #[test]
    fn who_has_once_proved_to_be_alive_must_go_on_and_others_need_not() {
        let mut lease = Lease::new(Time(0));
        lease.attached();
        assert_eq!(lease.due(Time(1_000_000), &T), None);
        lease.proved(Time(1_000_000));
        assert_eq!(lease.deadline(&T), Some(Time(1_090_000)));
        lease.request(Time(1_050_000));
        assert_eq!(lease.due(Time(1_139_999), &T), None);
        assert_eq!(lease.due(Time(1_140_000), &T), Some(Due::Silent));
        lease.detached(Time(1_140_000));
        assert_eq!(lease.due(Time(1_142_000), &T), Some(Due::Away));
        // A reader of the same client is judged in the same way.
        lease.request(Time(1_150_000));
        lease.attached();
        assert_eq!(lease.due(Time(1_240_000), &T), Some(Due::Silent));
    }
}
