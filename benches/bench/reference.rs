//! The reference: the least that a server can do to get an event from a POST to an open stream. One
//! thread, no checks, no queues, nothing kept but an index.
//!
//! - `GET /s/N`: the event stream N, with a `ping` at every heartbeat.
//! - `GET /w/N`: a poll that is held for 25 s and answered with nothing.
//! - `POST /p/N`: the body as an event of stream N.
//! - `POST /r/A-B`: the body as an event of each of the streams A to B.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

/// How long a poll is held.
const HOLD: Duration = Duration::from_secs(25);
const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: open\n\n";
const PING: &[u8] = b"event: ping\ndata: {}\n\n";
const POLLED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]";
const TAKEN: &[u8] = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
const ABSENT: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
const LISTENER: Token = Token(usize::MAX);

struct Connection {
    socket: TcpStream,
    /// Counts connections, since their places are used again.
    serial: u64,
    /// A request that is not complete yet.
    held: Vec<u8>,
    /// What the socket has not taken yet.
    unsent: Vec<u8>,
    /// The stream that it is.
    stream: Option<usize>,
}

impl Connection {
    fn write(&mut self, bytes: &[u8]) {
        let taken = if self.unsent.is_empty() {
            self.socket.write(bytes).unwrap_or(0)
        } else {
            0
        };
        self.unsent.extend_from_slice(&bytes[taken..]);
    }

    fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(taken) if taken > 0 => drop(self.unsent.drain(..taken)),
                _ => return,
            }
        }
    }
}

/// A stream: its connection, and the id of its next event.
#[derive(Clone, Copy, Default)]
struct Stream {
    key: Option<usize>,
    next: u64,
}

/// When a connection is due for something; all of one kind wait equally long.
type Due = VecDeque<(Instant, usize, u64)>;

struct Reference {
    connections: Slab<Connection>,
    streams: Vec<Stream>,
    heartbeat: Duration,
    beats: Due,
    polls: Due,
    serial: u64,
    event: Vec<u8>,
}

/// Serves until the process is ended.
pub(crate) fn run(heartbeat: Duration) -> anyhow::Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    let mut events = Events::with_capacity(1024);
    let mut chunk = vec![0; 64 * 1024];
    let mut reference = Reference {
        connections: Slab::new(),
        streams: Vec::new(),
        heartbeat,
        beats: Due::new(),
        polls: Due::new(),
        serial: 0,
        event: Vec::new(),
    };
    loop {
        match poll.poll(&mut events, reference.wait()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        for event in &events {
            let Token(key) = event.token();
            if event.token() == LISTENER {
                while let Ok((socket, _)) = listener.accept() {
                    reference.accept(&poll, socket)?;
                }
            } else if reference.connections.contains(key) {
                if event.is_writable() {
                    reference.connections[key].flush();
                }
                if (event.is_readable() || event.is_read_closed())
                    && !reference.read(key, &mut chunk)
                {
                    reference.close(key);
                }
            }
        }
        reference.beat();
    }
}

