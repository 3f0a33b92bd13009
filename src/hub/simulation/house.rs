//! A room as the oracle knows it: who is in it, their open sessions, and what each act does.

use std::collections::BTreeMap;

use super::mail::Class;
use super::member::{Member, Over};
use super::*;
use crate::proto::{SessionState, SessionView};

/// An open session, between two incarnations.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) parties: [(PeerId, Epoch); 2],
    pub(super) answered: bool,
}

impl Session {
    pub(super) fn has(&self, peer: &PeerId) -> bool {
        self.parties.iter().any(|(party, _)| party == peer)
    }

    /// The other party.
    pub(super) fn other(&self, than: &PeerId) -> &(PeerId, Epoch) {
        let [a, b] = &self.parties;
        if a.0 == *than { b } else { a }
    }
}

#[derive(Default, Debug)]
pub(super) struct House {
    pub(super) joins: u64,
    pub(super) members: BTreeMap<PeerId, Member>,
    pub(super) sessions: Vec<Session>,
    pub(super) left: Vec<(PeerId, Reason, Time)>,
    /// It is to be compared whole.
    pub(super) changed: bool,
}

impl House {
    pub(super) fn here(&mut self, peer: &PeerId) -> &mut Member {
        self.members.get_mut(peer).expect("present")
    }

    /// The seats hear of what the last act put into mailboxes.
    pub(super) fn settle(&mut self) {
        for member in self.members.values_mut() {
            if std::mem::take(&mut member.mail.touched) {
                member.notify();
            }
        }
    }

    fn tell(&mut self, of: &PeerId, name: &'static str, data: &str, class: &Class) {
        for (peer, member) in &mut self.members {
            if peer != of {
                member.mail.push(name, data.to_owned(), class.clone());
            }
        }
        self.settle();
    }

    /// Judges a join; the incarnation that it makes or finds, whether it is new, and whose end it is.
    pub(super) fn join(
        &mut self,
        join: &Join,
        now: Time,
    ) -> Result<(PeerId, Epoch, bool, Option<Epoch>), Refusal> {
        let same = |member: &Member| join.key.is_some() && member.key == join.key;
        let mut assigned = self.members.iter().filter(|(_, m)| m.assigned && same(m));
        let lost = assigned.next().filter(|_| join.assigned);
        let peer = lost.map_or(&join.peer, |(peer, _)| peer).clone();
        let mut ended = None;
        match self.members.get(&peer) {
            Some(member) if join.holds != Some(member.epoch) && !same(member) => {
                return Err(Refusal::PeerExists);
            }
            Some(member) if same(member) || !join.fresh => {
                let epoch = member.epoch;
                if let Some(meta) = join.meta.as_ref().filter(|meta| **meta != member.meta) {
                    self.set_meta(&peer, meta);
                }
                return Ok((peer, epoch, false, None));
            }
            Some(member) => {
                ended = Some(member.epoch);
                self.end(&peer, Reason::Rejoined, now);
            }
            None if self.members.len() >= LIMITS.room.peers => return Err(Refusal::RoomFull),
            None => {}
        }
        let member = Member::new(join, self.joins, now);
        self.joins += 1;
        let data = about(&peer, &member);
        self.tell(&peer, "peer-joined", &data, &Class::Info(join.epoch));
        self.members.insert(peer.clone(), member);
        Ok((peer, join.epoch, true, ended))
    }

    pub(super) fn set_meta(&mut self, peer: &PeerId, meta: &Json) {
        let member = self.here(peer);
        member.meta = meta.clone();
        let (data, epoch) = (about(peer, member), member.epoch);
        self.tell(peer, "peer-updated", &data, &Class::Info(epoch));
    }

