//! Faults of several nodes over one store: the real program behind a real HAProxy, a Redis that is
//! stopped, killed and failed over, and 200 rooms of peers under load. Each fault is a row of one table.
//!
//! It takes minutes and the whole machine, so it runs on request:
//! `cargo test --release --test nodes -- --ignored --nocapture faults`. The program is
//! `SWITCHBOARD_BIN`, or the one that cargo has just built; `SCENES=kill,drain` plays those alone,
//! `SCENES=1/2` every other one.

#![expect(unreachable_pub, reason = "the harness is one crate with its tests")]
#![expect(clippy::print_stdout, reason = "what was seen is the point")]

mod account;
mod apart;
#[path = "../faults/client.rs"]
#[expect(dead_code, reason = "what cuts and darkens is for one node alone")]
mod client;
mod crowd;
#[path = "../it/store/engine.rs"]
#[expect(dead_code, reason = "there is no Valkey here")]
mod engine;
mod fleet;
#[path = "../it/store/gate.rs"]
mod gate;
mod member;
#[path = "../faults/peer.rs"]
#[expect(dead_code, reason = "members read in a way of their own")]
mod peer;
#[path = "../it/store/port.rs"]
mod port;
#[path = "../faults/program.rs"]
#[expect(dead_code, reason = "what is asked of one node alone")]
mod program;
mod proxy;
#[path = "../faults/report.rs"]
#[expect(dead_code, reason = "there are no histograms here")]
mod report;
mod rolling;
mod scale;
mod scenes;
#[path = "../it/harness/secrets.rs"]
mod secrets;
