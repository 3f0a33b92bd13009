//! A reader: a cursor in, events out. SSE, NDJSON and long-poll are encodings of it.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::live::{Live, State, wake};
use super::place::{Counted, Place};
use super::seat::{FIRST_PING, Seat, Slot};
use super::ticket::TicketId;
use super::view::views;
use super::{Caller, Hub, PeerView, Refused, back_again};
use crate::proto::{
    BadCursor, Cursor, Door, Frame, Gap, Member, Reason, Seating as _, SessionId, SessionView, Time,
};

/// What a reader is opened with.
#[derive(Debug)]
pub struct Attach {
    /// Where it reads.
    pub door: Door,
    /// At the notices door: only the end of this session.
    pub only: Option<SessionId>,
    /// The cursor that the client presents.
    pub cursor: Option<Result<Cursor, BadCursor>>,
    /// The cursor came as `Last-Event-ID`, as the browser's own reconnect sends it.
    pub reconnect: bool,
    /// The client put its cursor into the URL.
    pub cursor_shown: bool,
    /// The ticket that it was opened with, and the time by the machine's calendar, in milliseconds
    /// since 1970.
    pub ticket: Option<(TicketId, u64)>,
    /// Whether it is a stream, which has pings, or one poll.
    pub stream: bool,
    /// How much longer it may read; none: for as long as it likes.
    pub left: Option<Duration>,
    /// What the door has counted it as.
    pub place: Option<Place>,
}

/// What a reader begins with.
#[derive(Debug)]
pub struct Opening {
    /// Where the replay starts.
    pub cursor: Cursor,
    /// Whether that is where the client stood.
    pub resumed: bool,
    /// How many events follow at once.
    pub replayed: usize,
    /// What has gone missing.
    pub gap: Option<Gap>,
    /// The others, as of now; where not resumed.
    pub peers: Vec<PeerView>,
    /// The reader's own open sessions, as of now; where not resumed.
    pub sessions: Vec<SessionView>,
}

/// What a reader hands its events to.
pub trait Sink {
    /// An event of the mailbox.
    fn event(&mut self, id: Cursor, frame: &Frame);
    /// A control event without an id.
    fn control(&mut self, frame: &Frame);
    /// How many bytes were taken; a reader pauses at [`PULL_BYTES`].
    fn len(&self) -> usize;
    /// Whether nothing was taken.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Whether it takes no more events for now.
    fn is_full(&self) -> bool {
        self.len() >= PULL_BYTES
    }
}

/// About what one pull takes at most, in bytes: what a connection buffers before it pauses.
pub const PULL_BYTES: usize = 32 * 1024;

/// What came of a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Something was handed to the sink, and it was all there is: the task is woken when there is more.
    Wrote,
    /// Something was handed to the sink, and there is more than it takes at once.
    More,
    /// The reader is over; nothing follows.
    Ended(Reason),
}

/// An open reader. Dropping it detaches it.
pub struct Reader {
    hub: Hub,
    live: Arc<Live>,
    caller: Caller,
    door: Door,
    only: Option<Box<SessionId>>,
    generation: u64,
    at: u64,
    /// The client was told of control events that went missing up to here.
    told: u64,
}

impl Attach {
    /// Whether the credential is still good, as far as its incarnation's seat tells.
    fn is_good(&self, caller: &Caller, seat: &Seat) -> Result<(), Refused> {
        if let Some((ticket, calendar)) = self.ticket {
            let own = matches!(&self.cursor, Some(Ok(c)) if c.epoch == caller.epoch);
            seat.tickets
                .check(ticket, calendar, own && self.reconnect)?;
        }
        if self.left.is_some_and(|left| left.is_zero()) {
            return Err(Refused::Expired);
        }
        Ok(())
    }
}

