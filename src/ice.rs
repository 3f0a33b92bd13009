//! The ICE servers that peers are told of (RFC 8445, RFC 8489).

use std::fmt::Write as _;

/// How long a client may use an answer before it asks again, in seconds.
pub const TTL: u32 = 3600;

/// A server that peers may ask for their public address, as an `RTCIceServer` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceServer(String);

impl IceServer {
    /// Takes a STUN URI (RFC 7064): `stun:HOST[:PORT]` or `stuns:HOST[:PORT]`.
    ///
    /// # Errors
    /// Says what a STUN URI looks like.
    pub fn parse(url: &str) -> Result<Self, String> {
        let host = url
            .strip_prefix("stun:")
            .or_else(|| url.strip_prefix("stuns:"));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b);
        match host {
            Some(host) if !host.is_empty() && host.bytes().all(plain) => Ok(Self(url.into())),
            _ => Err("an ICE server is written like stun:stun.example.org:3478".into()),
        }
    }
}

/// The list as JSON, ready for an `RTCPeerConnection`.
pub fn to_json(servers: &[IceServer]) -> String {
    let mut json = String::from("[");
    for (n, IceServer(url)) in servers.iter().enumerate() {
        let comma = if n > 0 { "," } else { "" };
        let _ = write!(json, r#"{comma}{{"urls":["{url}"]}}"#);
    }
    json.push(']');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stun_uris_become_a_list_for_a_peer_connection() {
        let servers: Vec<_> = ["stun:a.example:3478", "stuns:[::1]"]
            .iter()
            .map(|url| IceServer::parse(url).expect("a STUN URI"))
            .collect();
        let json = r#"[{"urls":["stun:a.example:3478"]},{"urls":["stuns:[::1]"]}]"#;
        assert_eq!(to_json(&servers), json);
        assert_eq!(to_json(&[]), "[]");
    }

    #[test]
    fn what_is_no_stun_uri_is_refused() {
        for bad in [
            "",
            "stun:",
            "stun:a\"b",
            "turn:a.example",
            "http://a.example",
        ] {
            assert!(IceServer::parse(bad).is_err(), "{bad}");
        }
    }
}
