//! STUN and TURN servers: do they answer, over UDP, TCP and TLS (RFC 8489, RFC 8656)?

pub(super) mod connection;

use std::time::{Duration, Instant};

use reqwest::Url;
use turn_types::attribute::{Lifetime, RequestedTransport, XorRelayedAddress};
use turn_types::message::{ALLOCATE, REFRESH};
use turn_types::stun::attribute::{ErrorCode, Nonce, Realm, Username, XorMappedAddress};
use turn_types::stun::message::{
    BINDING, IntegrityAlgorithm, LongTermCredentials, Message, MessageClass,
    MessageIntegrityCredentials, MessageWriteVec, Method,
};
use turn_types::stun::prelude::*;

use super::facts::{Ice, Outcome};
use crate::ice::{IceUrl, Transport};
use connection::Connection;

/// How long a server may take for all that it is asked.
const PATIENCE: Duration = Duration::from_secs(9);
/// How long giving a relay back may take.
const GIVE_BACK: Duration = Duration::from_secs(1);
/// The relay is to speak UDP to the other side, as ICE wants it (the protocol number of IP).
const UDP: u8 = 17;

/// A server with the credential for it.
pub(super) struct Server {
    pub(super) url: IceUrl,
    pub(super) username: String,
    pub(super) credential: String,
}

/// One way to a server.
struct Way {
    turn: bool,
    transport: Transport,
    host: String,
    port: u16,
}

/// The ways to a server: an address that names no transport is tried by UDP and by TCP, and where it
/// names no port, by TLS too.
fn ways(url: &IceUrl) -> Vec<Way> {
    let transports = match (url.turn, url.secure, url.transport, url.port) {
        (_, true, ..) => vec![Transport::Tls],
        (false, false, ..) => vec![Transport::Udp],
        (true, false, Some(transport), _) => vec![transport],
        (true, false, None, Some(_)) => vec![Transport::Udp, Transport::Tcp],
        (true, false, None, None) => vec![Transport::Udp, Transport::Tcp, Transport::Tls],
    };
    let way = |transport| Way {
        turn: url.turn,
        transport,
        host: url.host.clone(),
        port: url.port.unwrap_or(transport.port()),
    };
    transports.into_iter().map(way).collect()
}

/// Asks servers that share a credential.
pub(super) async fn check(urls: &[IceUrl], username: &str, credential: &str) -> Vec<Ice> {
    let server = |url: &IceUrl| Server {
        url: url.clone(),
        username: username.into(),
        credential: credential.into(),
    };
    check_all(&urls.iter().map(server).collect::<Vec<_>>()).await
}

/// Asks all at once.
pub(super) async fn check_all(servers: &[Server]) -> Vec<Ice> {
    let mut asked = tokio::task::JoinSet::new();
    let ways = servers
        .iter()
        .flat_map(|server| ways(&server.url).into_iter().map(move |way| (way, server)));
    for (n, (way, server)) in ways.enumerate() {
        let credentials =
            LongTermCredentials::new(server.username.clone(), server.credential.clone());
        asked.spawn(async move { (n, ask(way, credentials).await) });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(n, _)| *n);
    answers.into_iter().map(|(_, ice)| ice).collect()
}

async fn ask(way: Way, credentials: LongTermCredentials) -> Ice {
    let began = Instant::now();
    let asking = async {
        let mut connection = Connection::open(way.transport, &way.host, way.port).await?;
        let relay = if way.turn {
            Some(allocate(&mut connection, &credentials).await?)
        } else {
            bind(&mut connection).await?;
            None
        };
        Ok::<_, String>((relay, connection))
    };
    let outcome = match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok((relay, mut connection))) => {
            let took = began.elapsed();
            if let Some(give_back) = relay {
                // Where that gets lost, the server keeps it for some minutes, and no more.
                let _ = tokio::time::timeout(GIVE_BACK, connection.ask(give_back)).await;
            }
            Outcome::good(took)
        }
        Ok(Err(why)) => Outcome::bad(why),
        Err(_) => Outcome::bad("no answer"),
    };
    let (scheme, what) = match (way.turn, way.transport) {
        (false, Transport::Tls) => ("stuns", "STUN over TLS"),
        (false, _) => ("stun", "STUN"),
        (true, Transport::Udp) => ("turn", "TURN over UDP"),
        (true, Transport::Tcp) => ("turn", "TURN over TCP"),
        (true, Transport::Tls) => ("turns", "TURN over TLS"),
    };
    let host = if way.host.contains(':') {
        format!("[{}]", way.host)
    } else {
        way.host
    };
    Ice {
        url: format!("{scheme}:{host}:{}", way.port),
        what,
        shared: false,
        outcome,
    }
}

/// Marks those that were reached on the port that the server speaks HTTP on.
pub(super) fn mark_shared(all: &mut [Ice], server: &str) {
    let Ok(server) = Url::parse(server) else {
        return;
    };
    let (host, port) = (server.host_str(), server.port_or_known_default());
    let Some((host, port)) = host.zip(port) else {
        return;
    };
    let own = format!(":{host}:{port}");
    for ice in all {
        ice.shared = ice.what.starts_with("TURN over T") && ice.url.ends_with(&own);
    }
}

