//! A reader: a cursor in, events out. SSE, NDJSON and long-poll are encodings of it.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::duties::{AGAIN, RETELL};
use super::live::{Live, State};
use super::replica::Risen;
use super::seat::{Seat, Slot};
use super::view::views;
use super::{Caller, Hub, PeerView};
use crate::backplane::store::Later;
use crate::proto::{
    Attendance, Cursor, Door, Entry, Frame, Mailbox, Member, ReaderId, Reason, SessionId,
    SessionView, Time, Transport,
};

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

/// What a reader of a shared room was handed is told to the other nodes after this, unless it is much.
const OWES: Duration = Duration::from_secs(10);

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
    pub(super) hub: Hub,
    pub(super) live: Arc<Live>,
    pub(super) caller: Caller,
    pub(super) door: Door,
    pub(super) only: Option<Box<SessionId>>,
    pub(super) id: ReaderId,
    pub(super) at: u64,
    /// The client was told of control events that went missing up to here.
    pub(super) told: u64,
    /// How it is written to.
    pub(super) transport: Transport,
    /// Why it is over, once it is.
    pub(super) ended: Option<Reason>,
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

    /// Leaves its place, so that whoever hears of its end finds that done; at once where the room is not
    /// shared with other nodes.
    pub fn leave(&self) -> Option<Later<()>> {
        self.live.shared.common.as_ref()?;
        let mut state = self.live.lock();
        self.seated(&mut state).ok()?;
        // Not told of a second time unless that fails.
        self.rise(&mut state, AGAIN);
        drop(state);
        let left = self.hub.append(&self.live, self.detaching());
        // What fails is done again when the room is looked at.
        Some(Box::pin(async move { drop(left.await) }))
    }

    fn detaching(&self) -> Entry {
        Entry::Detach {
            peer: self.caller.peer.clone(),
            epoch: self.caller.epoch,
            door: self.door,
            reader: self.id,
            written: self.at,
            reason: None,
            told: self.ended,
        }
    }

    /// The connection has not taken all of what was pulled, though some of it since this was last
    /// said.
    pub fn held_up(&self) {
        let now = self.hub.now();
        let mut state = self.live.lock();
        if let Ok((_, slot, ..)) = self.seated(&mut state) {
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
        let mut told = None;
        if live.shared.common.is_some() {
            told = self.to_tell(&mut state);
            live.rearm(&mut state, &self.caller.peer, now);
        }
        drop(state);
        if let Some(wrote) = told {
            self.hub.append_aside(&live, wrote);
        }
        match flow {
            Ok(flow) => flow.map_or(Poll::Pending, Poll::Ready),
            Err(reason) => {
                self.ended = Some(reason);
                Poll::Ready(Flow::Ended(reason))
            }
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
        let limits = self.live.shared.bounds.limits.mailbox;
        let shared = self.live.shared.common.is_some();
        let (attendance, slot, wake, mailbox) = self.seated(state)?;
        let heartbeat = attendance.lease.heartbeat(now, self.hub.timings());
        if let Some(reason) = slot.end {
            return Err(reason);
        }
        if mailbox.has_missed(self.door, self.at, self.told) {
            return Err(Reason::Slow);
        }
        let before = sink.len();
        let mut all = true;
        let mut at = self.at;
        let since = slot.stuck;
        for (seq, frame) in mailbox.after(self.door, self.only.as_deref(), self.at) {
            if sink.is_full() {
                all = false;
                break;
            }
            at = seq;
            sink.event(mailbox.cursor(seq), frame);
        }
        if sink.len() > before
            && let Some(witness) = self.live.shared.witness.get()
            && let Some(since) = since
        {
            witness.delivered(self.transport, now.since(since));
        }
        // What this door filters out still moves its cursor.
        self.at = if all { at.max(mailbox.head()) } else { at };
        if !shared {
            mailbox.wrote(self.door, self.at, now, &limits);
        } else if self.door == Door::Events && self.at > mailbox.written() {
            // The other nodes hear of it soon, or at once where much would seem to wait.
            let owes = slot.owes.get_or_insert_default();
            owes.written = self.at;
            if self.at > owes.told {
                if mailbox.is_far_behind(self.at, &limits) {
                    owes.told = self.at;
                    owes.now = true;
                    owes.at = Some(now + RETELL);
                } else {
                    owes.at.get_or_insert(now + OWES);
                }
            }
        }
        let store = slot.owes.as_mut().and_then(|owes| owes.store.take());
        if let Some(available) = store {
            let said = format!(r#"{{"available":{available}}}"#);
            sink.control(&Frame::new("store", &said));
        }
        if self.door == Door::Notices && std::mem::take(wake) {
            let pending = attendance.waiting(mailbox, shared);
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

    /// What the other nodes that share the room have to be told at once.
    fn to_tell(&self, state: &mut State) -> Option<Entry> {
        let (_, slot, ..) = self.seated(state).ok()?;
        let owes = slot.owes.as_mut()?;
        let told = std::mem::take(&mut owes.now).then_some(owes.told)?;
        Some(Entry::Wrote {
            peer: self.caller.peer.clone(),
            epoch: self.caller.epoch,
            reader: self.id,
            written: told,
        })
    }

    /// Leaves its place in a shared room. The other nodes are told when the room is looked at, `later`,
    /// unless another reader has come by then, as the next of a row of polls.
    fn rise(&self, state: &mut State, later: Duration) {
        let risen = Risen {
            written: self.at,
            told: self.ended,
            tell_at: self.hub.now() + later,
        };
        state.replica().risen.insert(self.id, risen);
        if let Ok(member) = self.present(state) {
            *member.seat.slot(self.door) = None;
        }
        self.live.arm(state, Some(risen.tell_at));
    }

    /// What this reader reads by, where it is the one at its door still: how its peer attends, its slot,
    /// whether a `wake` is to be written, the mailbox; or else why it is over.
    fn seated<'a>(
        &self,
        state: &'a mut State,
    ) -> Result<(&'a Attendance, &'a mut Slot, &'a mut bool, &'a mut Mailbox), Reason> {
        let Member {
            seat,
            attendance,
            mailbox,
            ..
        } = self.present(state)?;
        attendance.is_seated(self.door, self.id)?;
        let (slot, wake) = seat.slot_and_wake(self.door);
        let slot = slot.as_deref_mut().ok_or(Reason::Replaced)?;
        Ok((attendance, slot, wake, mailbox))
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
        let mut state = self.live.lock();
        let seated = self.seated(&mut state).is_ok();
        if seated && self.live.shared.common.is_some() {
            self.rise(&mut state, Duration::ZERO);
        }
        drop(state);
        if !seated || self.live.shared.common.is_some() {
            return;
        }
        self.hub.append_aside(&self.live, self.detaching());
    }
}
