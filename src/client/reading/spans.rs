//! How long a reading waits, and for what.

use std::time::Duration;

/// How long a stream has to show that it passes.
pub(super) const PROOF: Duration = Duration::from_secs(3);
/// Streams that bring nothing, one after the other, until it goes on by long-poll.
pub(super) const STREAM_TRIES: u32 = 2;
/// How long a long-poll is held, and how much later its answer may come.
pub(crate) const HOLD: Duration = Duration::from_secs(25);
pub(crate) const LATE: Duration = Duration::from_secs(15);
/// The heartbeat where none was told.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);
/// A reader that was given up can still overtake its successor, in a proxy's queue.
pub(super) const OVERTAKE: Duration = Duration::from_secs(10);
/// The wait where none was told, the longest that is heeded, and what `later` is at least.
pub(super) const RETRY: Duration = Duration::from_secs(1);
pub(super) const LONGEST_RETRY: Duration = Duration::from_secs(60);
pub(super) const LATER: Duration = Duration::from_secs(2);
