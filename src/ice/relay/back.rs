//! The way back to a client.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::sync::Notify;

use super::packet;

/// How much waits for a stream at most, in bytes. Media that comes later than that is of no use.
const LONGEST_QUEUE: usize = 128 * 1024;

/// The way back to a client.
#[derive(Clone)]
pub(super) enum Back {
    /// By datagrams.
    Datagrams(Arc<UdpSocket>, SocketAddr),
    /// In a stream.
    Stream(Arc<Queue>),
}

/// What waits to be written to a stream.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<BytesMut>,
    added: Notify,
}

impl Back {
    /// Sends a packet; false where there is no room for it.
    pub(super) fn send(&self, packet: &[u8]) -> bool {
        match self {
            Self::Datagrams(socket, client) => socket.try_send_to(packet, *client).is_ok(),
            Self::Stream(queue) => queue.add(packet),
        }
    }
}

impl Queue {
    fn add(&self, packet: &[u8]) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.len() + packet.len() > LONGEST_QUEUE {
            return false;
        }
        packet::add(&mut waiting, packet);
        drop(waiting);
        self.added.notify_one();
        true
    }

    /// Takes all that waits, once something does.
    pub(super) async fn take(&self) -> BytesMut {
        loop {
            let waiting = std::mem::take(&mut *self.waiting.lock());
            if !waiting.is_empty() {
                return waiting;
            }
            self.added.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_queue_that_is_full_drops_what_comes() {
        let queue = Queue::default();
        let taken = (0..1000).filter(|_| queue.add(&[0; 1001])).count();
        assert_eq!(taken, LONGEST_QUEUE / 1004);
        assert_eq!(queue.take().await.len(), taken * 1004);
        assert!(queue.add(&[0; 1001]));
    }
}
