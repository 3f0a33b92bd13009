//! A peer, each of whose calls comes to another hub than the one before, as the doors of a server
//! pass it on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use switchboard::hub::{Attach, Caller, Hub, JoinedRoom, Refused};
use switchboard::proto::{
    Cursor, Door, Json, Reason, Refusal, Sent, SessionId, SessionView, Signal, Transport,
};

use super::house::House;
use super::reading::{Answer, Reading, answer};

/// What was accepted, and the first refusal with its index.
pub type Told = (Vec<Sent>, Option<(usize, Refusal)>);

/// A peer in the house.
pub struct Guest<'h> {
    house: &'h House,
    pub joined: JoinedRoom,
    turn: AtomicUsize,
}

impl<'h> Guest<'h> {
    /// Its first call comes to that hub.
    pub fn new(house: &'h House, joined: JoinedRoom, first: usize) -> Self {
        let turn = AtomicUsize::new(first);
        Self {
            house,
            joined,
            turn,
        }
    }

    pub fn caller(&self) -> &Caller {
        &self.joined.caller
    }

    /// The next hub in turn.
    fn next(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// A position in its own mailbox.
    pub fn cursor(&self, seq: u64) -> Cursor {
        let epoch = self.caller().epoch;
        Cursor { epoch, seq }
    }

    /// What becomes an entry of the log, if it is not refused.
    async fn says<T>(
        &self,
        hub: &Hub,
        work: impl AsyncFnOnce(&Hub, &Caller) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let caller = self.caller();
        if let Some(reaching) = hub.reach(caller) {
            reaching.await?;
        }
        let answer = work(hub, caller).await;
        if answer.is_err() {
            hub.sync(&caller.room).await?;
            hub.find(caller)?;
        }
        answer
    }

    /// What is told as of now.
    async fn asks<T>(
        &self,
        hub: &Hub,
        work: impl AsyncFnOnce(&Hub, &Caller) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        hub.sync(&self.caller().room).await?;
        work(hub, self.caller()).await
    }

    pub async fn send(&self, signal: Signal) -> Sent {
        self.try_send(signal).await.expect("taken")
    }

    pub async fn try_send(&self, signal: Signal) -> Result<Sent, Refused> {
        self.try_send_at(self.next(), signal).await
    }

    /// Sends one at that hub.
    pub async fn try_send_at(&self, number: usize, signal: Signal) -> Result<Sent, Refused> {
        let (mut sent, refused) = self.send_all_at(number, vec![signal]).await?;
        match refused {
            Some((_, refusal)) => Err(refusal.into()),
            None => Ok(sent.remove(0)),
        }
    }

    /// Why it is not taken at that hub.
    pub async fn refusal_at(&self, number: usize, signal: Signal) -> Refusal {
        match self.try_send_at(number, signal).await {
            Err(Refused::Room(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    /// Sends an array at that hub.
    pub async fn send_all_at(&self, number: usize, signals: Vec<Signal>) -> Result<Told, Refused> {
        let send = async |hub: &Hub, caller: &Caller| hub.send(caller, signals)?.await;
        self.says(self.house.hub(number), send).await
    }

    pub async fn set_meta(&self, meta: Json) -> Result<(), Refused> {
        let set = async |hub: &Hub, caller: &Caller| hub.set_meta(caller, meta).await;
        self.says(self.house.hub(self.next()), set).await
    }

    pub async fn leave(&self, reason: Reason, detail: Option<&str>) -> Result<(), Refused> {
        let detail = detail.map(Arc::from);
        let leave = async |hub: &Hub, caller: &Caller| hub.leave(caller, reason, detail).await;
        self.says(self.house.hub(self.next()), leave).await
    }

    pub async fn announce_closing(&self) -> Result<(), Refused> {
        let announce = async |hub: &Hub, caller: &Caller| hub.announce_closing(caller).await;
        self.says(self.house.hub(self.next()), announce).await
    }

    pub async fn alive(&self) -> Result<(), Refused> {
        let prove = async |hub: &Hub, caller: &Caller| hub.alive(caller).await;
        self.asks(self.house.hub(self.next()), prove).await
    }

    /// A request that does nothing else.
    pub async fn check(&self) -> Result<(), Refused> {
        let check = async |hub: &Hub, caller: &Caller| hub.check(caller);
        self.asks(self.house.hub(self.next()), check).await
    }

    /// All its sessions, as each hub says; they agree.
    pub async fn sessions(&self) -> Vec<SessionView> {
        let mut all = Vec::new();
        for (_, hub) in self.house.each() {
            let list = async |hub: &Hub, caller: &Caller| hub.sessions(caller);
            all.push(self.asks(hub, list).await.expect("present"));
        }
        assert!(all.iter().all(|list| *list == all[0]), "{all:?}");
        all.swap_remove(0)
    }

    /// One of them.
    pub async fn session(&self, session: &SessionId) -> Result<SessionView, Refused> {
        let find = async |hub: &Hub, caller: &Caller| hub.session(caller, session);
        self.asks(self.house.hub(self.next()), find).await
    }

    /// Opens a stream of its events.
    pub async fn read(&self) -> Reading {
        self.open(stream(Door::Events)).await
    }

    /// The same, from where it stood.
    pub async fn read_from(&self, cursor: Cursor) -> Reading {
        self.open(from(cursor)).await
    }

    /// Opens a stream of its notices.
    pub async fn read_notices(&self) -> Reading {
        self.open(stream(Door::Notices)).await
    }

    pub async fn open(&self, attach: Attach) -> Reading {
        self.try_open(attach).await.expect("a reader")
    }

    pub async fn try_open(&self, attach: Attach) -> Result<Reading, Refused> {
        self.try_open_at(self.next(), attach).await
    }

    /// Opens a reader at that hub.
    pub async fn try_open_at(&self, number: usize, attach: Attach) -> Result<Reading, Refused> {
        let is_stream = attach.transport.is_stream();
        let open = async |hub: &Hub, caller: &Caller| hub.attach(caller, attach).await;
        let hub = self.house.hub(number);
        let opened = match is_stream {
            true => self.says(hub, open).await,
            false => self.asks(hub, open).await,
        };
        let (reader, opening) = opened?;
        Ok(Reading::new(reader, opening))
    }

    /// Polls, and waits no longer than `wait`.
    pub async fn poll(&self, cursor: Option<Cursor>, wait: Duration) -> Answer {
        answer(self.open(poll(cursor)).await, wait).await
    }
}

/// Opens a stream at a door.
pub fn stream(door: Door) -> Attach {
    Attach {
        door,
        only: None,
        cursor: None,
        reconnect: false,
        cursor_shown: false,
        ticket: None,
        transport: Transport::Sse,
        left: None,
        place: None,
    }
}

/// Opens a stream of events from where the client stood.
pub fn from(cursor: Cursor) -> Attach {
    Attach {
        cursor: Some(Ok(cursor)),
        reconnect: true,
        ..stream(Door::Events)
    }
}

/// Opens a poll.
pub fn poll(cursor: Option<Cursor>) -> Attach {
    Attach {
        cursor: cursor.map(Ok),
        reconnect: true,
        transport: Transport::Poll,
        ..stream(Door::Events)
    }
}
