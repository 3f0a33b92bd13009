//! The ICE servers that peers are told of (RFC 8445): who they are, and the short-lived credentials
//! for those that relay.

pub mod credentials;
pub mod relay;
mod url;

use std::fmt;
use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use credentials::Secrets;
pub use url::{IceUrl, Transport};

use crate::access::Pattern;

/// How many URLs peers are told of at most: each one costs them time when they gather candidates.
pub const MOST_URLS: usize = 4;

/// After how much of its time a credential is replaced by another on open streams.
const RENEWED_AFTER: f64 = 0.8;

/// What peers are told of.
#[derive(Clone)]
pub struct IceServers {
    stun: Vec<IceUrl>,
    turn: Vec<IceUrl>,
    /// What credentials for the relays are signed with.
    secrets: Option<Secrets>,
    ttl: Duration,
    /// The rooms whose peers are to talk through relays alone.
    relayed: Vec<Pattern>,
}

impl IceServers {
    /// These servers, with credentials that are good for `ttl`; in the rooms that are `relayed` only
    /// the relays are named, and peers are to use nothing else.
    pub fn new(
        urls: impl IntoIterator<Item = IceUrl>,
        secrets: Option<Secrets>,
        ttl: Duration,
        relayed: Vec<Pattern>,
    ) -> Self {
        let (turn, stun) = urls.into_iter().partition(|url: &IceUrl| url.turn);
        Self {
            stun,
            turn,
            secrets,
            ttl,
            relayed,
        }
    }

    /// The members of a JSON object that tell a peer of `room` of the servers, as of `now`, in
    /// milliseconds since 1970. `id` stands in the user name of its credential, which travels in clear
    /// text.
    pub fn members(&self, room: Option<&str>, id: impl fmt::Display, now: u64) -> String {
        let only_relays = room.is_some_and(|room| self.is_relayed(room));
        let expiry = now / 1000 + self.ttl.as_secs();
        let signed = self.signs().map(|secrets| secrets.sign(id, expiry));
        let mut json = String::from(r#""iceServers":["#);
        if !self.stun.is_empty() && !only_relays {
            let _ = write!(json, r#"{{"urls":{}}}"#, Urls(&self.stun));
        }
        let urls = Urls(&self.turn);
        if let Some(signed) = &signed {
            let comma = if json.ends_with('}') { "," } else { "" };
            let (name, word) = (&signed.username, &signed.password);
            let _ = write!(
                json,
                r#"{comma}{{"urls":{urls},"username":"{name}","credential":"{word}"}}"#
            );
        }
        let _ = write!(json, r#"],"ttl":{}"#, self.ttl.as_secs());
        if let Some(signed) = &signed {
            let until = UNIX_EPOCH + Duration::from_secs(expiry);
            let until = humantime::format_rfc3339_seconds(until);
            let (name, word) = (&signed.username, &signed.password);
            let _ = write!(
                json,
                r#","expires_at":"{until}","username":"{name}","password":"{word}","uris":{urls}"#
            );
        }
        if only_relays {
            json.push_str(r#","iceTransportPolicy":"relay""#);
        }
        json
    }

    /// How old a credential may be before its holder is told of a new one; none where there are none.
    pub fn renewed_after(&self) -> Option<Duration> {
        self.signs().map(|_| self.ttl.mul_f64(RENEWED_AFTER))
    }

    fn signs(&self) -> Option<&Secrets> {
        self.secrets.as_ref().filter(|_| !self.turn.is_empty())
    }

    /// Whether peers of `room` are to talk through relays alone.
    fn is_relayed(&self, room: &str) -> bool {
        self.relayed.iter().any(|pattern| pattern.matches(room))
    }
}

/// A list of URLs as JSON; nothing in them has to be escaped.
struct Urls<'a>(&'a [IceUrl]);

impl fmt::Display for Urls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, url) in self.0.iter().enumerate() {
            let before = if n == 0 { '[' } else { ',' };
            write!(f, r#"{before}"{url}""#)?;
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: u64 = 1_763_809_200_000;

    fn told(servers: &IceServers, room: Option<&str>) -> Value {
        let members = servers.members(room, "p7Qx", NOW);
        serde_json::from_str(&format!("{{{members}}}")).expect("JSON")
    }

    fn servers(urls: &[&str], secret: Option<&str>, relayed: &[&str]) -> IceServers {
        let urls = urls.iter().map(|url| IceUrl::parse(url).expect("a URL"));
        let secrets = secret.and_then(|secret| Secrets::new([secret.as_bytes()]));
        let relayed = relayed.iter().map(|text| Pattern::new(*text)).collect();
        IceServers::new(urls, secrets, Duration::from_secs(3600), relayed)
    }

    #[test]
    fn what_is_told_goes_straight_into_a_peer_connection_and_has_the_older_fields_beside_it() {
        let urls = [
            "turn:t.example?transport=udp",
            "stun:s.example:3478",
            "turns:t.example:443",
        ];
        let servers = servers(&urls, Some("north"), &[]);
        let secrets = Secrets::new([&b"north"[..]]).expect("a secret");
        let signed = secrets.sign("p7Qx", 1_763_812_800);
        let (name, word) = ("1763812800:p7Qx", signed.password);
        let relays = json!(["turn:t.example?transport=udp", "turns:t.example:443"]);
        let expected = json!({
            "iceServers": [
                {"urls": ["stun:s.example:3478"]},
                {"urls": relays, "username": name, "credential": word},
            ],
            "ttl": 3600,
            "expires_at": "2025-11-22T12:00:00Z",
            "username": name,
            "password": word,
            "uris": relays,
        });
        assert_eq!(told(&servers, Some("demo")), expected);
        assert_eq!(servers.renewed_after(), Some(Duration::from_secs(2880)));
    }

    #[test]
    fn without_a_relay_there_is_no_credential() {
        let servers = servers(&["stun:a.example:3478", "stuns:[::1]"], None, &[]);
        let told = told(&servers, None);
        let urls = json!([{"urls": ["stun:a.example:3478", "stuns:[::1]"]}]);
        assert_eq!(told["iceServers"], urls);
        assert_eq!(told.as_object().map(serde_json::Map::len), Some(2));
        assert_eq!(servers.renewed_after(), None);
    }

    #[test]
    fn a_room_that_hides_addresses_is_told_of_relays_alone() {
        let urls = ["stun:s.example", "turn:t.example"];
        let servers = servers(&urls, Some("north"), &["private-*"]);
        let hidden = told(&servers, Some("private-7"));
        assert_eq!(hidden["iceTransportPolicy"], "relay");
        assert_eq!(hidden["iceServers"][0]["urls"], json!(["turn:t.example"]));
        let open = told(&servers, Some("open"));
        assert_eq!(open.get("iceTransportPolicy"), None);
        assert_eq!(open["iceServers"][0]["urls"], json!(["stun:s.example"]));
    }
}
