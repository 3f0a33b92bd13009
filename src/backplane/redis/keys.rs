//! The names of all keys and channels; nothing else builds one.

use std::sync::Arc;

use crate::backplane::store::{NodeId, PARTITIONS, crc16, partition};
use crate::proto::{Door, PeerId, RoomId};

/// What keys share that lie in one slot of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// The rooms of a partition, and what is counted for it.
    Partition(u16),
    /// Who belongs to the nodes.
    Directory,
    /// How the keys are laid out.
    Config,
}

impl Tag {
    /// How many there are.
    pub(super) const COUNT: usize = PARTITIONS as usize + 2;

    /// All of them, in the order of [`Self::number`].
    pub(super) fn all() -> impl Iterator<Item = Tag> {
        let partitions = (0..PARTITIONS).map(Tag::Partition);
        partitions.chain([Tag::Directory, Tag::Config])
    }

    /// Its place among all.
    pub(super) fn number(self) -> usize {
        match self {
            Tag::Partition(partition) => usize::from(partition),
            Tag::Directory => usize::from(PARTITIONS),
            Tag::Config => usize::from(PARTITIONS) + 1,
        }
    }

    /// The slot of a cluster where its keys lie.
    pub(super) fn slot(self) -> u16 {
        crc16(self.text().as_bytes()) % SLOTS
    }

    fn text(self) -> String {
        match self {
            Tag::Partition(partition) => format!("p{partition:02}"),
            Tag::Directory => "dir".to_owned(),
            Tag::Config => "cfg".to_owned(),
        }
    }
}

/// The slots of a cluster.
const SLOTS: u16 = 16_384;

/// Makes the names of keys and channels under one prefix.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: Arc<str>,
}

/// The keys of one room.
pub(super) struct RoomKeys {
    pub(super) tag: Tag,
    pub(super) log: String,
    pub(super) meta: String,
    pub(super) seats: String,
    pub(super) snap: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        let prefix = prefix.into();
        Self { prefix }
    }

    fn under(&self, tag: Tag, rest: &str) -> String {
        format!("{}:{{{}}}:{rest}", self.prefix, tag.text())
    }

    pub(super) fn tag(room: &RoomId) -> Tag {
        Tag::Partition(partition(room))
    }

    pub(super) fn room(&self, room: &RoomId) -> RoomKeys {
        let tag = Self::tag(room);
        let of = |what: &str| self.under(tag, &format!("r:{room}:{what}"));
        RoomKeys {
            tag,
            log: of("log"),
            meta: of("meta"),
            seats: of("where"),
            snap: of("snap"),
        }
    }

    pub(super) fn meta(&self, room: &RoomId) -> String {
        self.under(Self::tag(room), &format!("r:{room}:meta"))
    }

    pub(super) fn uid(&self, room: &RoomId, uid: u64) -> String {
        self.under(Self::tag(room), &format!("r:{room}:u:{uid:016x}"))
    }

    /// The rooms of a partition where a node keeps peers.
    pub(super) fn kept(&self, tag: Tag, node: NodeId) -> String {
        self.under(tag, &format!("kept:{}", node.0))
    }

    /// The nodes of which nothing is taken any more.
    pub(super) fn dead(&self, tag: Tag) -> String {
        self.under(tag, "dead")
    }

    /// Which engine answers for a partition, and the how manyth it is.
    pub(super) fn engine(&self, tag: Tag) -> String {
        self.under(tag, "engine")
    }

    /// How often each node was rung.
    pub(super) fn bells(&self, tag: Tag) -> String {
        self.under(tag, "bells")
    }

    /// The census.
    pub(super) fn rooms(&self, tag: Tag) -> String {
        self.under(tag, "rooms")
    }

    /// The nodes and when their leases are over.
    pub(super) fn nodes(&self) -> String {
        self.under(Tag::Directory, "nodes")
    }

    /// The nodes that are to be swept.
    pub(super) fn dying(&self) -> String {
        self.under(Tag::Directory, "dying")
    }

    /// The id that was given last.
    pub(super) fn last_id(&self) -> String {
        self.under(Tag::Directory, "last")
    }

    /// Who sweeps a dead node.
    pub(super) fn claim(&self, dead: NodeId) -> String {
        self.under(Tag::Directory, &format!("claim:{}", dead.0))
    }

    /// How the keys are laid out.
    pub(super) fn config(&self) -> String {
        format!("{}:{{{}}}", self.prefix, Tag::Config.text())
    }

    /// What a node's number is put behind to name its channel.
    pub(super) fn channels(&self) -> String {
        format!("{}:n:", self.prefix)
    }

    /// Where a node is rung.
    pub(super) fn channel(&self, node: NodeId) -> String {
        format!("{}:n:{}", self.prefix, node.0)
    }
}

/// The field of a reader's seat.
pub(super) fn seat(peer: &PeerId, door: Door) -> String {
    let letter = match door {
        Door::Events => 'e',
        Door::Notices => 'n',
    };
    format!("{letter}:{peer}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_room_lies_in_its_partition() {
        let keys = Keys::new("sb");
        let room = RoomId::parse("demo").expect("an id");
        let tag = format!("{{{}}}", Keys::tag(&room).text());
        let of = keys.room(&room);
        let beside = [
            keys.uid(&room, 7),
            keys.kept(of.tag, NodeId(3)),
            keys.bells(of.tag),
            keys.dead(of.tag),
        ];
        for key in [of.log, of.meta, of.seats, of.snap].iter().chain(&beside) {
            assert!(key.starts_with(&format!("sb:{tag}:")), "{key}");
        }
    }

    #[test]
    fn tags_stand_at_their_numbers() {
        for (number, tag) in Tag::all().enumerate() {
            assert_eq!(tag.number(), number);
        }
        assert_eq!(Tag::all().count(), Tag::COUNT);
        assert_eq!(Tag::Partition(7).text(), "p07");
    }
}
