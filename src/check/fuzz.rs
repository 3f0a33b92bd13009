//! What fuzzing comes in by: what `switchboard check` reads from servers that are none.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turn_types::stun::message::LongTermCredentials;

use super::ice::connection::Connection;
use super::ice::{allocate, bind};
use super::member::Joined;
use super::ticks::whole_lines;
use crate::ice::IceUrl;

/// Reads a stream of ticks that comes in these pieces: their times.
///
/// # Errors
/// Where it is garbled.
pub fn ticks<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Vec<i64>, String> {
    let (mut rest, mut times) = (Vec::new(), Vec::new());
    for piece in pieces {
        whole_lines(&mut rest, piece, |sent| times.push(sent))?;
    }
    Ok(times)
}

/// Reads the answer to a join: how many ICE servers it names.
pub fn joined(body: &[u8]) -> Option<usize> {
    let joined: Joined = serde_json::from_slice(body).ok()?;
    Some(joined.servers().len())
}

/// Whether a text is the address of a STUN or TURN server.
pub fn is_ice_url(text: &str) -> bool {
    IceUrl::parse(text).is_ok()
}

/// Asks a server that answers with these bytes, under the transaction that was asked.
///
/// # Errors
/// Says why it cannot be used.
pub async fn stun(turn: bool, answers: &[u8]) -> Result<(), String> {
    let script = Script {
        transaction: [0; 12],
        answers: answers.to_vec(),
        at: 0,
        head: 0,
    };
    let mut connection = Connection::Stream(Box::new(script));
    if !turn {
        return bind(&mut connection).await;
    }
    let credentials = LongTermCredentials::new("name".into(), "word".into());
    let give_back = allocate(&mut connection, &credentials).await?;
    connection.ask(give_back).await.map(drop)
}

/// A server's side of a connection: says what it has to say, and then closes.
struct Script {
    transaction: [u8; 12],
    answers: Vec<u8>,
    at: usize,
    /// Where the next message begins.
    head: usize,
}

impl AsyncRead for Script {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.at == this.head && this.answers.len() >= this.at + 20 {
            let length = [this.answers[this.at + 2], this.answers[this.at + 3]];
            this.answers[this.at + 8..this.at + 20].copy_from_slice(&this.transaction);
            this.head += 20 + usize::from(u16::from_be_bytes(length));
        }
        let rest = &this.answers[this.at..];
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        this.at += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(transaction) = bytes.get(8..20) {
            self.get_mut().transaction.copy_from_slice(transaction);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
