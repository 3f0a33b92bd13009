//! What one relay consists of, as `turn` has it: who may send to it, which channels there are, how
//! long it lasts, and the loop that reads what peers send. No other file names that crate.
//!
//! Of its parts only these are used. Requests are read and judged elsewhere, since its own reading
//! of them leaves some without an answer, and sees but the first peer of several. Each relay has a
//! manager of its own: the key of the crate's map cannot tell streams from datagrams.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use stun::attributes::ATTR_USERNAME;
use stun::textattrs::Username;
use tokio::time::timeout;
use turn::Error;
use turn::allocation::allocation_manager::{Manager, ManagerConfig};
use turn::allocation::channel_bind::ChannelBind;
use turn::allocation::five_tuple::FiveTuple;
use turn::allocation::permission::Permission;
use turn::proto::channum::ChannelNumber;
use turn::relay::RelayAddressGenerator;
use webrtc_util::Conn;

use super::back::Back;
use super::bucket::Bucket;
use super::counts::more;
use super::outlet::{Outlet, Outlets};

/// How long a channel is kept that is not asked for again (RFC 8656, section 12).
const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

/// How long the crate may take. It waits for the task of a timer while it holds a lock, for which that
/// task waits where its time is up at that very moment: then both would wait for ever, and with them
/// all clients that come by datagrams. What is given up here lets go of the lock.
const PATIENCE: Duration = Duration::from_millis(100);

async fn within<T>(work: impl Future<Output = T>) -> Option<T> {
    let done = timeout(PATIENCE, work).await;
    done.inspect_err(|_| tracing::debug!("a relay's lock was waited for in vain"))
        .ok()
}

/// A relay. Dropping it closes it.
pub(super) struct Relayed {
    inner: Arc<turn::allocation::Allocation>,
    outlet: Arc<Outlet>,
    /// The relay ends with it.
    _manager: Manager,
}

impl Relayed {
    /// Opens a relay. `ended` is called when it is not kept any longer.
    pub(super) async fn open(
        outlet: Outlet,
        back: Back,
        outlets: &Arc<Outlets>,
        lifetime: Duration,
        ended: impl FnOnce() + Send + 'static,
    ) -> Option<Self> {
        let outlet = Arc::new(outlet);
        let config = ManagerConfig {
            relay_addr_generator: Box::new(Opened(outlet.clone())),
            alloc_close_notify: None,
        };
        let manager = Manager::new(config);
        let client = Client {
            back,
            received: Bucket::default(),
            outlets: outlets.clone(),
            ended: Mutex::new(Some(Box::new(ended))),
        };
        let username = Username::new(ATTR_USERNAME, String::new());
        let is_v4 = outlet.address().is_ipv4();
        let key = FiveTuple::default();
        let inner = manager
            .create_allocation(key, Arc::new(client), 0, lifetime, username, is_v4)
            .await
            .ok()?;
        Some(Self {
            inner,
            outlet,
            _manager: manager,
        })
    }

    /// Its address, as peers know it.
    pub(super) fn address(&self) -> SocketAddr {
        self.outlet.address()
    }

    /// Keeps it for so long from now on; false where that cannot be said.
    pub(super) async fn keep(&self, lifetime: Duration) -> bool {
        within(self.inner.refresh(lifetime)).await.is_some()
    }

    /// Passes on what this peer sends, for five minutes; false where it cannot.
    pub(super) async fn permit(&self, peer: SocketAddr) -> bool {
        let permission = Permission::new(peer);
        within(self.inner.add_permission(permission))
            .await
            .is_some()
    }

    /// Whether what this peer sends is passed on.
    pub(super) async fn permits(&self, peer: SocketAddr) -> bool {
        within(self.inner.has_permission(&peer)).await == Some(true)
    }

