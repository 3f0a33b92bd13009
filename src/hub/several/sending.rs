//! How clients send: with ids, once or again, alone and in arrays, and what they are promised by it.

use super::asking::{Answer, Ask};
use super::people::Out;
use super::world::World;
use super::*;
pub(super) use crate::hub::sending::Told;

/// A signal that was answered as accepted.
pub(super) struct Accepted {
    pub(super) from: Epoch,
    pub(super) room: RoomId,
    pub(super) number: u64,
    /// When it was first asked for, and when it was answered, in the order of all that is.
    pub(super) asked: u64,
    pub(super) answered: u64,
}

impl World {
    pub(super) fn send(&mut self) {
        let Some(life) = self.some_life() else { return };
        if self.lives[life].sending.len() > usize::from(self.chance(20)) {
            return;
        }
        let many = if self.chance(15) {
            self.rng.usize(2..6)
        } else {
            1
        };
        let named = self.chance(80);
        let signals = (0..many).map(|_| self.signal(life, named)).collect();
        let serial = self.serial();
        let out = Out {
            signals,
            serial,
            away: false,
            at: usize::MAX,
        };
        self.lives[life].sending.push(out);
        let out = self.lives[life].sending.len() - 1;
        self.send_out(life, out);
    }

    /// More than fits, to one.
    pub(super) fn flood(&mut self) {
        for _ in 0..12 {
            self.send();
        }
    }

