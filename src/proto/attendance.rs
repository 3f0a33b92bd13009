//! How an incarnation attends: its lease, which of its readers is open where, and its tickets.

use serde::{Deserialize, Serialize};

use super::fact::Transport;
use super::id::{NodeId, ReaderId};
use super::lease::Lease;
use super::mailbox::{Door, Mailbox};
use super::reason::Reason;
use super::ticket::{TicketId, TicketRefused, Tickets};
use super::time::Time;

/// A ticket that a reader is opened with, and the calendar's time then, in milliseconds since 1970.
pub type Shown = (TicketId, u64);

/// What all nodes know of how an incarnation attends.
#[derive(Debug, Serialize, Deserialize)]
pub struct Attendance {
    /// Its proof of life.
    pub lease: Lease,
    /// The node that looks after it: where it read last, or joined.
    keeper: NodeId,
    tickets: Tickets,
    /// Whether the notices reader was told that signals wait, since they began to.
    pub(super) told: bool,
    events: Chair,
    notices: Chair,
}

/// Where one door's reader sits.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Chair {
    reader: Option<ReaderId>,
    /// How its reader is written to, or the last one was, and since when.
    read: Option<(Transport, Time)>,
    ticket: Option<Box<TicketId>>,
    /// The reader that was ended while its connection could not be told; until another takes over.
    cut: Option<Box<Cut>>,
    /// A reader that is over on this node only.
    #[serde(skip)]
    stranded: Option<Box<(ReaderId, Reason)>>,
}

/// A reader that no longer counts, though its connection may be open still.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Cut {
    reader: ReaderId,
    reason: Reason,
    ticket: Option<TicketId>,
}

impl Attendance {
    /// That of an incarnation that has just joined.
    pub(super) fn begin(keeper: NodeId, now: Time) -> Self {
        Self {
            lease: Lease::new(now),
            keeper,
            tickets: Tickets::default(),
            told: false,
            events: Chair::default(),
            notices: Chair::default(),
        }
    }

    /// It was kept while the server was away: no reader is open, and the lease begins afresh.
    pub fn resume(&mut self, now: Time) {
        self.lease.renew(now);
        self.told = false;
        self.events = Chair::default();
        self.notices = Chair::default();
    }

    /// The open reader at `door`.
    pub fn reader(&self, door: Door) -> Option<ReaderId> {
        self.chair(door).reader
    }

    /// How the reader at `door` is written to, or the last one was, and since when.
    pub(super) fn read(&self, door: Door) -> Option<(Transport, Time)> {
        self.chair(door).read
    }

    /// The reader at `door` is written to like that from now on; how the one before was, and since when.
    pub(super) fn reads_by(
        &mut self,
        door: Door,
        transport: Transport,
        now: Time,
    ) -> Option<(Transport, Time)> {
        self.chair_mut(door).read.replace((transport, now))
    }

    /// How many signals wait to be read. In a room that several nodes share none does while a reader of
    /// events is open: what it was handed may not be known here.
    pub fn waiting(&self, mailbox: &Mailbox, shared: bool) -> usize {
        if shared && self.reader(Door::Events).is_some() {
            0
        } else {
            mailbox.waiting()
        }
    }

    /// Whether that reader is the one at `door`, or why it is not any more.
    ///
    /// # Errors
    /// The reason of its end.
    pub fn is_seated(&self, door: Door, reader: ReaderId) -> Result<(), Reason> {
        let Chair {
            reader: seated,
            cut,
            stranded,
            ..
        } = self.chair(door);
        match (cut, stranded.as_deref()) {
            _ if *seated == Some(reader) => Ok(()),
            (Some(cut), _) if cut.reader == reader => Err(cut.reason),
            (_, Some((stranded, reason))) if *stranded == reader => Err(*reason),
            _ => Err(Reason::Replaced),
        }
    }

    /// The node that looks after this incarnation.
    pub fn keeper(&self) -> NodeId {
        self.keeper
    }

