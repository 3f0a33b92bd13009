//! The ports that relays have.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

/// How many ports that other programs have are tried.
const TRIES: usize = 64;

/// The ports of one address, and which of them are taken.
pub(super) struct Ports {
    address: IpAddr,
    range: RangeInclusive<u16>,
    taken: Mutex<Box<[bool]>>,
}

/// A port that is taken. Dropping it gives it back.
pub(super) struct Port {
    pub(super) number: u16,
    ports: Arc<Ports>,
}

impl Ports {
    pub(super) fn new(address: IpAddr, range: RangeInclusive<u16>) -> Arc<Self> {
        let taken = Mutex::new(range.clone().map(|_| false).collect());
        Arc::new(Self {
            address,
            range,
            taken,
        })
    }

    /// A socket on a port that nobody can guess.
    pub(super) fn open(self: &Arc<Self>, even: bool) -> io::Result<(UdpSocket, Port)> {
        let mut error = io::ErrorKind::AddrInUse.into();
        for _ in 0..TRIES {
            let Some(port) = self.take(even)? else {
                break;
            };
            match self.bind(port.number) {
                Ok(socket) => return Ok((socket, port)),
                Err(refused) => error = refused,
            }
        }
        Err(error)
    }

    /// Whether a relay has this port now.
    pub(super) fn holds(&self, port: u16) -> bool {
        let n = port.checked_sub(*self.range.start());
        n.is_some_and(|n| self.taken.lock().get(usize::from(n)) == Some(&true))
    }

    fn take(self: &Arc<Self>, even: bool) -> io::Result<Option<Port>> {
        let start = getrandom::u32().map_err(io::Error::other)? as usize;
        let mut taken = self.taken.lock();
        let count = taken.len();
        let first = usize::from(*self.range.start());
        let number = |n: usize| (start % count.max(1) + n) % count.max(1);
        let free = (0..count)
            .map(number)
            .filter(|n| !even || (first + n).is_multiple_of(2))
            .find(|n| !taken[*n]);
        Ok(free.map(|n| {
            taken[n] = true;
            Port {
                number: (first + n) as u16,
                ports: self.clone(),
            }
        }))
    }

    fn bind(&self, port: u16) -> io::Result<UdpSocket> {
        let address = SocketAddr::new(self.address, port);
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            // An address of IPv4 in disguise gets nowhere.
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        UdpSocket::from_std(socket.into())
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let n = self.number - self.ports.range.start();
        self.ports.taken.lock()[usize::from(n)] = false;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn each_port_is_taken_once_and_comes_back() {
        let ports = Ports::new(Ipv4Addr::LOCALHOST.into(), 65530..=65535);
        let take = |even| ports.take(even).expect("random numbers");
        let taken: Vec<_> = (0..6).filter_map(|_| take(false)).collect();
        let mut numbers: Vec<_> = taken.iter().map(|port| port.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (65530..=65535).collect::<Vec<_>>());
        assert!(take(false).is_none());
        assert!(ports.holds(65530) && !ports.holds(65529));
        drop(taken);
        assert!(!ports.holds(65530));
        let even: Vec<_> = (0..3).filter_map(|_| take(true)).collect();
        assert!(even.len() == 3 && even.iter().all(|port| port.number % 2 == 0));
        assert!(take(true).is_none());
    }
}
