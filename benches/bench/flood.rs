//! A flood of media through a relay: pairs of clients of TURN that send to each other as fast as they
//! can. It is a process of its own, which gives way to the generator, so as not to keep it from its clock.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use anyhow::Context as _;
use switchboard::ice::credentials::{Credential, Secrets};
use turn_types::attribute::{ChannelNumber, RequestedTransport, XorPeerAddress, XorRelayedAddress};
use turn_types::message::{ALLOCATE, CHANNEL_BIND};
use turn_types::stun::attribute::{Nonce, Realm, Username};
use turn_types::stun::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass, MessageWriteVec, Method,
    TransactionId,
};
use turn_types::stun::prelude::*;

use crate::stage::PATIENCE;

/// What the server shares with the flood.
pub(crate) const SECRET: &str = "what servers of a benchmark share with their load";

/// The protocol number of UDP.
const UDP: u8 = 17;
/// The channel by which each client calls its other.
const CHANNEL: u16 = 0x4000;
/// What one packet carries, in bytes: about as much as one of video.
const LENGTH: u16 = 1000;
/// How many packets a client sends before the next has its turn.
const BURST: usize = 4;

/// The process that floods; it ends with this.
pub(crate) struct Flood {
    child: Child,
    stop: Option<ChildStdin>,
    says: BufReader<ChildStdout>,
}

/// What came of a flood.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flooded {
    pub(crate) seconds: f64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

