//! What a request that is known to come from a user of ours asks for (RFC 8656).

use std::net::SocketAddr;
use std::time::Duration;

use turn_types::AddressFamily;
use turn_types::attribute::{
    ChannelNumber, EvenPort, Lifetime, RequestedAddressFamily, RequestedTransport,
    ReservationToken, XorPeerAddress,
};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH};
use turn_types::stun::attribute::{
    AttributeType, ErrorCode, MessageIntegrity, Nonce, Realm, Username,
};
use turn_types::stun::message::{Message, Method};
use turn_types::stun::prelude::*;

use super::answer::strange;

/// The protocol number of UDP.
const UDP: u8 = 17;

/// How long a relay is kept that is not asked for again: at least, and at most.
const LIFETIME: (Duration, Duration) = (Duration::from_secs(600), Duration::from_secs(3600));

/// The channels there may be. RFC 8656 has fewer; older clients know those of RFC 5766.
const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x7fff;

/// What is understood of those attributes that may not be passed over.
const UNDERSTOOD: [AttributeType; 11] = [
    Username::TYPE,
    Realm::TYPE,
    Nonce::TYPE,
    MessageIntegrity::TYPE,
    ChannelNumber::TYPE,
    EvenPort::TYPE,
    Lifetime::TYPE,
    RequestedAddressFamily::TYPE,
    RequestedTransport::TYPE,
    ReservationToken::TYPE,
    XorPeerAddress::TYPE,
];

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// A relay.
    Relay {
        /// With an address of IPv6.
        v6: bool,
        /// On an even port.
        even: bool,
        /// Kept for so long.
        lifetime: Duration,
    },
    /// To keep the relay for so long; none to close it.
    Keep {
        /// Only if its address is of IPv6, or is not.
        v6: Option<bool>,
        /// For so long.
        lifetime: Option<Duration>,
    },
    /// To pass on what these peers send.
    Permit(Vec<SocketAddr>),
    /// To call a peer by a number.
    Bind(u16, SocketAddr),
}

/// Why it is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Everything that a code says it all of.
    Code(u16),
    /// Something asked for is not understood: 420.
    NotUnderstood(Vec<AttributeType>),
}

/// Whether this server knows of such requests.
pub(super) fn is_known(method: Method) -> bool {
    [ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND].contains(&method)
}

/// Reads a request.
pub(super) fn read(message: &Message<'_>) -> Result<Wish, Refusal> {
    let strange = strange(message, &UNDERSTOOD);
    if !strange.is_empty() {
        return Err(Refusal::NotUnderstood(strange));
    }
    let bad = Refusal::Code(ErrorCode::BAD_REQUEST);
    match message.method() {
        ALLOCATE => relay(message),
        REFRESH => Ok(Wish::Keep {
            v6: v6(message)?,
            lifetime: match message.attribute::<Lifetime>() {
                Ok(lifetime) if lifetime.seconds() == 0 => None,
                _ => Some(lifetime(message)),
            },
        }),
        CREATE_PERMISSION => match peers(message) {
            Some(peers) if !peers.is_empty() => Ok(Wish::Permit(peers)),
            _ => Err(bad),
        },
        CHANNEL_BIND => match (message.attribute::<ChannelNumber>(), peers(message)) {
            (Ok(channel), Some(peers)) if CHANNELS.contains(&channel.channel()) => {
                let peer = peers.first().ok_or(bad)?;
                Ok(Wish::Bind(channel.channel(), *peer))
            }
            _ => Err(bad),
        },
        _ => Err(bad),
    }
}

fn relay(message: &Message<'_>) -> Result<Wish, Refusal> {
    match message.attribute::<RequestedTransport>() {
        Ok(transport) if transport.protocol() == UDP => {}
        Ok(_) => {
            let code = ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL;
            return Err(Refusal::Code(code));
        }
        Err(_) => return Err(Refusal::Code(ErrorCode::BAD_REQUEST)),
    }
    let reserved = message.has_attribute(ReservationToken::TYPE);
    let even = message.attribute::<EvenPort>().ok();
    let v6 = v6(message)?;
    if reserved && (even.is_some() || v6.is_some()) {
        return Err(Refusal::Code(ErrorCode::BAD_REQUEST));
    }
    // No port is ever reserved for later.
    if reserved || even.as_ref().is_some_and(EvenPort::requested) {
        return Err(Refusal::Code(ErrorCode::INSUFFICIENT_CAPACITY));
    }
    Ok(Wish::Relay {
        v6: v6.unwrap_or(false),
        even: even.is_some(),
        lifetime: lifetime(message),
    })
}

