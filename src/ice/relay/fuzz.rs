//! What fuzzing comes in by: packets of strangers, as they pass through the relay.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;

use super::back::{Back, Queue};
use super::bucket::Rate;
use super::counts::Tally;
use super::desk::{Client, Desk};
use super::filter::Filter;
use super::outlet::Outlets;
use super::packet::{self, Packet};
use super::quota::Quota;
use super::sources::Sources;
use super::{binding, wish};
use crate::ice::credentials::Secrets;

/// A relay without sockets.
pub struct Server {
    desk: Arc<Desk>,
    sources: Arc<Sources>,
    client: Client,
}

impl Server {
    /// One that has no relays; none where the system gives no random numbers.
    pub fn new() -> Option<Self> {
        let here = Ipv4Addr::LOCALHOST.into();
        let (ports, none) = (20000..=20009, Rate(0));
        let tally = Arc::new(Tally::default());
        let filter = Filter::new([here], [here], ports.clone(), Vec::new());
        let outlets = Outlets::new((here, here), ports, filter, none, tally.clone());
        let sources = Arc::new(Sources::new(none, tally.clone()));
        let quota = Quota::new(1, 1, tally, |tally| &tally.relays);
        let secrets = Secrets::new([&b"north"[..]])?;
        let desk = Desk::new(secrets, sources.clone(), quota, Arc::new(outlets)).ok()?;
        let client = Client {
            address: SocketAddr::new(here, 1000),
            stream: None,
        };
        Some(Self {
            desk,
            sources,
            client,
        })
    }

    /// Takes a datagram; the answer, if there is one.
    ///
    /// # Panics
    /// Where it makes the relay wait.
    pub fn datagram(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let _ = binding::take(bytes, self.client.address, &self.sources);
        if let Some(Packet::Message(message)) = Packet::read(bytes) {
            // As though somebody had signed it.
            let _ = wish::read(&message);
        }
        let back = || Back::Stream(Arc::new(Queue::default()));
        let taken = pin!(self.desk.take(bytes, self.client, back));
        match taken.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => panic!("strangers make nobody wait"),
        }
    }

    /// Takes a stream that comes in these pieces: how many packets it holds, and whether there is
    /// nothing else in it.
    pub fn stream<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> (usize, bool) {
        let (mut stream, mut count) = (BytesMut::new(), 0);
        for piece in pieces {
            stream.extend_from_slice(piece);
            loop {
                match packet::next(&mut stream) {
                    Ok(Some(packet)) => {
                        count += 1;
                        self.datagram(&packet);
                    }
                    Ok(None) => break,
                    Err(packet::NoPacket) => return (count, false),
                }
            }
        }
        (count, true)
    }
}
