//! This program's own STUN server and TURN relay (RFC 8489, RFC 8656), by UDP and by streams.
//!
//! It has threads of its own, so that media never keeps an event waiting. What clients send comes to
//! the `desk`, which keeps something of those alone who have a relay, of which there is a bounded
//! number. What is relayed goes on as it comes, or is dropped: nothing waits but what a stream has
//! not taken yet.
//!
//! Nothing here logs who talks to whom, but at `debug`.

mod answer;
mod auth;
mod back;
mod binding;
mod bucket;
mod counts;
mod datagrams;
mod desk;
mod engine;
mod filter;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod nonce;
mod outlet;
mod packet;
mod peers;
mod ports;
mod quota;
mod sources;
mod streams;
mod uptime;
mod wish;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::thread::JoinHandle;

use ipnet::IpNet;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::credentials::Secrets;
use bucket::Rate;
pub use counts::Counts;
use counts::Tally;
use desk::Desk;
use filter::Filter;
use outlet::Outlets;
use quota::Quota;
use sources::Sources;
pub use streams::StreamDoor;

/// How many threads relay at most.
const MOST_THREADS: usize = 4;

/// Streams beyond that, where few relays are allowed.
const SPARE_STREAMS: usize = 64;

/// How often a free port is looked for that is free for streams too.
const TRIES: usize = 32;

/// What is relayed, for whom, and how much of it; 0 is no bound.
pub struct RelayOptions {
    /// Where addresses are told, and nothing else.
    pub stun_listen: Option<SocketAddr>,
    /// Where relays are given. Port 0 takes one that is free for UDP and TCP.
    pub turn_listen: Option<SocketAddr>,
    /// The address of relays, where it is not the one that is listened on.
    pub external_ip: Option<IpAddr>,
    /// Their ports.
    pub ports: RangeInclusive<u16>,
    /// What credentials are signed with.
    pub secrets: Option<Secrets>,
    /// Private and special networks that are sent to nevertheless.
    pub allow_peers: Vec<IpNet>,
    /// Relays in all.
    pub max_relays: usize,
    /// Relays of one credential.
    pub max_relays_per_user: usize,
    /// Streams of one address, or one network of IPv6.
    pub max_streams_per_ip: usize,
    /// What one relay passes on in a second, each way.
    pub bytes_per_second: usize,
    /// Answers to strangers of one network in a second.
    pub stun_per_second: u32,
}

