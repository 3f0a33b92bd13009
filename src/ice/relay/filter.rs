//! Which addresses the relay sends to. It stands inside, so it must be no way into private networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use ipnet::IpNet;

/// Networks of IPv4 that are private or special.
const SPECIAL_V4: [(Ipv4Addr, u8); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
    (Ipv4Addr::BROADCAST, 32),
];

/// Networks of IPv6 that are private or special, or lead to others that cannot be judged.
const SPECIAL_V6: [(Ipv6Addr, u8); 10] = [
    (Ipv6Addr::UNSPECIFIED, 128),
    (Ipv6Addr::LOCALHOST, 128),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

/// What becomes of packets to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They are sent.
    Sent,
    /// They are sent, if a relay of this server is there.
    SentToRelays,
    /// They are not.
    Denied,
}

/// Decides by address.
#[derive(Debug)]
pub(super) struct Filter {
    special: Vec<IpNet>,
    allowed: Vec<IpNet>,
    own: Vec<IpAddr>,
    relays: Vec<IpAddr>,
    ports: RangeInclusive<u16>,
}

impl Filter {
    /// Of the server's `own` addresses only relays are sent to, which are at these addresses and
    /// ports; of private and special networks those that are `allowed`.
    pub(super) fn new(
        own: impl IntoIterator<Item = IpAddr>,
        relays: impl IntoIterator<Item = IpAddr>,
        ports: RangeInclusive<u16>,
        allowed: Vec<IpNet>,
    ) -> Self {
        let v4 = SPECIAL_V4.iter();
        let v4 = v4.filter_map(|(address, length)| IpNet::new((*address).into(), *length).ok());
        let v6 = SPECIAL_V6.iter();
        let v6 = v6.filter_map(|(address, length)| IpNet::new((*address).into(), *length).ok());
        let named = |address: &IpAddr| !address.is_unspecified();
        Self {
            special: v4.chain(v6).collect(),
            allowed,
            own: own.into_iter().map(meant).filter(named).collect(),
            relays: relays.into_iter().map(meant).filter(named).collect(),
            ports,
        }
    }

    /// Whether a relay may be asked to send to this address.
    pub(super) fn allows(&self, peer: SocketAddr) -> bool {
        self.judge(peer) != Verdict::Denied
    }

    /// What becomes of packets to this address.
    pub(super) fn judge(&self, peer: SocketAddr) -> Verdict {
        let address = meant(peer.ip());
        let own = self.own.contains(&address);
        let within = |networks: &[IpNet]| networks.iter().any(|net| net.contains(&address));
        // A network that is opened does not open this machine's other services, unless the machine
        // itself is meant: by its address, or as the loopback network.
        let opened = if own && !address.is_loopback() {
            self.allowed.contains(&IpNet::from(address))
        } else {
            within(&self.allowed)
        };
        if peer.port() == 0 {
            Verdict::Denied
        } else if opened {
            Verdict::Sent
        } else if self.relays.contains(&address) && self.ports.contains(&peer.port()) {
            Verdict::SentToRelays
        } else if own || within(&self.special) {
            Verdict::Denied
        } else {
            Verdict::Sent
        }
    }
}

