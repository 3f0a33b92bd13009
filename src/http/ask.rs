//! A request as the doors see it, whoever has read it.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName};

use crate::wire::{Line, Request};

/// What is asked for, but for the body.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) query: &'a str,
    pub(super) head: Head<'a>,
    /// The address that it came from.
    pub(super) sender: Option<IpAddr>,
    names: Names<'a>,
}

/// The lines of its head.
#[derive(Clone, Copy)]
pub(super) enum Head<'a> {
    /// As the web server has read them.
    Web(&'a HeaderMap),
    /// As they came.
    Wire(&'a [Line<'a>]),
}

/// What its path names.
#[derive(Clone, Copy)]
enum Names<'a> {
    Web(&'a HttpRequest),
    Wire { room: &'a str, peer: &'a str },
}

impl<'a> Ask<'a> {
    /// A request that the web server has read.
    pub(super) fn of(req: &'a HttpRequest) -> Self {
        Self {
            query: req.query_string(),
            head: Head::Web(req.headers()),
            sender: req.peer_addr().map(|sender| sender.ip()),
            names: Names::Web(req),
        }
    }

    /// A plain request about `peer` of `room`.
    pub(super) fn plain(request: &'a Request<'_>, room: &'a str, peer: &'a str) -> Self {
        Self {
            query: request.query,
            head: Head::Wire(request.lines),
            sender: Some(request.sender.ip()),
            names: Names::Wire { room, peer },
        }
    }

    /// The room of the path.
    pub(super) fn room(&self) -> &'a str {
        match self.names {
            Names::Web(req) => req.match_info().query("room"),
            Names::Wire { room, .. } => room,
        }
    }

    /// The peer of the path.
    pub(super) fn peer(&self) -> &'a str {
        match self.names {
            Names::Web(req) => req.match_info().query("peer"),
            Names::Wire { peer, .. } => peer,
        }
    }
}

impl<'a> Head<'a> {
    /// The values of a header, in the order in which they came.
    pub(super) fn all(self, name: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        let (web, wire) = match self {
            Self::Web(map) => (Some(map.get_all(name)), None),
            Self::Wire(lines) => (None, Some(lines.iter())),
        };
        let web = web.into_iter().flatten().map(|value| value.as_bytes());
        let wire = wire.into_iter().flatten();
        let wire = wire.filter(|line| is_named(line, name));
        web.chain(wire.map(|line| line.value))
    }

    /// The first of them.
    pub(super) fn first(self, name: &'a HeaderName) -> Option<&'a [u8]> {
        match self {
            Self::Web(map) => map.get(name).map(|value| value.as_bytes()),
            Self::Wire(lines) => {
                let line = lines.iter().find(|line| is_named(line, name));
                line.map(|line| line.value)
            }
        }
    }

    /// The first as text; what is none is `other`.
    pub(super) fn text(self, name: &'a HeaderName, other: &'a str) -> Option<&'a str> {
        self.first(name).map(|value| text(value).unwrap_or(other))
    }

    /// Whether there is such a header.
    pub(super) fn has(self, name: &'a HeaderName) -> bool {
        self.first(name).is_some()
    }
}

fn is_named(line: &Line<'_>, name: &HeaderName) -> bool {
    line.name.eq_ignore_ascii_case(name.as_str())
}

/// A value that is visible ASCII.
pub(super) fn text(value: &[u8]) -> Option<&str> {
    // All bytes are looked at, many at once, and not one by one up to the first that is another.
    let visible = |all, byte: &u8| all & matches!(byte, b'\t' | b' '..=b'~');
    if value.iter().fold(true, visible) {
        std::str::from_utf8(value).ok()
    } else {
        None
    }
}
