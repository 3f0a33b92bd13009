//! The desk that what clients send comes to: it knows who asks, what they may have, and what they
//! have already.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use turn_types::attribute::{Data, Lifetime, XorPeerAddress, XorRelayedAddress};
use turn_types::message::SEND;
use turn_types::stun::attribute::{ErrorCode, XorMappedAddress};
use turn_types::stun::message::{BINDING, Message, MessageClass, TransactionId};

use super::answer::Answer;
use super::auth::{Sender, Unknown, sender};
use super::back::Back;
use super::binding;
use super::counts::more;
use super::engine::Relayed;
use super::nonce::Nonces;
use super::outlet::Outlets;
use super::packet::Packet;
use super::peers::Peers;
use super::quota::{Full, Place, Quota};
use super::sources::Sources;
use super::wish::{self, Refusal, Wish};
use crate::ice::credentials::{BadUsername, Secrets, expiry};

/// Who is at the desk. Each stream is another client, though its address was another's before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client {
    /// The address, as it is seen from here, and not in disguise.
    pub(super) address: SocketAddr,
    /// Which stream, if it is one.
    pub(super) stream: Option<u64>,
}

/// See the module.
pub(super) struct Desk {
    secrets: Secrets,
    nonces: Nonces,
    sources: Arc<Sources>,
    quota: Arc<Quota<Arc<str>>>,
    outlets: Arc<Outlets>,
    open: Mutex<HashMap<Client, Arc<Open>>>,
}

/// A relay that is open.
struct Open {
    relayed: Relayed,
    place: Place<Arc<str>>,
    /// The request that it was opened by, and the answer, which may have got lost.
    asked: TransactionId,
    answer: Vec<u8>,
    peers: Peers,
}