/// A server that runs. Dropping it ends its threads, and closes all that is open.
pub struct Relay {
    stun_addr: Option<SocketAddr>,
    turn_addr: Option<SocketAddr>,
    door: Option<StreamDoor>,
    tally: Arc<Tally>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Binds to the addresses, and serves.
    ///
    /// # Errors
    /// Where an address cannot be bound, relays have no secret or no address that peers can reach,
    /// or the system gives no threads or random numbers.
    pub fn start(options: RelayOptions) -> io::Result<Self> {
        let tally = Arc::new(Tally::default());
        let rate = Rate(options.stun_per_second.into());
        let sources = Arc::new(Sources::new(rate, tally.clone()));
        let stun = options.stun_listen.map(datagrams::bind).transpose()?;
        let turn = options.turn_listen.map(bind_both).transpose()?;
        let stun_addr = stun.as_ref().map(UdpSocket::local_addr).transpose()?;
        let turn_addr = match &turn {
            Some((socket, _)) => Some(socket.local_addr()?),
            None => None,
        };
        let runtime = runtime()?;
        let entered = runtime.enter();
        if let Some(socket) = stun {
            let socket = tokio::net::UdpSocket::from_std(socket)?;
            runtime.spawn(datagrams::serve_binding(socket, sources.clone()));
        }
        let mut door = None;
        if let (Some((socket, listener)), Some(at)) = (turn, turn_addr) {
            let most = (most_streams(options.max_relays), options.max_streams_per_ip);
            let desk = desk(options, at.ip(), &sources, &tally)?;
            let streams =
                StreamDoor::new(desk.clone(), tally.clone(), runtime.handle().clone(), most);
            let listener = tokio::net::TcpListener::from_std(listener)?;
            runtime.spawn(streams.clone().accept(listener));
            let socket = tokio::net::UdpSocket::from_std(socket)?;
            runtime.spawn(datagrams::serve(socket, desk, sources));
            door = Some(streams);
        }
        drop(entered);
        let (stop, stopped) = oneshot::channel();
        // The runtime ends in a thread that may wait for it.
        let thread = std::thread::Builder::new()
            .name("relay".into())
            .spawn(move || {
                let _ = runtime.block_on(stopped);
            })?;
        Ok(Self {
            stun_addr,
            turn_addr,
            door,
            tally,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where addresses are told, and nothing else.
    pub fn stun_addr(&self) -> Option<SocketAddr> {
        self.stun_addr
    }

    /// Where relays are given.
    pub fn turn_addr(&self) -> Option<SocketAddr> {
        self.turn_addr
    }

    /// Takes streams that came in elsewhere, where relays are given.
    pub fn door(&self) -> Option<StreamDoor> {
        self.door.clone()
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        self.tally.read()
    }

    /// Tells the same whenever it is asked, also when the relay is gone.
    pub fn tally(&self) -> impl Fn() -> Counts + Send + Sync + 'static {
        let tally = self.tally.clone();
        move || tally.read()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Some(door) = &self.door {
            door.close();
        }
    }
}

/// How many streams there may be: one for each relay, and as many again that have none yet; 0 is no
/// bound.
fn most_streams(relays: usize) -> usize {
    match relays {
        0 => 0,
        relays => relays.saturating_mul(2).saturating_add(SPARE_STREAMS),
    }
}

fn runtime() -> io::Result<Runtime> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.min(MOST_THREADS))
        .thread_name("relay")
        .on_thread_start(give_way)
        .enable_all()
        .build()
}

/// Has the calling thread give way to those of signaling, where both want the same CPU: they have
/// little to do, and should do it at once.
fn give_way() {
    // On Linux each thread has a niceness of its own; elsewhere there is one of the process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(5) {
        tracing::debug!(%error, "the relay does not give way to signaling");
    }
}

/// The desk of a server that listens on this address.
fn desk(
    options: RelayOptions,
    listens: IpAddr,
    sources: &Arc<Sources>,
    tally: &Arc<Tally>,
) -> io::Result<Arc<Desk>> {
    let outside = options.external_ip.unwrap_or(listens);
    if outside.is_unspecified() {
        return Err(invalid("relays need an address that peers can reach"));
    }
    let secrets = options
        .secrets
        .ok_or_else(|| invalid("relays need a secret"))?;
    let bound = match outside {
        _ if outside.is_ipv4() == listens.is_ipv4() => listens,
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let own = [listens, outside].into_iter().chain(addresses());
    let ports = options.ports;
    let filter = Filter::new(own, [outside, bound], ports.clone(), options.allow_peers);
    let rate = Rate(options.bytes_per_second as u64);
    let outlets = Outlets::new((outside, bound), ports, filter, rate, tally.clone());
    let quota = Quota::new(
        options.max_relays,
        options.max_relays_per_user,
        tally.clone(),
        |tally| &tally.relays,
    );
    Desk::new(secrets, sources.clone(), quota, Arc::new(outlets))
}

/// The addresses by which this machine reaches others, as far as the system tells. No packet is
/// sent for it.
fn addresses() -> impl Iterator<Item = IpAddr> {
    let ways = [
        (IpAddr::from(Ipv4Addr::UNSPECIFIED), "8.8.8.8:9"),
        (
            IpAddr::from(Ipv6Addr::UNSPECIFIED),
            "[2001:4860:4860::8888]:9",
        ),
    ];
    ways.into_iter().filter_map(|(from, to)| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    })
}

/// Sockets for datagrams and streams on the same port.
fn bind_both(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = 0;
    loop {
        let socket = datagrams::bind(address)?;
        match streams::bind(socket.local_addr()?) {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse
                    && address.port() == 0
                    && tries < TRIES =>
            {
                tries += 1;
            }
            listener => return Ok((socket, listener?)),
        }
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