/// Asks for the public address (RFC 8489, section 3).
pub(super) async fn bind(connection: &mut Connection) -> Result<(), String> {
    let answer = connection.ask(request(BINDING, &[])?).await?;
    let answer = parse(&answer)?;
    if answer.attribute::<XorMappedAddress>().is_ok() {
        Ok(())
    } else {
        Err("it knows no address".into())
    }
}

/// Asks for a relay; the request that gives it back (RFC 8656, sections 7 and 8).
pub(super) async fn allocate(
    connection: &mut Connection,
    credentials: &LongTermCredentials,
) -> Result<Vec<u8>, String> {
    let udp = RequestedTransport::new(UDP);
    let first = connection.ask(request(ALLOCATE, &[&udp])?).await?;
    let first = parse(&first)?;
    if first.has_class(MessageClass::Success) {
        return request(REFRESH, &[&Lifetime::new(0)]);
    }
    let realm: Realm = first.attribute().map_err(|_| refusal(&first))?;
    let nonce: Nonce = first.attribute().map_err(|_| refusal(&first))?;
    let username =
        Username::new(credentials.username()).map_err(|_| "the user name is too long")?;
    let key: MessageIntegrityCredentials = credentials.to_key(realm.realm().to_owned()).into();
    let signed = |method, attribute: &dyn AttributeWrite| {
        let mut message = Message::builder_request(method, MessageWriteVec::new());
        for attribute in [attribute, &username, &realm, &nonce] {
            message
                .add_attribute(attribute)
                .map_err(|_| "the request is too long")?;
        }
        message
            .add_message_integrity(&key, IntegrityAlgorithm::Sha1)
            .map_err(|_| "the request is too long")?;
        Ok::<_, String>(message.finish())
    };
    let second = connection.ask(signed(ALLOCATE, &udp)?).await?;
    let second = parse(&second)?;
    if second.has_class(MessageClass::Error) {
        return Err(refusal(&second));
    }
    second
        .attribute::<XorRelayedAddress>()
        .map_err(|_| "it names no relay")?;
    signed(REFRESH, &Lifetime::new(0))
}

fn request(method: Method, attributes: &[&dyn AttributeWrite]) -> Result<Vec<u8>, String> {
    let mut message = Message::builder_request(method, MessageWriteVec::new());
    for attribute in attributes {
        message
            .add_attribute(*attribute)
            .map_err(|_| "the request is too long")?;
    }
    Ok(message.finish())
}

fn parse(bytes: &[u8]) -> Result<Message<'_>, String> {
    Message::from_bytes(bytes).map_err(|_| "the answer is none of a STUN server".into())
}

fn refusal(answer: &Message<'_>) -> String {
    match answer.attribute::<ErrorCode>().map(|error| error.code()) {
        Ok(401) => "the user name or password was refused".into(),
        Ok(code) => format!("refused with {code}"),
        Err(_) => "refused".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(text: &str) -> Vec<(Transport, String, u16)> {
        let ways = super::ways(&IceUrl::parse(text).expect(text));
        ways.into_iter()
            .map(|way| (way.transport, way.host, way.port))
            .collect()
    }

    #[test]
    fn an_address_that_names_no_transport_is_tried_by_each() {
        use Transport::{Tcp, Tls, Udp};
        let at = |transport, port| (transport, "a.example".to_owned(), port);
        assert_eq!(ways("stun:a.example"), [at(Udp, 3478)]);
        assert_eq!(ways("stuns:a.example"), [at(Tls, 5349)]);
        assert_eq!(
            ways("turn:a.example"),
            [at(Udp, 3478), at(Tcp, 3478), at(Tls, 5349)]
        );
        assert_eq!(ways("turn:a.example:80"), [at(Udp, 80), at(Tcp, 80)]);
        assert_eq!(ways("turn:a.example:80?transport=tcp"), [at(Tcp, 80)]);
        assert_eq!(ways("turns:a.example:443?transport=tcp"), [at(Tls, 443)]);
        assert_eq!(ways("stun:[::1]:99"), [(Udp, "::1".to_owned(), 99)]);
    }

    #[test]
    fn a_relay_on_the_port_of_the_server_itself_is_told_from_others() {
        let ice = |what, url: &str| Ice {
            url: url.into(),
            what,
            shared: false,
            outcome: Outcome::bad("not asked"),
        };
        let mut all = [
            ice("TURN over TLS", "turns:a.example:443"),
            ice("TURN over TLS", "turns:a.example:5349"),
            ice("TURN over TLS", "turns:ba.example:443"),
            ice("TURN over TCP", "turn:a.example:443"),
            ice("TURN over UDP", "turn:a.example:443"),
        ];
        mark_shared(&mut all, "https://a.example/under");
        let shared = all.each_ref().map(|ice| ice.shared);
        assert_eq!(shared, [true, false, false, true, false]);
        let mut all = [ice("TURN over TCP", "turn:[::1]:8080")];
        mark_shared(&mut all, "http://[::1]:8080");
        assert!(all[0].shared);
    }

    #[test]
    fn what_is_no_such_address_is_refused() {
        for bad in [
            "",
            "turn",
            "turn:",
            "turn::1",
            "turn:a:0",
            "turn:a:65536",
            "turn:a:x",
            "turn:a?transport=sctp",
            "turns:a?transport=udp",
            "stun:a?transport=tcp",
            "http://a",
            "turn:a b",
            "turn:[::1]x",
            "turn:u@a",
        ] {
            assert!(IceUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
