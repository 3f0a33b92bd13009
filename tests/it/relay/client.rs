//! A client of a relay, and what its answers say.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};

use socket2::{Domain, Socket, Type};
use switchboard::ice::credentials::Secrets;
use turn_types::attribute::{
    ChannelNumber, Data, Lifetime, RequestedTransport, XorPeerAddress, XorRelayedAddress,
};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, DATA, REFRESH, SEND};
use turn_types::stun::attribute::{ErrorCode, Nonce, Realm, Username, XorMappedAddress};
use turn_types::stun::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass, MessageWriteVec, Method,
    TransactionId,
};
use turn_types::stun::prelude::*;

use crate::harness::PATIENCE;

/// What relays of these tests share with those who hand out credentials.
pub const SECRET: &str = "north of the river";

/// The way to a relay.
enum Link {
    Datagrams(UdpSocket),
    Stream(TcpStream),
}

/// A client with a credential.
pub struct Client {
    link: Link,
    pub username: String,
    pub password: String,
    nonce: String,
}

/// An answer to a request: 0 for one that was done, or the code.
pub struct Reply {
    pub code: u16,
    bytes: Vec<u8>,
}

/// A credential that is good for an hour.
pub fn credential(id: &str) -> (String, String) {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a time");
    signed(SECRET, &format!("{}:{id}", now.as_secs() + 3600))
}

/// The credential of a user name, whatever it says.
pub fn signed(secret: &str, username: &str) -> (String, String) {
    let secrets = Secrets::new([secret.as_bytes()]).expect("a secret");
    let password = secrets.passwords(username).next().expect("a password");
    (username.to_owned(), password)
}

impl Client {
    pub fn udp(relay: SocketAddr, (username, password): (String, String)) -> Self {
        let socket = UdpSocket::bind((relay.ip(), 0)).expect("a port");
        socket.connect(relay).expect("an address");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time");
        Self::by(Link::Datagrams(socket), username, password)
    }

    pub fn tcp(relay: SocketAddr, (username, password): (String, String)) -> Self {
        let stream = TcpStream::connect(relay).expect("a relay");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        Self::by(Link::Stream(stream), username, password)
    }

