//! Tombstones: why incarnations ended, for a while; they outlive their rooms.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::proto::{Epoch, PeerId, Reason, Remembered, RoomId};

/// How long the end of an incarnation is told to whoever asks again.
pub use crate::proto::session::TOMBSTONE;

/// The end of an incarnation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct End {
    /// The room it was in.
    pub room: RoomId,
    /// Its peer id.
    pub peer: PeerId,
    /// Why it ended.
    pub reason: Reason,
    /// What its readers are told beside the reason.
    pub detail: Option<Arc<str>>,
}

/// The ends that are remembered, by incarnation.
pub(super) type Ends = Remembered<Epoch, End>;