    pub(super) fn set_away(&mut self, peer: &PeerId, away: bool) {
        let member = self.here(peer);
        assert_ne!(std::mem::replace(&mut member.away, away), away);
        let epoch = member.epoch;
        let (name, grace) = if away {
            let grace = TIMINGS.grace.as_millis();
            ("peer-away", format!(r#","grace_ms":{grace}"#))
        } else {
            ("peer-back", String::new())
        };
        let data = format!(r#"{{"peer":"{peer}"{grace}}}"#);
        self.tell(peer, name, &data, &Class::Absence(epoch));
    }

    /// Whoever makes a request is back by that.
    pub(super) fn attend(&mut self, peer: &PeerId, now: Time) {
        let member = self.here(peer);
        member.request(now);
        if member.away {
            self.set_away(peer, false);
        }
    }

    /// Ends an incarnation; how many sessions ended by it.
    pub(super) fn end(&mut self, peer: &PeerId, reason: Reason, now: Time) -> usize {
        self.members.remove(peer).expect("present");
        let sessions = std::mem::take(&mut self.sessions);
        let (mut ending, open): (Vec<_>, Vec<_>) = sessions.into_iter().partition(|s| s.has(peer));
        self.sessions = open;
        ending.sort_by(|a, b| a.id.cmp(&b.id));
        for session in &ending {
            self.tell_end(session, peer, reason, None, now);
        }
        let data = format!(r#"{{"peer":"{peer}","reason":"{reason}"}}"#);
        self.tell(peer, "peer-left", &data, &Class::Notice(None));
        self.left.retain(|(other, ..)| other != peer);
        self.left.push((peer.clone(), reason, now));
        ending.len()
    }

    /// Tells the party of a session that is not `by` that it has ended.
    pub(super) fn tell_end(
        &mut self,
        session: &Session,
        by: &PeerId,
        reason: Reason,
        bye: Option<&Json>,
        now: Time,
    ) {
        let id = &session.id;
        for (party, epoch) in &session.parties {
            let (peer, epoch_of_other) = session.other(party).clone();
            let Some(member) = self.members.get_mut(party) else {
                continue;
            };
            assert_eq!(member.epoch, *epoch, "a session dies with its incarnation");
            member.session_is_over(Over {
                session: id.clone(),
                peer,
                epoch: epoch_of_other,
                reason,
                at: now,
            });
            if party == by {
                continue;
            }
            let said = format!(r#"{{"session":"{id}","peer":"{by}","reason":"{reason}""#);
            let mut data = format!("{said}}}");
            if let Some(bye) = bye {
                data = format!(r#"{said},"data":{}}}"#, bye.as_str());
                if !member.mail.fits_control(mail::cost("session-ended", &data)) {
                    count("told", "without-data");
                    data = format!(r#"{said},"data_lost":true}}"#);
                }
            }
            let class = Class::Notice(Some(id.clone()));
            member.mail.push("session-ended", data, class);
        }
    }

    /// A peer's open sessions, as it sees them.
    pub(super) fn open_sessions(&self, of: &PeerId) -> Vec<SessionView> {
        let open = self.sessions.iter().filter(|session| session.has(of));
        let mut views: Vec<_> = open
            .map(|session| SessionView {
                session: session.id.clone(),
                peer: session.other(of).0.clone(),
                state: if session.answered {
                    SessionState::Answered
                } else {
                    SessionState::Offered
                },
            })
            .collect();
        views.sort_by(|a, b| a.session.cmp(&b.session));
        views
    }

    /// The same with those that are over and remembered.
    pub(super) fn all_sessions(&self, of: &PeerId, now: Time) -> Vec<SessionView> {
        let mut views = self.open_sessions(of);
        let open: Vec<_> = views.iter().map(|view| view.session.clone()).collect();
        for over in &self.members[of].over {
            let remembered = now.since(over.at) < ends::TOMBSTONE;
            if remembered && !open.contains(&over.session) {
                views.push(SessionView {
                    session: over.session.clone(),
                    peer: over.peer.clone(),
                    state: SessionState::Ended {
                        reason: over.reason,
                        at: over.at,
                    },
                });
            }
        }
        views.sort_by(|a, b| a.session.cmp(&b.session));
        views
    }

    /// Compares what peers are shown of each other.
    pub(super) fn check_views(&self, views: &[PeerView], but: Option<&PeerId>, now: Time) {
        let mut known: Vec<_> = self
            .members
            .iter()
            .filter(|(p, _)| Some(*p) != but)
            .collect();
        known.sort_by_key(|(_, member)| member.order);
        assert_eq!(views.len(), known.len(), "who is here");
        for (view, (peer, member)) in views.iter().zip(known) {
            assert_eq!(view.peer, *peer);
            assert_eq!((&view.meta, view.order), (&member.meta, member.order));
            assert_eq!(view.state, member.presence(), "the state of {peer}");
            assert_eq!(view.joined_ago, now.since(member.joined));
        }
    }
}

fn about(peer: &PeerId, member: &Member) -> String {
    let (meta, order) = (member.meta.as_str(), member.order);
    format!(r#"{{"peer":"{peer}","meta":{meta},"order":{order}}}"#)
}