    /// From this address.
    pub fn tcp_from(from: IpAddr, relay: SocketAddr, of: (String, String)) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket
            .bind(&SocketAddr::new(from, 0).into())
            .expect("an address");
        socket.connect(&relay.into()).expect("a relay");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time");
        Self::by(Link::Stream(socket.into()), of.0, of.1)
    }

    fn by(link: Link, username: String, password: String) -> Self {
        Self {
            link,
            username,
            password,
            nonce: String::new(),
        }
    }

    pub fn nonce(&mut self, nonce: &str) {
        self.nonce = nonce.to_owned();
    }

    /// The address of this end.
    pub fn address(&self) -> SocketAddr {
        match &self.link {
            Link::Datagrams(socket) => socket.local_addr(),
            Link::Stream(stream) => stream.local_addr(),
        }
        .expect("an address")
    }

    /// A request, as it goes on the wire.
    pub fn request(
        &self,
        method: Method,
        attributes: &dyn Fn(TransactionId) -> Vec<Box<dyn AttributeWrite>>,
    ) -> Vec<u8> {
        let mut message = Message::builder_request(method, MessageWriteVec::new());
        let id = Message::from_bytes(message.data())
            .expect("a head")
            .transaction_id();
        for attribute in attributes(id) {
            message.add_attribute(&*attribute).expect("room");
        }
        if !self.nonce.is_empty() {
            let username = Username::new(&self.username).expect("a user name");
            let nonce = Nonce::new(&self.nonce).expect("a nonce");
            let realm = Realm::new("switchboard").expect("a realm");
            for attribute in [&username as &dyn AttributeWrite, &realm, &nonce] {
                message.add_attribute(attribute).expect("room");
            }
            let (name, word) = (self.username.clone(), self.password.clone());
            let credentials = LongTermKeyCredentials::new(name, word, "switchboard".into());
            message
                .add_message_integrity(&credentials.into(), IntegrityAlgorithm::Sha1)
                .expect("room");
        }
        message.finish()
    }

    /// Asks, and once more with the nonce where there was none.
    pub fn ask(
        &mut self,
        method: Method,
        attributes: &dyn Fn(TransactionId) -> Vec<Box<dyn AttributeWrite>>,
    ) -> Reply {
        let first = self.nonce.is_empty();
        let request = self.request(method, attributes);
        self.send_raw(&request);
        let reply = self.reply();
        if first && reply.code == 401 {
            self.nonce = reply.nonce();
            return self.ask(method, attributes);
        }
        reply
    }

    pub fn allocate(&mut self) -> Reply {
        self.ask(ALLOCATE, &|_| vec![Box::new(RequestedTransport::new(17))])
    }

    /// Opens a relay; its address.
    pub fn open(&mut self) -> SocketAddr {
        let reply = self.allocate();
        assert_eq!(reply.code, 0, "a relay for {}", self.username);
        reply.relayed()
    }

    pub fn refresh(&mut self, seconds: u32) -> u16 {
        let lifetime = move |_| vec![Box::new(Lifetime::new(seconds)) as Box<dyn AttributeWrite>];
        self.ask(REFRESH, &lifetime).code
    }

    pub fn permit(&mut self, peers: &[SocketAddr]) -> u16 {
        let peers = |id| -> Vec<Box<dyn AttributeWrite>> {
            let peers = peers.iter();
            let peers = peers.map(|peer| Box::new(XorPeerAddress::new(*peer, id)) as _);
            peers.collect()
        };
        self.ask(CREATE_PERMISSION, &peers).code
    }

    pub fn bind(&mut self, channel: u16, peer: SocketAddr) -> u16 {
        let bound = |id| -> Vec<Box<dyn AttributeWrite>> {
            vec![
                Box::new(ChannelNumber::new(channel)),
                Box::new(XorPeerAddress::new(peer, id)),
            ]
        };
        self.ask(CHANNEL_BIND, &bound).code
    }

    /// Sends to a peer by a channel.
    pub fn send_by(&mut self, channel: u16, data: &[u8]) {
        let mut packet = channel.to_be_bytes().to_vec();
        packet.extend_from_slice(&(data.len() as u16).to_be_bytes());
        packet.extend_from_slice(data);
        if matches!(self.link, Link::Stream(_)) {
            packet.resize(packet.len().next_multiple_of(4), 0);
        }
        self.send_raw(&packet);
    }

    /// Sends to a peer without one.
    pub fn send_to(&mut self, peer: SocketAddr, data: &[u8]) {
        let mut message = Message::builder_indication(SEND, MessageWriteVec::new());
        let id = Message::from_bytes(message.data())
            .expect("a head")
            .transaction_id();
        let peer = XorPeerAddress::new(peer, id);
        message.add_attribute(&peer).expect("room");
        message.add_attribute(&Data::new(data)).expect("room");
        let message = message.finish();
        self.send_raw(&message);
    }

    /// The next packet of a peer: its data, and the channel or the peer's address.
    pub fn receive(&mut self) -> (Result<u16, SocketAddr>, Vec<u8>) {
        let packet = self.next_raw();
        if packet[0] >> 6 == 1 {
            let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
            let channel = u16::from_be_bytes([packet[0], packet[1]]);
            return (Ok(channel), packet[4..4 + length].to_vec());
        }
        let message = Message::from_bytes(&packet).expect("a message");
        assert!(message.has_method(DATA) && message.has_class(MessageClass::Indication));
        let peer: XorPeerAddress = message.attribute().expect("a peer");
        let data: Data<'_> = message.attribute().expect("data");
        (Err(peer.addr(message.transaction_id())), data.data().into())
    }

    pub fn send_raw(&mut self, bytes: &[u8]) {
        match &mut self.link {
            Link::Datagrams(socket) => drop(socket.send(bytes).expect("sent")),
            Link::Stream(stream) => stream.write_all(bytes).expect("written"),
        }
    }

    pub fn reply(&mut self) -> Reply {
        let bytes = self.next_raw();
        let message = Message::from_bytes(&bytes).expect("a message");
        let code = match message.attribute::<ErrorCode>() {
            Ok(error) => error.code(),
            Err(_) => {
                assert!(message.has_class(MessageClass::Success), "{message}");
                0
            }
        };
        Reply { code, bytes }
    }

    /// Waits for the end of a stream.
    pub fn ended(&mut self) {
        let Link::Stream(stream) = &mut self.link else {
            panic!("datagrams have no end");
        };
        let end = stream.read(&mut [0; 1]);
        assert!(
            matches!(&end, Ok(0))
                || end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
        );
    }

    fn next_raw(&mut self) -> Vec<u8> {
        match &mut self.link {
            Link::Datagrams(socket) => {
                let mut room = vec![0; 1 << 16];
                let length = socket.recv(&mut room).expect("an answer");
                room.truncate(length);
                room
            }
            Link::Stream(stream) => {
                let mut packet = vec![0; 4];
                stream.read_exact(&mut packet).expect("an answer");
                let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
                let channel = packet[0] >> 6 == 1;
                let rest = if channel {
                    length.next_multiple_of(4)
                } else {
                    16 + length
                };
                packet.resize(4 + rest, 0);
                stream.read_exact(&mut packet[4..]).expect("an answer");
                packet
            }
        }
    }
}

impl Reply {
    fn message(&self) -> Message<'_> {
        Message::from_bytes(&self.bytes).expect("a message")
    }

    pub fn nonce(&self) -> String {
        let message = self.message();
        let realm: Realm = message.attribute().expect("a realm");
        assert_eq!(realm.realm(), "switchboard");
        let nonce: Nonce = message.attribute().expect("a nonce");
        nonce.nonce().to_owned()
    }

    pub fn relayed(&self) -> SocketAddr {
        let message = self.message();
        let relayed: XorRelayedAddress = message.attribute().expect("a relay");
        relayed.addr(message.transaction_id())
    }

    pub fn mapped(&self) -> SocketAddr {
        let message = self.message();
        let mapped: XorMappedAddress = message.attribute().expect("an address");
        mapped.addr(message.transaction_id())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it is signed with the client's credential.
    pub fn is_signed_for(&self, client: &Client) -> bool {
        let (name, word) = (client.username.clone(), client.password.clone());
        let credentials = LongTermKeyCredentials::new(name, word, "switchboard".into());
        self.message()
            .validate_integrity(&credentials.into())
            .is_ok()
    }
}
