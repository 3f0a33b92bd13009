//! What has happened in the rooms lately, line by line, for those who look after the server: a log of
//! its own with a bound, read by cursor as a mailbox is. From envelopes only. It knows no HTTP.

mod line;

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::hub::{Happening, Whose, Witness};
use crate::proto::{Cursor, Epoch, Frame, Refusal, RoomId, Transport};

/// How many lines are looked at under the lock at a time.
const AT_A_TIME: usize = 1000;

/// The lines of one server.
pub struct History {
    epoch: Epoch,
    most: usize,
    /// The name of a refusal on the wire.
    slug: fn(Refusal) -> &'static str,
    lines: Mutex<Lines>,
    /// Whether the server is going away; told of each line too.
    news: watch::Sender<bool>,
}

#[derive(Default)]
struct Lines {
    /// How many have been dropped.
    dropped: u64,
    kept: VecDeque<(RoomId, Frame)>,
}

/// What was read.
#[derive(Debug)]
pub struct Page {
    /// The lines, with the cursor of each.
    pub lines: Vec<(Cursor, Frame)>,
    /// Where to go on.
    pub cursor: Cursor,
    /// There is more to read.
    pub more: bool,
    /// Lines behind the given cursor are no longer kept.
    pub gap: bool,
}

impl History {
    /// A history that keeps so many lines; past it the oldest go. 0 keeps none.
    pub fn new(epoch: Epoch, most: usize, slug: fn(Refusal) -> &'static str) -> Self {
        Self {
            epoch,
            most,
            slug,
            lines: Mutex::default(),
            news: watch::channel(false).0,
        }
    }

    /// Changes when there is something to read, and is true once the server is going away.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.news.subscribe()
    }

    /// The server is going away: who reads is to read elsewhere.
    pub fn close(&self) {
        self.news.send_replace(true);
    }

    /// A cursor before the oldest line that is kept.
    pub fn oldest(&self) -> Cursor {
        Cursor {
            epoch: self.epoch,
            seq: self.lines.lock().dropped,
        }
    }

    /// Whether one can go on at a cursor: it is of this history and not of one before a restart, and
    /// neither ahead of it nor before what is kept.
    pub fn knows(&self, cursor: Cursor) -> bool {
        let lines = self.lines.lock();
        let head = lines.dropped + lines.kept.len() as u64;
        cursor.epoch == self.epoch && (lines.dropped..=head).contains(&cursor.seq)
    }

    /// Reads some lines behind a cursor of this history, of the rooms that `wanted` names.
    pub fn read(&self, from: Cursor, wanted: impl Fn(&RoomId) -> bool) -> Page {
        let lines = self.lines.lock();
        let first = from.seq.max(lines.dropped);
        let skipped = usize::try_from(first - lines.dropped).unwrap_or(usize::MAX);
        let rest = lines.kept.iter().skip(skipped);
        let looked_at = rest.len().min(AT_A_TIME);
        let at = |seq| Cursor {
            epoch: self.epoch,
            seq,
        };
        let numbered = (first + 1..).zip(rest.take(looked_at));
        Page {
            lines: numbered
                .filter(|(_, (room, _))| wanted(room))
                .map(|(seq, (_, line))| (at(seq), line.clone()))
                .collect(),
            cursor: at(first + looked_at as u64),
            more: skipped.saturating_add(looked_at) < lines.kept.len(),
            gap: from.seq < lines.dropped,
        }
    }

    fn add(&self, room: &RoomId, line: Frame) {
        let mut lines = self.lines.lock();
        if lines.kept.len() >= self.most {
            lines.kept.pop_front();
            lines.dropped += 1;
        }
        lines.kept.push_back((room.clone(), line));
        drop(lines);
        self.news.send_modify(|_| {});
    }
}

impl Witness for History {
    fn saw(&self, room: &RoomId, happening: &Happening<'_>, _: Whose, at: u64) {
        if self.most == 0 {
            return;
        }
        if let Some(line) = line::of(at, room, happening, self.slug) {
            self.add(room, line);
        }
    }

    fn delivered(&self, _: Transport, _: Duration) {}
}

#[cfg(test)]
mod tests;
