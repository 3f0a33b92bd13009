//! What a peer says to either server: requests as bytes, and what is read out of answers.

use std::io::Write as _;

use anyhow::Context as _;

/// Whom the generator speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Switchboard,
    Reference,
}

/// How a peer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Events,
    Notices,
    Poll,
}

/// A peer. The reference knows its number only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seat {
    pub(crate) number: usize,
    pub(crate) room: String,
    pub(crate) peer: String,
    token: String,
    ticket: String,
    pub(crate) cursor: String,
}

/// To whom a message goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum To<'a> {
    Peer(&'a Seat),
    /// All others of the room: those with the numbers from the first to the last.
    Others(usize, usize),
}

/// A message. Its number comes back in what the receiver gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: &'a str,
    pub(crate) session: Option<&'a str>,
    pub(crate) number: u32,
    /// JSON text without quotes.
    pub(crate) text: &'a str,
}

impl Seat {
    pub(crate) fn new(number: usize, room: String, peer: String) -> Self {
        Self {
            number,
            room,
            peer,
            ..Self::default()
        }
    }

    /// Takes what the answer to a join says.
    pub(crate) fn joined(&mut self, body: &[u8]) -> anyhow::Result<()> {
        let field = |name| field(body, name).with_context(|| format!("a join without {name}"));
        self.token = field("token")?;
        self.ticket = field("ticket")?;
        self.cursor = field("cursor")?;
        Ok(())
    }

    fn path(&self) -> String {
        format!("/rooms/{}/peers/{}", self.room, self.peer)
    }
}

impl Wire {
    /// A join, where there is such a thing.
    pub(crate) fn join(self, seat: &Seat) -> Option<Vec<u8>> {
        let body = format!(r#"{{"peer":"{}"}}"#, seat.peer);
        let path = format!("/rooms/{}/peers", seat.room);
        (self == Self::Switchboard).then(|| post(&path, None, body.as_bytes()))
    }

    /// Opens a reader at the peer's cursor: a stream as a browser does, by ticket.
    pub(crate) fn open(self, seat: &Seat, door: Door) -> Vec<u8> {
        let Seat {
            number,
            token,
            ticket,
            cursor,
            ..
        } = seat;
        let path = seat.path();
        match (self, door) {
            (Self::Reference, Door::Poll) => get(&format!("/w/{number}"), ""),
            (Self::Reference, _) => get(&format!("/s/{number}"), ""),
            (Self::Switchboard, Door::Events) => get(
                &format!("{path}/events?ticket={ticket}"),
                &format!("accept: text/event-stream\r\nlast-event-id: {cursor}\r\n"),
            ),
            (Self::Switchboard, Door::Notices) => get(
                &format!("{path}/notices"),
                &format!("accept: text/event-stream\r\nauthorization: Bearer {token}\r\n"),
            ),
            (Self::Switchboard, Door::Poll) => get(
                &format!("{path}/poll?wait=25&cursor={cursor}"),
                &format!("authorization: Bearer {token}\r\n"),
            ),
        }
    }

    /// Sends a message; with an id, as the browser client does.
    pub(crate) fn send(self, from: &Seat, to: To<'_>, message: Message<'_>) -> Vec<u8> {
        let Message {
            kind,
            session,
            number,
            text,
        } = message;
        let mut body = Vec::with_capacity(text.len() + 160);
        let _ = write!(body, r#"{{"type":"{kind}","id":"{}-{number}""#, from.peer);
        if let To::Peer(to) = to {
            let _ = write!(body, r#","to":"{}""#, to.peer);
        }
        if let Some(session) = session {
            let _ = write!(body, r#","session":"{session}""#);
        }
        let _ = write!(body, r#","data":{{"n":{number},"text":"{text}"}}}}"#);
        let path = match (self, to) {
            (Self::Switchboard, _) => {
                return post(
                    &format!("{}/signals", from.path()),
                    Some(&from.token),
                    &body,
                );
            }
            (Self::Reference, To::Peer(to)) => format!("/p/{}", to.number),
            (Self::Reference, To::Others(first, last)) => format!("/r/{first}-{last}"),
        };
        post(&path, None, &body)
    }

    /// Leaves, where there is such a thing.
    pub(crate) fn leave(self, seat: &Seat) -> Option<Vec<u8>> {
        let Seat { token, .. } = seat;
        let path = seat.path();
        let request = || {
            format!(
                "DELETE {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\r\n"
            )
        };
        (self == Self::Switchboard).then(|| request().into_bytes())
    }

    /// Whether a reader is open only when its first event has come.
    pub(crate) fn greets(self) -> bool {
        self == Self::Switchboard
    }
}

fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{headers}\r\n").into_bytes()
}

fn post(path: &str, token: Option<&str>, body: &[u8]) -> Vec<u8> {
    let mut request = Vec::with_capacity(body.len() + 256);
    let _ = write!(request, "POST {path} HTTP/1.1\r\nhost: bench\r\n");
    if let Some(token) = token {
        let _ = write!(request, "authorization: Bearer {token}\r\n");
    }
    let _ = write!(request, "content-length: {}\r\n\r\n", body.len());
    request.extend_from_slice(body);
    request
}

/// A text member that is nowhere else in a body.
fn field(body: &[u8], name: &str) -> Option<String> {
    let mark = format!("\"{name}\":\"");
    let from = memchr::memmem::find(body, mark.as_bytes())? + mark.len();
    let length = memchr::memchr(b'"', &body[from..])?;
    String::from_utf8(body[from..from + length].to_vec()).ok()
}

/// A text of at least so many bytes, with the escapes that session descriptions have.
pub(crate) fn filler(bytes: usize) -> String {
    let line = r"a=candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host\r\n";
    line.repeat(bytes.div_ceil(line.len()))
}
