//! How clients join: anew, again where no answer came, and afresh.

use super::asking::{Answer, Ask, reach};
use super::people::{Life, Manner};
use super::world::World;
use super::*;

impl World {
    pub(super) fn join(&mut self, person: usize) {
        let Some(node) = self.some_node(None) else {
            return;
        };
        let hub = self.nodes[node].hub().clone();
        let epoch = Epoch(self.serial());
        let word = match self.people[person].key {
            Some(word) => word,
            None => self.serial(),
        };
        let Person {
            room,
            peer,
            life,
            fresh,
            ..
        } = &self.people[person];
        let held = life
            .filter(|_| *fresh)
            .map(|life| self.lives[life].caller.clone());
        let join = Join {
            peer: peer.clone(),
            epoch,
            meta: None,
            key: Some(format!("k{word}").into()),
            assigned: false,
            holds: held.as_ref().map(|held| held.epoch),
            fresh: held.is_some(),
        };
        if let Some(life) = life.filter(|_| held.is_some()) {
            self.lives[life].ending = Some(Reason::Rejoined);
        }
        let room = room.clone();
        self.say(|| format!("{room}/{} joins at {node}, {epoch}", join.peer));
        self.people[person].key = Some(word);
        self.people[person].joining = true;
        let future = Box::pin(async move {
            let reached = match &held {
                Some(held) => reach(&hub, held).await,
                None => hub.sync(&room).await,
            };
            Answer::Joined(match reached {
                Ok(()) => hub.join(&room, join).await,
                Err(refused) => Err(refused),
            })
        });
        self.begin(node, Some(Ask::Join { person }), future);
    }

    pub(super) fn joined(
        &mut self,
        node: usize,
        person: usize,
        joined: Result<JoinedRoom, Refused>,
    ) {
        self.people[person].joining = false;
        let joined = match joined {
            Ok(joined) => joined,
            Err(refused) => {
                let present = refused == Refused::Room(Refusal::PeerExists);
                self.refused(&refused);
                if present {
                    // The word may have been that of an incarnation that has ended since.
                    self.people[person].key = None;
                    self.people[person].fresh = false;
                }
                if matches!(refused, Refused::Room(Refusal::Ended(_))) {
                    self.people[person].key = None;
                }
                return self.soon(person, if present { 15_000 } else { 2_000 });
            }
        };
        let caller = joined.caller;
        self.say(|| {
            format!(
                "{}/{} is {} since {node}",
                caller.room, caller.peer, caller.epoch
            )
        });
        count("join", if joined.new { "new" } else { "again" });
        self.people[person].key = None;
        self.people[person].fresh = false;
        if let Some(former) = self.people[person].life.take() {
            self.people[person].life = Some(former);
            if self.lives[former].caller.epoch != caller.epoch {
                let reason = self.known_end(former).unwrap_or(Reason::Rejoined);
                self.is_over(former, reason);
            }
        }
        let manner = match self.rng.u8(..10) {
            0 => Manner::Not,
            1..5 => Manner::Polls,
            _ => Manner::Streams,
        };
        let life = Life {
            person,
            caller,
            manner,
            notices: self.chance(20),
            seen: [0; 2],
            got: Default::default(),
            excused: [0; 2],
            open: [None; 2],
            opening: [false; 2],
            at: Some(node),
            proof: Time(0),
            has_read: false,
            silent: None,
            gave_up: None,
            ending: None,
            leaving: false,
            over: false,
            sending: Vec::new(),
            ticket: None,
        };
        self.lives.push(life);
        let life = self.lives.len() - 1;
        self.people[person].life = Some(life);
        match manner {
            // It is never heard of again.
            Manner::Not => self.fall_silent(life),
            Manner::Streams | Manner::Polls => self.soon(person, 3_000),
        }
    }
}
