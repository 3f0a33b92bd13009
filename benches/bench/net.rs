//! Many connections to one address in one thread, and what comes over them.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::answer::{Part, Reader};
use crate::clock::Clock;
use crate::events::Parser;

/// A connection; its number is not used again while a turn speaks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(usize);

/// Something that came over a connection.
#[derive(Debug)]
pub(crate) struct Happening {
    pub(crate) key: Key,
    /// What the connection was opened for.
    pub(crate) tag: usize,
    pub(crate) at: Instant,
    pub(crate) what: What,
}

/// Texts are ranges of the turn.
#[derive(Debug)]
pub(crate) enum What {
    /// A whole answer.
    Answer { status: u16, body: Range<usize> },
    /// The head of an event stream.
    Opened,
    /// An event of a stream.
    Event {
        name: Range<usize>,
        id: Range<usize>,
        data: Range<usize>,
    },
    /// The end of an event stream, whose connection may go on.
    Ended,
    /// The other side has closed.
    Closed,
}

/// What came at once.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) happenings: Vec<Happening>,
    text: Vec<u8>,
}

impl Turn {
    pub(crate) fn text(&self, range: &Range<usize>) -> &[u8] {
        &self.text[range.clone()]
    }

    fn keep(&mut self, text: &[u8]) -> Range<usize> {
        let from = self.text.len();
        self.text.extend_from_slice(text);
        from..self.text.len()
    }
}

struct Connection {
    socket: TcpStream,
    tag: usize,
    /// What the socket has not taken yet.
    unsent: Vec<u8>,
    reader: Reader,
    /// The status of the answer that is being read.
    status: u16,
    body: Vec<u8>,
    stream: Option<Parser>,
    is_closed: bool,
}

/// All connections, and the one place where the generator waits.
pub(crate) struct Net {
    addr: SocketAddr,
    poll: Poll,
    events: Events,
    connections: Slab<Option<Connection>>,
    /// Numbers that are free from the next turn on.
    freed: Vec<usize>,
    clock: Clock,
    chunk: Vec<u8>,
}

const CLOCK: Token = Token(usize::MAX);

impl Net {
    pub(crate) fn new(addr: SocketAddr) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let clock = Clock::new()?;
        clock.register(poll.registry(), CLOCK)?;
        Ok(Self {
            addr,
            poll,
            events: Events::with_capacity(1024),
            connections: Slab::new(),
            freed: Vec::new(),
            clock,
            chunk: vec![0; 64 * 1024],
        })
    }

    /// Begins a connection; `tag` comes back with all that happens on it.
    pub(crate) fn connect(&mut self, tag: usize) -> anyhow::Result<Key> {
        let mut socket = TcpStream::connect(self.addr).context("no connection to the server")?;
        socket.set_nodelay(true)?;
        let entry = self.connections.vacant_entry();
        let interest = Interest::READABLE | Interest::WRITABLE;
        let key = entry.key();
        self.poll
            .registry()
            .register(&mut socket, Token(key), interest)?;
        entry.insert(Some(Connection {
            socket,
            tag,
            unsent: Vec::new(),
            reader: Reader::default(),
            status: 0,
            body: Vec::new(),
            stream: None,
            is_closed: false,
        }));
        Ok(Key(key))
    }

    /// Closes a connection; nothing of it comes in later turns.
    pub(crate) fn close(&mut self, key: Key) {
        if self
            .connections
            .get_mut(key.0)
            .and_then(Option::take)
            .is_some()
        {
            self.freed.push(key.0);
        }
    }

    /// Writes, now or as soon as the connection takes it. What a closed one does not take is told
    /// by its `Closed`.
    pub(crate) fn send(&mut self, key: Key, bytes: &[u8]) {
        let Some(Some(connection)) = self.connections.get_mut(key.0) else {
            return;
        };
        let taken = if connection.unsent.is_empty() {
            connection.socket.write(bytes).unwrap_or(0)
        } else {
            0
        };
        connection.unsent.extend_from_slice(&bytes[taken..]);
    }

    /// Waits until something happens, at most until then, and says what.
    pub(crate) fn turn(&mut self, turn: &mut Turn, until: Instant) -> anyhow::Result<()> {
        for key in self.freed.drain(..) {
            self.connections.remove(key);
        }
        turn.happenings.clear();
        turn.text.clear();
        let most = until.saturating_duration_since(Instant::now());
        // A poll counts in milliseconds; what is due soon has a clock that does not.
        let exact = Duration::from_micros(1)..Duration::from_millis(60);
        if exact.contains(&most) {
            self.clock.set(most)?;
        }
        match self.poll.poll(&mut self.events, Some(most)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for event in &self.events {
            if event.token() == CLOCK {
                self.clock.heard();
                continue;
            }
            let key = event.token().0;
            let Some(Some(connection)) = self.connections.get_mut(key) else {
                continue;
            };
            if event.is_writable() {
                connection.flush();
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                connection.read(Key(key), &mut self.chunk, turn)?;
            }
        }
        Ok(())
    }
}

impl Connection {
    fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(taken) if taken > 0 => drop(self.unsent.drain(..taken)),
                _ => return,
            }
        }
    }

    /// Reads all there is.
    fn read(&mut self, key: Key, chunk: &mut [u8], turn: &mut Turn) -> anyhow::Result<()> {
        while !self.is_closed {
            let got = match self.socket.read(chunk) {
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // A reset: what was being read has broken off.
                Err(_) => 0,
            };
            let at = Instant::now();
            let Self {
                tag,
                reader,
                status,
                body,
                stream,
                ..
            } = self;
            let tag = *tag;
            let happen =
                |turn: &mut Turn, what| turn.happenings.push(Happening { key, tag, at, what });
            let mut take = |part: Part<'_>| match part {
                Part::Head(head) => {
                    *status = head.status;
                    body.clear();
                    *stream = head.is_stream.then(Parser::default);
                    if head.is_stream {
                        happen(turn, What::Opened);
                    }
                }
                Part::Body(bytes) => match stream {
                    Some(parser) => parser.read(bytes, |event| {
                        let (name, id) = (turn.keep(event.name), turn.keep(event.id));
                        let data = turn.keep(event.data);
                        happen(turn, What::Event { name, id, data });
                    }),
                    None => body.extend_from_slice(bytes),
                },
                Part::End if stream.is_some() => {
                    *stream = None;
                    happen(turn, What::Ended);
                }
                Part::End => {
                    let (status, body) = (*status, turn.keep(body));
                    happen(turn, What::Answer { status, body });
                }
            };
            if got > 0 {
                reader.read(&chunk[..got], &mut take)?;
                // A short read has left nothing behind; what comes later is told anew.
                if got < chunk.len() {
                    return Ok(());
                }
            } else {
                // Whoever waits for the rest of an answer learns of its loss by the close.
                let _ = reader.close(&mut take);
                self.is_closed = true;
                happen(turn, What::Closed);
            }
        }
        Ok(())
    }
}
