//! Whose request it is, by network address, as far as that can be believed.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Once;

use actix_web::http::header::{FORWARDED, HeaderName};
use ipnet::IpNet;

use super::ask::{Ask, Head, text};
use crate::config::ForwardedBy;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Which senders are proxies that tell the truth, and how they tell it.
#[derive(Debug)]
pub(super) struct Trust {
    proxies: Vec<IpNet>,
    header: ForwardedBy,
    /// Whether it was said that a proxy is not trusted.
    said: Once,
}

/// A client as bounds count it: an address of IPv4, a /64 of IPv6, since that is what one user has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client(pub(super) IpAddr);

impl Client {
    /// Whose request it is.
    pub(super) fn of(ask: &Ask<'_>, trust: &Trust) -> Self {
        let sender = ask.sender.unwrap_or(Ipv6Addr::UNSPECIFIED.into());
        Self::at(trust.origin(sender.to_canonical(), ask.head))
    }

    pub(super) fn at(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self(address),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
        }
    }
}

impl Trust {
    pub(super) fn new(proxies: Vec<IpNet>, header: ForwardedBy) -> Self {
        let said = Once::new();
        Self {
            proxies,
            header,
            said,
        }
    }

    /// The first address, from the server outwards, that no trusted proxy has.
    fn origin(&self, sender: IpAddr, head: Head<'_>) -> IpAddr {
        let mut believed = sender;
        if !self.trusts(believed) {
            self.suspect(sender, head);
            return believed;
        }
        let hops = match self.header {
            ForwardedBy::XForwardedFor => {
                let members = values(head, &X_FORWARDED_FOR, |text| text.split(',').collect());
                members.map(address).collect::<Vec<_>>()
            }
            ForwardedBy::Forwarded => {
                let members = values(head, &FORWARDED, |text| unquoted(text, ','));
                members.map(for_of).collect()
            }
        };
        for hop in hops.into_iter().rev() {
            // A name that hides the address, or nonsense: who said it is as far as one can see.
            let Some(hop) = hop else { return believed };
            believed = hop;
            if !self.trusts(hop) {
                break;
            }
        }
        believed
    }

    /// Tells the operator, once, of what looks like a proxy of its own.
    fn suspect(&self, sender: IpAddr, head: Head<'_>) {
        let near = match sender {
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
        };
        let named = || head.has(&X_FORWARDED_FOR) || head.has(&FORWARDED);
        if near && named() {
            self.said.call_once(|| {
                tracing::warn!(
                    proxy = %sender,
                    "not trusted as a proxy: all its clients count as one address, unless --trusted-proxy names it"
                );
            });
        }
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|net| net.contains(&address))
    }
}

/// The members of a list that may come in several headers (RFC 9110, section 5.3).
fn values<'a>(
    head: Head<'a>,
    name: &'a HeaderName,
    split: fn(&str) -> Vec<&str>,
) -> impl Iterator<Item = &'a str> {
    let texts = head.all(name).map(|value| text(value).unwrap_or("unknown"));
    texts.flat_map(split).map(str::trim)
}

/// The parts of a text between separators that stand in no quoted string (RFC 9110, section 5.6.4).
fn unquoted(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let separates = |c: char| {
        let separates = c == separator && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        separates
    };
    let parts = text.split(separates).collect();
    // A quote that a client left open would hide what a proxy wrote behind it.
    if quoted {
        text.split(separator).collect()
    } else {
        parts
    }
}

/// The `for` of one member, which has one (RFC 7239, section 4).
fn for_of(member: &str) -> Option<IpAddr> {
    let pairs = unquoted(member, ';')
        .into_iter()
        .filter_map(|pair| pair.trim().split_once('='));
    let mut nodes = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    match (nodes.next(), nodes.next()) {
        (Some((_, node)), None) => address(node.trim().trim_matches('"')),
        _ => None,
    }
}