impl Hub {
    /// Opens a reader; an older one at the same door ends, `replaced`.
    ///
    /// # Errors
    /// [`Refusal::Ended`](crate::proto::Refusal::Ended) where the caller's incarnation is over;
    /// a ticket that is not good; too many readers; going away.
    pub fn attach(&self, caller: &Caller, attach: Attach) -> Result<(Reader, Opening), Refused> {
        // Of what opens nothing nobody is kept present.
        let may = |seat: &Seat| attach.is_good(caller, seat);
        let live = self.admit(caller, may)?;
        let now = self.now();
        let mut state = live.lock();
        let name = state
            .room
            .name(&caller.peer)
            .unwrap_or(&caller.peer)
            .clone();
        let member = state
            .room
            .incarnation(&caller.peer, caller.epoch)
            .ok_or_else(|| self.end_of(caller.epoch))?;
        let seat = &mut member.seat;
        attach.is_good(caller, seat)?;
        if attach.cursor_shown {
            seat.tickets.cursor_was_shown();
        }
        if self.is_draining() {
            return Err(Refused::Draining);
        }
        let replaces = seat.slot(attach.door).is_some();
        let most = if replaces {
            0
        } else {
            self.inner.limits.readers
        };
        let counted = Counted::new(&self.inner.readers, most).ok_or(Refused::TooManyReaders)?;
        let start = member.mailbox.start(attach.door, attach.cursor, now);
        // A cursor may name what was never written: its notices wait at the other door.
        let limits = &self.inner.shared.limits.mailbox;
        member.mailbox.keep_bounds(limits);
        let waiting = member.mailbox.waiting() > 0;
        let slot = Slot {
            generation: 0,
            waker: None,
            end: None,
            drain_at: None,
            until: attach.left.map(|left| now + left),
            ping_at: attach.stream.then_some(now + FIRST_PING),
            stuck: None,
            proved: false,
            wake: attach.door == Door::Notices && (attach.stream || (waiting && !seat.told)),
            ticket: attach.ticket.map(|(ticket, _)| Box::new(ticket)),
            _places: (counted, attach.place),
        };
        if slot.wake {
            seat.told = waiting;
        }
        let (generation, wakers, back) = seat.take(attach.door, slot, now);
        let deadline = seat.deadline(now, self.timings());
        // The names that the room has already: the request's own go with it.
        let caller = Caller {
            room: live.id.clone(),
            peer: name,
            epoch: caller.epoch,
        };
        let replayed = member
            .mailbox
            .after(attach.door, attach.only.as_ref(), start.from)
            .count();
        let cursor = member.mailbox.cursor(start.from);
        let told = member.mailbox.overflow(attach.door);
        let sessions = if start.resumed {
            Vec::new()
        } else {
            member.open_sessions()
        };
        if attach.door == Door::Events {
            member.reading = true;
        }
        let peers = if start.resumed {
            Vec::new()
        } else {
            views(&state, Some(&caller.peer), now)
        };
        live.arm(&mut state, deadline);
        drop(state);
        let reader = Reader {
            hub: self.clone(),
            live,
            caller,
            door: attach.door,
            only: attach.only.map(Box::new),
            generation,
            at: start.from,
            told,
        };
        wake(wakers);
        if back {
            self.append_aside(&reader.live, back_again(&reader.caller));
        }
        let (resumed, gap) = (start.resumed, start.gap);
        Ok((
            reader,
            Opening {
                cursor,
                resumed,
                replayed,
                gap,
                peers,
                sessions,
            },
        ))
    }
}

impl Reader {
    /// What it reads of.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Whose reader this is.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Where it reads.
    pub fn door(&self) -> Door {
        self.door
    }

