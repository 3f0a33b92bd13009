//! A lean HTTP/1.1 client that shows its socket: what is to be cut, filtered or left unread.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use socket2::{SockFilter, SockRef};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::secrets;

/// A connection and what was read of it and not yet used.
pub struct Connection {
    pub socket: TcpStream,
    buffer: Vec<u8>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub json: Value,
}

impl Answer {
    pub fn slug(&self) -> &str {
        let slug = self.json["type"].as_str().unwrap_or_default();
        slug.strip_prefix("/problems/").unwrap_or(slug)
    }
}

impl Connection {
    pub async fn open(addr: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(addr).await?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            buffer: Vec::new(),
        })
    }

    /// Closes with a reset instead of a FIN.
    pub fn reset(self) {
        SockRef::from(&self.socket)
            .set_linger(Some(Duration::ZERO))
            .expect("a socket option");
    }

    /// From now on no packet reaches this socket, as if its machine had lost the network.
    pub fn go_dark(&self) {
        // BPF: return 0, which takes nothing of any packet.
        let drop_all = SockFilter::new(0x06, 0, 0, 0);
        SockRef::from(&self.socket)
            .attach_filter(&[drop_all])
            .expect("a socket filter");
    }

    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> io::Result<()> {
        if path.ends_with("/peers") {
            secrets::hide_members_of(body);
        }
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        self.socket.write_all(request.as_bytes()).await
    }

    /// One request and its answer.
    pub async fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> io::Result<Answer> {
        self.send(method, path, headers, body).await?;
        self.answer().await
    }

    async fn fill(&mut self) -> io::Result<()> {
        if self.socket.read_buf(&mut self.buffer).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    async fn line_end(&mut self, end: &[u8]) -> io::Result<usize> {
        loop {
            let found = self.buffer.windows(end.len()).position(|part| part == end);
            match found {
                Some(at) => return Ok(at + end.len()),
                None => self.fill().await?,
            }
        }
    }

    async fn head(&mut self) -> io::Result<String> {
        let end = self.line_end(b"\r\n\r\n").await?;
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        Ok(String::from_utf8_lossy(&head).into_owned())
    }

    pub async fn answer(&mut self) -> io::Result<Answer> {
        let head = self.head().await?;
        let status = status_of(&head);
        let length = header(&head, "content-length").and_then(|text| text.parse().ok());
        let length: usize = length.unwrap_or(0);
        while self.buffer.len() < length {
            self.fill().await?;
        }
        let body: Vec<u8> = self.buffer.drain(..length).collect();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        secrets::hide_members(&json);
        Ok(Answer { status, json })
    }

    /// The next piece of a chunked body (RFC 9112, section 7.1); none at its end.
    async fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = self.line_end(b"\r\n").await?;
        let size = std::str::from_utf8(&self.buffer[..line - 2]).unwrap_or("");
        let size = usize::from_str_radix(size, 16).map_err(|_| ErrorKind::InvalidData)?;
        while self.buffer.len() < line + size + 2 {
            self.fill().await?;
        }
        let chunk = self.buffer[line..line + size].to_vec();
        self.buffer.drain(..line + size + 2);
        Ok((size > 0).then_some(chunk))
    }
}

fn status_of(head: &str) -> u16 {
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
    status.unwrap_or(0)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// An event as it came.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: Option<String>,
    pub name: String,
    pub data: Value,
}

/// An open stream.
pub struct Events {
    pub connection: Connection,
    text: Vec<u8>,
    ndjson: bool,
    /// The wait before a reconnect that the server asked for last.
    pub retry: Duration,
}

impl Events {
    /// The stream of an answer that was asked for on this connection, or its refusal.
    pub async fn of(mut connection: Connection) -> io::Result<Result<Self, Answer>> {
        let head = connection.head().await?;
        let streams = header(&head, "transfer-encoding").is_some();
        if status_of(&head) != 200 || !streams {
            connection.buffer.splice(..0, head.bytes());
            return connection.answer().await.map(Err);
        }
        let ndjson = header(&head, "content-type") == Some("application/x-ndjson");
        Ok(Ok(Self {
            connection,
            text: Vec::new(),
            ndjson,
            retry: Duration::from_secs(2),
        }))
    }

    /// The next event, pings included; none at the end of the stream, an error where it was cut.
    pub async fn next(&mut self) -> io::Result<Option<Event>> {
        let end: &[u8] = if self.ndjson { b"\n" } else { b"\n\n" };
        loop {
            while let Some(at) = self.text.windows(end.len()).position(|part| part == end) {
                let block: Vec<u8> = self.text.drain(..at + end.len()).collect();
                if let Some(event) = self.parse(&String::from_utf8_lossy(&block)) {
                    return Ok(Some(event));
                }
            }
            match self.connection.chunk().await? {
                Some(bytes) => self.text.extend(bytes),
                None => return Ok(None),
            }
        }
    }

    fn parse(&mut self, block: &str) -> Option<Event> {
        if self.ndjson {
            let value: Value = serde_json::from_str(block).ok()?;
            return Some(of_json(&value));
        }
        let (mut id, mut name, mut data) = (None, String::new(), Value::Null);
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("id", text)) => id = Some(text.to_owned()),
                Some(("event", text)) => text.clone_into(&mut name),
                Some(("data", text)) => data = serde_json::from_str(text).unwrap_or(Value::Null),
                Some(("retry", text)) => {
                    self.retry = Duration::from_millis(text.parse().unwrap_or(2000));
                }
                _ => {}
            }
        }
        (!name.is_empty()).then_some(Event { id, name, data })
    }
}

/// An event of NDJSON, or of a poll's answer.
pub fn of_json(value: &Value) -> Event {
    Event {
        id: value["id"].as_str().map(str::to_owned),
        name: value["event"].as_str().unwrap_or_default().to_owned(),
        data: value["data"].clone(),
    }
}
