//! The shared store that nodes keep their rooms in: what a node asks of it, and what it is told.
//!
//! The store keeps an ordered log of opaque entries for each room, a snapshot of what they came to,
//! and which node reads for whom. It gives each entry its position and rings the nodes concerned.
//! It must not know what an entry means, the hub, or HTTP.

mod feed;

use std::future::Future;
use std::pin::Pin;
use std::sync::Weak;
use std::time::Duration;

use bytes::Bytes;

pub use crate::proto::NodeId;
use crate::proto::{Door, PeerId, RoomId, Time};

pub use feed::{Feed, feed};

/// How long the end of a room, or of an incarnation, is remembered.
pub use crate::proto::session::TOMBSTONE;

/// How long a room lives on after its last entry, or after members were counted in it last.
pub const ROOM: Duration = Duration::from_secs(24 * 3600);

/// How many partitions the rooms are spread over.
pub const PARTITIONS: u16 = 64;

/// The largest entry that is told together with its position.
pub const INLINE: usize = 8 << 10;

/// What is ready some time later.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A store that several nodes share.
pub trait Store: Send + Sync {
    /// Appends an entry; ready when it is stored, and replicated where that was asked for. Dropped
    /// before that, it may be stored or not; the node then hears of it with its next tail only.
    fn append(&self, room: &RoomId, append: Append) -> Later<Result<Tail, StoreError>>;

    /// What a node that applied the log up to `known` lacks of it.
    fn fetch(&self, room: &RoomId, known: u64) -> Later<Result<Tail, StoreError>>;

    /// The position of the last entry of each of `rooms`; 0 where there is no such log.
    fn heads(&self, rooms: Vec<RoomId>) -> Later<Result<Vec<u64>, StoreError>>;

    /// Keeps what the log came to as of `at`, and lets go of the entries up to there. Ignored where
    /// one as new is kept, or where the log does not hold `at`.
    fn compact(&self, room: &RoomId, at: u64, snapshot: Bytes) -> Later<Result<(), StoreError>>;

    /// Tells how many members the room had as of `at`; ignored where something newer was told. A
    /// room whose last entry left it empty lives on for [`TOMBSTONE`], one with members for
    /// [`ROOM`]: where nothing is appended for long, telling the same again keeps it.
    fn census(&self, room: &RoomId, at: u64, members: usize) -> Later<Result<(), StoreError>>;

    /// This node keeps nobody in the room any more as of `at`; ignored where the log went on.
    fn release(&self, room: &RoomId, at: u64) -> Later<Result<(), StoreError>>;

    /// Whom the dead `node` kept in the room was dealt with.
    fn swept(&self, room: &RoomId, node: NodeId) -> Later<Result<(), StoreError>>;

    /// The rooms with their members, a page at a time from page 0. A room may be told twice.
    fn rooms(&self, page: u64) -> Later<Result<RoomsPage, StoreError>>;

    /// Who this node is; another after it was fenced.
    fn node(&self) -> NodeId;

    /// The store's time in milliseconds since 1970, as well as this node knows it. It never goes
    /// back.
    fn now(&self) -> Time;

    /// Gives the lease back. What this node kept and did not release is swept at once.
    fn resign(&self) -> Later<Result<(), StoreError>>;
}

/// The next page, if there is one, and the rooms of this one with their members.
pub type RoomsPage = (Option<u64>, Vec<(RoomId, usize)>);

/// Why the store did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It did not answer in time, or not enough replicas did. It may have been done or not.
    #[error("the store does not answer")]
    Unavailable,
    /// This node's lease is over, or was taken from it.
    #[error("this node was fenced")]
    Fenced,
    /// It holds as much as it may; what [eases](Append::eases) that is taken still.
    #[error("the store is full")]
    Full,
    /// It will not, however often it is asked; the log tells why. Or nobody asks any more.
    #[error("the store refuses")]
    Refused,
}

