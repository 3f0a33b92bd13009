//! Steps by which peers come, are seen, and go.

use super::member::Duty;
use super::world::{World, name};
use super::*;

impl World {
    pub(super) fn some_room(&mut self) -> RoomId {
        let room = match self.rng.u8(..100) {
            0..55 => "demo",
            55..97 => "other",
            _ => "third",
        };
        RoomId::parse(room).expect("an id")
    }

    fn some_meta(&mut self) -> Json {
        let padding = if self.chance(10) {
            self.rng.usize(..1200)
        } else {
            0
        };
        let number = self.fresh();
        Json::compact(&format!(r#"[{number},"{}"]"#, "m".repeat(padding)))
    }

    pub(super) fn join(&mut self) {
        let room = self.some_room();
        let assigned = self.chance(10);
        let peer = if assigned {
            format!("x{}", self.fresh())
        } else {
            NAMES[self.rng.usize(..NAMES.len())].to_owned()
        };
        let peer = PeerId::parse(&peer).expect("an id");
        let house = self.oracle.rooms.get(&room);
        let present = house
            .and_then(|house| house.members.get(&peer))
            .map(|m| m.epoch);
        let former: Vec<_> = self.gone.iter().filter(|gone| gone.peer == peer).collect();
        let former = former.last().map(|gone| gone.epoch);
        let keyed = assigned || self.chance(20);
        let key = keyed.then(|| ["k0", "k1", "k2"][self.rng.usize(..3)].into());
        let join = Join {
            epoch: Epoch(self.rng.u64(..)),
            meta: self.rng.bool().then(|| self.some_meta()),
            key,
            assigned,
            holds: match self.rng.u8(..8) {
                0..5 => present,
                5 => former,
                _ => None,
            },
            fresh: self.chance(20),
            peer,
        };
        self.say(|| format!("{room}: {join:?}"));
        let now = self.now();
        let expected = self.may_join(&room, &join, now);
        let got = self
            .hub
            .join(&room, join.clone())
            .now_or_never()
            .expect("at once");
        let joined = match (expected, got) {
            (Ok(expected), Ok(joined)) => {
                let (peer, epoch, new) = expected;
                let caller = Caller {
                    room: room.clone(),
                    peer,
                    epoch,
                };
                assert_eq!((&joined.caller, joined.new), (&caller, new));
                joined
            }
            (Err(expected), Err(refused)) => {
                assert_eq!(refused, expected);
                let kind = match refused {
                    Refused::Room(refusal) => tally::kind_of(refusal),
                    Refused::TooManyRooms => "too-many-rooms",
                    Refused::Draining => "draining",
                    Refused::TooManyReaders
                    | Refused::TooManyReadersHere
                    | Refused::TooManyPeers
                    | Refused::Expired
                    | Refused::Unavailable
                    | Refused::Ticket(_) => {
                        panic!("{refused}")
                    }
                };
                return count("join", kind);
            }
            (expected, got) => panic!("{expected:?}, not {got:?}"),
        };
        let lost = !joined.new && joined.caller.peer != join.peer;
        count(
            "join",
            match joined.new {
                true => "new",
                false if lost => "by-key",
                false => "again",
            },
        );
        self.oracle.attend(&joined.caller, now).expect("present");
        let house = self.oracle.house(&room);
        house.check_views(&joined.peers, Some(&joined.caller.peer), now);
        let member = house.here(&joined.caller.peer);
        assert_eq!(joined.order, member.order);
        let Cursor { epoch, seq } = joined.cursor;
        assert_eq!((epoch, seq), (member.epoch, member.mail.acked[0]));
    }

    fn may_join(
        &mut self,
        room: &RoomId,
        join: &Join,
        now: Time,
    ) -> Result<(PeerId, Epoch, bool), Refused> {
        if self.oracle.draining {
            return Err(Refused::Draining);
        }
        let begins = !self.oracle.rooms.contains_key(room);
        if begins && self.oracle.rooms.len() >= LIMITS.rooms {
            return Err(Refused::TooManyRooms);
        }
        let house = self.oracle.rooms.entry(room.clone()).or_default();
        house.changed = true;
        let before = house.sessions.len();
        let (peer, epoch, new, ended) = house.join(join, now)?;
        let sessions = before - house.sessions.len();
        if let Some(epoch) = ended {
            let (room, peer) = (room.clone(), peer.clone());
            let caller = Caller { room, peer, epoch };
            let reason = Reason::Rejoined;
            self.oracle
                .note_ends(vec![caller.clone()], reason, None, now);
            count("left", reason.as_str());
            count_many("session ended", reason.as_str(), sessions);
            self.is_gone(caller);
        }
        Ok((peer, epoch, new))
    }

    /// A peer leaves, by its own wish or an operator's; or one does that has left before.
    pub(super) fn leave(&mut self) {
        let Some(caller) = self.present() else { return };
        let detail: Option<Arc<str>> = self.rng.bool().then(|| "because".into());
        let kicked = self.chance(40);
        self.say(|| format!("{} leaves, kicked {kicked}", name(&caller)));
        let reason = if kicked { Reason::Kicked } else { Reason::Left };
        if kicked {
            let (room, peer) = (&caller.room, &caller.peer);
            let removing = self.hub.remove(room, peer, None, reason, detail.clone());
            removing.now_or_never().expect("at once").expect("done");
        } else {
            let leaving = self.hub.leave(&caller, reason, detail.clone());
            leaving.now_or_never().expect("at once").expect("done");
        }
        self.ends(&caller, reason, detail.as_ref());
    }

    /// A page says that it is about to close, and at times is gone before that is heard.
    pub(super) fn announce(&mut self) {
        let Some(caller) = self.present() else { return };
        self.say(|| format!("{} is about to close", name(&caller)));
        let now = self.now();
        let member = self.oracle.member(&caller).expect("present");
        member.closing = Some(now);
        let over = member.duty(now) == Some(Duty::End(Reason::Left)) && !self.oracle.draining;
        for open in self.readers.values_mut() {
            open.announced(&caller, now);
        }
        let announcing = self.hub.announce_closing(&caller);
        announcing.now_or_never().expect("at once").expect("done");
        count("presence", "closing");
        if over {
            count("presence", "closed-already");
            self.ends(&caller, Reason::Left, None);
        }
    }

    pub(super) fn close(&mut self) {
        let room = self.some_room();
        self.say(|| format!("{room} is closed"));
        let detail: Arc<str> = "closed".into();
        let closing = self.hub.close(&room, Some(detail.clone()));
        let closed = closing.now_or_never().expect("at once");
        let house = self.oracle.rooms.remove(&room);
        assert_eq!(closed, Ok(house.is_some()));
        let Some(house) = house else { return };
        let reason = Reason::RoomClosed;
        count_many("session ended", reason.as_str(), house.sessions.len());
        count_many("left", reason.as_str(), house.members.len());
        let gone = |(peer, member): (PeerId, member::Member)| Caller {
            room: room.clone(),
            peer,
            epoch: member.epoch,
        };
        let gone: Vec<_> = house.members.into_iter().map(gone).collect();
        let now = self.now();
        self.oracle
            .note_ends(gone.clone(), reason, Some(&detail), now);
        gone.into_iter().for_each(|caller| self.is_gone(caller));
    }

    /// An incarnation that is over tries everything; it touches no newer one of the same name.
    pub(super) fn come_late(&mut self) {
        let gone: Vec<_> = self.gone.iter().cloned().collect();
        let Some(caller) = self.choose(&gone) else {
            return;
        };
        self.say(|| format!("{} of {} comes late", name(&caller), caller.epoch));
        let over = Refused::Room(Refusal::Ended(self.oracle.reason(caller.epoch, self.now())));
        match self.rng.u8(..5) {
            0 => {
                let leaving = self.hub.leave(&caller, Reason::Left, None);
                leaving.now_or_never().expect("at once").expect("done");
                count("late", "leave");
            }
            1 => {
                let signal = self.some_signal(&caller);
                self.send_all(&caller, vec![signal]);
                count("late", "send");
            }
            2 => {
                let alive = self.hub.alive(&caller).now_or_never();
                assert_eq!(alive.expect("at once"), Err(over));
                count("late", "alive");
            }
            3 => {
                let meta = self.some_meta();
                let set = self.hub.set_meta(&caller, meta);
                assert_eq!(set.now_or_never().expect("at once"), Err(over));
                count("late", "meta");
            }
            _ => {
                let presented = Some(Ok(Cursor {
                    epoch: caller.epoch,
                    seq: 0,
                }));
                let attach = reading::plain(Door::Events, presented, true);
                assert_eq!(self.attach(&caller, attach), None);
                assert!(self.hub.sessions(&caller).is_err());
                count("late", "read");
            }
        }
    }

    pub(super) fn proof(&mut self) {
        let Some(caller) = self.present() else { return };
        self.say(|| format!("{} is alive", name(&caller)));
        let now = self.now();
        self.oracle.attend(&caller, now).expect("present");
        self.oracle.member(&caller).expect("present").proof = Some(now);
        let alive = self.hub.alive(&caller).now_or_never();
        alive.expect("at once").expect("present");
    }

    pub(super) fn meta(&mut self) {
        let Some(caller) = self.present() else { return };
        let meta = self.some_meta();
        self.say(|| format!("{} is {}", name(&caller), meta.as_str()));
        let now = self.now();
        self.oracle.attend(&caller, now).expect("present");
        self.oracle
            .house(&caller.room)
            .set_meta(&caller.peer, &meta);
        let set = self.hub.set_meta(&caller, meta);
        set.now_or_never().expect("at once").expect("present");
    }

    /// A peer asks for its sessions.
    pub(super) fn ask(&mut self) {
        let Some(caller) = self.present() else { return };
        self.say(|| format!("{} asks for its sessions", name(&caller)));
        let now = self.now();
        self.oracle.attend(&caller, now).expect("present");
        let known = self
            .oracle
            .house(&caller.room)
            .all_sessions(&caller.peer, now);
        assert_eq!(self.hub.sessions(&caller).as_ref(), Ok(&known));
        if let Some(view) = self.choose(&known) {
            let shown = self.hub.session(&caller, &view.session);
            assert_eq!(shown, Ok(view));
        }
        let never = SessionId::parse("never").expect("an id");
        let unknown = Refused::Room(Refusal::UnknownSession);
        assert_eq!(self.hub.session(&caller, &never), Err(unknown));
    }
}
