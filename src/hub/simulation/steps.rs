//! What may happen in a step of the simulation.

use super::*;

impl World {
    pub(super) fn join(&mut self) {
        let name = self.name();
        let holds = self.clients.get(name).map(|client| client.caller.epoch);
        let fresh = self.rng.bool();
        let join = Join {
            peer: PeerId::parse(name).expect("an id"),
            epoch: Epoch(self.rng.u64(..)),
            meta: None,
            key: None,
            assigned: false,
            holds: holds.filter(|_| self.rng.u8(..4) > 0),
            fresh,
        };
        let shown = join.holds;
        let joined = self
            .hub
            .join(&self.room, join)
            .now_or_never()
            .expect("at once");
        match joined {
            Ok(joined) if joined.new => {
                if let Some(old) = self.clients.remove(name) {
                    assert!(
                        fresh && shown.is_some(),
                        "only a fresh join with the token replaces"
                    );
                    self.gone.push(old);
                }
                let client = Client::new(joined.caller);
                self.clients.insert(name, client);
            }
            Ok(joined) => assert_eq!(Some(joined.caller.epoch), holds),
            Err(Refused::Room(Refusal::PeerExists)) => assert!(holds.is_some() && shown.is_none()),
            Err(Refused::Room(Refusal::RoomFull)) => assert_eq!(self.clients.len(), 4),
            Err(other) => panic!("{other}"),
        }
    }

