//! The ICE servers that peers are told of, and those that this program is itself.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use clap::Args;
use ipnet::IpNet;

use super::check::{self, duration, size};
use crate::access::Pattern;
use crate::ice::credentials::Secrets;
use crate::ice::relay::RelayOptions;
use crate::ice::{IceServers, IceUrl, MOST_URLS, Transport};

/// The ICE servers that peers are told of, and those that this program is itself.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "ICE servers: STUN and TURN")]
pub struct IceOptions {
    /// STUN or TURN server handed out to peers, like stun:stun.example.org:3478, turn:turn.example.org:3478?transport=udp or turns:turn.example.org:443?transport=tcp; repeatable, with those of --stun-listen and --turn-listen four at most. TURN servers need --turn-secret
    #[arg(long = "ice-server", env = "SWITCHBOARD_ICE_SERVER", value_name = "URL", value_delimiter = ',', value_parser = IceUrl::parse)]
    pub ice_servers: Vec<IceUrl>,

    /// Secret shared with the TURN servers (coturn: use-auth-secret, static-auth-secret), by which peers get credentials; repeatable: the first signs, the relay of --turn-listen takes all [default: made at random, where only that relay is told of]
    #[arg(
        long = "turn-secret",
        env = "SWITCHBOARD_TURN_SECRET",
        value_name = "SECRET",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub turn_secrets: Vec<String>,

    /// How long a credential is good for a new relay; one that is open goes on. Peers are told of a new one after four fifths of it
    #[arg(long, env = "SWITCHBOARD_TURN_TTL", value_name = "TIME", default_value = "1h", value_parser = duration)]
    pub turn_ttl: Duration,

    /// Rooms whose peers are told of TURN servers alone and to use nothing else (iceTransportPolicy relay), so that they do not learn each other's addresses: names, in which * stands for anything; repeatable
    #[arg(long = "relay-room", env = "SWITCHBOARD_RELAY_ROOM", value_name = "NAME", value_delimiter = ',', value_parser = |text: &str| Ok::<_, std::convert::Infallible>(Pattern::new(text)))]
    pub relay_rooms: Vec<Pattern>,

    /// Address on which peers are told their own (STUN, UDP), and told of
    #[arg(long, env = "SWITCHBOARD_STUN_LISTEN", value_name = "ADDR:PORT")]
    pub stun_listen: Option<SocketAddr>,

    /// Address of a relay (TURN) of this program's own, UDP and TCP, also for STUN, and told of; --listen then takes TURN over TCP as well. It needs an address that peers can reach: here or as --turn-external-ip
    #[arg(long, env = "SWITCHBOARD_TURN_LISTEN", value_name = "ADDR:PORT")]
    pub turn_listen: Option<SocketAddr>,

    /// Address by which the relay is reached from outside, where that is not the one it listens on
    #[arg(long, env = "SWITCHBOARD_TURN_EXTERNAL_IP", value_name = "ADDR")]
    pub turn_external_ip: Option<IpAddr>,

    /// Name of the relay in what peers are told, as its certificate has it [default: its address]
    #[arg(long, env = "SWITCHBOARD_TURN_HOST", value_name = "NAME", value_parser = check::host)]
    pub turn_host: Option<String>,

    /// UDP ports of the relay's own that peers send to each other through
    #[arg(long, env = "SWITCHBOARD_TURN_PORTS", value_name = "FROM-TO", default_value = "49152-65535", value_parser = check::ports)]
    pub turn_ports: RangeInclusive<u16>,

    /// Network that the relay may send to though it is private or special, like 10.0.0.0/8; repeatable. Of all others of such it answers 403
    #[arg(long = "turn-allow-peer", env = "SWITCHBOARD_TURN_ALLOW_PEER", value_name = "CIDR", value_delimiter = ',', value_parser = check::network)]
    pub turn_allow_peers: Vec<IpNet>,

    /// Open relays in all; past it 508
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_RELAYS",
        value_name = "N",
        default_value_t = 2000
    )]
    pub max_relays: usize,

    /// Open relays of one credential; past it 486
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_RELAYS_PER_USER",
        value_name = "N",
        default_value_t = 64
    )]
    pub max_relays_per_user: usize,

    /// Streams (TCP, TLS) to the relay of one address at a time, of one /64 with IPv6; past it one more is closed at once
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_RELAY_STREAMS_PER_IP",
        value_name = "N",
        default_value_t = 1000
    )]
    pub max_relay_streams_per_ip: usize,

    /// What one relay passes on a second, each way; past it packets are dropped
    #[arg(long, env = "SWITCHBOARD_RELAY_BYTES_PER_SECOND", value_name = "SIZE", default_value = "4MiB", value_parser = size)]
    pub relay_bytes_per_second: usize,

    /// STUN messages without a good credential that one address is answered in a second; past it they are dropped
    #[arg(
        long,
        env = "SWITCHBOARD_STUN_PER_SECOND",
        value_name = "N",
        default_value_t = 50
    )]
    pub stun_per_second: u32,
}