/// An entry on its way to the log.
#[derive(Clone, Debug)]
pub struct Append {
    /// Random; a repeat of the same append has the same, and is stored once.
    pub uid: u64,
    /// Up to where this node has applied the log.
    pub known: u64,
    /// The entry.
    pub entry: Bytes,
    /// An entry that is to come before it where not the engine that took the last one takes it: that
    /// may lack the end of the log.
    pub other_engine: Bytes,
    /// Who is to hear of it at once. Readers count as they were seated before this append.
    pub ring: Ring,
    /// Readers that come and go with it.
    pub seats: Vec<SeatChange>,
    /// From now on this node keeps peers in the room, which are to be dealt with if it dies.
    pub keeps: bool,
    /// It is taken even where the store is full: somebody goes, or reads, so that there is room again.
    pub eases: bool,
    /// Who asks for it, where it is of no use without: once that is gone it is not sent any more.
    pub asker: Option<Weak<()>>,
}

/// Which nodes are to hear of an entry at once; never the one that appends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ring {
    /// None.
    Nobody,
    /// Those where a reader of one of these is seated.
    Peers(Vec<PeerId>),
    /// Those where anyone's reader is seated.
    Everyone,
}

/// A reader that comes or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeatChange {
    /// It is seated at this node; whoever sat there does no more.
    Take {
        /// Whose.
        peer: PeerId,
        /// Where it reads.
        door: Door,
        /// Which reader.
        reader: u64,
    },
    /// It is gone; nothing where another is seated.
    Leave {
        /// Whose.
        peer: PeerId,
        /// Where it read.
        door: Door,
        /// Which reader.
        reader: u64,
    },
}

/// The end of a room's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The position that an appended entry was given, also by an earlier try; 0 of a fetch.
    pub at: u64,
    /// The position of the last entry.
    pub head: u64,
    /// What the log came to as of a position, where what is asked for is no longer in the log.
    pub snapshot: Option<(u64, Bytes)>,
    /// All entries after what was known, or after the snapshot, in order; an appended one is among
    /// them.
    pub entries: Vec<(u64, Bytes)>,
    /// How many entries the log holds.
    pub length: usize,
    /// How many bytes they have, about.
    pub size: u64,
    /// The log does not hold what was known: it lost its end, or is another. The snapshot and the
    /// entries are as for one who knows nothing.
    pub set_back: bool,
}

/// What the store tells a node unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Another node appended an entry.
    Entry {
        /// To which log.
        room: RoomId,
        /// The position of the entry before it.
        prev: u64,
        /// Its position.
        at: u64,
        /// The entry, where it is no larger than [`INLINE`].
        entry: Option<Bytes>,
    },
    /// Bells may have been missed: the heads of the rooms of that partition, or of all, are to be
    /// looked at.
    Missed {
        /// Which partition; none: all.
        partition: Option<u16>,
    },
    /// A dead node kept peers in a room: what is to be said is to be appended, and then
    /// [`Store::swept`] called. Told again until it was.
    Lost {
        /// Which room.
        room: RoomId,
        /// Which node.
        node: NodeId,
    },
    /// Where this node stands with the store.
    Standing(Standing),
}

/// Where a node stands with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It belongs to the nodes, under this id.
    Joined(NodeId),
    /// The store does not answer; the lease runs on.
    Cut,
    /// The lease is over or was taken; the id is void, and another follows with `Joined`.
    Fenced,
}

/// The partition of a room: the same on every node, and for ever.
pub fn partition(room: &RoomId) -> u16 {
    crc16(room.as_str().as_bytes()) % PARTITIONS
}

/// CRC-16/XMODEM, by which a Redis Cluster also places its keys.
pub(super) fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ (u16::from(*byte) << 8), |sum, _| {
            let shifted = sum << 1;
            if sum & 0x8000 == 0 {
                shifted
            } else {
                shifted ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_cluster_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(crc16(b""), 0);
    }

    #[test]
    fn rooms_stay_in_their_partition() {
        let of = |room: &str| partition(&RoomId::parse(room).expect("an id"));
        assert_eq!(
            (of("demo"), of("a"), of("standup")),
            (of("demo"), of("a"), of("standup"))
        );
        assert!((0..1000).all(|n| of(&format!("room-{n}")) < PARTITIONS));
    }
}