    fn signal(&mut self, from: &'static str) -> (Signal, Option<(String, &'static str)>) {
        self.number += 1;
        let to = self.name();
        let offer = self.rng.u8(..4) == 0;
        let broadcast = !offer && self.rng.u8(..5) == 0;
        let session = offer.then(|| {
            self.sessions += 1;
            format!("s{}", self.sessions)
        });
        let kind = if offer {
            Kind::Offer
        } else {
            Kind::parse("hello").expect("a type")
        };
        let id = self.rng.bool().then(|| format!("m{}", self.number));
        let signal = Signal {
            to: (!broadcast).then(|| PeerId::parse(to).expect("an id")),
            kind,
            session: session
                .as_deref()
                .and_then(|session| SessionId::parse(session).ok()),
            data: Some(Json::compact(&self.number.to_string())),
            id: id.and_then(|id| SignalId::parse(&id).ok()),
            spare: None,
        };
        (
            signal,
            session.filter(|_| from != to).map(|session| (session, to)),
        )
    }

    pub(super) fn send(&mut self) {
        let Some(from) = self.present() else { return };
        let mut signals = Vec::new();
        let mut opens = Vec::new();
        for _ in 0..=self.rng.usize(..3) {
            let (signal, open) = self.signal(from);
            signals.push(signal);
            opens.push(open);
        }
        let caller = self.clients[from].caller.clone();
        let answer = self
            .hub
            .send(&caller, signals.clone())
            .now_or_never()
            .expect("at once");
        let Ok((sent, _)) = answer else {
            panic!("{from} is present")
        };
        for ((sent, signal), open) in sent.iter().zip(&signals).zip(opens) {
            assert!(!sent.duplicate);
            self.accepted(sent, signal);
            if let Some((session, to)) = open {
                self.open.push((session, from, to));
            }
            if signal.id.is_some() {
                self.repeats.push((caller.clone(), signal.clone()));
            }
        }
    }

    fn accepted(&mut self, sent: &Sent, signal: &Signal) {
        let number = signal
            .data
            .as_ref()
            .expect("data")
            .as_str()
            .parse()
            .expect("a number");
        for to in sent.receipt.to.iter().filter(|to| !to.refused) {
            let client = self.clients.get_mut(to.peer.as_str()).expect("present");
            client.expected.push(number);
        }
    }

    /// Sends something again whose answer may have been lost.
    pub(super) fn repeat(&mut self) {
        let recent = self.repeats.len().saturating_sub(8);
        let Some((caller, signal)) = self.rng.choice(self.repeats[recent..].to_vec()) else {
            return;
        };
        let answer = self
            .hub
            .send(&caller, vec![signal.clone()])
            .now_or_never()
            .expect("at once");
        let is_present = self.clients.values().any(|client| client.caller == caller);
        match answer {
            Ok((sent, _)) => {
                for sent in sent.iter().filter(|sent| !sent.duplicate) {
                    self.accepted(sent, &signal);
                }
            }
            Err(Refused::Room(Refusal::Ended(_))) => assert!(!is_present),
            Err(other) => panic!("{other}"),
        }
    }

    pub(super) fn hang_up(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let (session, from, to) = self.open.swap_remove(self.rng.usize(..self.open.len()));
        let Some(client) = self.clients.get(from) else {
            return;
        };
        let signal = Signal {
            to: PeerId::parse(to).ok(),
            kind: Kind::Bye,
            session: SessionId::parse(&session).ok(),
            data: None,
            id: None,
            spare: None,
        };
        let sent = self
            .hub
            .send(&client.caller, vec![signal])
            .now_or_never()
            .expect("at once");
        assert!(sent.is_ok());
    }

    pub(super) fn open_reader(&mut self, door: Door) {
        let Some(name) = self.present() else { return };
        let client = self.clients.get_mut(name).expect("present");
        let own = if door == Door::Events {
            client.seen
        } else {
            client.notices_seen
        };
        let epoch = client.caller.epoch;
        let at = |seq| Some(Ok(Cursor { epoch, seq }));
        let cursor = match self.rng.u8(..10) {
            0 => None,
            1 => Some(Ok(Cursor {
                epoch: Epoch(1),
                seq: 5,
            })),
            2 => at(own.saturating_sub(3)),
            3 => at(own + 1_000_000),
            _ => at(own),
        };
        let stream = self.rng.u8(..3) > 0;
        let honest = cursor == at(own);
        let attach = Attach {
            door,
            only: None,
            cursor,
            reconnect: false,
            cursor_shown: false,
            ticket: None,
            stream,
        };
        let (reader, opening) = self.hub.attach(&client.caller, attach).expect("present");
        if opening.gap.is_some() {
            assert!(!opening.resumed);
            self.gaps += 1;
            client.gap |= door == Door::Events;
        }
        if honest && opening.gap.is_none() {
            assert!(opening.resumed && opening.cursor.seq == own);
        }
        let slot = if door == Door::Events {
            &mut client.reader
        } else {
            &mut client.notices
        };
        // The older one is dropped late, as a connection's end is seen.
        let older = slot.replace(reader);
        drop(older);
    }

    /// A reader is pulled; what it gave may be lost on the way, and the connection with it.
    pub(super) fn pull(&mut self) {
        let Some(name) = self.present() else { return };
        let arrives = self.rng.u8(..5) > 0;
        let both = [Door::Events, Door::Notices];
        let door = both[self.rng.usize(..2)];
        let client = self.clients.get_mut(name).expect("present");
        let slot = if door == Door::Events {
            &mut client.reader
        } else {
            &mut client.notices
        };
        let Some(reader) = slot.as_mut() else { return };
        let mut taken = Taken::default();
        let flow = reader.poll_pull(&mut Context::from_waker(Waker::noop()), &mut taken);
        if !arrives || matches!(flow, Poll::Ready(Flow::Ended(_))) {
            *slot = None;
        }
        if arrives {
            for (seq, name, data) in taken.0 {
                let Some(seq) = seq else { continue };
                self.delivered += usize::from(client.take(door, seq, &name, &data));
            }
        }
    }

    pub(super) fn cut(&mut self) {
        let Some(name) = self.present() else { return };
        let both = self.rng.bool();
        let client = self.clients.get_mut(name).expect("present");
        client.reader = None;
        if both {
            client.notices = None;
        }
    }

    pub(super) fn leave(&mut self) {
        let Some(name) = self.present() else { return };
        let client = self.clients.remove(name).expect("present");
        let leaving = self.hub.leave(&client.caller, Reason::Left, None);
        leaving.now_or_never().expect("at once");
        self.gone.push(client);
    }

    pub(super) fn proof(&mut self) {
        let Some(name) = self.present() else { return };
        let client = self.clients.get_mut(name).expect("present");
        client.proved = true;
        self.hub.alive(&client.caller).expect("present");
    }

    pub(super) fn meta(&mut self) {
        let Some(name) = self.present() else { return };
        let meta = Json::compact(&self.rng.u8(..).to_string());
        let set = self.hub.set_meta(&self.clients[name].caller, meta);
        assert!(set.now_or_never().expect("at once").is_ok());
    }
}