fn v6(message: &Message<'_>) -> Result<Option<bool>, Refusal> {
    if !message.has_attribute(RequestedAddressFamily::TYPE) {
        return Ok(None);
    }
    match message.attribute::<RequestedAddressFamily>() {
        Ok(family) => Ok(Some(family.family() == AddressFamily::IPV6)),
        Err(_) => Err(Refusal::Code(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED)),
    }
}

fn lifetime(message: &Message<'_>) -> Duration {
    let (least, most) = LIFETIME;
    let asked = message.attribute::<Lifetime>();
    asked.map_or(least, |asked| {
        Duration::from_secs(asked.seconds().into()).clamp(least, most)
    })
}

/// The peers that a message names; none where one is garbled.
fn peers(message: &Message<'_>) -> Option<Vec<SocketAddr>> {
    let id = message.transaction_id();
    message
        .iter_attributes()
        .filter(|(_, it)| it.get_type() == XorPeerAddress::TYPE)
        .map(|(_, it)| Some(XorPeerAddress::from_raw_ref(&it).ok()?.addr(id)))
        .collect()
}

#[cfg(test)]
mod tests {
    use turn_types::attribute::DontFragment;
    use turn_types::stun::message::MessageWriteVec;

    use super::*;

    fn asked(method: Method, attributes: &[&dyn AttributeWrite]) -> Result<Wish, Refusal> {
        let mut message = Message::builder_request(method, MessageWriteVec::new());
        for attribute in attributes {
            message.add_attribute(*attribute).expect("room");
        }
        read(&Message::from_bytes(&message.finish()).expect("a message"))
    }

    fn relay(v6: bool, even: bool, seconds: u64) -> Result<Wish, Refusal> {
        let lifetime = Duration::from_secs(seconds);
        Ok(Wish::Relay { v6, even, lifetime })
    }

    #[test]
    fn a_relay_is_asked_for_over_udp_with_a_family_a_port_and_a_lifetime() {
        let udp = RequestedTransport::new(UDP);
        let (v4, v6) = (AddressFamily::IPV4, AddressFamily::IPV6);
        let (v4, v6) = (
            RequestedAddressFamily::new(v4),
            RequestedAddressFamily::new(v6),
        );
        let of = |more: &[&dyn AttributeWrite]| {
            let all: Vec<&dyn AttributeWrite> = std::iter::once(&udp as _)
                .chain(more.iter().copied())
                .collect();
            asked(ALLOCATE, &all)
        };
        assert_eq!(of(&[]), relay(false, false, 600));
        assert_eq!(of(&[&v4]), relay(false, false, 600));
        assert_eq!(of(&[&v6]), relay(true, false, 600));
        assert_eq!(of(&[&Lifetime::new(0)]), relay(false, false, 600));
        assert_eq!(of(&[&Lifetime::new(1800)]), relay(false, false, 1800));
        assert_eq!(of(&[&Lifetime::new(86400)]), relay(false, false, 3600));
        assert_eq!(of(&[&EvenPort::new(false)]), relay(false, true, 600));
        let refused = |code| Err(Refusal::Code(code));
        assert_eq!(of(&[&EvenPort::new(true)]), refused(508));
        assert_eq!(of(&[&ReservationToken::new(7)]), refused(508));
        assert_eq!(of(&[&ReservationToken::new(7), &v4]), refused(400));
        assert_eq!(asked(ALLOCATE, &[]), refused(400));
        assert_eq!(
            asked(ALLOCATE, &[&RequestedTransport::new(6)]),
            refused(442)
        );
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let strange = Refusal::NotUnderstood(vec![DontFragment::TYPE]);
        assert_eq!(asked(REFRESH, &[&DontFragment::new()]), Err(strange));
    }

    #[test]
    fn a_relay_is_kept_or_closed() {
        let kept = |v6, seconds: Option<u64>| {
            let lifetime = seconds.map(Duration::from_secs);
            Ok(Wish::Keep { v6, lifetime })
        };
        assert_eq!(asked(REFRESH, &[]), kept(None, Some(600)));
        assert_eq!(asked(REFRESH, &[&Lifetime::new(0)]), kept(None, None));
        let v6 = RequestedAddressFamily::new(AddressFamily::IPV6);
        let kept = kept(Some(true), Some(900));
        assert_eq!(asked(REFRESH, &[&v6, &Lifetime::new(900)]), kept);
    }
}
