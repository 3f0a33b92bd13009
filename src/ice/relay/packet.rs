//! What clients send: messages of STUN and TURN, and packets for a channel (RFC 8656, section 12.4),
//! told apart by their first two bits. In a stream they stand one after the other.

use bytes::{Buf as _, Bytes, BytesMut};
use turn_types::stun::message::Message;

/// The head of a packet for a channel.
const CHANNEL_HEAD: usize = 4;

/// The head of a message.
const MESSAGE_HEAD: usize = 20;

/// The longest that is taken from a stream. It is more than a datagram holds on any usual way.
const LONGEST: usize = 16 * 1024;

/// What a client sent.
pub(super) enum Packet<'a> {
    /// Data for the peer that a channel was bound to.
    Channel(u16, &'a [u8]),
    /// A request or an indication, or an answer that nobody asked for.
    Message(Message<'a>),
}

impl<'a> Packet<'a> {
    /// Reads one; none where it is neither.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        if bytes.first()? >> 6 == 0b01 {
            let (head, data) = bytes.split_first_chunk::<CHANNEL_HEAD>()?;
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let data = data.get(..length)?;
            return Some(Self::Channel(u16::from_be_bytes([head[0], head[1]]), data));
        }
        // What follows a message is none of it, though the codec would look there too.
        let length = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
        let message = bytes.get(..MESSAGE_HEAD + length)?;
        Message::from_bytes(message).ok().map(Self::Message)
    }
}

/// A stream that holds neither messages nor packets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoPacket;

/// Takes the next packet off the front of a stream; none where it is not whole yet.
pub(super) fn next(stream: &mut BytesMut) -> Result<Option<Bytes>, NoPacket> {
    let Some(head) = stream.first_chunk::<CHANNEL_HEAD>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    // Packets for channels are filled up to a multiple of four, which their length does not count.
    let (length, fill) = match head[0] >> 6 {
        0b00 if length.is_multiple_of(4) => (MESSAGE_HEAD + length, 0),
        0b01 => (CHANNEL_HEAD + length, length.next_multiple_of(4) - length),
        _ => return Err(NoPacket),
    };
    if length > LONGEST {
        return Err(NoPacket);
    }
    if stream.len() < length + fill {
        return Ok(None);
    }
    let packet = stream.split_to(length).freeze();
    stream.advance(fill);
    Ok(Some(packet))
}

/// Adds a packet to what goes to a stream, filled up as it must be.
pub(super) fn add(stream: &mut BytesMut, packet: &[u8]) {
    stream.extend_from_slice(packet);
    let fill = packet.len().next_multiple_of(4) - packet.len();
    stream.extend_from_slice(&[0; 3][..fill]);
}

#[cfg(test)]
mod tests {
    use turn_types::stun::message::{BINDING, Message, MessageWriteVec};
    use turn_types::stun::prelude::*;

    use super::*;

    fn message() -> Vec<u8> {
        Message::builder_request(BINDING, MessageWriteVec::new()).finish()
    }

    #[test]
    fn a_stream_is_cut_into_its_packets_wherever_it_is_torn() {
        let packets = [
            message(),
            vec![0x40, 0, 0, 1, 7],
            vec![0x7f, 0xff, 0, 0],
            vec![0x41, 0, 0, 4, 1, 2, 3, 4],
            message(),
        ];
        let mut whole = BytesMut::new();
        for packet in &packets {
            add(&mut whole, packet);
        }
        assert_eq!(whole.len(), 20 + 8 + 4 + 8 + 20);
        for step in 1..=whole.len() {
            let (mut stream, mut found) = (BytesMut::new(), Vec::new());
            for piece in whole.chunks(step) {
                stream.extend_from_slice(piece);
                while let Some(packet) = next(&mut stream).expect("packets") {
                    found.push(packet.to_vec());
                }
            }
            assert_eq!(found, packets, "torn every {step} bytes");
            assert!(stream.is_empty());
        }
    }

    #[test]
    fn a_stream_of_something_else_ends_at_once() {
        for bad in [
            &b"GET / HTTP/1.1"[..],
            &[0x80, 0, 0, 0],
            &[0xff; 8],
            // No multiple of four, and too long.
            &[0, 1, 0, 3],
            &[0, 1, 0xff, 0xfc],
            &[0x40, 0, 0xff, 0xff],
        ] {
            let mut stream = BytesMut::from(bad);
            let result = next(&mut stream);
            if bad[0] == b'G' {
                // It looks like a packet of a channel that is too long.
                assert_eq!(result, Err(NoPacket));
            }
            assert_eq!(result, Err(NoPacket), "{bad:?}");
        }
    }

    #[test]
    fn a_packet_for_a_channel_may_be_followed_by_its_fill() {
        for bytes in [&[0x40, 1, 0, 1, 7][..], &[0x40, 1, 0, 1, 7, 0, 0, 0]] {
            let Some(Packet::Channel(0x4001, data)) = Packet::read(bytes) else {
                panic!("{bytes:?}");
            };
            assert_eq!(data, [7]);
        }
        for bad in [&[][..], &[0x40], &[0x40, 1, 0, 1], &[0x80; 20], &[0; 20]] {
            assert!(Packet::read(bad).is_none(), "{bad:?}");
        }
        assert!(matches!(Packet::read(&message()), Some(Packet::Message(_))));
    }
}
