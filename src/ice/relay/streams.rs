//! Clients that come by streams.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::back::{Back, Queue};
use super::counts::{Tally, more};
use super::desk::{Client, Desk};
use super::packet;
use super::quota::{Full, Place, Quota};
use super::sources::network;
use crate::ice::Transport;

/// How long a stream may be without a relay.
const IDLE: Duration = Duration::from_secs(10);

/// How long a client may take nothing of what waits for it.
const STUCK: Duration = Duration::from_secs(30);

/// How many streams wait to be accepted.
const WAITING: i32 = 1024;

/// How long accepting pauses when the system has no room for another stream.
const NO_ROOM: Duration = Duration::from_millis(100);

/// A socket for streams. It is for both families where it is bound to all addresses.
pub(super) fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // Streams of an earlier run that are not quite gone keep nobody out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(WAITING)?;
    Ok(socket.into())
}

/// Takes over streams of clients that came in elsewhere.
#[derive(Clone)]
pub struct StreamDoor {
    desk: Arc<Desk>,
    tally: Arc<Tally>,
    runtime: Handle,
    places: Arc<Quota<IpAddr>>,
    next: Arc<AtomicU64>,
}

impl StreamDoor {
    /// A door for so many streams at once, and so many from one network; 0 is no bound.
    pub(super) fn new(
        desk: Arc<Desk>,
        tally: Arc<Tally>,
        runtime: Handle,
        (all, each): (usize, usize),
    ) -> Self {
        let places = Quota::new(all, each, tally.clone(), |tally| &tally.streams);
        Self {
            desk,
            tally,
            runtime,
            places,
            next: Arc::default(),
        }
    }

    /// What serves the streams: their sockets are best watched by it too.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Takes over a stream that was found to be of a client of the relay, which came from and to
    /// these addresses. `first` was read of it already. It is closed where there are as many as
    /// there may be, in all or from its network.
    pub fn take<S>(
        &self,
        stream: S,
        from: SocketAddr,
        at: SocketAddr,
        first: Bytes,
        transport: Transport,
    ) where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let place = match self.places.take(network(from.ip())) {
            Ok(place) => place,
            Err(Full::Owner) => return more(&self.tally.streams_past_address, 1),
            Err(Full::All) => return more(&self.tally.streams_past_all, 1),
        };
        tracing::debug!(%from, %at, ?transport, "a stream of a client");
        let client = Client {
            address: SocketAddr::new(from.ip().to_canonical(), from.port()),
            stream: Some(self.next.fetch_add(1, Ordering::Relaxed)),
        };
        let seat = Seat {
            client,
            desk: self.desk.clone(),
            tally: self.tally.clone(),
            _place: place,
        };
        self.runtime.spawn(async move {
            seat.serve(stream, first).await;
        });
    }

    /// Closes all relays, though others still have this door.
    pub(super) fn close(&self) {
        self.desk.close();
    }

    /// Takes all streams that come in here.
    pub(super) async fn accept(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, from)) => {
                    let _ = stream.set_nodelay(true);
                    if let Ok(at) = stream.local_addr() {
                        self.take(stream, from, at, Bytes::new(), Transport::Tcp);
                    }
                }
                Err(_) => sleep(NO_ROOM).await,
            }
        }
    }
}

/// A client that sits at the desk by a stream. With it its relay goes.
struct Seat {
    client: Client,
    desk: Arc<Desk>,
    tally: Arc<Tally>,
    _place: Place<IpAddr>,
}

impl Seat {
    async fn serve<S: AsyncRead + AsyncWrite>(&self, stream: S, first: Bytes) {
        let (from, to) = tokio::io::split(stream);
        let queue = Arc::new(Queue::default());
        tokio::select! {
            () = self.read(from, first, &queue) => {}
            () = write(to, &queue) => {}
            () = self.idle() => {}
        }
    }

    /// Reads until the stream ends, or holds something else.
    async fn read(&self, mut from: impl AsyncRead + Unpin, first: Bytes, queue: &Arc<Queue>) {
        let back = Back::Stream(queue.clone());
        let mut stream = BytesMut::from(first);
        loop {
            loop {
                let packet = match packet::next(&mut stream) {
                    Ok(Some(packet)) => packet,
                    Ok(None) => break,
                    Err(packet::NoPacket) => return,
                };
                let back_again = || back.clone();
                let answer = self.desk.take(&packet, self.client, back_again);
                if let Some(answer) = answer.await
                    && !back.send(&answer)
                {
                    more(&self.tally.no_room, 1);
                }
            }
            if !matches!(from.read_buf(&mut stream).await, Ok(1..)) {
                return;
            }
        }
    }

    /// Ends when the client has been without a relay for a while.
    async fn idle(&self) {
        let mut ticks = interval(IDLE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            if !self.desk.serves(self.client) {
                return;
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.desk.gone(self.client);
    }
}

/// Writes until the stream ends, or the client takes nothing.
async fn write(mut to: impl AsyncWrite + Unpin, queue: &Queue) {
    loop {
        let mut waiting = queue.take().await;
        while !waiting.is_empty() {
            match timeout(STUCK, to.write_buf(&mut waiting)).await {
                Ok(Ok(1..)) => {}
                Ok(Ok(0) | Err(_)) | Err(_) => return,
            }
        }
        if !matches!(timeout(STUCK, to.flush()).await, Ok(Ok(()))) {
            return;
        }
    }
}
