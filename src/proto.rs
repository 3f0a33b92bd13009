//! The core: what a room, a mailbox and a session are, and what each entry does to them.
//!
//! Nothing here does I/O, asks what time it is, or draws a random number: time and ids come in as
//! arguments. It must not know tokio, actix, tracing, the hub or HTTP.

pub mod attendance;
pub mod cursor;
pub mod entry;
pub mod event;
pub mod fact;
pub mod gauge;
pub mod id;
pub mod lease;
pub mod mailbox;
pub mod map;
pub mod member;
pub mod reason;
pub mod remembered;
pub mod report;
mod ring;
pub mod room;
pub mod session;
pub mod signal;
pub mod ticket;
pub mod time;

pub use attendance::{Attendance, Shown};
pub use cursor::{BadCursor, Cursor};
pub use entry::{Attaching, Bounds, Entry, Join, Joined, Outcome, Receipt, Refusal, Sent, ToWhom};
pub use event::Frame;
pub use fact::{Fact, Transport};
pub use gauge::Gauge;
pub use id::{BadId, Epoch, NodeId, PeerId, ReaderId, RoomId, SessionId, SignalId};
pub use lease::{Due, Lease, Timings};
pub use mailbox::{Door, Gap, Mailbox, MailboxLimits, Start};
pub use map::Map;
pub use member::{Member, Presence, Seating};
pub use reason::{Reason, Retry};
pub use remembered::Remembered;
pub use report::{CandidateKind, IceState, Report, Way};
pub use room::{Applied, Calls, Ended, Gone, Room, RoomLimits};
pub use session::{SessionState, SessionView};
pub use signal::{Json, Kind, Signal};
pub use ticket::{TicketId, TicketRefused};
pub use time::Time;
