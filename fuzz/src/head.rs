//! A request as the web server reads it.

use actix_http::HttpMessage as _;
use actix_http::h1::{Codec, Message, MessageType};
use bytes::BytesMut;
use switchboard::wire::fuzz::Told;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;
use tokio_util::codec::Decoder as _;

/// The request at the beginning of `bytes`, if there is one that is whole.
pub fn by_the_web_server(bytes: &[u8]) -> Option<Told> {
    // Its reader has a clock, which is a task.
    RUNTIME.with(|runtime| LocalSet::new().block_on(runtime, async { read(bytes) }))
}

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
}

fn read(bytes: &[u8]) -> Option<Told> {
    let (mut codec, mut rest) = (Codec::default(), BytesMut::from(bytes));
    let Ok(Some(Message::Item(request))) = codec.decode(&mut rest) else {
        return None;
    };
    let mut body = Vec::new();
    if !matches!(codec.message_type(), MessageType::None) {
        loop {
            match codec.decode(&mut rest) {
                Ok(Some(Message::Chunk(Some(chunk)))) => body.extend_from_slice(&chunk),
                Ok(Some(Message::Chunk(None))) => break,
                _ => return None,
            }
        }
    }
    let line = |(name, value): (
        &actix_web::http::header::HeaderName,
        &actix_web::http::header::HeaderValue,
    )| { (name.to_string(), value.as_bytes().to_vec()) };
    let mut lines: Vec<_> = request.headers().iter().map(line).collect();
    lines.sort();
    Some(Told {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        lines,
        body,
        used: bytes.len() - rest.len(),
    })
}
