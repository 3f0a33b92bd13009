//! How a reader opens.

use std::sync::Arc;
use std::time::Duration;

use super::live::Live;
use super::place::{Counted, Place};
use super::reader::Reader;
use super::seat::{FIRST_PING, Slot};
use super::view::views;
use super::{Caller, Hub, PeerView, Refused};
use crate::proto::{
    Attaching, BadCursor, Cursor, Door, Entry, Gap, Member, Outcome, ReaderId, Reason, SessionId,
    SessionView, Shown, Start, Transport,
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
    pub ticket: Option<Shown>,
    /// How it is written to; streams have pings.
    pub transport: Transport,
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
    /// How long ago the incarnation began.
    pub age: Duration,
    /// The others, as of now; where not resumed.
    pub peers: Vec<PeerView>,
    /// The reader's own open sessions, as of now; where not resumed.
    pub sessions: Vec<SessionView>,
}

impl Hub {
    /// Opens a reader; an older one at the same door ends, `replaced`.
    ///
    /// # Errors
    /// [`Refusal::Ended`](crate::proto::Refusal::Ended) where the caller's incarnation is over;
    /// a ticket that is not good; too many readers; going away.
    pub async fn attach(
        &self,
        caller: &Caller,
        attach: Attach,
    ) -> Result<(Reader, Opening), Refused> {
        let mut live = self.room_of(caller)?;
        let mut counted = self.may_attach(&live, caller, &attach);
        if self.is_shared() && matches!(counted, Err(Refused::Ticket(_))) {
            // Another node may know that the ticket opened a reader.
            self.sync(&caller.room).await?;
            live = self.room_of(caller)?;
            counted = self.may_attach(&live, caller, &attach);
        }
        let counted = counted?;
        let reader = self.next_id();
        let _opening = self.is_shared().then(|| Opened::new(&live, reader));
        let wish = Attaching {
            peer: caller.peer.clone(),
            epoch: caller.epoch,
            door: attach.door,
            reader,
            cursor: attach.cursor,
            reconnect: attach.reconnect,
            cursor_shown: attach.cursor_shown,
            ticket: attach.ticket,
            transport: attach.transport,
        };
        match self.append(&live, Entry::Attach(wish)).await {
            Ok(Outcome::Attached(Ok(start))) => {
                self.sit_down(live.clone(), caller, reader, start, attach, counted)
            }
            Ok(Outcome::Attached(Err(refused))) => Err(refused.into()),
            other => Err(self.failed(caller, other.err())),
        }
    }

    /// Whether a reader may open, as far as this node knows; its place among all.
    fn may_attach(
        &self,
        live: &Arc<Live>,
        caller: &Caller,
        attach: &Attach,
    ) -> Result<Counted, Refused> {
        let mut state = live.lock();
        let member = state.room.incarnation(&caller.peer, caller.epoch);
        let member = member.ok_or_else(|| self.end_of(caller.epoch))?;
        // Of what opens nothing nobody is kept present.
        let own = matches!(&attach.cursor, Some(Ok(cursor)) if cursor.epoch == caller.epoch);
        let resumes = own && attach.reconnect;
        member.attendance.check_ticket(attach.ticket, resumes)?;
        if attach.left.is_some_and(|left| left.is_zero()) {
            return Err(Refused::Expired);
        }
        let replaces = member.seat.slot(attach.door).is_some();
        drop(state);
        let most = match self.inner.limits.readers {
            _ if replaces => 0,
            most => most,
        };
        let place = match self.is_draining() {
            true => Err(Refused::Draining),
            false => Counted::new(&self.inner.readers, attach.transport, most)
                .ok_or(Refused::TooManyReaders),
        };
        if place.is_err() {
            self.is_seen(live, caller);
        }
        place
    }

    /// The reader takes its place on this node, unless another has taken it already.
    fn sit_down(
        &self,
        live: Arc<Live>,
        caller: &Caller,
        id: ReaderId,
        start: Start,
        attach: Attach,
        counted: Counted,
    ) -> Result<(Reader, Opening), Refused> {
        let now = self.now();
        let mut guard = live.lock();
        let state = &mut *guard;
        // The names that the room has already: the request's own go with it.
        let name = state.room.name(&caller.peer).unwrap_or(&caller.peer);
        let caller = Caller {
            room: live.id.clone(),
            peer: name.clone(),
            epoch: caller.epoch,
        };
        let member = state.room.incarnation(&caller.peer, caller.epoch);
        let member = member.ok_or_else(|| self.end_of(caller.epoch))?;
        let Member {
            seat,
            attendance,
            mailbox,
            joined,
            ..
        } = member;
        let age = now.since(*joined);
        if attendance.is_seated(attach.door, id).is_ok() {
            let slot = Slot {
                waker: None,
                end: (self.is_draining() || id.node() != self.node()).then_some(Reason::Drain),
                drain_at: None,
                until: attach.left.map(|left| now + left),
                ping_at: attach.transport.is_stream().then_some(now + FIRST_PING),
                stuck: None,
                owes: None,
                proved: false,
                _places: (counted, attach.place),
            };
            *seat.slot(attach.door) = Some(Box::new(slot));
        }
        let replayed = mailbox.after(attach.door, attach.only.as_ref(), start.from);
        let replayed = replayed.count();
        let cursor = mailbox.cursor(start.from);
        let told = mailbox.overflow(attach.door);
        let Start {
            from, resumed, gap, ..
        } = start;
        let (mut peers, mut sessions) = (Vec::new(), Vec::new());
        if !resumed {
            sessions = member.open_sessions();
            peers = views(state, Some(&caller.peer), now);
        }
        live.rearm(state, &caller.peer, now);
        drop(guard);
        let reader = Reader {
            hub: self.clone(),
            live,
            caller,
            door: attach.door,
            only: attach.only.map(Box::new),
            id,
            at: from,
            told,
            transport: attach.transport,
            ended: None,
        };
        let opening = Opening {
            cursor,
            resumed,
            replayed,
            gap,
            age,
            peers,
            sessions,
        };
        Ok((reader, opening))
    }
}

/// A reader that is opening in a shared room: until it sits there, or has failed to, it is not missed.
struct Opened<'a> {
    live: &'a Live,
    reader: ReaderId,
}

impl<'a> Opened<'a> {
    fn new(live: &'a Live, reader: ReaderId) -> Self {
        live.lock().replica().opening.insert(reader);
        Self { live, reader }
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        let mut state = self.live.lock();
        state.replica().opening.remove(&self.reader);
        // Whoever asked may have gone meanwhile: then nobody sits where others believe it.
        let now = self.live.shared.clock.now();
        self.live.arm(&mut state, Some(now));
    }
}
