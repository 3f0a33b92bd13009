//! The wire, over real sockets against a server on port 0; one file a behaviour.

#![expect(unreachable_pub, reason = "the harness is one crate with its tests")]

mod access;
mod attacks;
mod bench;
mod boundaries;
mod check;
mod check_program;
mod check_ways;
mod conformance;
mod cors;
mod documents;
mod harness;
mod health;
mod health_program;
mod held;
mod help;
mod however;
mod http2;
mod ice;
mod idempotence;
mod join;
mod layers;
mod limits;
mod liveness;
mod notices;
mod operator;
mod pages;
mod parked;
mod poll;
mod refusals;
mod relay;
mod restart;
mod sessions;
mod several;
mod shares;
mod shutdown;
mod signals;
mod store;
mod streams;
mod tickets;
mod tls;
mod together;
mod twins;
mod watching;
