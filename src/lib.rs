//! Switchboard: WebRTC signaling over plain HTTP, for networks that block WebSockets.
//!
//! # Map
//!
//! | module | what lives there |
//! |---|---|
//! | [`config`] | the command line, limits and timings |
//! | [`server`] | binds, runs, the order of shutdown |
//! | [`http`] | the doors: the route table, then one file a door |
//! | [`wire`] | connections, and by whom their requests are answered |
//! | [`access`] | who may do what: access tokens, and the keys that sign them |
//! | [`hub`] | the handle that the doors use: rooms, seats, readers, deadlines |
//! | [`backplane`] | the little that the hub needs of a store; in memory by default |
//! | [`proto`] | the core: ids, signals, events, cursors, mailboxes, rooms |
//! | [`state_file`] | what outlives a restart |
//! | [`metrics`] | figures for Prometheus |
//! | [`history`] | what has happened lately, for operators |
//! | [`log`] | what is logged, and what never is; traces |
//! | [`memory`] | the allocator |
//! | [`ice`] | the ICE servers that peers are told of, their credentials, and the relay within |
//! | [`client`] | a client of the doors, for the subcommands below that ask a server |
//! | [`health`] | `switchboard health`: is a server up? |
//! | [`check`] | `switchboard check`: looks at the way to a server |
//! | [`terminal`] | `switchboard listen` and `send`: a peer in the terminal |
//! | [`mod@bench`] | `switchboard bench`: puts a load on a server |
//! | [`manual`], [`exit`], `progress` | completions and manual pages, the exit status, progress bars |
//!
//! `main → server → http → hub → backplane → proto`: each knows what stands right of it, and
//! nothing left of it.
//!
//! # Invariants
//!
//! 1. `proto` does no I/O and never asks what time it is.
//! 2. The server never looks inside a signal's `data`.
//! 3. Entries of a room are applied in log order on every node; applying one twice changes nothing.
//! 4. A lock is never held across an await. A `Room` is reached through its handle only.
//! 5. Everything is bounded: rooms, peers, mailboxes, bodies, readers, timers; each bound has one
//!    named consequence.
//! 6. A reader that lost something is told so before the next event. Nothing goes missing in
//!    silence.
//! 7. After `end` nothing follows, and whoever asks again hears the same reason.
//! 8. `http::problem` is the only place that knows both our errors and HTTP.
//! 9. Every task and thread belongs to a handle and ends when that is dropped.
//! 10. An idle peer has no timer, no queue and no task of its own where it can be shared.

pub mod access;
pub mod backplane;
pub mod bench;
pub mod check;
pub mod client;
pub mod config;
pub mod exit;
pub mod health;
pub mod history;
pub mod http;
pub mod hub;
pub mod ice;
pub mod log;
pub mod manual;
pub mod memory;
pub mod metrics;
mod progress;
pub mod proto;
pub mod server;
pub mod state_file;
pub mod terminal;
pub mod wire;

pub use config::Config;
pub use server::Server;
