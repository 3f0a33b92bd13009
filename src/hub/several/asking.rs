//! What clients ask of nodes, as the doors do it: what is lacking is fetched, then the hub is asked.

use super::sending::Told;
use super::world::World;
use super::*;

/// A request that is under way.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Join {
        person: usize,
    },
    Open {
        life: usize,
        door: Door,
        stream: bool,
        ticket: Option<TicketId>,
    },
    Send {
        life: usize,
        serial: u64,
        issued: u64,
    },
    Leave {
        life: usize,
    },
    Meta {
        life: usize,
    },
    Alive {
        life: usize,
    },
    /// Of an incarnation that has ended, for this reason.
    Late {
        caller: Caller,
        reason: Reason,
    },
    /// By an operator: of a peer, or of all in a room.
    Remove,
    /// A node goes away.
    Resign {
        node: usize,
    },
}

/// What came of it.
pub(super) enum Answer {
    Aside,
    Joined(Result<JoinedRoom, Refused>),
    Opened(Result<(Reader, Opening), Refused>),
    Sent(Result<Told, Refused>),
    Done(Result<(), Refused>),
}

/// What a door does before a request of a peer's.
pub(super) async fn reach(hub: &Hub, caller: &Caller) -> Result<(), Refused> {
    match hub.reach(caller) {
        Some(reaching) => reaching.await,
        None => Ok(()),
    }
}

impl World {
    pub(super) fn answered(&mut self, node: usize, ask: Ask, answer: Answer) {
        match (ask, answer) {
            (Ask::Join { person }, Answer::Joined(joined)) => self.joined(node, person, joined),
            (
                Ask::Open {
                    life,
                    door,
                    stream,
                    ticket,
                },
                Answer::Opened(opened),
            ) => {
                self.opened(node, life, (door, stream, ticket), opened);
            }
            (
                Ask::Send {
                    life,
                    serial,
                    issued,
                },
                Answer::Sent(sent),
            ) => {
                self.sent(life, serial, issued, sent);
            }
            (Ask::Leave { life }, Answer::Done(done)) => match done {
                Ok(()) => {
                    let reason = self.known_end(life).unwrap_or(Reason::Left);
                    self.is_over(life, reason);
                }
                Err(refused) => {
                    self.refused(&refused);
                    self.unanswered(Ask::Leave { life });
                }
            },
            (Ask::Meta { life } | Ask::Alive { life }, Answer::Done(Err(refused))) => {
                self.refused_life(life, &refused);
            }
            (Ask::Late { caller, reason }, Answer::Done(done)) => {
                let ended = |reason| Err(Refused::Room(Refusal::Ended(reason)));
                let busy = matches!(done, Err(Refused::Unavailable | Refused::Draining));
                let fell = self.truths.with(&caller.room, |truth| truth.fell.is_some());
                count("asked", if busy { "busy" } else { "ended" });
                assert!(
                    busy || fell || done == ended(reason),
                    "{caller:?}: {done:?} at {node}, not {reason}"
                );
            }
            (Ask::Resign { node }, Answer::Aside) => self.end_node(node),
            (_, Answer::Done(_)) => {}
            (ask, _) => panic!("{ask:?} is answered by something else"),
        }
    }

    /// Why an incarnation has ended, whatever its client had asked for.
    pub(super) fn known_end(&self, life: usize) -> Option<Reason> {
        let Caller { room, epoch, .. } = &self.lives[life].caller;
        let end = self
            .truths
            .with(room, |truth| truth.ends.get(epoch).cloned());
        end.map(|(_, reason, _)| reason)
    }

    /// What a refusal means for who lives.
    pub(super) fn refused_life(&mut self, life: usize, refused: &Refused) {
        self.refused(refused);
        if let Refused::Room(Refusal::Ended(reason)) = refused {
            self.is_over(life, *reason);
        }
    }

    pub(super) fn refused(&mut self, refused: &Refused) {
        let kind = match refused {
            Refused::Unavailable => "unavailable",
            Refused::Draining => "draining",
            Refused::Room(Refusal::PeerExists) => "peer-exists",
            Refused::Room(Refusal::RoomFull) => "room-full",
            Refused::Room(Refusal::Ended(_)) => "ended",
            Refused::Ticket(_) => "ticket",
            other @ (Refused::Room(_)
            | Refused::TooManyRooms
            | Refused::TooManyPeers
            | Refused::TooManyReaders
            | Refused::TooManyReadersHere
            | Refused::Expired) => panic!("{other:?} is no reason here"),
        };
        count("refused", kind);
    }

    /// No answer came, or none was waited for.
    pub(super) fn unanswered(&mut self, ask: Ask) {
        match ask {
            Ask::Join { person } => {
                self.people[person].joining = false;
                self.soon(person, 2_000);
            }
            Ask::Open { life, door, .. } => {
                self.lives[life].opening[door as usize] = false;
                self.lives[life].gave_up = Some(self.now());
                self.soon(self.lives[life].person, 1_000);
            }
            Ask::Send { life, serial, .. } => self.unsent(life, serial),
            Ask::Leave { life } => {
                self.lives[life].leaving = false;
                self.soon(self.lives[life].person, 1_500);
            }
            Ask::Meta { .. } | Ask::Alive { .. } | Ask::Late { .. } | Ask::Remove => {}
            Ask::Resign { .. } => panic!("nobody waits for that"),
        }
    }

