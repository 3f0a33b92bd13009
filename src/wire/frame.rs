//! How the pieces of a parked answer stand on the wire (RFC 9112, sections 6.3 and 7.1).

use std::cell::RefCell;
use std::io;

/// The framing of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// In chunks, of which an empty one is the last.
    Chunked,
    /// To HTTP/1.0: up to the close of the connection.
    UntilClose,
}

/// What a connection has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    bytes: Vec<u8>,
    /// So many of them it has.
    taken: usize,
}

/// What a thread keeps in buffers for the next answers, in bytes.
const SPARE: usize = 256 * 1024;

thread_local! {
    /// What is written goes into one of these, so that a connection that takes all of it keeps none.
    static BUFFERS: RefCell<Buffers> = const { RefCell::new(Buffers(Vec::new(), 0)) };
}

/// Buffers that nobody uses, and what they come to.
struct Buffers(Vec<Vec<u8>>, usize);

impl Buffers {
    fn take(&mut self) -> Vec<u8> {
        let buffer = self.0.pop().unwrap_or_default();
        self.1 -= buffer.capacity();
        buffer
    }

    /// Keeps a buffer for what is written next.
    fn give_back(&mut self, mut buffer: Vec<u8>) {
        if self.1 + buffer.capacity() <= SPARE {
            buffer.clear();
            self.1 += buffer.capacity();
            self.0.push(buffer);
        }
    }
}

/// Room for the line before a chunk, in bytes: eight digits and a line break.
const SIZE: usize = 10;

impl Unwritten {
    pub(super) fn new(head: &[u8]) -> Self {
        let (bytes, taken) = (head.to_vec(), 0);
        Self { bytes, taken }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    /// Adds what `work` writes.
    pub(super) fn with<T>(&mut self, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if self.bytes.capacity() == 0 {
            self.bytes = BUFFERS.with_borrow_mut(Buffers::take);
        }
        work(&mut self.bytes)
    }

    /// Adds the piece that `work` writes, unless that is nothing.
    pub(super) fn piece<T>(&mut self, framing: Framing, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if framing == Framing::UntilClose {
            return self.with(work);
        }
        self.with(|out| {
            let before = out.len();
            out.extend_from_slice(&[0; SIZE]);
            let done = work(out);
            let length = out.len() - before - SIZE;
            if length == 0 {
                out.truncate(before);
                return done;
            }
            let (mut from, mut rest) = (SIZE - 2, length);
            let line = &mut out[before..before + SIZE];
            line[from..].copy_from_slice(b"\r\n");
            while rest > 0 {
                from -= 1;
                line[from] = b"0123456789abcdef"[rest & 15];
                rest >>= 4;
            }
            // What was kept for a longer size.
            out.drain(before..before + from);
            out.extend_from_slice(b"\r\n");
            done
        })
    }

    /// Adds the end.
    pub(super) fn end(&mut self, framing: Framing) {
        match framing {
            Framing::Chunked => self.with(|out| out.extend_from_slice(b"0\r\n\r\n")),
            Framing::UntilClose => {}
        }
    }

    /// Writes what waits; whether the socket has taken all of it.
    pub(super) fn flush(&mut self, mut socket: impl io::Write) -> io::Result<bool> {
        while self.len() > 0 {
            match written(socket.write(&self.bytes[self.taken..]))? {
                0 => {
                    self.keep();
                    return Ok(false);
                }
                taken => self.taken += taken,
            }
        }
        if self.bytes.capacity() > 0 {
            give_back(std::mem::take(&mut self.bytes));
            self.taken = 0;
        }
        Ok(true)
    }

    /// What is left may wait for long: it is kept in what it needs.
    fn keep(&mut self) {
        if self.bytes.capacity() > 2 * self.len() {
            let rest = self.bytes[self.taken..].to_vec();
            give_back(std::mem::replace(&mut self.bytes, rest));
            self.taken = 0;
        }
    }
}

fn give_back(buffer: Vec<u8>) {
    BUFFERS.with_borrow_mut(|buffers| buffers.give_back(buffer));
}

/// How much a write took; nothing where the socket takes none now.
fn written(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ) =>
        {
            Ok(0)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_chunk_says_its_size() {
        for (length, line) in [
            (1, "1\r\n"),
            (15, "f\r\n"),
            (16, "10\r\n"),
            (8192, "2000\r\n"),
        ] {
            let mut unwritten = Unwritten::new(b"head ");
            let piece = "x".repeat(length);
            unwritten.piece(Framing::Chunked, |out| {
                out.extend_from_slice(piece.as_bytes())
            });
            unwritten.piece(Framing::Chunked, |_| ());
            assert_eq!(
                unwritten.bytes,
                format!("head {line}{piece}\r\n").as_bytes()
            );
        }
    }

    #[test]
    fn what_a_socket_does_not_take_is_kept_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let ours = TcpStream::connect(address).expect("a connection");
        let (mut theirs, _) = listener.accept().expect("its other end");
        ours.set_nonblocking(true).expect("a setting");
        let mut unwritten = Unwritten::new(b"");
        let mut wanted = Vec::new();
        let mut piece = 0_u32;
        while unwritten.len() == 0 {
            piece += 1;
            let text = format!("{piece:8000}");
            unwritten.piece(Framing::Chunked, |out| {
                out.extend_from_slice(text.as_bytes())
            });
            unwritten.flush(&ours).expect("an open connection");
            wanted.extend_from_slice(format!("1f40\r\n{text}\r\n").as_bytes());
        }
        unwritten.piece(Framing::Chunked, |out| out.extend_from_slice(b"more"));
        unwritten.end(Framing::Chunked);
        wanted.extend_from_slice(b"4\r\nmore\r\n0\r\n\r\n");
        let (mut seen, mut buffer) = (Vec::new(), vec![0; 1 << 20]);
        while seen.len() < wanted.len() {
            let read = theirs.read(&mut buffer).expect("more");
            seen.extend_from_slice(&buffer[..read]);
            unwritten.flush(&ours).expect("an open connection");
        }
        assert!(unwritten.len() == 0 && seen == wanted);
    }

    #[test]
    fn to_http_1_0_nothing_stands_around_the_pieces() {
        let mut unwritten = Unwritten::new(b"head ");
        unwritten.piece(Framing::UntilClose, |out| out.extend_from_slice(b"piece"));
        unwritten.end(Framing::UntilClose);
        assert_eq!(unwritten.bytes, b"head piece");
    }
}
