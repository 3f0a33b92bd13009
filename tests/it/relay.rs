//! The relay of this program's own, over real sockets on loopback.

mod bounds;
mod client;
mod strangers;
mod uclient;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Instant;

use bytes::Bytes;
use clap::Parser as _;
use switchboard::config::Cli;
use switchboard::ice::Transport;
use switchboard::ice::credentials::Secrets;
use switchboard::ice::relay::{Counts, Relay, RelayOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use turn_types::AddressFamily;
use turn_types::attribute::{RequestedAddressFamily, RequestedTransport};
use turn_types::message::{ALLOCATE, REFRESH};
use turn_types::stun::message::BINDING;

use crate::harness::PATIENCE;
use client::{Client, SECRET, credential, signed};

/// A relay on loopback that may send there, and has no bounds.
fn options() -> RelayOptions {
    flagged(&[
        ("--max-relays", "0"),
        ("--max-relays-per-user", "0"),
        ("--max-relay-streams-per-ip", "0"),
        ("--relay-bytes-per-second", "0"),
        ("--stun-per-second", "0"),
    ])
}

/// The same as the command line has it.
fn flagged(flags: &[(&str, &str)]) -> RelayOptions {
    let mut line = vec!["switchboard", "--turn-listen", "127.0.0.1:0"];
    line.extend(["--turn-allow-peer", "127.0.0.0/8"]);
    line.extend(["--turn-ports", "20000-31999"]);
    line.extend(flags.iter().flat_map(|(name, value)| [*name, *value]));
    let config = Cli::try_parse_from(line).expect("flags").into_config();
    let relay = config.ice.relay(Secrets::new([SECRET.as_bytes()]));
    relay.expect("a relay")
}

fn start(options: RelayOptions) -> (Relay, SocketAddr) {
    crate::harness::log::watch();
    let relay = Relay::start(options).expect("a relay");
    let addr = relay.turn_addr().expect("an address");
    (relay, addr)
}

/// Waits until the counts are as they must become.
fn counted(relay: &Relay, as_wanted: impl Fn(&Counts) -> bool) -> Counts {
    let began = Instant::now();
    loop {
        let counts = relay.counts();
        if as_wanted(&counts) {
            return counts;
        }
        assert!(began.elapsed() < PATIENCE, "{counts:?}");
        std::thread::yield_now();
    }
}

fn peer() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time");
    let addr = socket.local_addr().expect("an address");
    (socket, addr)
}

fn received(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut room = [0; 2048];
    let (length, from) = socket.recv_from(&mut room).expect("a packet");
    (room[..length].to_vec(), from)
}

#[test]
fn a_relay_passes_packets_on_both_ways_by_udp_and_tcp() {
    let (relay, addr) = start(options());
    for connect in [Client::udp, Client::tcp] {
        let mut client = connect(addr, credential("p1"));
        let reply = client.allocate();
        assert_eq!((reply.code, reply.mapped()), (0, client.address()));
        assert!(reply.is_signed_for(&client));
        let relayed = reply.relayed();
        assert_eq!(relayed.ip(), addr.ip());
        assert!((20000..=31999).contains(&relayed.port()));
        let (socket, peer) = peer();
        assert_eq!(client.permit(&[peer]), 0);
        // What another sends is not passed on: what comes after it is there first.
        let other = UdpSocket::bind("127.0.0.2:0").expect("a port");
        other.send_to(b"unasked", relayed).expect("sent");
        client.send_to(peer, b"there");
        assert_eq!(received(&socket), (b"there".to_vec(), relayed));
        socket.send_to(b"back", relayed).expect("sent");
        assert_eq!(client.receive(), (Err(peer), b"back".to_vec()));
        assert_eq!(client.bind(0x7fff, peer), 0);
        for length in [0, 1, 2, 3, 1400] {
            let data = vec![b'x'; length];
            client.send_by(0x7fff, &data);
            assert_eq!(received(&socket), (data.clone(), relayed));
            socket.send_to(&data, relayed).expect("sent");
            assert_eq!(client.receive(), (Ok(0x7fff), data));
        }
        assert_eq!(client.refresh(0), 0);
        assert_eq!(client.refresh(600), 437, "it was closed");
    }
    let counts = counted(&relay, |counts| counts.relays == 0);
    assert_eq!(counts.relays_opened, 2);
    assert_eq!(counts.packets_to_peers, 12);
    assert_eq!(counts.packets_to_clients, 12);
}

