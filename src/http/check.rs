//! The doors of the check: what the way from a client to this server does to requests, streams and
//! WebSockets. They know no room and need no credential; all that they hold open is bounded.

mod places;
mod request;
mod websocket;

pub(super) use places::{Place, Places};
pub(super) use request::{Arrived, request};
pub(super) use websocket::websocket;
