//! All peers of a load: they join, read, send to the next in their room, and leave.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Options;
use super::sender::{self, Pace};
use super::tally::Tally;
use super::watcher;
use crate::client::answer::Trouble;
use crate::client::backoff::persist;
use crate::client::membership::{Membership, Wish};
use crate::client::{Failure, Server};
use crate::progress::Progress;

/// How long a join is tried.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Crowd<'a> {
    options: &'a Options,
    server: Server,
    access: Option<String>,
    rooms: u32,
    prefix: String,
    tally: Arc<Tally>,
    /// By number: peer `n` is in room `n % rooms`.
    members: Vec<(Membership, Wish)>,
    readers: JoinSet<()>,
    senders: JoinSet<()>,
}

impl<'a> Crowd<'a> {
    pub(super) fn new(
        options: &'a Options,
        server: Server,
        access: Option<String>,
        rooms: u32,
        tally: Arc<Tally>,
    ) -> Self {
        let prefix = options.prefix.clone();
        let prefix = prefix.unwrap_or_else(|| {
            let random = uuid::Uuid::new_v4().simple().to_string();
            format!("bench-{}", &random[..8])
        });
        Self {
            options,
            server,
            access,
            rooms,
            prefix,
            tally,
            members: Vec::new(),
            readers: JoinSet::new(),
            senders: JoinSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn rooms(&self) -> u32 {
        self.rooms
    }

    /// Joins all, some at once.
    pub(super) async fn join(&mut self, progress: &Progress) -> Result<(), Failure> {
        let (server, access, tally) = (&self.server, self.access.as_deref(), &self.tally);
        let wishes: Vec<_> = (0..self.options.peers)
            .map(|number| {
                let room = format!("{}-{}", self.prefix, number % self.rooms);
                Wish::new(&room, Some(format!("p{number}")))
            })
            .collect();
        let mut joins = stream::iter(wishes.into_iter().map(|wish| async move {
            let join = async || {
                let joined = wish.join(server, access, None).await;
                if let Err(Trouble::Refused(refusal)) = &joined {
                    tally.refusal(&refusal.slug);
                }
                joined
            };
            let member = persist(PATIENCE, false, join).await;
            member.map(|member| (member, wish))
        }))
        .buffered(self.options.at_once as usize);
        while let Some(joined) = joins.next().await {
            self.members.push(joined?);
            progress.at(self.members.len() as u64);
        }
        Ok(())
    }

    /// Opens a reader for each.
    pub(super) fn read(&mut self) {
        self.tally.begin(self.members.len());
        let count = self.members.len();
        for (number, (member, wish)) in self.members.iter().enumerate() {
            let rooms = self.rooms as usize;
            // Who sends to this one is the one before it in the room, or the last.
            let from = number.checked_sub(rooms).unwrap_or_else(|| {
                let last = (count - 1 - number) / rooms;
                number + last * rooms
            });
            self.readers.spawn(watcher::watch(
                self.server.clone(),
                member.clone(),
                (wish.clone(), self.access.clone()),
                self.options.transport,
                from,
                Arc::clone(&self.tally),
            ));
        }
    }

    /// Begins to send.
    pub(super) fn send(&mut self, began: Instant) {
        let (count, rooms) = (self.members.len(), self.rooms as usize);
        for (number, (member, _)) in self.members.iter().enumerate() {
            let next = if number + rooms < count {
                number + rooms
            } else {
                number % rooms
            };
            let gap = Duration::from_secs(1).mul_f64(count as f64 / f64::from(self.options.rate));
            let pace = Pace {
                first: began + gap.mul_f64(number as f64 / count as f64),
                gap,
                until: began + self.options.span,
            };
            self.senders.spawn(sender::send(
                self.server.clone(),
                member.clone(),
                number,
                self.members[next].0.peer.clone(),
                pace,
                self.options.size as usize,
                Arc::clone(&self.tally),
            ));
        }
    }

    /// Whether all have sent what they were to.
    pub(super) fn has_sent(&mut self) -> bool {
        while self.senders.try_join_next().is_some() {}
        self.senders.is_empty()
    }

    /// Ends sending and reading.
    pub(super) fn hush(&mut self) {
        self.senders.abort_all();
        self.readers.abort_all();
    }

    /// Leaves, some at once.
    pub(super) async fn leave(&mut self, progress: &Progress) {
        let server = &self.server;
        let members = std::mem::take(&mut self.members);
        let leaves = members.into_iter();
        let mut left = 0;
        let mut leaving =
            stream::iter(leaves.map(|(member, _)| async move { member.leave(server).await }))
                .buffer_unordered(self.options.at_once as usize);
        while leaving.next().await.is_some() {
            left += 1;
            progress.at(left);
        }
    }
}