#[test]
fn relays_of_one_server_reach_each_other_behind_a_translator_of_addresses() {
    let mut options = options();
    options.external_ip = Some(IpAddr::from([198, 41, 0, 4]));
    options.allow_peers.clear();
    let (_relay, addr) = start(options);
    let mut first = Client::udp(addr, credential("p1"));
    let mut second = Client::tcp(addr, credential("p2"));
    let (one, two) = (first.open(), second.open());
    assert_eq!(one.ip(), IpAddr::from([198, 41, 0, 4]));
    assert_eq!(first.bind(0x4000, two), 0);
    assert_eq!(second.permit(&[one]), 0);
    first.send_by(0x4000, b"there");
    assert_eq!(second.receive(), (Err(one), b"there".to_vec()));
    second.send_to(one, b"back");
    assert_eq!(first.receive(), (Ok(0x4000), b"back".to_vec()));
}

#[test]
fn several_peers_are_permitted_at_once() {
    let (_relay, addr) = start(options());
    let mut client = Client::udp(addr, credential("p1"));
    let relayed = client.open();
    let peers = [[127, 0, 0, 2], [127, 0, 0, 3]].map(|ip| {
        let socket = UdpSocket::bind((IpAddr::from(ip), 0)).expect("a port");
        let addr = socket.local_addr().expect("an address");
        (socket, addr)
    });
    assert_eq!(client.permit(&peers.each_ref().map(|(_, addr)| *addr)), 0);
    for (socket, addr) in &peers {
        socket.send_to(b"back", relayed).expect("sent");
        assert_eq!(client.receive(), (Err(*addr), b"back".to_vec()));
    }
}

#[test]
fn a_credential_that_is_not_good_gets_401() {
    let (relay, addr) = start(options());
    let (name, word) = credential("p1");
    let cases = [
        ("expired", signed(SECRET, "1000000000:p1")),
        ("malformed", signed(SECRET, "p1")),
        ("forged", (name.clone(), "guessed".into())),
        ("of another's name", (format!("9{name}"), word)),
        ("foreign", signed("another secret", &name)),
    ];
    for connect in [Client::udp, Client::tcp] {
        for (what, credential) in &cases {
            let mut client = connect(addr, credential.clone());
            let reply = client.allocate();
            assert_eq!(reply.code, 401, "{what}");
            assert!(!reply.nonce().is_empty(), "{what}");
        }
    }
    let counts = relay.counts();
    assert_eq!((counts.auth_expired, counts.auth_malformed), (2, 2));
    assert_eq!((counts.auth_integrity, counts.relays_opened), (6, 0));
}

#[test]
fn a_relay_goes_on_when_its_credential_has_run_out_and_is_its_owners_alone() {
    let (_relay, addr) = start(options());
    let soon = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a time");
    let soon = signed(SECRET, &format!("{}:p1", soon.as_secs() + 1));
    let mut client = Client::udp(addr, soon.clone());
    client.open();
    let (socket, peer) = peer();
    drop(socket);
    // Another relay is refused from some moment on; this one is kept.
    let began = Instant::now();
    while Client::udp(addr, soon.clone()).allocate().code != 401 {
        assert!(began.elapsed() < PATIENCE);
    }
    assert_eq!((client.refresh(600), client.permit(&[peer])), (0, 0));
    (client.username, client.password) = credential("p2");
    assert_eq!(client.refresh(600), 441);
    assert_eq!(client.permit(&[peer]), 441);
    assert_eq!(client.allocate().code, 441);
}

