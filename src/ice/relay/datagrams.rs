//! Clients that come by datagrams.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::back::Back;
use super::binding;
use super::counts::more;
use super::desk::{Client, Desk};
use super::sources::Sources;

/// What the system keeps for a socket that all clients share. With less, bursts are lost.
const BUFFER: usize = 4 << 20;

/// The longest there is.
const LONGEST: usize = 1 << 16;

/// A socket for all clients. It is for both families where it is bound to all addresses.
pub(super) fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // The system may allow less.
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Serves clients of a relay.
pub(super) async fn serve(socket: UdpSocket, desk: Arc<Desk>, sources: Arc<Sources>) {
    let socket = Arc::new(socket);
    let mut room = vec![0; LONGEST];
    loop {
        let (length, from) = receive(&socket, &mut room).await;
        let client = Client {
            address: SocketAddr::new(from.ip().to_canonical(), from.port()),
            stream: None,
        };
        let back = || Back::Datagrams(socket.clone(), from);
        let answer = desk.take(&room[..length], client, back).await;
        send(&socket, answer, from, &sources);
    }
}

/// Serves clients that only want to know their address.
pub(super) async fn serve_binding(socket: UdpSocket, sources: Arc<Sources>) {
    let mut room = vec![0; LONGEST];
    loop {
        let (length, from) = receive(&socket, &mut room).await;
        let client = SocketAddr::new(from.ip().to_canonical(), from.port());
        let answer = binding::take(&room[..length], client, &sources);
        send(&socket, answer, from, &sources);
    }
}

async fn receive(socket: &UdpSocket, room: &mut [u8]) -> (usize, SocketAddr) {
    loop {
        match socket.recv_from(room).await {
            Ok(received) => return received,
            // The system tells of answers that did not arrive, which is no end of the socket.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

fn send(socket: &UdpSocket, answer: Option<Vec<u8>>, to: SocketAddr, sources: &Sources) {
    if let Some(answer) = answer
        && socket.try_send_to(&answer, to).is_err()
    {
        more(&sources.tally.no_room, 1);
    }
}
