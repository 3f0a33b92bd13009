//! Where a reader starts: the resume table of the protocol (section 5).

use super::{Door, Mailbox};
use crate::proto::cursor::{BadCursor, Cursor};
use crate::proto::time::Time;

/// What a reader is told has gone missing before its next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// `lost` events after its cursor are no longer held.
    Evicted {
        /// How many ids lie between the cursor and what is held.
        lost: u64,
    },
    /// Its cursor is of another incarnation, or ahead of all there is.
    Reset,
    /// Control events went missing for want of room.
    Overflow,
    /// Its cursor could not be read.
    BadCursor,
}

impl Gap {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Gap::Evicted { .. } => "evicted",
            Gap::Reset => "reset",
            Gap::Overflow => "overflow",
            Gap::BadCursor => "bad-cursor",
        }
    }
}

/// Where a reader starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The replay begins with the first event after this number.
    pub from: u64,
    /// Whether that is exactly where the presented cursor stood.
    pub resumed: bool,
    /// What is missing.
    pub gap: Option<Gap>,
}

impl Mailbox {
    /// Where a reader at `door` starts that presents `cursor`; a good one acknowledges.
    pub fn start(
        &mut self,
        door: Door,
        cursor: Option<Result<Cursor, BadCursor>>,
        now: Time,
    ) -> Start {
        match cursor {
            None => self.start_afresh(door),
            Some(Err(BadCursor)) => self.start_over(door, Gap::BadCursor),
            Some(Ok(cursor)) if cursor.epoch == self.epoch && cursor.seq <= self.head => {
                self.acknowledge(door, cursor.seq, now);
                self.start_at(door, cursor.seq)
            }
            Some(Ok(_)) => self.start_over(door, Gap::Reset),
        }
    }

    fn start_afresh(&self, door: Door) -> Start {
        let mark = self.mark(door);
        let gap = if mark.overflow > mark.acked {
            Some(Gap::Overflow)
        } else if mark.lost > mark.acked {
            Some(Gap::Evicted {
                lost: Self::distance(mark.acked, mark.lost),
            })
        } else {
            None
        };
        let from = match gap {
            Some(_) => self.before_first_held(door, mark.acked.max(mark.floor)),
            None => mark.acked.max(mark.floor),
        };
        Start {
            from,
            resumed: false,
            gap,
        }
    }

    fn start_at(&self, door: Door, seq: u64) -> Start {
        let mark = self.mark(door);
        let gap = if mark.overflow > seq {
            Gap::Overflow
        } else if mark.floor > seq {
            Gap::Evicted {
                lost: Self::distance(seq, mark.floor),
            }
        } else {
            return Start {
                from: seq,
                resumed: true,
                gap: None,
            };
        };
        let from = self.before_first_held(door, seq.max(mark.floor));
        Start {
            from,
            resumed: false,
            gap: Some(gap),
        }
    }

    fn start_over(&self, door: Door, gap: Gap) -> Start {
        let from = self.before_first_held(door, self.mark(door).floor);
        Start {
            from,
            resumed: false,
            gap: Some(gap),
        }
    }

    /// The number just before the first event that `door` can give after `seq`; the head if none.
    fn before_first_held(&self, door: Door, seq: u64) -> u64 {
        let mut after = self.items.iter().skip(self.position_after(seq));
        after
            .find(|item| item.is_for(door, None))
            .map_or(self.head, |item| item.seq - 1)
    }
}