/// The address that packets to this one arrive at: those of IPv6 that stand for one of IPv4, which
/// the system or a router on the way translates, are that.
fn meant(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match [a, b, c, d, e, f] {
        // Mapped (RFC 4291), and translated by NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] => v4(g, h).into(),
        // Compatible (RFC 4291), but for `::` and `::1`.
        [0, 0, 0, 0, 0, 0] if g != 0 || h > 1 => v4(g, h).into(),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => v4(high, low).into(),
        _ => v6.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address form, and whether the relay sends there, with 10.1.0.0/16 opened, at 198.41.0.4 and
    /// 10.1.0.5 within, relays at the first with ports from 50000 to 50009.
    const TABLE: &[(&str, bool, &str)] = &[
        ("8.8.8.8:53", true, "public"),
        ("[2606:4700::1111]:53", true, "public"),
        ("8.8.8.8:0", false, "no port"),
        ("0.0.0.0:80", false, "unspecified, which is this machine"),
        ("0.1.2.3:80", false, "this network"),
        ("10.0.0.1:80", false, "private"),
        ("10.1.0.1:80", true, "private, but opened"),
        ("10.1.0.5:80", false, "this machine, in an opened network"),
        ("100.64.0.1:80", false, "shared by customers of a provider"),
        ("100.128.0.1:80", true, "beyond that"),
        ("127.0.0.1:80", false, "loopback"),
        ("127.9.9.9:50000", false, "loopback"),
        (
            "169.254.169.254:80",
            false,
            "link-local: metadata of clouds",
        ),
        ("172.15.0.1:80", true, "before the private ones"),
        ("172.16.0.1:80", false, "private"),
        ("172.31.255.255:80", false, "private"),
        ("172.32.0.1:80", true, "past the private ones"),
        ("192.0.0.8:80", false, "of protocols"),
        ("192.0.2.1:80", false, "of documents"),
        ("192.88.99.1:80", false, "relays of 6to4"),
        ("192.168.1.1:80", false, "private"),
        ("198.18.0.1:80", false, "of benchmarks"),
        ("198.51.100.1:80", false, "of documents"),
        ("203.0.113.1:80", false, "of documents"),
        ("224.0.0.1:80", false, "multicast"),
        ("239.255.255.250:1900", false, "multicast"),
        ("240.0.0.1:80", false, "reserved"),
        ("255.255.255.255:80", false, "broadcast"),
        ("198.41.0.4:22", false, "this machine"),
        ("198.41.0.4:49999", false, "this machine, before the relays"),
        ("198.41.0.4:50000", true, "a relay of ours"),
        ("198.41.0.4:50009", true, "a relay of ours"),
        ("198.41.0.4:50010", false, "this machine, past the relays"),
        ("[::]:80", false, "unspecified"),
        ("[::1]:80", false, "loopback"),
        ("[::2]:80", false, "compatible with 0.0.0.2"),
        ("[::7f00:1]:80", false, "compatible with loopback"),
        ("[::808:808]:80", true, "compatible with a public one"),
        ("[::ffff:127.0.0.1]:80", false, "mapped loopback"),
        ("[::ffff:10.0.0.1]:80", false, "mapped private"),
        ("[::ffff:10.1.0.1]:80", true, "mapped, but opened"),
        ("[::ffff:198.41.0.4]:22", false, "this machine, mapped"),
        ("[::ffff:198.41.0.4]:50000", true, "a relay of ours, mapped"),
        ("[::ffff:8.8.8.8]:80", true, "mapped public"),
        ("[64:ff9b::7f00:1]:80", false, "loopback through NAT64"),
        ("[64:ff9b::808:808]:80", true, "public through NAT64"),
        ("[64:ff9b:1::808:808]:80", false, "NAT64 of a network's own"),
        ("[2002:7f00:1::1]:80", false, "loopback through 6to4"),
        ("[2002:c0a8:101::1]:80", false, "private through 6to4"),
        ("[2002:808:808::1]:80", true, "public through 6to4"),
        ("[2001:0:53aa:64c::1]:80", false, "Teredo"),
        ("[2001:db8::1]:80", false, "of documents"),
        ("[100::1]:80", false, "discarded"),
        ("[fc00::1]:80", false, "private"),
        ("[fd12:3456::1]:80", false, "private"),
        ("[fe80::1]:80", false, "link-local"),
        ("[fec0::1]:80", false, "site-local"),
        ("[ff02::1]:80", false, "multicast"),
    ];

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_form_of_an_address_is_judged_by_where_it_leads() {
        let filter = Filter::new(
            [ip("198.41.0.4"), ip("10.1.0.5"), ip("0.0.0.0")],
            [ip("198.41.0.4")],
            50000..=50009,
            vec!["10.1.0.0/16".parse().expect("a network")],
        );
        for (peer, allowed, why) in TABLE {
            let peer = peer.parse().expect(peer);
            assert_eq!(filter.allows(peer), *allowed, "{peer}: {why}");
        }
    }

    #[test]
    fn relays_on_loopback_reach_each_other_and_nothing_else_there() {
        let own = [ip("127.0.0.1")];
        let filter = Filter::new(own, own, 50000..=50009, Vec::new());
        assert!(filter.allows("127.0.0.1:50003".parse().expect("an address")));
        assert!(!filter.allows("127.0.0.1:80".parse().expect("an address")));
        let loopback = vec!["127.0.0.0/8".parse().expect("a network")];
        let opened = Filter::new(own, own, 50000..=50009, loopback);
        assert!(opened.allows("127.0.0.1:80".parse().expect("an address")));
    }

    #[test]
    fn this_machine_is_opened_by_its_own_address_only() {
        let own = [ip("10.1.0.5")];
        let itself = vec!["10.1.0.5/32".parse().expect("a network")];
        let filter = Filter::new(own, own, 50000..=50009, itself);
        assert!(filter.allows("10.1.0.5:80".parse().expect("an address")));
        assert!(!filter.allows("10.1.0.6:80".parse().expect("an address")));
    }
}