impl IceOptions {
    /// The secrets that TURN servers are shared; where none is given, `made`.
    pub fn secrets(&self, made: &[u8]) -> Option<Secrets> {
        let given = self.turn_secrets.iter().map(String::as_bytes);
        let made = [made].into_iter().filter(|_| self.turn_secrets.is_empty());
        Secrets::new(given.chain(made))
    }

    /// What peers are told of: these servers, and this program's `own`.
    pub fn servers(&self, own: Vec<IceUrl>, secrets: Option<Secrets>) -> IceServers {
        let urls = self.ice_servers.iter().cloned().chain(own);
        IceServers::new(urls, secrets, self.turn_ttl, self.relay_rooms.clone())
    }

    /// How this program is to tell addresses and to relay; none where it is not to.
    pub fn relay(&self, secrets: Option<Secrets>) -> Option<RelayOptions> {
        self.stun_listen.or(self.turn_listen)?;
        Some(RelayOptions {
            stun_listen: self.stun_listen,
            turn_listen: self.turn_listen,
            external_ip: self.turn_external_ip,
            ports: self.turn_ports.clone(),
            secrets,
            allow_peers: self.turn_allow_peers.clone(),
            max_relays: self.max_relays,
            max_relays_per_user: self.max_relays_per_user,
            max_streams_per_ip: self.max_relay_streams_per_ip,
            bytes_per_second: self.relay_bytes_per_second,
            stun_per_second: self.stun_per_second,
        })
    }

    /// The URLs of what this program is itself: where it listens for STUN, for TURN, and for TURN
    /// within TLS on the port that it serves on.
    pub fn own_urls(
        &self,
        stun: Option<SocketAddr>,
        turn: Option<SocketAddr>,
        secure: Option<u16>,
    ) -> Vec<IceUrl> {
        let host = |listens: SocketAddr| match (&self.turn_host, self.turn_external_ip) {
            (Some(name), _) => name.clone(),
            (None, Some(address)) => address.to_string(),
            (None, None) => listens.ip().to_string(),
        };
        let mut urls = Vec::new();
        urls.extend(stun.map(|at| IceUrl::stun(&host(at), at.port())));
        if let Some(at) = turn {
            let ways = [
                (Some(at.port()), Transport::Udp),
                (Some(at.port()), Transport::Tcp),
                (secure, Transport::Tls),
            ];
            let ways = ways.into_iter();
            urls.extend(ways.filter_map(|(port, way)| Some(IceUrl::relay(&host(at), port?, way))));
        }
        urls
    }

    /// How many URLs peers are told of, whatever ports they come to have.
    fn urls(&self, secure: bool) -> usize {
        let own = self.own_urls(self.stun_listen, self.turn_listen, secure.then_some(0));
        self.ice_servers.len() + own.len()
    }

    /// What is wrong with them, taken together, where all is served within TLS or not.
    pub(super) fn problem(&self, secure: bool) -> Option<&'static str> {
        if self.urls(secure) > MOST_URLS {
            return Some(
                "peers are told of four ICE servers at most, each costs them time: name fewer --ice-server; --stun-listen is one, --turn-listen two, and one more with --tls-cert",
            );
        }
        let turn = self.ice_servers.iter().any(|url| url.turn);
        let relays = turn || self.turn_listen.is_some();
        if self.turn_secrets.iter().any(String::is_empty) {
            return Some("--turn-secret must not be empty");
        }
        if turn && self.turn_secrets.is_empty() {
            return Some(
                "a TURN server needs --turn-secret, by which peers get credentials for it: the one that it has as static-auth-secret (coturn)",
            );
        }
        if !self.turn_secrets.is_empty() && !relays {
            return Some(
                "--turn-secret means nothing without a TURN server: --ice-server turn:… or --turn-listen",
            );
        }
        if !self.relay_rooms.is_empty() && !relays {
            return Some("--relay-room needs a TURN server: --ice-server turn:… or --turn-listen");
        }
        if relays && self.turn_ttl < LEAST_TTL {
            return Some("--turn-ttl must be at least 10s");
        }
        if self
            .stun_listen
            .is_some_and(|listen| listen.ip().is_unspecified())
            && self.turn_host.is_none()
            && self.turn_external_ip.is_none()
        {
            return Some(
                "--stun-listen on all addresses needs --turn-external-ip or --turn-host, by which peers reach it",
            );
        }
        let unreachable =
            |listen: &SocketAddr| listen.ip().is_unspecified() && self.turn_external_ip.is_none();
        if self.turn_listen.as_ref().is_some_and(unreachable) {
            return Some(
                "--turn-listen on all addresses needs --turn-external-ip, the one by which peers reach it",
            );
        }
        if self
            .turn_external_ip
            .is_some_and(|address| address.is_unspecified())
        {
            return Some("--turn-external-ip is an address that peers can reach");
        }
        None
    }
}

/// Credentials that ran out sooner would do so while they are used.
const LEAST_TTL: Duration = Duration::from_secs(10);