#[test]
fn a_nonce_of_another_gets_438_and_a_new_one() {
    let (relay, addr) = start(options());
    let mut client = Client::udp(addr, credential("p1"));
    client.nonce("AAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let reply = client.allocate();
    assert_eq!(reply.code, 438);
    client.nonce(&reply.nonce());
    client.open();
    assert_eq!(relay.counts().auth_nonce, 1);
}

#[test]
fn a_request_that_is_repeated_gets_the_same_answer() {
    let (relay, addr) = start(options());
    let mut client = Client::udp(addr, credential("p1"));
    let challenge = client.ask(REFRESH, &|_| vec![]);
    assert_eq!(challenge.code, 437);
    let request = client.request(ALLOCATE, &|_| vec![Box::new(RequestedTransport::new(17))]);
    client.send_raw(&request);
    let first = client.reply();
    client.send_raw(&request);
    assert_eq!((first.code, client.reply().bytes()), (0, first.bytes()));
    assert_eq!(client.allocate().code, 437, "another request");
    assert_eq!(relay.counts().relays_opened, 1);
}

#[test]
fn a_peer_that_may_not_be_reached_gets_403() {
    let mut options = options();
    options.allow_peers = vec!["127.0.0.2/32".parse().expect("a network")];
    let (relay, addr) = start(options);
    let mut client = Client::udp(addr, credential("p1"));
    client.open();
    let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
    for peer in ["10.0.0.1:80", "169.254.169.254:80", "127.0.0.1:80"] {
        assert_eq!(client.permit(&[at(peer)]), 403, "{peer}");
        assert_eq!(client.bind(0x4000, at(peer)), 403, "{peer}");
        assert_eq!(client.permit(&[at("127.0.0.2:1"), at(peer)]), 403);
    }
    for peer in ["[::1]:80", "[::ffff:127.0.0.1]:80"] {
        assert_eq!(client.permit(&[at(peer)]), 443, "{peer}");
    }
    assert_eq!(client.permit(&[at("127.0.0.2:1")]), 0);
    assert_eq!(client.permit(&[at("127.0.0.1:20000")]), 0, "a relay's");
    // What is permitted is an address; each packet is judged by its port too.
    client.send_to(at("127.0.0.1:80"), b"to a service of this machine");
    let counts = counted(&relay, |counts| counts.packets_denied == 1);
    assert_eq!((counts.refused(403), counts.packets_to_peers), (9, 0));
    assert_eq!(counts.peers_refused, 9);
}

#[test]
fn a_relay_has_the_family_of_its_server() {
    let v6 = |_| -> Vec<Box<dyn turn_types::stun::prelude::AttributeWrite>> {
        vec![
            Box::new(RequestedTransport::new(17)),
            Box::new(RequestedAddressFamily::new(AddressFamily::IPV6)),
        ]
    };
    let (_relay, addr) = start(options());
    let mut client = Client::udp(addr, credential("p1"));
    assert_eq!(client.ask(ALLOCATE, &v6).code, 440);
    let mut options = options();
    options.turn_listen = Some("[::1]:0".parse().expect("an address"));
    let (_relay, addr) = start(options);
    let mut client = Client::udp(addr, credential("p1"));
    assert_eq!(client.allocate().code, 440, "one of IPv4 is asked for");
    let reply = client.ask(ALLOCATE, &v6);
    assert_eq!((reply.code, reply.relayed().ip()), (0, addr.ip()));
}

#[test]
fn a_port_for_stun_alone_tells_addresses_and_nothing_else() {
    let mut options = options();
    options.stun_listen = options.turn_listen.take();
    let relay = Relay::start(options).expect("a server");
    assert!(relay.turn_addr().is_none() && relay.door().is_none());
    let addr = relay.stun_addr().expect("an address");
    let mut client = Client::udp(addr, credential("p1"));
    let allocate = client.request(ALLOCATE, &|_| vec![Box::new(RequestedTransport::new(17))]);
    client.send_raw(&allocate);
    client.send_raw(b"GET / HTTP/1.1\r\n\r\n");
    // Whatever is not answered would have been before this.
    let reply = client.ask(BINDING, &|_| vec![]);
    assert_eq!(reply.mapped(), client.address());
}

#[test]
fn a_stream_of_something_else_is_closed_and_one_that_closes_takes_its_relay_along() {
    let (relay, addr) = start(options());
    let mut other = Client::tcp(addr, credential("p1"));
    other.send_raw(b"GET / HTTP/1.1\r\n\r\n");
    other.ended();
    let mut client = Client::tcp(addr, credential("p1"));
    let relayed = client.open();
    assert_eq!(relay.counts().relays, 1);
    drop(client);
    counted(&relay, |counts| counts.relays == 0 && counts.streams == 0);
    let began = Instant::now();
    while UdpSocket::bind(relayed).is_err() {
        assert!(began.elapsed() < PATIENCE, "the port is free again");
    }
}

#[test]
fn a_stream_without_a_relay_is_closed_after_a_while() {
    let (relay, addr) = start(options());
    let mut with = Client::tcp(addr, credential("p1"));
    with.open();
    let mut without = Client::tcp(addr, credential("p2"));
    assert_eq!(
        without.ask(BINDING, &|_| vec![]).mapped(),
        without.address()
    );
    without.ended();
    assert_eq!(with.refresh(600), 0);
    counted(&relay, |counts| counts.streams == 1);
}

#[tokio::test]
async fn a_stream_that_came_in_elsewhere_is_taken_over_with_what_was_read() {
    let (relay, addr) = start(options());
    let (mut ours, theirs) = tokio::io::duplex(4096);
    let from = "192.0.2.1:1000".parse().expect("an address");
    let client = Client::udp(addr, credential("p1"));
    let request = client.request(BINDING, &|_| vec![]);
    let first = Bytes::copy_from_slice(&request[..7]);
    let door = relay.door().expect("a door");
    door.take(theirs, from, addr, first, Transport::Tls);
    ours.write_all(&request[7..]).await.expect("written");
    let mut answer = [0; 40];
    ours.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(
        (answer[0], answer[1], &answer[8..20]),
        (1, 1, &request[8..])
    );
    assert_eq!(relay.counts().streams, 1);
    drop(relay);
    assert_eq!(ours.read(&mut answer).await.expect("an end"), 0);
    let (mut ours, theirs) = tokio::io::duplex(4096);
    door.take(theirs, from, addr, Bytes::new(), Transport::Tls);
    assert_eq!(ours.read(&mut answer).await.expect("an end"), 0);
}