    /// A client loses the connection on which it waits for an answer.
    pub(super) fn give_up(&mut self) {
        let asks = |at: &usize| {
            let ask = self.tasks[*at].ask.as_ref();
            ask.is_some_and(|ask| !matches!(ask, Ask::Resign { .. }))
        };
        let all: Vec<_> = (0..self.tasks.len()).filter(asks).collect();
        if let Some(at) = self.choose(&all) {
            let task = self.tasks.remove(at);
            self.say(|| format!("{:?} at {} is given up", task.ask, task.node));
            drop(task.future);
            task.ask.into_iter().for_each(|ask| self.unanswered(ask));
        }
    }

    /// A peer leaves; it says so until it is heard.
    pub(super) fn leave(&mut self, life: usize) {
        if self.lives[life].over || std::mem::replace(&mut self.lives[life].leaving, true) {
            return;
        }
        self.lives[life].ending = Some(Reason::Left);
        let at = self.lives[life].at;
        let Some(node) = self.some_node(at) else {
            return;
        };
        let (hub, caller) = (
            self.nodes[node].hub().clone(),
            self.lives[life].caller.clone(),
        );
        self.say(|| format!("{} leaves at {node}", caller.peer));
        let future = Box::pin(async move {
            Answer::Done(match reach(&hub, &caller).await {
                Ok(()) => hub.leave(&caller, Reason::Left, None).await,
                Err(refused) => Err(refused),
            })
        });
        self.lives[life].at = Some(node);
        self.begin(node, Some(Ask::Leave { life }), future);
    }

    /// A peer says something about itself, or only that it is there.
    pub(super) fn say_something(&mut self, life: usize) {
        let Some(node) = self.some_node(None) else {
            return;
        };
        let (hub, caller) = (
            self.nodes[node].hub().clone(),
            self.lives[life].caller.clone(),
        );
        let number = self.serial();
        let meta = Json::compact(&format!(r#"{{"meta":{number}}}"#));
        let (ask, alive) = match self.chance(30) {
            true => (Ask::Alive { life }, true),
            false => (Ask::Meta { life }, false),
        };
        let future = Box::pin(async move {
            let reached = reach(&hub, &caller).await;
            Answer::Done(match (reached, alive) {
                (Err(refused), _) => Err(refused),
                (Ok(()), true) => hub.alive(&caller).await,
                (Ok(()), false) => hub.set_meta(&caller, meta).await,
            })
        });
        self.begin(node, Some(ask), future);
    }

    /// Somebody asks who is no more.
    pub(super) fn come_late(&mut self) {
        let now = self.now();
        let mut all = Vec::new();
        for room in self.truths.rooms() {
            self.truths.with(&room, |truth| {
                let known = truth
                    .ends
                    .iter()
                    .filter(|(_, (.., at))| now.since(*at).as_secs() < 590);
                all.extend(known.map(|(epoch, (peer, reason, _))| {
                    let (room, peer) = (room.clone(), peer.clone());
                    (
                        Caller {
                            room,
                            peer,
                            epoch: *epoch,
                        },
                        *reason,
                    )
                }));
            });
        }
        let Some((node, at)) = self
            .some_node(None)
            .zip((!all.is_empty()).then(|| self.rng.usize(..all.len())))
        else {
            return;
        };
        let (caller, reason) = all.swap_remove(at);
        let hub = self.nodes[node].hub().clone();
        let (asks, who) = (self.rng.u8(..3), caller.clone());
        let future = Box::pin(async move {
            let reached = match asks {
                0 => hub.sync(&who.room).await,
                _ => reach(&hub, &who).await,
            };
            Answer::Done(match (reached, asks) {
                (Err(refused), _) => Err(refused),
                (Ok(()), 0) => hub.check(&who),
                (Ok(()), 1) => hub.set_meta(&who, Json::object()).await,
                (Ok(()), _) => {
                    let attach = super::reading::plain(Door::Events, None, true);
                    hub.attach(&who, attach).await.map(drop)
                }
            })
        });
        self.begin(node, Some(Ask::Late { caller, reason }), future);
    }

    /// An operator removes a peer, or closes a room.
    pub(super) fn operate(&mut self) {
        let (Some(life), Some(node)) = (self.some_life(), self.some_node(None)) else {
            return;
        };
        let Caller { room, peer, epoch } = self.lives[life].caller.clone();
        let hub = self.nodes[node].hub().clone();
        let closes = self.chance(30);
        let reason = if closes {
            Reason::RoomClosed
        } else {
            Reason::Kicked
        };
        for other in &mut self.lives {
            if other.caller.room == room && (closes || other.caller.epoch == epoch) {
                other.ending = Some(reason);
            }
        }
        self.say(|| format!("{room}/{peer}: {reason}, at {node}"));
        let future = Box::pin(async move {
            Answer::Done(match hub.sync(&room).await {
                Err(refused) => Err(refused),
                Ok(()) if closes => hub.close(&room, None).await.map(drop),
                Ok(()) => hub.remove(&room, &peer, Some(epoch), reason, None).await,
            })
        });
        self.begin(node, Some(Ask::Remove), future);
    }
}
