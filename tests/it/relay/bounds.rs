//! What is bounded, and that all comes back.

use std::net::{IpAddr, UdpSocket};
use std::time::Instant;

use crate::harness::PATIENCE;

use super::client::{Client, credential};
use super::{counted, flagged, options, peer, received, start};

#[test]
fn past_its_relays_a_credential_gets_486_and_all_get_508() {
    let bounds = [("--max-relays", "3"), ("--max-relays-per-user", "2")];
    let (relay, addr) = start(flagged(&bounds));
    let mut clients: Vec<_> = ["p1", "p1", "p1", "p2", "p3"]
        .map(|id| Client::udp(addr, credential(id)))
        .into();
    let name = clients[0].username.clone();
    let word = clients[0].password.clone();
    for client in &mut clients[1..3] {
        (client.username, client.password) = (name.clone(), word.clone());
    }
    let codes: Vec<_> = clients.iter_mut().map(|it| it.allocate().code).collect();
    assert_eq!(codes, [0, 0, 486, 0, 508]);
    let counts = relay.counts();
    assert_eq!((counts.relays_past_user, counts.relays_past_all), (1, 1));
    assert_eq!(clients[0].refresh(0), 0);
    assert_eq!(clients[4].allocate().code, 0, "a place is free again");
    assert_eq!(relay.counts().relays, 3);
}

#[test]
fn past_its_bytes_a_second_a_relay_drops_packets_each_way() {
    let bounds = [("--relay-bytes-per-second", "10000")];
    let (relay, addr) = start(flagged(&bounds));
    let mut client = Client::udp(addr, credential("p1"));
    let relayed = client.open();
    let (socket, peer) = peer();
    assert_eq!(client.bind(0x4000, peer), 0);
    for _ in 0..40 {
        client.send_by(0x4000, &[7; 1000]);
    }
    let there = counted(&relay, |it| it.packets_to_peers + it.surplus == 40);
    assert!((10..40).contains(&there.packets_to_peers), "{there:?}");
    for _ in 0..there.packets_to_peers {
        received(&socket);
    }
    for _ in 0..40 {
        socket.send_to(&[7; 996], relayed).expect("sent");
    }
    let dropped = there.surplus;
    let back = counted(&relay, |it| {
        it.packets_to_clients + it.surplus == 40 + dropped
    });
    assert!((10..40).contains(&back.packets_to_clients), "{back:?}");
}

#[test]
fn past_its_peers_a_relay_gets_508_for_more() {
    let (relay, addr) = start(options());
    let mut client = Client::udp(addr, credential("p1"));
    client.open();
    let peer = |n: u16, port| {
        let [a, b] = n.to_be_bytes();
        (IpAddr::from([127, 0, a, b]), port).into()
    };
    assert!((1..=256).all(|n| client.permit(&[peer(n, 9)]) == 0));
    assert_eq!(client.permit(&[peer(257, 9)]), 508);
    assert_eq!(client.bind(0x4000, peer(1, 9)), 508);
    assert_eq!(client.permit(&[peer(1, 10)]), 0, "again");
    assert_eq!(relay.counts().refused(508), 2);
}

#[test]
fn more_streams_than_there_may_be_are_closed() {
    let mut options = options();
    options.max_relays = 1;
    let (relay, addr) = start(options);
    let streams: Vec<_> = (0..66)
        .map(|_| Client::tcp(addr, credential("p1")))
        .collect();
    counted(&relay, |counts| counts.streams == 66);
    Client::tcp(addr, credential("p1")).ended();
    assert_eq!(relay.counts().streams_past_all, 1);
    drop(streams);
    counted(&relay, |counts| counts.streams == 0);
}

#[test]
fn past_its_streams_an_address_has_one_more_closed_and_others_do_not() {
    let (relay, addr) = start(flagged(&[("--max-relay-streams-per-ip", "2")]));
    let mut first = Client::tcp(addr, credential("p1"));
    let _second = Client::tcp(addr, credential("p1"));
    counted(&relay, |counts| counts.streams == 2);
    Client::tcp(addr, credential("p1")).ended();
    assert_eq!(relay.counts().streams_past_address, 1);
    Client::tcp_from([127, 0, 0, 2].into(), addr, credential("p1")).open();
    first.open();
    drop(first);
    counted(&relay, |counts| counts.streams == 1);
    Client::tcp(addr, credential("p1")).open();
}

#[test]
fn where_no_port_is_left_a_relay_gets_508() {
    let mut options = options();
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    options.ports = port..=port;
    let (relay, addr) = start(options);
    assert_eq!(Client::udp(addr, credential("p1")).allocate().code, 508);
    let counts = relay.counts();
    assert_eq!((counts.relays_without_port, counts.relays), (1, 0));
}

/// Whether all these ports can be bound, once they can.
fn are_free(ports: &[std::net::SocketAddr]) {
    let began = Instant::now();
    for port in ports {
        while UdpSocket::bind(port).is_err() {
            assert!(began.elapsed() < PATIENCE, "{port} is free again");
        }
    }
}

#[test]
fn a_thousand_relays_end_cleanly() {
    let (relay, addr) = start(options());
    let mut clients: Vec<_> = (0..1000)
        .map(|n| match n % 2 {
            0 => Client::udp(addr, credential(&format!("p{n}"))),
            _ => Client::tcp(addr, credential(&format!("p{n}"))),
        })
        .collect();
    let ports: Vec<_> = clients.iter_mut().map(Client::open).collect();
    assert_eq!(relay.counts().relays, 1000);
    // A third is closed by request, a third of the streams by their end, the rest with the relay.
    for client in &mut clients[..333] {
        assert_eq!(client.refresh(0), 0);
    }
    drop(clients.split_off(666));
    let counts = counted(&relay, |counts| counts.streams == 333);
    assert_eq!(counts.relays, 333 + 167);
    are_free(&ports[..333]);
    // Whoever still has the door keeps nothing open.
    let _door = relay.door();
    drop(relay);
    for port in &ports {
        drop(UdpSocket::bind(port).expect("a free port"));
    }
    UdpSocket::bind(addr).expect("a free port");
}
