//! What one peer sent and got, and what a whole crowd's accounts come to.

use std::time::{Duration, Instant};

use crate::report;

/// Whose signals and notices: places in a room, as bits.
pub type Places = u8;

/// The account of one peer.
#[derive(Debug, Default)]
pub struct Account {
    /// Its own signals that were answered with 202, in that order, and for whom.
    pub accepted: Vec<(u64, Places)>,
    /// The signals that came, in that order.
    pub got: Vec<Got>,
    /// What it was told of others that went, in that order.
    pub notices: Vec<Notice>,
    /// The reasons of announced gaps.
    pub gaps: Vec<String>,
    /// The number of the last event that came since.
    pub seen: u64,
    /// How many events came whose number had been seen.
    pub passed_over: usize,
    /// By what it was told that its incarnation is over.
    pub over: Option<String>,
    /// Tries that were repeated.
    pub retries: u64,
    /// Its own signals of which they were.
    pub repeated: Vec<u64>,
    /// Answers that said `duplicate`.
    pub duplicates: u64,
    /// Readers that were opened.
    pub readers: u64,
}

/// A signal that came.
#[derive(Clone, Copy, Debug)]
pub struct Got {
    pub from: usize,
    pub number: u64,
    pub at: Instant,
    /// How long after it was first tried.
    pub took: Duration,
}

/// Somebody went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A session with the peer at this place has ended.
    Ended(usize),
    /// The peer at this place has left.
    Left(usize),
}

impl Account {
    /// The numbers that came from the peer at this place.
    fn from(&self, place: usize) -> impl Iterator<Item = u64> {
        let all = self.got.iter().filter(move |got| got.from == place);
        all.map(|got| got.number)
    }

    /// How many of these, which the peer at that place sent and was answered, have not come.
    pub fn lacks(&self, place: usize, sent: &[u64]) -> usize {
        sent.len()
            - sent
                .iter()
                .filter(|number| self.from(place).any(|got| got == **number))
                .count()
    }

    /// Which signals of the peer at this place came again, and how many out of order.
    pub fn disorder(&self, place: usize) -> (Vec<u64>, usize) {
        let (mut doubled, mut reordered) = (Vec::new(), 0);
        let mut seen = Vec::new();
        for number in self.from(place) {
            if seen.contains(&number) {
                doubled.push(number);
            } else if seen.last().is_some_and(|last| *last > number) {
                reordered += 1;
            }
            seen.push(number);
        }
        (doubled, reordered)
    }

    /// How often it was told of that.
    pub fn times(&self, notice: Notice) -> usize {
        self.notices.iter().filter(|told| **told == notice).count()
    }

    /// Whether it was told first of the session's end and then that the peer has left, where of both.
    pub fn is_in_order(&self, place: usize) -> bool {
        let at = |notice| self.notices.iter().position(|told| *told == notice);
        match (at(Notice::Ended(place)), at(Notice::Left(place))) {
            (Some(ended), Some(left)) => ended < left,
            (None, Some(_)) => false,
            (_, None) => true,
        }
    }
}

/// What the accounts of a crowd come to.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    /// Signals that were answered with 202.
    pub accepted: usize,
    /// Deliveries that these came to.
    pub delivered: usize,
    pub lost: usize,
    pub doubled: usize,
    /// Those of them that were sent once only.
    pub doubled_unasked: usize,
    pub reordered: usize,
    pub gaps: usize,
    /// Notices that were due.
    pub due: usize,
    pub missing: usize,
    pub twice: usize,
    /// Peers that were told that they had gone, or of whom others were, and who had not.
    pub gone: usize,
    pub longest: Duration,
    pub recovered: Duration,
    pub retries: u64,
    pub duplicates: u64,
    pub readers: u64,
    pub passed_over: usize,
}

impl Sum {
    /// The heads of its cells.
    pub const HEAD: [&str; 13] = [
        "fault",
        "accepted",
        "delivered",
        "lost",
        "doubled",
        "reordered",
        "gaps",
        "notices due",
        "missing notices",
        "doubled notices",
        "wrongly told gone",
        "longest pause",
        "recovered after",
    ];

    pub fn row(&self, fault: &str) -> Vec<String> {
        let numbers = [
            self.accepted,
            self.delivered,
            self.lost,
            self.doubled,
            self.reordered,
            self.gaps,
            self.due,
            self.missing,
            self.twice,
            self.gone,
        ];
        let spans = [self.longest, self.recovered];
        let numbers = numbers.iter().map(usize::to_string);
        let spans = spans.iter().map(|span| report::seconds(*span));
        let first = std::iter::once(fault.to_owned());
        first.chain(numbers).chain(spans).collect()
    }

    /// Whether nothing went amiss.
    pub fn is_clean(&self) -> bool {
        let amiss = [
            self.lost,
            self.doubled,
            self.reordered,
            self.gaps,
            self.missing,
            self.twice,
            self.gone,
        ];
        amiss == [0; 7]
    }

    /// The same, but that what was sent again came again.
    pub fn is_clean_but_for_repeats(&self) -> bool {
        let rest = Self {
            doubled: self.doubled_unasked,
            ..self.clone()
        };
        rest.is_clean()
    }
}
