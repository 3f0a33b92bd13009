//! The side of a relay that peers see: a socket of its own, and what passes through it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::UdpSocket;

use super::bucket::{Bucket, Rate};
use super::counts::{Tally, more};
use super::filter::{Filter, Verdict};
use super::ports::{Port, Ports};
use super::uptime::Uptime;

/// What all relays have in common.
pub(super) struct Outlets {
    /// The address that relays are reached by from outside.
    outside: IpAddr,
    /// The one that they have on this machine.
    inside: IpAddr,
    ports: Arc<Ports>,
    pub(super) filter: Filter,
    /// Bytes, each way.
    pub(super) rate: Rate,
    pub(super) uptime: Uptime,
    pub(super) tally: Arc<Tally>,
}

/// The socket of one relay.
pub(super) struct Outlet {
    /// It is closed before its port is given back.
    socket: UdpSocket,
    port: Port,
    sent: Bucket,
    common: Arc<Outlets>,
}

impl Outlets {
    pub(super) fn new(
        (outside, bound): (IpAddr, IpAddr),
        range: std::ops::RangeInclusive<u16>,
        filter: Filter,
        rate: Rate,
        tally: Arc<Tally>,
    ) -> Self {
        // Bound to all addresses, relays reach each other on loopback.
        let inside = match bound {
            IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            IpAddr::V4(_) | IpAddr::V6(_) => bound,
        };
        Self {
            outside,
            inside,
            ports: Ports::new(bound, range),
            filter,
            rate,
            uptime: Uptime::new(),
            tally,
        }
    }

    /// Whether relays have addresses of IPv6; otherwise they have such of IPv4.
    pub(super) fn is_v6(&self) -> bool {
        self.outside.is_ipv6()
    }

    /// Opens the socket of a relay.
    pub(super) async fn open(self: &Arc<Self>, even: bool) -> io::Result<Outlet> {
        let (socket, port) = self.ports.open(even)?;
        // Nothing can be tried before the system has said once that the socket can be written to.
        socket.writable().await?;
        Ok(Outlet {
            socket,
            port,
            sent: Bucket::default(),
            common: self.clone(),
        })
    }

    /// Relays send to each other within the machine: from behind a translator of addresses, the one
    /// by which they are reached from outside may lead nowhere.
    fn inward(&self, peer: SocketAddr) -> SocketAddr {
        self.other(peer, self.outside, self.inside)
    }

    fn outward(&self, peer: SocketAddr) -> SocketAddr {
        self.other(peer, self.inside, self.outside)
    }

    fn other(&self, peer: SocketAddr, from: IpAddr, to: IpAddr) -> SocketAddr {
        if peer.ip() == from && self.ports.holds(peer.port()) {
            SocketAddr::new(to, peer.port())
        } else {
            peer
        }
    }
}

impl Outlet {
    /// Its address, as peers know it.
    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.common.outside, self.port.number)
    }

    /// Sends to a peer, or drops the packet, as networks do.
    pub(super) fn send(&self, packet: &[u8], peer: SocketAddr) {
        let common = &self.common;
        let tally = &common.tally;
        let sent = match common.filter.judge(peer) {
            Verdict::Sent => true,
            // Other programs of this machine may have ports of that range.
            Verdict::SentToRelays => common.ports.holds(peer.port()),
            Verdict::Denied => false,
        };
        if !sent {
            return more(&tally.packets_denied, 1);
        }
        if !self
            .sent
            .take(common.rate, packet.len(), common.uptime.nanos())
        {
            return more(&tally.surplus, 1);
        }
        match self.socket.try_send_to(packet, common.inward(peer)) {
            Ok(_) => {
                more(&tally.packets_to_peers, 1);
                more(&tally.bytes_to_peers, packet.len());
            }
            Err(_) => more(&tally.no_room, 1),
        }
    }

    /// The next packet of a peer that is shorter than `room`. The others are as good as lost.
    pub(super) async fn receive(&self, room: &mut [u8]) -> (usize, SocketAddr) {
        loop {
            match self.socket.recv_from(room).await {
                Ok((length, _)) if length == room.len() => {
                    more(&self.common.tally.too_long, 1);
                }
                Ok((length, peer)) => return (length, self.common.outward(peer)),
                // The system tells of packets that did not arrive, which is no end of the socket.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }
}