    /// The position up to which events were handed out.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            epoch: self.caller.epoch,
            seq: self.at,
        }
    }

    /// The stream's `ready` was written: its ticket is spent.
    pub fn opened(&self) {
        let mut state = self.live.lock();
        let Ok(member) = self.present(&mut state) else {
            return;
        };
        let seat = &mut member.seat;
        if let Ok(slot) = seat.own_slot(self.door, self.generation)
            && let Some(ticket) = slot.ticket()
        {
            let open = seat.open_tickets();
            seat.tickets.spend(ticket, open);
        }
    }

    /// The connection has not taken all of what was pulled, though some of it since this was last
    /// said.
    pub fn held_up(&self) {
        let now = self.hub.now();
        let mut state = self.live.lock();
        if let Ok(member) = self.present(&mut state)
            && let Ok(slot) = member.seat.own_slot(self.door, self.generation)
        {
            slot.stuck = Some(now);
        }
    }

    /// The others and the reader's own open sessions, as of now; none where its incarnation is over.
    pub fn present_state(&self) -> Option<(Vec<PeerView>, Vec<SessionView>)> {
        let mut state = self.live.lock();
        let member = self.present(&mut state).ok()?;
        let sessions = member.open_sessions();
        let peers = views(&state, Some(&self.caller.peer), self.hub.now());
        Some((peers, sessions))
    }

    /// Hands what there is to `sink`, and has `cx` woken when there is more; where there is nothing,
    /// it waits for that.
    pub fn poll_pull(&mut self, cx: &mut Context<'_>, sink: &mut impl Sink) -> Poll<Flow> {
        let live = self.live.clone();
        let mut state = live.lock();
        let now = self.hub.now();
        let flow = self.pull(&mut state, now, cx.waker(), sink);
        drop(state);
        match flow {
            Ok(flow) => flow.map_or(Poll::Pending, Poll::Ready),
            Err(reason) => Poll::Ready(Flow::Ended(reason)),
        }
    }

    /// Hands what there is to `sink`; what came of it, if that was something.
    fn pull(
        &mut self,
        state: &mut State,
        now: Time,
        waker: &Waker,
        sink: &mut impl Sink,
    ) -> Result<Option<Flow>, Reason> {
        let limits = self.live.shared.limits.mailbox;
        let Member { seat, mailbox, .. } = self.present(state)?;
        let heartbeat = seat.lease.heartbeat(now, self.hub.timings());
        let slot = seat.own_slot(self.door, self.generation)?;
        if let Some(reason) = slot.end {
            return Err(reason);
        }
        if mailbox.has_missed(self.door, self.at, self.told) {
            return Err(Reason::Slow);
        }
        let before = sink.len();
        let mut all = true;
        let mut at = self.at;
        for (seq, frame) in mailbox.after(self.door, self.only.as_deref(), self.at) {
            if sink.is_full() {
                all = false;
                break;
            }
            at = seq;
            sink.event(mailbox.cursor(seq), frame);
        }
        // What this door filters out still moves its cursor.
        self.at = if all { mailbox.head() } else { at };
        mailbox.wrote(self.door, self.at, now, &limits);
        if slot.wake {
            slot.wake = false;
            let pending = mailbox.waiting();
            sink.control(&Frame::new("wake", &format!(r#"{{"pending":{pending}}}"#)));
        }
        let wrote = sink.len() > before;
        let due = slot.ping_at.is_some_and(|at| at <= now);
        if due && !wrote {
            sink.control(&Frame::new("ping", "{}"));
            slot.proved = true;
        }
        if let Some(ping_at) = &mut slot.ping_at
            && (wrote || due)
            && slot.proved
        {
            *ping_at = now + heartbeat;
        }
        // The first ping is a write of its own.
        let ping_follows = due && wrote && !slot.proved;
        if sink.len() > before && (!all || ping_follows) {
            slot.stuck = Some(now);
            return Ok(Some(Flow::More));
        }
        slot.stuck = None;
        slot.waker = Some(waker.clone());
        Ok((sink.len() > before).then_some(Flow::Wrote))
    }

    /// This reader's member, or why its incarnation is over.
    fn present<'a>(&self, state: &'a mut State) -> Result<&'a mut Member<Seat>, Reason> {
        let (peer, epoch) = (&self.caller.peer, self.caller.epoch);
        state.room.incarnation(peer, epoch).ok_or_else(|| {
            self.hub
                .end(epoch)
                .map_or(Reason::Unknown, |end| end.reason)
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let now = self.hub.now();
        let mut state = self.live.lock();
        let Ok(member) = self.present(&mut state) else {
            return;
        };
        let Member { seat, mailbox, .. } = member;
        if !seat.release(self.door, self.generation, now) {
            return;
        }
        let mut wakers = Vec::new();
        if self.door == Door::Events {
            // What this reader left unread waits from now on.
            seat.notify(mailbox, now, &mut wakers);
            member.reading = false;
        }
        let deadline = member.seat.deadline(now, self.hub.timings());
        self.live.arm(&mut state, deadline);
        drop(state);
        wake(wakers);
    }
}
