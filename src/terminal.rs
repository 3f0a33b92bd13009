//! A peer in the terminal, for debugging: `switchboard listen` and `switchboard send`.
//!
//! What goes over the wire is the client's; here stands what people and scripts see of it.

pub mod listen;
pub(crate) mod options;
mod printer;
pub mod send;
pub(crate) mod stop;
mod summary;

use std::io::Write as _;

/// What happens to the connection, for who looks on; nothing where nobody can.
pub(crate) fn say(text: &str) {
    let text: String = text.chars().map(crate::client::shown).collect();
    let _ = writeln!(anstream::stderr(), "switchboard: {text}");
}
