//! Names and signals, as the cases write them.

use switchboard::proto::{Json, Kind, PeerId, RoomId, SessionId, Signal, SignalId};

pub fn room(name: &str) -> RoomId {
    RoomId::parse(name).expect("an id")
}

pub fn peer(name: &str) -> PeerId {
    PeerId::parse(name).expect("an id")
}

pub fn session(name: &str) -> SessionId {
    SessionId::parse(name).expect("an id")
}

pub fn id(name: &str) -> Option<SignalId> {
    SignalId::parse(name).ok()
}

pub fn json(text: &str) -> Json {
    Json::compact(text)
}

/// A signal to everyone.
pub fn to_all(kind: &str) -> Signal {
    Signal {
        to: None,
        kind: Kind::parse(kind).expect("a type"),
        session: None,
        data: None,
        id: None,
        spare: None,
    }
}

/// A signal to one.
pub fn to(name: &str, kind: &str) -> Signal {
    let to = Some(peer(name));
    Signal { to, ..to_all(kind) }
}

/// A signal to one, in a session.
pub fn within(of: &str, name: &str, kind: &str) -> Signal {
    let session = Some(session(of));
    Signal {
        session,
        ..to(name, kind)
    }
}

/// A signal that carries a number.
pub fn numbered(number: usize, signal: Signal) -> Signal {
    let data = Some(json(&number.to_string()));
    Signal { data, ..signal }
}
