//! Figures that are looked up when they are asked for.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts};

use super::Registrar;
use crate::ice::relay::Counts;

/// How a server stands at one moment.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// Rooms on this node.
    pub rooms: usize,
    /// Peers in them.
    pub peers: usize,
    /// Open readers, by transport.
    pub readers: Vec<(&'static str, usize)>,
    /// Bytes that all mailboxes hold, and may hold; 0 is no bound.
    pub held: (usize, usize),
    /// Open connections.
    pub connections: usize,
    /// The server is going away.
    pub draining: bool,
    /// Whether the store of shared rooms answers; none where there is none.
    pub store: Option<bool>,
    /// What the relay has counted; none where there is none.
    pub relay: Option<Counts>,
}

pub(super) struct Gauges {
    rooms: IntGauge,
    peers: IntGauge,
    readers: IntGaugeVec,
    held: IntGauge,
    held_most: IntGauge,
    connections: IntGauge,
    draining: IntGauge,
    store: IntGaugeVec,
    relays: IntGaugeVec,
    relay: Relay,
}

/// What the relay counts.
struct Relay {
    opened: IntCounterVec,
    refused: IntCounterVec,
    packets: IntCounterVec,
    bytes: IntCounterVec,
    dropped: IntCounterVec,
}

impl Gauges {
    pub(super) fn new(new: &Registrar<'_>) -> prometheus::Result<Self> {
        let gauge = |name, help| new.add(IntGauge::new(name, help)?);
        let gauges =
            |name, help, labels: &[&str]| new.add(IntGaugeVec::new(Opts::new(name, help), labels)?);
        let build = gauges(
            "build_info",
            "Which program this is; always 1",
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Self {
            rooms: gauge("rooms", "Rooms that this node has")?,
            peers: gauge("peers", "Peers in them")?,
            readers: gauges("readers", "Open readers", &["transport"])?,
            held: gauge("mailbox_bytes", "Bytes that all mailboxes hold together")?,
            held_most: gauge(
                "mailbox_limit_bytes",
                "Bytes that all mailboxes may hold together; 0 is no bound",
            )?,
            connections: gauge("connections", "Open connections")?,
            draining: gauge("draining", "1 while the server is going away")?,
            store: gauges(
                "store_up",
                "Whether the store of shared rooms answers; absent where rooms are this node's alone",
                &[],
            )?,
            relays: gauges(
                "relay_open",
                "What the relay has open now: relays, and streams of clients",
                &["what"],
            )?,
            relay: Relay {
                opened: new.counters(
                    "relay_answers_total",
                    "What the relay has granted: relays, and addresses told by STUN",
                    &["what"],
                )?,
                refused: new.counters(
                    "relay_refusals_total",
                    "Requests that the relay refused, by the code of the answer; suppressed: it gave none",
                    &["code"],
                )?,
                packets: new.counters(
                    "relay_packets_total",
                    "Packets that were relayed, by where to",
                    &["to"],
                )?,
                bytes: new.counters(
                    "relay_bytes_total",
                    "Bytes in them",
                    &["to"],
                )?,
                dropped: new.counters(
                    "relay_dropped_total",
                    "Packets that were not relayed, by reason",
                    &["reason"],
                )?,
            },
        })
    }

    pub(super) fn set(&self, now: &Outside) {
        let to =
            |gauge: &IntGauge, value: usize| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        to(&self.rooms, now.rooms);
        to(&self.peers, now.peers);
        for (how, open) in &now.readers {
            to(&self.readers.with_label_values(&[*how]), *open);
        }
        to(&self.held, now.held.0);
        to(&self.held_most, now.held.1);
        to(&self.connections, now.connections);
        self.draining.set(i64::from(now.draining));
        if let Some(answers) = now.store {
            let none: [&str; 0] = [];
            self.store.with_label_values(&none).set(i64::from(answers));
        }
        if let Some(counts) = &now.relay {
            self.relays
                .with_label_values(&["relays"])
                .set(counts.relays.cast_signed());
            self.relays
                .with_label_values(&["streams"])
                .set(counts.streams.cast_signed());
            self.relay.set(counts);
        }
    }
}

impl Relay {
    fn set(&self, counts: &Counts) {
        let codes: Vec<_> = counts
            .refused
            .iter()
            .map(|(code, count)| (code.to_string(), *count))
            .collect();
        let refused = codes.iter().map(|(code, count)| (code.as_str(), *count));
        raise(
            &self.refused,
            refused.chain([("suppressed", counts.suppressed)]),
        );
        raise(
            &self.opened,
            [
                ("relay", counts.relays_opened),
                ("binding", counts.bindings),
            ],
        );
        raise(
            &self.packets,
            [
                ("peer", counts.packets_to_peers),
                ("client", counts.packets_to_clients),
            ],
        );
        raise(
            &self.bytes,
            [
                ("peer", counts.bytes_to_peers),
                ("client", counts.bytes_to_clients),
            ],
        );
        raise(
            &self.dropped,
            [
                ("peer-denied", counts.packets_denied),
                ("surplus", counts.surplus),
                ("no-room", counts.no_room),
                ("too-long", counts.too_long),
                (
                    "stream-refused",
                    counts.streams_past_all + counts.streams_past_address,
                ),
            ],
        );
    }
}

/// Brings counters up to what was counted elsewhere.
fn raise<'a>(counters: &IntCounterVec, to: impl IntoIterator<Item = (&'a str, u64)>) {
    for (label, count) in to {
        let counter = counters.with_label_values(&[label]);
        counter.inc_by(count.saturating_sub(counter.get()));
    }
}