/// An address, which may have a port, and brackets around one of IPv6.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    bare.or_else(with_port)
        .or_else(bracketed)
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn seen(header: ForwardedBy, sender: &str, headers: &[(&str, &str)]) -> String {
        let nets = ["127.0.0.0/8", "fd00::/8"].map(|net| net.parse().expect("a net"));
        let trust = Trust::new(nets.into(), header);
        let sender = format!("{sender}:1").parse().expect("an address");
        let request = headers.iter().fold(
            TestRequest::default().peer_addr(sender),
            |request, header| request.append_header(*header),
        );
        let request = request.to_http_request();
        Client::of(&Ask::of(&request), &trust).0.to_string()
    }

    #[test]
    fn only_a_trusted_sender_is_believed() {
        let x = |sender, value| {
            seen(
                ForwardedBy::XForwardedFor,
                sender,
                &[("x-forwarded-for", value)],
            )
        };
        assert_eq!(x("127.0.0.1", "192.0.2.7"), "192.0.2.7");
        assert_eq!(x("198.51.100.1", "192.0.2.7"), "198.51.100.1");
        assert_eq!(x("[::ffff:127.0.0.1]", "192.0.2.7"), "192.0.2.7");
        // What a client claims stands to the left of what the proxies have seen.
        assert_eq!(x("127.0.0.1", "203.0.113.9, 192.0.2.7"), "192.0.2.7");
        assert_eq!(
            x("127.0.0.1", "203.0.113.9, 192.0.2.7, 127.0.0.9"),
            "192.0.2.7"
        );
        assert_eq!(x("127.0.0.1", "127.0.0.5"), "127.0.0.5");
        assert_eq!(x("127.0.0.1", "203.0.113.9, unknown"), "127.0.0.1");
        assert_eq!(x("127.0.0.1", ""), "127.0.0.1");
        assert_eq!(x("127.0.0.1", "192.0.2.7:55"), "192.0.2.7");
        assert_eq!(x("127.0.0.1", "\", 192.0.2.7"), "192.0.2.7");
        let twice = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", "192.0.2.7"),
        ];
        assert_eq!(
            seen(ForwardedBy::XForwardedFor, "127.0.0.1", &twice),
            "192.0.2.7"
        );
    }

    #[test]
    fn the_other_header_is_a_client_s_to_make_up() {
        let both = [
            ("x-forwarded-for", "192.0.2.7"),
            ("forwarded", "for=203.0.113.9"),
        ];
        assert_eq!(
            seen(ForwardedBy::XForwardedFor, "127.0.0.1", &both),
            "192.0.2.7"
        );
        assert_eq!(
            seen(ForwardedBy::Forwarded, "127.0.0.1", &both),
            "203.0.113.9"
        );
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_writes_it() {
        let by = |value: &str| {
            let header = [("forwarded", value)];
            seen(ForwardedBy::Forwarded, "127.0.0.1", &header)
        };
        assert_eq!(
            by("for=192.0.2.60;proto=http;by=203.0.113.43"),
            "192.0.2.60"
        );
        assert_eq!(
            by("For=\"[2001:db8:cafe:1::17]:4711\""),
            "2001:db8:cafe:1::"
        );
        assert_eq!(by("for=192.0.2.43, for=_hidden"), "127.0.0.1");
        assert_eq!(by("proto=https"), "127.0.0.1");
        // What a client had its proxy repeat, in quotes.
        for host in [
            "a,for=203.0.113.9",
            "a;for=203.0.113.9",
            r#"a\",for=203.0.113.9"#,
        ] {
            let forged = format!(r#"for=192.0.2.60;host="{host}""#);
            assert_eq!(by(&forged), "192.0.2.60", "{host}");
            let forged = format!(r#"host="{host}";for=192.0.2.60"#);
            assert_eq!(by(&forged), "192.0.2.60", "{host}");
        }
        assert_eq!(by("for=192.0.2.60;for=203.0.113.9"), "127.0.0.1");
        for open in [r#"host=""#, r#"host="a\"#, r#"for="203.0.113.9"#] {
            let behind = format!(r#"{open}, for=192.0.2.60;host="a.example""#);
            assert_eq!(by(&behind), "192.0.2.60", "{open}");
        }
    }

    #[test]
    fn a_user_of_ipv6_is_a_64_and_not_an_address() {
        let one = Client::at("2001:db8:1:2:3:4:5:6".parse().expect("an address"));
        let other = Client::at("2001:db8:1:2:ffff::1".parse().expect("an address"));
        assert_eq!(one, other);
        assert_ne!(
            one,
            Client::at("2001:db8:1:3::1".parse().expect("an address"))
        );
    }
}
