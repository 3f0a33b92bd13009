//! Faults, over real sockets against the real program: cut, dark, stalled and stopped readers, proxies
//! that cut, crashes, restarts and drains under load. Each test prints what was seen, and when.
//!
//! They take minutes and the whole machine, so they run on request, one after the other:
//! `cargo test --release --test faults -- --ignored --nocapture --test-threads=1`. The program is
//! `SWITCHBOARD_BIN`, or the one that cargo has just built.

#![expect(unreachable_pub, reason = "the harness is one crate with its tests")]
#![expect(clippy::print_stdout, reason = "what was seen is the point")]

mod bounded;
mod client;
mod drain;
mod flood;
mod gate;
mod half_open;
mod ledger;
mod paths;
mod peer;
mod program;
mod readers;
mod report;
mod restart;
mod scene;
#[path = "../it/harness/secrets.rs"]
mod secrets;
mod stalls;
mod storm;
mod watch;