    fn signal(&mut self, life: usize, named: bool) -> Signal {
        let own = self.lives[life].caller.peer.clone();
        let other = loop {
            let at = self.rng.usize(..NAMES.len());
            if NAMES[at] != own.as_str() {
                break PeerId::parse(NAMES[at]).expect("an id");
            }
        };
        let number = self.serial();
        let kind = match self.rng.u8(..20) {
            0..3 => Kind::Offer,
            3..5 => Kind::Answer,
            5 => Kind::Bye,
            6..10 => Kind::Candidate,
            _ => Kind::parse("hello").expect("a type"),
        };
        let to_all = !kind.needs_to() && self.chance(25);
        let in_session = matches!(kind, Kind::Offer | Kind::Answer | Kind::Bye) || self.chance(20);
        let (a, b) = (
            own.as_str().min(other.as_str()),
            own.as_str().max(other.as_str()),
        );
        let session = format!("{a}{b}{}", self.rng.u8(..2));
        Signal {
            to: (!to_all).then_some(other),
            kind,
            session: (in_session && !to_all).then(|| SessionId::parse(&session).expect("an id")),
            data: Some(Json::compact(&format!(r#"{{"n":{number}}}"#))),
            id: named.then(|| SignalId::parse(&format!("s{number}")).expect("an id")),
            spare: None,
        }
    }

    /// Sends what was not answered yet, at another node than before.
    pub(super) fn send_out(&mut self, life: usize, out: usize) {
        let before = self.lives[life].sending[out].at;
        let Some(node) = self.some_node(Some(before)) else {
            return;
        };
        if before != usize::MAX && before != node {
            count("sent", "repeated-elsewhere");
        }
        let (hub, caller) = (
            self.nodes[node].hub().clone(),
            self.lives[life].caller.clone(),
        );
        let issued = self.now().0;
        let out = &mut self.lives[life].sending[out];
        (out.at, out.away) = (node, true);
        let (serial, signals) = (out.serial, out.signals.clone());
        self.say(|| {
            format!(
                "{} sends {} at {node}: {}",
                caller.peer,
                serial,
                names(&signals)
            )
        });
        let future = Box::pin(async move {
            let reached = match hub.reach(&caller) {
                Some(reaching) => reaching.await,
                None => Ok(()),
            };
            let sending = reached.and_then(|()| hub.send(&caller, signals));
            Answer::Sent(match sending {
                Ok(sending) => sending.await,
                Err(refused) => Err(refused),
            })
        });
        self.begin(
            node,
            Some(Ask::Send {
                life,
                serial,
                issued,
            }),
            future,
        );
    }

    /// No answer came: what has an id is sent again.
    pub(super) fn unsent(&mut self, life: usize, serial: u64) {
        let person = self.lives[life].person;
        let sending = &mut self.lives[life].sending;
        sending.retain(|out| out.serial != serial || out.signals.iter().all(|s| s.id.is_some()));
        for out in sending.iter_mut().filter(|out| out.serial == serial) {
            out.away = false;
        }
        self.soon(person, 2_000);
    }

    pub(super) fn sent(
        &mut self,
        life: usize,
        serial: u64,
        issued: u64,
        sent: Result<Told, Refused>,
    ) {
        let (sent, refused) = match sent {
            Ok(told) => told,
            Err(refused) => {
                self.refused_life(life, &refused);
                return self.unsent(life, serial);
            }
        };
        let Some(at) = self.lives[life]
            .sending
            .iter()
            .position(|out| out.serial == serial)
        else {
            return;
        };
        let out = self.lives[life].sending.remove(at);
        let caller = self.lives[life].caller.clone();
        let proof = &mut self.lives[life].proof;
        *proof = (*proof).max(Time(issued));
        self.say(|| format!("{} sent {serial}: {}, {refused:?}", caller.peer, sent.len()));
        let answered = self.serial();
        for (signal, one) in out.signals.iter().zip(&sent) {
            count(
                "sent",
                if one.duplicate {
                    "duplicate"
                } else {
                    "accepted"
                },
            );
            if signal.to.is_none() {
                count("sent", "to-all");
            }
            let data = signal.data.as_ref().map_or("", Json::as_str);
            let number = data
                .trim_matches(|c: char| !c.is_ascii_digit())
                .parse()
                .expect("a number");
            let to = one.receipt.to.iter().filter(|to| !to.refused).count();
            let to = if signal.kind == Kind::Bye { 0 } else { to };
            self.truths.with(&caller.room, |truth| {
                let stands = truth
                    .boxes
                    .values()
                    .filter(|held| held.signals.contains_key(&number));
                let stands = stands.count();
                let lost = truth.lost.contains(&number);
                assert!(
                    lost || stands == to,
                    "{number}: told {to}, stored for {stands}"
                );
            });
            if to > 0 {
                let (from, room, asked) = (caller.epoch, caller.room.clone(), serial);
                self.accepted.push(Accepted {
                    from,
                    room,
                    number,
                    asked,
                    answered,
                });
            }
        }
        if let Some((_, refusal)) = refused {
            assert_ne!(refusal, Refusal::IdempotencyConflict, "it was the same");
            let full = refusal == Refusal::MailboxFull;
            let kind = if full { "mailbox-full" } else { "refused" };
            count("sent", kind);
        }
    }

    /// What was asked for after another was answered stands behind it.
    pub(super) fn judge_order(&self) {
        for room in self.truths.rooms() {
            self.truths.with(&room, |truth| {
                let of_it = self.accepted.iter().filter(|one| one.room == room);
                let of_it: Vec<_> = of_it.collect();
                for held in truth.boxes.values() {
                    let mut last = BTreeMap::<Epoch, Vec<(u64, u64)>>::new();
                    for one in &of_it {
                        let Some(seq) = held.signals.get(&one.number) else {
                            continue;
                        };
                        let before = last.entry(one.from).or_default();
                        let late = before
                            .iter()
                            .find(|(answered, at)| *answered < one.asked && at > seq);
                        let excused = truth.fell.is_some();
                        assert!(
                            excused || late.is_none(),
                            "{} came before its elder",
                            one.number
                        );
                        before.push((one.answered, *seq));
                    }
                }
            });
        }
    }
}

fn names(signals: &[Signal]) -> String {
    let name = |signal: &Signal| {
        let to = signal.to.as_ref().map_or("all", PeerId::as_str).to_owned();
        let data = signal.data.as_ref().map_or("", Json::as_str).to_owned();
        format!("{} to {to} {data}", signal.kind.as_str())
    };
    signals.iter().map(name).collect::<Vec<_>>().join(", ")
}