impl Reference {
    fn accept(&mut self, poll: &Poll, mut socket: TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        self.serial += 1;
        let entry = self.connections.vacant_entry();
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut socket, Token(entry.key()), interest)?;
        entry.insert(Connection {
            socket,
            serial: self.serial,
            held: Vec::new(),
            unsent: Vec::new(),
            stream: None,
        });
        Ok(())
    }

    fn close(&mut self, key: usize) {
        let name = self.connections.remove(key).stream;
        // A newer connection may have taken its place.
        if let Some(stream) = name.and_then(|name| self.streams.get_mut(name)) {
            stream.key = stream.key.filter(|of| *of != key);
        }
    }

    /// Reads all there is; whether the connection goes on.
    fn read(&mut self, key: usize, chunk: &mut [u8]) -> bool {
        loop {
            let connection = &mut self.connections[key];
            let got = match connection.socket.read(chunk) {
                Ok(0) => return false,
                Ok(got) => got,
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            };
            if connection.held.is_empty() {
                let used = self.requests(key, &chunk[..got]);
                self.connections[key]
                    .held
                    .extend_from_slice(&chunk[used..got]);
            } else {
                let mut held = std::mem::take(&mut connection.held);
                held.extend_from_slice(&chunk[..got]);
                let used = self.requests(key, &held);
                held.drain(..used);
                self.connections[key].held = held;
            }
            if got < chunk.len() {
                return true;
            }
        }
    }

    /// Answers all whole requests; how many bytes they were.
    fn requests(&mut self, key: usize, bytes: &[u8]) -> usize {
        let mut used = 0;
        while let Some(head) = memmem::find(&bytes[used..], b"\r\n\r\n") {
            let head = &bytes[used..used + head + 4];
            let at = memmem::find(head, b"content-length: ");
            let length = at.map_or(0, |at| number(&head[at + 16..]).0);
            let from = used + head.len();
            let Some(body) = bytes.get(from..from + length) else {
                break;
            };
            self.request(key, head, body);
            used = from + length;
        }
        used
    }

    fn request(&mut self, key: usize, head: &[u8], body: &[u8]) {
        let now = Instant::now();
        let serial = self.connections[key].serial;
        if let Some(rest) = head.strip_prefix(b"GET /s/") {
            let (name, _) = number(rest);
            if self.streams.len() <= name {
                self.streams.resize(name + 1, Stream::default());
            }
            self.streams[name].key = Some(key);
            self.connections[key].stream = Some(name);
            self.beats.push_back((now + self.heartbeat, key, serial));
            self.connections[key].write(STREAM);
        } else if head.starts_with(b"GET /w/") {
            self.polls.push_back((now + HOLD, key, serial));
        } else {
            let (first, more) = number(head.get(8..).unwrap_or_default());
            let last = if more.starts_with(b"-") {
                number(&more[1..]).0
            } else {
                first
            };
            let told = (first..=last).filter(|&name| self.tell(name, body)).count();
            self.connections[key].write(if told > 0 { TAKEN } else { ABSENT });
        }
    }

    /// Writes an event to a stream, if there is one.
    fn tell(&mut self, name: usize, body: &[u8]) -> bool {
        let Some(stream) = self.streams.get_mut(name) else {
            return false;
        };
        let Some(connection) = stream.key.and_then(|key| self.connections.get_mut(key)) else {
            return false;
        };
        stream.next += 1;
        self.event.clear();
        let _ = write!(self.event, "id: {}\nevent: signal\ndata: ", stream.next);
        self.event.extend_from_slice(body);
        self.event.extend_from_slice(b"\n\n");
        connection.write(&self.event);
        true
    }

    /// How long until something is due.
    fn wait(&self) -> Option<Duration> {
        let next = self.beats.front().into_iter().chain(self.polls.front());
        let due = next.map(|(due, ..)| *due).min()?;
        // Waits are in whole milliseconds: one too few would spin.
        Some(due.saturating_duration_since(Instant::now()) + Duration::from_millis(1))
    }

    /// Writes what is due.
    fn beat(&mut self) {
        let now = Instant::now();
        while let Some((due, key, serial)) =
            self.beats.front().copied().filter(|(due, ..)| *due <= now)
        {
            self.beats.pop_front();
            if let Some(connection) = self.connections.get_mut(key).filter(|c| c.serial == serial) {
                connection.write(PING);
                self.beats.push_back((due + self.heartbeat, key, serial));
            }
        }
        while let Some((_, key, serial)) =
            self.polls.front().copied().filter(|(due, ..)| *due <= now)
        {
            self.polls.pop_front();
            if let Some(connection) = self.connections.get_mut(key).filter(|c| c.serial == serial) {
                connection.write(POLLED);
            }
        }
    }
}

/// The number at the beginning, and what follows it.
fn number(bytes: &[u8]) -> (usize, &[u8]) {
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let number = bytes[..digits].iter().fold(0_usize, |number, digit| {
        number
            .wrapping_mul(10)
            .wrapping_add(usize::from(digit - b'0'))
    });
    (number, &bytes[digits..])
}
