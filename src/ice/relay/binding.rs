//! STUN alone: telling clients the address that they are seen at (RFC 8489, section 3). It keeps
//! nothing of them.

use std::net::SocketAddr;

use turn_types::stun::attribute::{
    AttributeType, ErrorCode, MessageIntegrity, MessageIntegritySha256, Nonce, PasswordAlgorithm,
    Realm, Userhash, Username, XorMappedAddress,
};
use turn_types::stun::message::{BINDING, Message, MessageClass};
use turn_types::stun::prelude::*;

use super::answer::{Answer, strange};
use super::counts::more;
use super::packet::Packet;
use super::sources::Sources;

/// What is understood of those attributes that may not be passed over: what requests are signed with,
/// though nobody has to, and what checks of ICE say of themselves (PRIORITY and USE-CANDIDATE, RFC
/// 8445, section 16.1), which changes no answer.
const UNDERSTOOD: [AttributeType; 9] = [
    Username::TYPE,
    Userhash::TYPE,
    Realm::TYPE,
    Nonce::TYPE,
    PasswordAlgorithm::TYPE,
    MessageIntegrity::TYPE,
    MessageIntegritySha256::TYPE,
    AttributeType::new(0x0024),
    AttributeType::new(0x0025),
];

/// Answers what a client sent to a port that is for nothing else.
pub(super) fn take(packet: &[u8], client: SocketAddr, sources: &Sources) -> Option<Vec<u8>> {
    match Packet::read(packet)? {
        Packet::Message(message)
            if message.has_class(MessageClass::Request) && message.has_method(BINDING) =>
        {
            answer(&message, client, sources)
        }
        Packet::Message(_) | Packet::Channel(..) => None,
    }
}

/// Tells a client its address, though no more often than strangers are answered; or what of its
/// request is not understood (RFC 8489, section 6.3.1), like that the answer come from elsewhere.
pub(super) fn answer(
    request: &Message<'_>,
    client: SocketAddr,
    sources: &Sources,
) -> Option<Vec<u8>> {
    if !sources.answers(client.ip()) {
        return None;
    }
    let strange = strange(request, &UNDERSTOOD);
    if !strange.is_empty() {
        sources.tally.refuse(ErrorCode::UNKNOWN_ATTRIBUTE);
        let answer = Answer::refused(request, ErrorCode::UNKNOWN_ATTRIBUTE);
        return answer.with_strange(&strange).checked();
    }
    more(&sources.tally.bindings, 1);
    let mapped = XorMappedAddress::new(client, request.transaction_id());
    Answer::done(request).with(&mapped).checked()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use turn_types::stun::attribute::{Fingerprint, UnknownAttributes};

    use super::super::bucket::Rate;
    use super::super::counts::Tally;
    use super::*;

    /// The request of RFC 5769, section 2.1, whose checksum is right.
    const REQUEST: [u8; 108] = [
        0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6,
        0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74,
        0x65, 0x73, 0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e,
        0x00, 0x01, 0xff, 0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36,
        0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20,
        0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e,
        0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5,
        0x7a, 0x3b, 0xcf,
    ];

    #[test]
    fn a_client_is_told_the_addresses_of_rfc_5769() {
        let sources = Sources::new(Rate(0), Arc::default());
        for client in [
            "192.0.2.1:32853",
            "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
        ] {
            let client = client.parse().expect("an address");
            let answer = take(&REQUEST, client, &sources).expect("an answer");
            let answer = Message::from_bytes(&answer).expect("a message");
            let mapped = answer.attribute::<XorMappedAddress>().expect("an address");
            assert_eq!(mapped.addr(answer.transaction_id()), client);
        }
        // As sections 2.2 and 2.3 have it on the wire.
        let client = "192.0.2.1:32853".parse().expect("an address");
        let answer = take(&REQUEST, client, &sources).expect("an answer");
        assert_eq!(&answer[24..32], [0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
    }

    /// A request with an attribute of each type, of four bytes each.
    fn with(types: &[u16]) -> Vec<u8> {
        let mut request = REQUEST[..20].to_vec();
        request[2..4].copy_from_slice(&(types.len() as u16 * 8).to_be_bytes());
        for kind in types {
            request.extend_from_slice(&kind.to_be_bytes());
            request.extend_from_slice(&[0, 4, 0, 0, 0, 0]);
        }
        request
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let tally = Arc::<Tally>::default();
        let sources = Sources::new(Rate(0), tally.clone());
        let client = "192.0.2.1:32853".parse().expect("an address");
        // CHANGE-REQUEST and RESPONSE-PORT (RFC 5780), beside what is understood or may be passed over.
        let request = with(&[0x0003, 0x0024, 0x0027, 0x0025, 0x802c, 0xffff]);
        let answer = take(&request, client, &sources).expect("an answer");
        let answer = Message::from_bytes(&answer).expect("a message");
        assert!(answer.has_class(MessageClass::Error));
        let asked = Message::from_bytes(&request).expect("a message");
        assert_eq!(answer.transaction_id(), asked.transaction_id());
        let code = answer.attribute::<ErrorCode>().expect("a code");
        assert_eq!(code.code(), 420);
        let named = answer.attribute::<UnknownAttributes>().expect("names");
        for (kind, strange) in [
            (0x0003, true),
            (0x0027, true),
            (0x0024, false),
            (0x802c, false),
        ] {
            assert_eq!(
                named.has_attribute(AttributeType::new(kind)),
                strange,
                "{kind:x}"
            );
        }
        assert!(answer.has_attribute(Fingerprint::TYPE));
        let request = with(&[0x0024, 0x0025, 0x802c]);
        let answer = take(&request, client, &sources).expect("an answer");
        assert_eq!(answer[..2], [1, 1], "it is told its address");
        let counts = tally.read();
        assert_eq!((counts.refused(420), counts.bindings), (1, 1));
    }

    #[test]
    fn strangers_are_not_told_more_often_what_is_not_understood() {
        let sources = Sources::new(Rate(2), Arc::default());
        let client = "192.0.2.1:32853".parse().expect("an address");
        let request = with(&[0x0003]);
        let answered = (0..100).filter(|_| take(&request, client, &sources).is_some());
        assert!((2..10).contains(&answered.count()));
    }

    #[test]
    fn what_is_damaged_or_asks_for_more_is_not_answered() {
        let sources = Sources::new(Rate(0), Arc::default());
        let client = "192.0.2.1:32853".parse().expect("an address");
        // Where the checksum itself is not known as one, the rest is taken as it is.
        for n in (0..REQUEST.len()).filter(|n| ![100, 101].contains(n)) {
            let mut damaged = REQUEST;
            damaged[n] ^= 4;
            assert_eq!(take(&damaged, client, &sources), None, "byte {n}");
        }
        assert_eq!(take(&[0x40, 0, 0, 0], client, &sources), None);
    }
}
