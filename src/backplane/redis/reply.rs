//! What the scripts answer, read.

use bytes::Bytes;
use redis::{FromRedisValue, Value};

use crate::backplane::store::{News, NodeId, StoreError, Tail};
use crate::proto::RoomId;

/// An answer of another shape than the script gives.
fn odd() -> StoreError {
    tracing::error!("the engine's answer is of an unknown shape");
    StoreError::Refused
}

/// A value of a type that the engine may have told in several ways.
pub(super) fn read<T: FromRedisValue>(value: Value) -> Result<T, StoreError> {
    T::from_redis_value(value).map_err(|_| odd())
}

/// What a script says that may be refused: 1 for done, 2 for fenced.
pub(super) fn done(value: &Value) -> Result<(), StoreError> {
    if *value == Value::Int(1) {
        Ok(())
    } else if *value == Value::Int(2) {
        Err(StoreError::Fenced)
    } else {
        Err(odd())
    }
}

fn bytes(value: Value) -> Option<Bytes> {
    if let Value::BulkString(bytes) = value {
        Some(bytes.into())
    } else {
        None
    }
}

fn number(value: Value) -> Option<u64> {
    if let Value::Int(number) = value {
        number.try_into().ok()
    } else {
        None
    }
}

/// The tail that `append` and `fetch` answer with; `own` is the entry that was appended, which is
/// not sent back where it is the only one.
pub(super) fn tail(value: Value, own: Option<Bytes>) -> Result<Tail, StoreError> {
    let Value::Array(fields) = value else {
        return Err(odd());
    };
    if matches!(fields.as_slice(), [Value::Int(2)]) {
        return Err(StoreError::Fenced);
    }
    read_tail(fields, own).ok_or_else(odd)
}

fn read_tail(fields: Vec<Value>, own: Option<Bytes>) -> Option<Tail> {
    let mut fields = fields.into_iter();
    let mut next = || fields.next();
    let _done = next()?;
    let at = number(next()?)?;
    let head = number(next()?)?;
    let length = usize::try_from(number(next()?)?).ok()?;
    let size = number(next()?)?;
    let set_back = number(next()?)? == 1;
    let snapshot_at = number(next()?)?;
    let snapshot = bytes(next()?)?;
    let own_only = number(next()?)? == 1;
    let Value::Array(stream) = next()? else {
        return None;
    };
    let entries = if own_only {
        vec![(at, own?)]
    } else {
        stream.into_iter().map(entry).collect::<Option<_>>()?
    };
    Some(Tail {
        at,
        head,
        snapshot: (snapshot_at > 0).then_some((snapshot_at, snapshot)),
        entries,
        length,
        size,
        set_back,
    })
}

/// One entry of a stream: its id, and its fields, of which the first is the entry.
fn entry(value: Value) -> Option<(u64, Bytes)> {
    let Value::Array(value) = value else {
        return None;
    };
    let mut value = value.into_iter();
    let id = bytes(value.next()?)?;
    let id = std::str::from_utf8(&id).ok()?.split('-').next()?;
    let Value::Array(fields) = value.next()? else {
        return None;
    };
    let entry = bytes(fields.into_iter().nth(1)?)?;
    Some((id.parse().ok()?, entry))
}

/// What is heard on a node's channel.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A bell: of which partition, the how manyth there, and what it is rung for.
    Bell(u16, u64, News),
    /// The node's own voice, with this number.
    Probe(u64),
    /// A node went away; there may be something to sweep.
    Look,
}

/// Reads what is heard on a node's channel.
pub(super) fn heard(message: &[u8]) -> Option<Heard> {
    match message {
        b"!" => return Some(Heard::Look),
        [b'?', number @ ..] => {
            let number = std::str::from_utf8(number).ok()?;
            return number.parse().ok().map(Heard::Probe);
        }
        _ => {}
    }
    let end = memchr::memchr(b'\n', message)?;
    let head = std::str::from_utf8(message.get(..end)?).ok()?;
    let mut words = head.split(' ');
    let mut next = || words.next();
    let partition = next()?.parse().ok()?;
    let count = next()?.parse().ok()?;
    let room = RoomId::parse(next()?).ok()?;
    let prev = next()?.parse().ok()?;
    let at = next()?.parse().ok()?;
    let inline = next()? == "1";
    let entry = inline.then(|| Bytes::copy_from_slice(&message[end + 1..]));
    let news = News::Entry {
        room,
        prev,
        at,
        entry,
    };
    Some(Heard::Bell(partition, count, news))
}

/// What a node's number says.
pub(super) fn node(number: u64) -> Result<NodeId, StoreError> {
    u32::try_from(number).map(NodeId).map_err(|_| odd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bells_carry_any_bytes_and_nonsense_is_no_bell() {
        let bell = heard(b"7 3 demo 10 12 1\n\0\xff\n x");
        let Some(Heard::Bell(
            7,
            3,
            News::Entry {
                room,
                prev,
                at,
                entry,
            },
        )) = bell
        else {
            panic!("a bell");
        };
        assert_eq!((room.as_str(), prev, at), ("demo", 10, 12));
        assert_eq!(entry.as_deref(), Some(&b"\0\xff\n x"[..]));
        let pointer = heard(b"7 3 demo 10 12 0\n");
        assert!(matches!(
            pointer,
            Some(Heard::Bell(7, 3, News::Entry { entry: None, .. }))
        ));
        assert_eq!(heard(b"?18"), Some(Heard::Probe(18)));
        assert_eq!(heard(b"!"), Some(Heard::Look));
        for nonsense in [&b""[..], b"7", b"7 3 .. 1 2 1\nx", b"x\n", b"?", b"\xff\n"] {
            assert_eq!(heard(nonsense), None);
        }
    }

    #[test]
    fn a_fenced_append_and_an_odd_answer_are_told_apart() {
        let fenced = Value::Array(vec![Value::Int(2)]);
        assert_eq!(tail(fenced, None), Err(StoreError::Fenced));
        assert_eq!(tail(Value::Nil, None), Err(StoreError::Refused));
        assert_eq!(
            tail(Value::Array(Vec::new()), None),
            Err(StoreError::Refused)
        );
    }
}
