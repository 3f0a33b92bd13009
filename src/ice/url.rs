//! How STUN and TURN servers are written: URIs (RFC 7064, RFC 7065).

use std::fmt;

/// How messages go to a STUN or TURN server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream within TLS.
    Tls,
}

impl Transport {
    /// The port where none is named.
    pub fn port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 3478,
            Self::Tls => 5349,
        }
    }
}

/// A STUN or TURN URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceUrl {
    /// A relay, which wants a credential; or else it tells addresses only.
    pub turn: bool,
    /// Reached over TLS.
    pub secure: bool,
    /// A name or an address, of IPv6 without its brackets.
    pub host: String,
    /// The port, where not the usual one.
    pub port: Option<u16>,
    /// The transport, where it is named: for `turns:` TCP is what TLS runs over.
    pub transport: Option<Transport>,
}

impl IceUrl {
    /// Takes `stun:`, `stuns:`, `turn:` or `turns:`, a host, a port if any, and `?transport=udp` or
    /// `tcp` if any.
    ///
    /// # Errors
    /// Says what such an address looks like.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::read(text).ok_or_else(|| {
            "a STUN or TURN server is written like stun:stun.example.org:3478 or turns:turn.example.org:5349".into()
        })
    }

    /// A relay at `host` that is reached by `transport`.
    pub fn relay(host: &str, port: u16, transport: Transport) -> Self {
        Self {
            turn: true,
            secure: transport == Transport::Tls,
            host: host.to_owned(),
            port: Some(port),
            transport: Some(transport.min(Transport::Tcp)),
        }
    }

    /// A server at `host` that tells addresses, asked by UDP.
    pub fn stun(host: &str, port: u16) -> Self {
        Self {
            turn: false,
            secure: false,
            host: host.to_owned(),
            port: Some(port),
            transport: None,
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let (turn, secure) = match scheme {
            "stun" => (false, false),
            "stuns" => (false, true),
            "turn" => (true, false),
            "turns" => (true, true),
            _ => return None,
        };
        let (place, transport) = match rest.split_once("?transport=") {
            Some((place, "udp")) if turn && !secure => (place, Some(Transport::Udp)),
            Some((place, "tcp")) if turn => (place, Some(Transport::Tcp)),
            Some(_) => return None,
            None => (rest, None),
        };
        let (host, port) = match place
            .strip_prefix('[')
            .and_then(|inner| inner.split_once(']'))
        {
            Some((host, port)) => (host, port),
            None => place.split_at(place.find(':').unwrap_or(place.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => Some(port.parse().ok().filter(|port| *port > 0)?),
            None if port.is_empty() => None,
            None => return None,
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_:".contains(&b);
        (!host.is_empty() && host.bytes().all(plain)).then(|| Self {
            turn,
            secure,
            host: host.to_owned(),
            port,
            transport,
        })
    }
}

impl fmt::Display for IceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.turn, self.secure) {
            (false, false) => "stun",
            (false, true) => "stuns",
            (true, false) => "turn",
            (true, true) => "turns",
        };
        if self.host.contains(':') {
            write!(f, "{scheme}:[{}]", self.host)?;
        } else {
            write!(f, "{scheme}:{}", self.host)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match self.transport {
            Some(Transport::Udp) => f.write_str("?transport=udp"),
            Some(Transport::Tcp | Transport::Tls) => f.write_str("?transport=tcp"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_the_same() {
        for url in [
            "stun:a.example:3478",
            "stuns:[::1]",
            "turn:a.example",
            "turn:10.0.0.1:3478?transport=udp",
            "turn:a.example:80?transport=tcp",
            "turns:[2001:db8::1]:443?transport=tcp",
        ] {
            let read = IceUrl::parse(url).expect(url);
            assert_eq!(read.to_string(), url);
        }
        let relay = IceUrl::relay("::1", 443, Transport::Tls);
        assert_eq!(relay.to_string(), "turns:[::1]:443?transport=tcp");
        assert_eq!(IceUrl::stun("h", 3478).to_string(), "stun:h:3478");
    }

    #[test]
    fn what_is_no_uri_of_an_ice_server_is_refused() {
        for bad in [
            "",
            "stun:",
            "stun:a\"b",
            "stun:a?transport=udp",
            "turns:a?transport=udp",
            "turn:a:0",
            "turn:a:port",
            "turn:a?transport=sctp",
            "http://a.example",
        ] {
            assert!(IceUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