    /// Calls a peer by a number; false where either has another.
    pub(super) async fn bind(&self, channel: u16, peer: SocketAddr) -> bool {
        let bound = ChannelBind::new(ChannelNumber(channel), peer);
        let bound = self.inner.add_channel_bind(bound, CHANNEL_LIFETIME);
        within(bound).await.is_some_and(|bound| bound.is_ok())
    }

    /// The peer that is called by a number.
    pub(super) async fn peer(&self, channel: u16) -> Option<SocketAddr> {
        let channel = ChannelNumber(channel);
        let peer = self.inner.get_channel_addr(&channel);
        within(peer).await.flatten()
    }

    /// Sends to a peer.
    pub(super) fn send(&self, packet: &[u8], peer: SocketAddr) {
        self.outlet.send(packet, peer);
    }
}

/// The socket that a relay was opened on.
struct Opened(Arc<Outlet>);

#[async_trait]
impl RelayAddressGenerator for Opened {
    fn validate(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn allocate_conn(
        &self,
        _: bool,
        _: u16,
    ) -> Result<(Arc<dyn Conn + Send + Sync>, SocketAddr), Error> {
        Ok((Arc::new(Peers(self.0.clone())), self.0.address()))
    }
}

type Closing = Box<dyn FnOnce() + Send>;

/// The client, as the crate sees it.
struct Client {
    back: Back,
    received: Bucket,
    outlets: Arc<Outlets>,
    ended: Mutex<Option<Closing>>,
}

/// The peers, as the crate sees them.
struct Peers(Arc<Outlet>);

#[async_trait]
impl Conn for Client {
    async fn send_to(&self, packet: &[u8], _: SocketAddr) -> webrtc_util::Result<usize> {
        let Outlets {
            rate,
            uptime,
            tally,
            ..
        } = &*self.outlets;
        if !self.received.take(*rate, packet.len(), uptime.nanos()) {
            more(&tally.surplus, 1);
        } else if self.back.send(packet) {
            more(&tally.packets_to_clients, 1);
            more(&tally.bytes_to_clients, packet.len());
        } else {
            more(&tally.no_room, 1);
        }
        Ok(packet.len())
    }

    /// The crate closes it when the relay ends.
    async fn close(&self) -> webrtc_util::Result<()> {
        if let Some(ended) = self.ended.lock().take() {
            ended();
        }
        Ok(())
    }

    async fn connect(&self, _: SocketAddr) -> webrtc_util::Result<()> {
        Err(unused())
    }

    async fn recv(&self, _: &mut [u8]) -> webrtc_util::Result<usize> {
        Err(unused())
    }

    async fn recv_from(&self, _: &mut [u8]) -> webrtc_util::Result<(usize, SocketAddr)> {
        Err(unused())
    }

    async fn send(&self, _: &[u8]) -> webrtc_util::Result<usize> {
        Err(unused())
    }

    fn local_addr(&self) -> webrtc_util::Result<SocketAddr> {
        Err(unused())
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

#[async_trait]
impl Conn for Peers {
    async fn recv_from(&self, room: &mut [u8]) -> webrtc_util::Result<(usize, SocketAddr)> {
        Ok(self.0.receive(room).await)
    }

    async fn send_to(&self, packet: &[u8], peer: SocketAddr) -> webrtc_util::Result<usize> {
        self.0.send(packet, peer);
        Ok(packet.len())
    }

    /// The socket goes with the last that holds it.
    async fn close(&self) -> webrtc_util::Result<()> {
        Ok(())
    }

    async fn connect(&self, _: SocketAddr) -> webrtc_util::Result<()> {
        Err(unused())
    }

    async fn recv(&self, _: &mut [u8]) -> webrtc_util::Result<usize> {
        Err(unused())
    }

    async fn send(&self, _: &[u8]) -> webrtc_util::Result<usize> {
        Err(unused())
    }

    fn local_addr(&self) -> webrtc_util::Result<SocketAddr> {
        Ok(self.0.address())
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        None
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

/// What the crate does not ask for.
fn unused() -> webrtc_util::Error {
    webrtc_util::Error::Other("not of this kind".into())
}