impl Desk {
    pub(super) fn new(
        secrets: Secrets,
        sources: Arc<Sources>,
        quota: Arc<Quota<Arc<str>>>,
        outlets: Arc<Outlets>,
    ) -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            secrets,
            nonces: Nonces::new()?,
            sources,
            quota,
            outlets,
            open: Mutex::default(),
        }))
    }

    /// Takes what a client sent; the answer, if there is one.
    pub(super) async fn take(
        self: &Arc<Self>,
        packet: &[u8],
        client: Client,
        back: impl FnOnce() -> Back,
    ) -> Option<Vec<u8>> {
        let message = match Packet::read(packet)? {
            Packet::Channel(channel, data) => {
                let open = self.relay_of(client)?;
                open.relayed.send(data, open.relayed.peer(channel).await?);
                return None;
            }
            Packet::Message(message) => message,
        };
        match message.class() {
            MessageClass::Indication if message.has_method(SEND) => {
                let peer = message.attribute::<XorPeerAddress>().ok()?;
                let peer = peer.addr(message.transaction_id());
                let data = message.attribute::<Data<'_>>().ok()?;
                let open = self.relay_of(client)?;
                if open.relayed.permits(peer).await {
                    open.relayed.send(data.data(), peer);
                }
                None
            }
            MessageClass::Request if message.has_method(BINDING) => {
                binding::answer(&message, client.address, &self.sources)
            }
            MessageClass::Request if wish::is_known(message.method()) => {
                self.asked(&message, client, back).await
            }
            MessageClass::Request
            | MessageClass::Indication
            | MessageClass::Success
            | MessageClass::Error => None,
        }
    }

    /// Whether a client has a relay.
    pub(super) fn serves(&self, client: Client) -> bool {
        self.open.lock().contains_key(&client)
    }

    /// A client has gone: closes its relay.
    pub(super) fn gone(&self, client: Client) {
        let open = self.open.lock().remove(&client);
        drop(open);
    }

    /// The time of the relay that this request opened is up. The client may have another by now.
    fn ended(&self, client: Client, asked: TransactionId) {
        let mut open = self.open.lock();
        let ended = open.get(&client).is_some_and(|open| open.asked == asked);
        let ended = ended.then(|| open.remove(&client));
        drop(open);
        drop(ended);
    }

    /// Closes all relays.
    pub(super) fn close(&self) {
        let open = std::mem::take(&mut *self.open.lock());
        drop(open);
    }

    fn relay_of(&self, client: Client) -> Option<Arc<Open>> {
        self.open.lock().get(&client).cloned()
    }

    async fn asked(
        self: &Arc<Self>,
        message: &Message<'_>,
        client: Client,
        back: impl FnOnce() -> Back,
    ) -> Option<Vec<u8>> {
        let now = self.outlets.uptime.seconds();
        let sender = sender(message, &self.secrets, &self.nonces, client.address, now);
        let sender = match sender {
            Ok(sender) => sender,
            Err(why) => return self.unknown(message, client, why),
        };
        let result = match wish::read(message) {
            Ok(wish) => self.grant(message, &sender, client, wish, back).await,
            Err(refusal) => Err(refusal),
        };
        let code = match result {
            Ok(answer) => return answer,
            Err(Refusal::Code(ErrorCode::UNAUTHORIZED)) => {
                return self.challenge(message, client, ErrorCode::UNAUTHORIZED);
            }
            Err(Refusal::NotUnderstood(types)) => {
                self.outlets.tally.refuse(ErrorCode::UNKNOWN_ATTRIBUTE);
                let answer = Answer::refused(message, ErrorCode::UNKNOWN_ATTRIBUTE);
                return answer.with_strange(&types).signed(&sender);
            }
            Err(Refusal::Code(code)) => code,
        };
        self.outlets.tally.refuse(code);
        Answer::refused(message, code).signed(&sender)
    }

    fn unknown(&self, message: &Message<'_>, client: Client, why: Unknown) -> Option<Vec<u8>> {
        let tally = &self.outlets.tally;
        let code = match why {
            Unknown::Unsigned => {
                more(&tally.auth_unsigned, 1);
                ErrorCode::UNAUTHORIZED
            }
            Unknown::Incomplete => {
                more(&tally.auth_incomplete, 1);
                ErrorCode::BAD_REQUEST
            }
            Unknown::Nonce => {
                more(&tally.auth_nonce, 1);
                ErrorCode::STALE_NONCE
            }
            Unknown::Forged => {
                more(&tally.auth_integrity, 1);
                ErrorCode::UNAUTHORIZED
            }
        };
        self.challenge(message, client, code)
    }

    /// Refuses a stranger, and says how requests are signed; but not more often than strangers are
    /// answered.
    fn challenge(&self, message: &Message<'_>, client: Client, code: u16) -> Option<Vec<u8>> {
        let Outlets { tally, uptime, .. } = &*self.outlets;
        if !self.sources.answers(client.address.ip()) {
            return None;
        }
        tally.refuse(code);
        let answer = Answer::refused(message, code);
        if code == ErrorCode::BAD_REQUEST {
            return answer.plain();
        }
        let nonce = self.nonces.make(client.address, uptime.seconds());
        answer.with_challenge(&nonce).plain()
    }

    async fn grant(
        self: &Arc<Self>,
        message: &Message<'_>,
        sender: &Sender,
        client: Client,
        wish: Wish,
        back: impl FnOnce() -> Back,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let open = self.relay_of(client);
        let done = Answer::done(message);
        if let (Wish::Relay { v6, even, lifetime }, None) = (&wish, &open) {
            let opened = self.open(message, sender, client, (*v6, *even), *lifetime, back);
            return opened.await.map(Some);
        }
        let open = open.ok_or(Refusal::Code(ErrorCode::ALLOCATION_MISMATCH))?;
        if **open.place.owner() != *sender.username {
            return Err(Refusal::Code(ErrorCode::WRONG_CREDENTIALS));
        }
        match wish {
            Wish::Relay { .. } if message.transaction_id() == open.asked => {
                return Ok(Some(open.answer.clone()));
            }
            Wish::Relay { .. } => return Err(Refusal::Code(ErrorCode::ALLOCATION_MISMATCH)),
            Wish::Keep { v6, lifetime } => {
                if v6.is_some_and(|v6| v6 != self.outlets.is_v6()) {
                    return Err(Refusal::Code(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH));
                }
                match lifetime {
                    Some(lifetime) if !open.relayed.keep(lifetime).await => {
                        return Err(Refusal::Code(ErrorCode::INSUFFICIENT_CAPACITY));
                    }
                    Some(_) => {}
                    None => self.gone(client),
                }
                let seconds = lifetime.unwrap_or_default().as_secs() as u32;
                return Ok(done.with(&Lifetime::new(seconds)).signed(sender));
            }
            Wish::Permit(peers) => {
                let any_port = peers.iter().map(|peer| SocketAddr::new(peer.ip(), 0));
                self.may_have(&open, &peers, any_port)?;
                for peer in peers {
                    if !open.relayed.permit(peer).await {
                        return Err(Refusal::Code(ErrorCode::INSUFFICIENT_CAPACITY));
                    }
                }
            }
            Wish::Bind(channel, peer) => {
                let both = [peer, SocketAddr::new(peer.ip(), 0)];
                self.may_have(&open, &[peer], both.into_iter())?;
                if !open.relayed.bind(channel, peer).await {
                    return Err(Refusal::Code(ErrorCode::BAD_REQUEST));
                }
            }
        }
        Ok(done.signed(sender))
    }

    /// Whether a relay may exchange packets with these peers, which are kept as `kept`.
    fn may_have(
        &self,
        open: &Open,
        peers: &[SocketAddr],
        kept: impl Iterator<Item = SocketAddr> + Clone,
    ) -> Result<(), Refusal> {
        let Outlets {
            filter,
            tally,
            uptime,
            ..
        } = &*self.outlets;
        if peers
            .iter()
            .any(|peer| peer.is_ipv6() != self.outlets.is_v6())
        {
            return Err(Refusal::Code(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH));
        }
        if !peers.iter().all(|peer| filter.allows(*peer)) {
            more(&tally.peers_refused, 1);
            return Err(Refusal::Code(ErrorCode::FORBIDDEN));
        }
        if !open.peers.add(kept, uptime.nanos()) {
            return Err(Refusal::Code(ErrorCode::INSUFFICIENT_CAPACITY));
        }
        Ok(())
    }

    async fn open(
        self: &Arc<Self>,
        message: &Message<'_>,
        sender: &Sender,
        client: Client,
        (v6, even): (bool, bool),
        lifetime: std::time::Duration,
        back: impl FnOnce() -> Back,
    ) -> Result<Vec<u8>, Refusal> {
        let tally = &self.outlets.tally;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_secs());
        match expiry(&sender.username, now) {
            Ok(_) => {}
            Err(why) => {
                let counter = match why {
                    BadUsername::Expired => &tally.auth_expired,
                    BadUsername::Malformed => &tally.auth_malformed,
                };
                more(counter, 1);
                return Err(Refusal::Code(ErrorCode::UNAUTHORIZED));
            }
        }
        if v6 != self.outlets.is_v6() {
            return Err(Refusal::Code(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED));
        }
        let full = |full| {
            let (counter, code) = match full {
                Full::Owner => (&tally.relays_past_user, ErrorCode::ALLOCATION_QUOTA_REACHED),
                Full::All => (&tally.relays_past_all, ErrorCode::INSUFFICIENT_CAPACITY),
            };
            more(counter, 1);
            Refusal::Code(code)
        };
        let none_left = || Refusal::Code(ErrorCode::INSUFFICIENT_CAPACITY);
        let place = self.quota.take(sender.username.as_str().into());
        let place = place.map_err(full)?;
        let outlet = self.outlets.open(even).await.map_err(|error| {
            tracing::debug!(%error, "no port for a relay");
            more(&tally.relays_without_port, 1);
            none_left()
        })?;
        let (desk, id) = (Arc::downgrade(self), message.transaction_id());
        let ended = move || {
            if let Some(desk) = desk.upgrade() {
                desk.ended(client, id);
            }
        };
        let relayed = Relayed::open(outlet, back(), &self.outlets, lifetime, ended)
            .await
            .ok_or_else(none_left)?;
        let answer = Answer::done(message)
            .with(&XorRelayedAddress::new(relayed.address(), id))
            .with(&Lifetime::new(lifetime.as_secs() as u32))
            .with(&XorMappedAddress::new(client.address, id))
            .signed(sender)
            .ok_or_else(none_left)?;
        let open = Open {
            relayed,
            place,
            asked: id,
            answer: answer.clone(),
            peers: Peers::default(),
        };
        more(&tally.relays_opened, 1);
        self.open.lock().insert(client, Arc::new(open));
        Ok(answer)
    }
}