impl Flood {
    /// Floods the relay by so many clients from now on; without a relay the same goes nowhere.
    pub(crate) fn start(relay: Option<SocketAddr>, clients: usize) -> anyhow::Result<Self> {
        let itself = std::env::current_exe()?;
        let mut command = Command::new("nice");
        command.args(["-n", "10"]).arg(itself);
        command.args(["--flood-clients", &clients.to_string(), "--flood"]);
        command.arg(relay.map_or_else(|| "nowhere".to_owned(), |relay| relay.to_string()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("there is no nice (coreutils)")?;
        let says = child.stdout.take().context("no standard output")?;
        let mut flood = Self {
            stop: child.stdin.take(),
            says: BufReader::new(says),
            child,
        };
        let mut line = String::new();
        flood.says.read_line(&mut line)?;
        anyhow::ensure!(line.starts_with("flowing"), "the relay takes no flood");
        Ok(flood)
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it.
    pub(crate) fn end(mut self) -> anyhow::Result<Flooded> {
        drop(self.stop.take());
        let mut line = String::new();
        self.says.read_line(&mut line)?;
        let mut numbers = line.split_whitespace().map(str::parse::<f64>);
        let mut number = || {
            numbers
                .next()
                .context("the flood said nothing")?
                .context(line.clone())
        };
        Ok(Flooded {
            seconds: number()?,
            sent: number()? as u64,
            received: number()? as u64,
        })
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Floods until standard input ends.
pub(crate) fn run(relay: &str, clients: usize) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    std::thread::spawn(move || {
        let _ = io::stdin().read(&mut [0; 1]);
        stopped.store(true, Ordering::Relaxed);
    });
    let sockets = match relay.parse() {
        Ok(relay) => pairs(relay, clients)?,
        Err(_) => aimless(clients)?,
    };
    let mut packet = CHANNEL.to_be_bytes().to_vec();
    packet.extend_from_slice(&LENGTH.to_be_bytes());
    packet.resize(packet.len() + usize::from(LENGTH), 0);
    for socket in &sockets {
        socket.set_nonblocking(true)?;
    }
    let mut out = io::stdout();
    writeln!(out, "flowing")?;
    out.flush()?;
    let (began, mut sent, mut received) = (Instant::now(), 0_u64, 0_u64);
    let mut room = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        for socket in &sockets {
            sent += (0..BURST).filter(|_| socket.send(&packet).is_ok()).count() as u64;
            while socket.recv(&mut room).is_ok() {
                received += 1;
            }
        }
    }
    writeln!(out, "{} {sent} {received}", began.elapsed().as_secs_f64())?;
    Ok(())
}

/// As many sockets, whose packets nobody reads.
fn aimless(count: usize) -> anyhow::Result<Vec<UdpSocket>> {
    let nobody = UdpSocket::bind("127.0.0.1:0")?;
    let at = nobody.local_addr()?;
    // It is there as long as the process.
    std::mem::forget(nobody);
    (0..count).map(|_| connected(at)).collect()
}

/// Clients that have a relay each, and a channel to that of another.
fn pairs(relay: SocketAddr, count: usize) -> anyhow::Result<Vec<UdpSocket>> {
    let clients = (0..count).map(|number| Client::open(relay, number));
    let clients = clients.collect::<anyhow::Result<Vec<_>>>()?;
    for (number, client) in clients.iter().enumerate() {
        let other = clients.get(number ^ 1).context("an even number")?;
        client.bind(other.relayed)?;
    }
    Ok(clients.into_iter().map(|client| client.socket).collect())
}

fn connected(to: SocketAddr) -> anyhow::Result<UdpSocket> {
    let socket = UdpSocket::bind((to.ip(), 0))?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// A client with a relay.
struct Client {
    socket: UdpSocket,
    relayed: SocketAddr,
    credential: Credential,
    realm: String,
    nonce: String,
}

impl Client {
    fn open(relay: SocketAddr, number: usize) -> anyhow::Result<Self> {
        let secrets = Secrets::new([SECRET.as_bytes()]).context("a secret")?;
        let now = SystemTime::UNIX_EPOCH.elapsed()?;
        let mut client = Self {
            socket: connected(relay)?,
            relayed: relay,
            credential: secrets.sign(number, now.as_secs() + 3600),
            realm: String::new(),
            nonce: String::new(),
        };
        let udp = RequestedTransport::new(UDP);
        let refused = client.ask(ALLOCATE, |_| [Box::new(udp)])?;
        let refused = Message::from_bytes(&refused)?;
        client.realm = refused.attribute::<Realm>()?.realm().to_owned();
        client.nonce = refused.attribute::<Nonce>()?.nonce().to_owned();
        let udp = RequestedTransport::new(UDP);
        let opened = client.ask(ALLOCATE, |_| [Box::new(udp)])?;
        let opened = Message::from_bytes(&opened)?;
        let relayed: XorRelayedAddress = opened.attribute().context("no relay")?;
        client.relayed = relayed.addr(opened.transaction_id());
        Ok(client)
    }

    fn bind(&self, peer: SocketAddr) -> anyhow::Result<()> {
        let wanted = |id| -> [Box<dyn AttributeWrite>; 2] {
            [
                Box::new(ChannelNumber::new(CHANNEL)),
                Box::new(XorPeerAddress::new(peer, id)),
            ]
        };
        let answer = self.ask(CHANNEL_BIND, wanted)?;
        let answer = Message::from_bytes(&answer)?;
        anyhow::ensure!(
            answer.has_class(MessageClass::Success),
            "no channel: {answer}"
        );
        Ok(())
    }

    /// Sends a request, signed once it is known how; its answer.
    fn ask<const N: usize>(
        &self,
        method: Method,
        attributes: impl FnOnce(TransactionId) -> [Box<dyn AttributeWrite>; N],
    ) -> anyhow::Result<Vec<u8>> {
        let mut message = Message::builder_request(method, MessageWriteVec::new());
        let id = Message::from_bytes(message.data())?.transaction_id();
        for attribute in attributes(id) {
            message.add_attribute(&*attribute)?;
        }
        if !self.nonce.is_empty() {
            let Credential { username, password } = &self.credential;
            message.add_attribute(&Username::new(username)?)?;
            message.add_attribute(&Realm::new(&self.realm)?)?;
            message.add_attribute(&Nonce::new(&self.nonce)?)?;
            let (name, word) = (username.clone(), password.clone());
            let key = LongTermKeyCredentials::new(name, word, self.realm.clone());
            message.add_message_integrity(&key.into(), IntegrityAlgorithm::Sha1)?;
        }
        self.socket.send(&message.finish())?;
        let mut answer = vec![0; 2048];
        let length = self
            .socket
            .recv(&mut answer)
            .context("the relay says nothing")?;
        answer.truncate(length);
        Ok(answer)
    }
}