    /// The node is no more: its readers are lost, and another looks after who it looked after. At
    /// which doors readers were lost.
    pub(super) fn lose(
        &mut self,
        node: NodeId,
        heir: NodeId,
        now: Time,
    ) -> impl Iterator<Item = Door> + use<> {
        let lost = Door::ALL.map(|door| {
            let reader = self.reader(door).filter(|reader| reader.node() == node)?;
            // Should it be there still, it is to read elsewhere.
            let ended = self.unseat(door, reader, Some(Reason::Drain), now);
            ended.then_some(door)
        });
        if self.keeper == node {
            self.keeper = heir;
        }
        lost.into_iter().flatten()
    }

    /// Whether a ticket opens a reader; `resumes`: it came together with a `Last-Event-ID` of this
    /// incarnation.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check_ticket(&self, shown: Option<Shown>, resumes: bool) -> Result<(), TicketRefused> {
        shown.map_or(Ok(()), |(ticket, calendar)| {
            self.tickets.check(ticket, calendar, resumes)
        })
    }

    /// The client put its cursor into a URL.
    pub(super) fn cursor_was_shown(&mut self) {
        self.tickets.cursor_was_shown();
    }

    /// Seats a new reader in the place of an older one, and spends the ticket that it came with.
    pub(super) fn seat(
        &mut self,
        door: Door,
        reader: ReaderId,
        ticket: Option<TicketId>,
        now: Time,
    ) {
        let chair = self.chair_mut(door);
        chair.stranded = None;
        let cut = chair.cut.take();
        let old = chair.reader.replace(reader);
        let former = std::mem::replace(&mut chair.ticket, ticket.map(Box::new));
        let former = former.map(|ticket| *ticket);
        let former = former.or(cut.and_then(|cut| cut.ticket));
        let open = self.open_tickets();
        // An EventSource that reconnects while its lost connection is still held is the same.
        if let Some(former) = former.filter(|former| ticket != Some(*former)) {
            self.tickets.kill(former, open);
        }
        if let Some(ticket) = ticket {
            self.tickets.spend(ticket, open);
        }
        if old.is_some() {
            self.lease.detached(now);
        }
        if door == Door::Events {
            self.told = false;
        }
        self.keeper = reader.node();
        self.lease.attached();
    }

    /// A reader is gone, or is cut off for `reason` though its connection may not hear of it; whether
    /// it was still the one at its door.
    pub(super) fn unseat(
        &mut self,
        door: Door,
        reader: ReaderId,
        reason: Option<Reason>,
        now: Time,
    ) -> bool {
        let chair = self.chair_mut(door);
        if chair.reader != Some(reader) {
            return false;
        }
        chair.reader = None;
        let ticket = chair.ticket.take().map(|ticket| *ticket);
        if let Some(reason) = reason {
            chair.cut = Some(Box::new(Cut {
                reader,
                reason,
                ticket,
            }));
        }
        // Whoever looks after it has to hear of what it does: where it reads still, or read last.
        let rest = Door::ALL.map(|door| self.reader(door));
        let last = rest.into_iter().flatten().next().unwrap_or(reader);
        self.keeper = last.node();
        self.lease.detached(now);
        true
    }

    /// A reader that this node had seated, and nobody else knows of, is over; on this node only.
    pub fn strand(&mut self, door: Door, reader: ReaderId, reason: Reason) {
        self.chair_mut(door).stranded = Some(Box::new((reader, reason)));
    }

    /// The tickets of the readers that are open.
    fn open_tickets(&self) -> [Option<TicketId>; 2] {
        [&self.events, &self.notices].map(|chair| chair.ticket.as_deref().copied())
    }

    fn chair(&self, door: Door) -> &Chair {
        match door {
            Door::Events => &self.events,
            Door::Notices => &self.notices,
        }
    }

    fn chair_mut(&mut self, door: Door) -> &mut Chair {
        match door {
            Door::Events => &mut self.events,
            Door::Notices => &mut self.notices,
        }
    }
}
