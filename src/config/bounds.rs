//! How much of everything there may be, and what happens past it; 0 is no bound.

use std::time::Duration;

use clap::Args;

use super::check::{duration, size};
use crate::hub::HubLimits;
use crate::proto::{MailboxLimits, RoomLimits};

/// The bounds of a server. Each has one consequence, which the other side is told.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Bounds")]
pub struct Bounds {
    /// Open connections, of all kinds; past it the next ones wait until one is closed
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_CONNECTIONS",
        value_name = "N",
        default_value_t = 100_000
    )]
    pub max_connections: usize,

    /// Connections of one address at a time, of one /64 with IPv6, those that still agree on TLS included, and each request under way on one of HTTP/2 counted too; past it one more is closed at once, such a request refused. Those of a --trusted-proxy are not counted
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_CONNECTIONS_PER_IP",
        value_name = "N",
        default_value_t = 25_000
    )]
    pub max_connections_per_ip: usize,

    /// Requests under way at a time on one connection of HTTP/2, streams and held polls among them; past it the next ones wait at the client, and of one that does not know are refused
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_STREAMS_PER_CONNECTION",
        value_name = "N",
        default_value_t = 128
    )]
    pub max_streams_per_connection: u32,

    /// A connection that nothing was asked on for so long is closed; over what proxies keep theirs
    #[arg(
        long,
        env = "SWITCHBOARD_KEEP_ALIVE",
        value_name = "TIME",
        default_value = "75s",
        value_parser = duration
    )]
    pub keep_alive: Duration,

    /// The head of a connection's first request must have come within this; past it the answer is 408, within HTTP/2 a GOAWAY, and the close. Within TLS, agreeing on it has as long before. Of a later one --keep-alive bounds the wait for its first byte
    #[arg(
        long,
        env = "SWITCHBOARD_HEAD_TIMEOUT",
        value_name = "TIME",
        default_value = "10s",
        value_parser = duration
    )]
    pub head_timeout: Duration,

    /// A request's body must have come within this; past it the answer is 408 too-slow
    #[arg(
        long,
        env = "SWITCHBOARD_BODY_TIMEOUT",
        value_name = "TIME",
        default_value = "20s",
        value_parser = duration
    )]
    pub body_timeout: Duration,

    /// A stream whose connection takes nothing for so long, although there is something for it, is ended with reason slow; looked at once a heartbeat. Over HTTP/2 whatever takes nothing of its answer for so long is reset; 0: never
    #[arg(long, env = "SWITCHBOARD_SLOW_AFTER", value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub slow_after: Duration,

    /// Open readers; past it a stream is ended with reason busy, a poll gets 503 overloaded
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_READERS",
        value_name = "N",
        default_value_t = 50_000
    )]
    pub max_readers: usize,

    /// Open readers of one address, of one /64 with IPv6; past it as past --max-readers
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_READERS_PER_IP",
        value_name = "N",
        default_value_t = 1_000
    )]
    pub max_readers_per_ip: usize,

    /// Lines of what happened that operators can look back at (`/history`, the console); past it the oldest go. Kept only where there are operators
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_HISTORY",
        value_name = "N",
        default_value_t = 20_000
    )]
    pub max_history: usize,

    /// Peers of one address at a time, of one /64 with IPv6; past it a join gets 429 rate-limited
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_PEERS_PER_IP",
        value_name = "N",
        default_value_t = 25_000
    )]
    pub max_peers_per_ip: usize,

    /// Joins a second of one address, of one /64 with IPv6; past it 429 rate-limited
    #[arg(
        long,
        env = "SWITCHBOARD_JOINS_PER_SECOND",
        value_name = "N",
        default_value_t = 200
    )]
    pub joins_per_second: u32,

    /// Signals a second of one peer, 100 at once at least; past it 429 rate-limited
    #[arg(
        long,
        env = "SWITCHBOARD_SIGNALS_PER_SECOND",
        value_name = "N",
        default_value_t = 200
    )]
    pub signals_per_second: u32,

    /// Signals a second of one address, of one /64 with IPv6; past it 429 rate-limited
    #[arg(
        long,
        env = "SWITCHBOARD_SIGNALS_PER_SECOND_PER_IP",
        value_name = "N",
        default_value_t = 0
    )]
    pub signals_per_second_per_ip: u32,

    /// Rooms; past it a join that would begin one gets 503 overloaded
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_ROOMS",
        value_name = "N",
        default_value_t = 100_000
    )]
    pub max_rooms: usize,

    /// Peers in all rooms together; past it a join gets 503 overloaded
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_PEERS",
        value_name = "N",
        default_value_t = 100_000
    )]
    pub max_peers: usize,

    /// Peers in a room; past it a join gets 409 room-full
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_PEERS_PER_ROOM",
        value_name = "N",
        default_value_t = 64
    )]
    pub max_peers_per_room: usize,

    /// Open sessions of one peer; past it an offer gets 429 rate-limited
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_SESSIONS_PER_PEER",
        value_name = "N",
        default_value_t = 256
    )]
    pub max_sessions_per_peer: usize,

    /// How deep arrays and objects may stand in each other in data and meta; past it 422
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_JSON_DEPTH",
        value_name = "N",
        default_value_t = 64
    )]
    pub max_json_depth: usize,

    /// Signals that wait unread in a mailbox; past it the sender gets 429 mailbox-full
    #[arg(
        long,
        env = "SWITCHBOARD_MAILBOX_EVENTS",
        value_name = "N",
        default_value_t = 256
    )]
    pub mailbox_events: usize,

    /// Their bytes; past it the sender gets 429 mailbox-full
    #[arg(long, env = "SWITCHBOARD_MAILBOX_BYTES", value_name = "SIZE", default_value = "512KiB", value_parser = size)]
    pub mailbox_bytes: usize,

    /// Presence and ends that wait unread beside the signals; past it the reader is told of a gap
    #[arg(
        long,
        env = "SWITCHBOARD_CONTROL_EVENTS",
        value_name = "N",
        default_value_t = 1024
    )]
    pub control_events: usize,

    /// Their bytes; past it the reader is told of a gap
    #[arg(long, env = "SWITCHBOARD_CONTROL_BYTES", value_name = "SIZE", default_value = "256KiB", value_parser = size)]
    pub control_bytes: usize,

    /// Bytes of all mailboxes together, what is in several counted in each; past it signals to who holds more than an equal share get 503 overloaded, byes are taken
    #[arg(long, env = "SWITCHBOARD_ALL_MAILBOX_BYTES", value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub all_mailbox_bytes: usize,

    /// Signal ids remembered for each peer, so that a repeat is not delivered again; the oldest go first. One to a whole room counts once more for each eight it went to
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_REMEMBERED_SIGNALS",
        value_name = "N",
        default_value_t = 1024
    )]
    pub max_remembered_signals: usize,

    /// Ended peers remembered for 10 minutes with the reason; past it the oldest are told unknown
    #[arg(
        long,
        env = "SWITCHBOARD_MAX_REMEMBERED_ENDS",
        value_name = "N",
        default_value_t = 100_000
    )]
    pub max_remembered_ends: usize,
}

impl Bounds {
    /// The bounds of the hub.
    pub fn limits(&self) -> HubLimits {
        let mailbox = MailboxLimits {
            events: self.mailbox_events,
            bytes: self.mailbox_bytes,
            control_events: self.control_events,
            control_bytes: self.control_bytes,
        };
        let room = RoomLimits {
            peers: self.max_peers_per_room,
            sessions: self.max_sessions_per_peer,
            remembered: self.max_remembered_signals,
            mailbox,
        };
        let (rooms, readers) = (self.max_rooms, self.max_readers);
        HubLimits {
            room,
            rooms,
            readers,
            peers: self.max_peers,
            held: self.all_mailbox_bytes,
            ends: self.max_remembered_ends,
        }
    }
}
