//! HTTP/2 (RFC 9113), on connections whose client has chosen it within TLS. Each of its streams is one
//! request to the web server, with the head that it would have in HTTP/1.1, and counts as a connection
//! of its address.
//!
//! The web server's own HTTP/2 bounds neither streams nor heads, keeps a connection that nobody uses,
//! and leaves without a word; so what is spoken here is spoken by `h2` itself.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use actix_http::{Payload, Request};
use actix_service::Service;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::error::PayloadError;
use actix_web::http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use actix_web::http::{Method, Uri, Version};
use actix_web::web::Bytes;
use actix_web::{Error, HttpResponse};
use futures_util::Stream;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::front::Going;
use crate::http::Doors;

/// The most that the fields of a head may come to, in bytes.
const HEAD: u32 = 32 * 1024;
/// What is held of an answer before its connection takes it, in bytes: what a reader that stops
/// reading leaves unread is to wait in its mailbox, where it is counted.
const UNSENT: usize = 16 * 1024;
/// The most of a body that is given to a connection at a time.
const PIECE: usize = 16 * 1024;
/// How long a client has to close its end after the last answer.
const LAST: Duration = Duration::from_secs(2);
/// With a bound of nothing.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What connections are served by.
pub(super) struct Streams<S> {
    pub(super) service: S,
    pub(super) doors: Arc<Doors>,
    /// How many requests of a connection may be under way; 0 is no bound.
    pub(super) most: u32,
    /// How long the first request may take to come; zero is no bound.
    pub(super) first_within: Duration,
    /// How long a client may leave no room for what it is answered; zero is no bound.
    pub(super) slow_after: Duration,
    /// How long nothing may be asked while nothing is under way; zero is no bound.
    pub(super) keep_alive: Duration,
}

impl<S, B> Streams<S>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    /// Serves a connection until it ends, or is told to.
    pub(super) async fn serve(
        &self,
        connection: impl AsyncRead + AsyncWrite + Unpin,
        sender: SocketAddr,
        mut going: watch::Receiver<Going>,
    ) {
        let mut builder = h2::server::Builder::new();
        builder
            .max_header_list_size(HEAD)
            .max_send_buffer_size(UNSENT);
        if self.most > 0 {
            builder.max_concurrent_streams(self.most);
        }
        // Of all that comes before the first request together.
        let first_by = Instant::now() + bound(self.first_within);
        let agreed = timeout_at(first_by, builder.handshake(connection)).await;
        let Ok(Ok(mut connection)) = agreed else {
            return;
        };
        let mut requests = JoinSet::new();
        let (mut asked, mut left) = (None::<Instant>, false);
        loop {
            // Where nothing is under way, from the last that was asked or answered on.
            let patience = match asked {
                Some(_) if !requests.is_empty() => None,
                Some(last) if left => Some(last + LAST),
                Some(last) => Some(last + bound(self.keep_alive)),
                None => Some(first_by),
            };
            // Whoever comes to a server that goes away is to have an answer first.
            let leaves = if asked.is_some() {
                Going::Away
            } else {
                Going::Soon
            };
            let tired = async {
                match patience {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                next = connection.accept() => {
                    let Some(Ok((request, respond))) = next else { break };
                    asked = Some(Instant::now());
                    if let Some(answering) = self.take(request, respond, sender) {
                        requests.spawn_local(answering);
                    }
                }
                Some(_) = requests.join_next() => asked = Some(Instant::now()),
                _ = going.wait_for(|going| *going >= leaves), if !left => {
                    (asked, left) = (Some(Instant::now()), true);
                    connection.graceful_shutdown();
                }
                () = tired => {
                    if left {
                        // It does not hear of the end either.
                        break;
                    }
                    (asked, left) = (Some(Instant::now()), true);
                    connection.graceful_shutdown();
                }
            }
        }
        // Nobody is there to be answered.
        requests.shutdown().await;
    }

    /// What answers a request; none where it is refused at once.
    fn take(
        &self,
        request: http::Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
        sender: SocketAddr,
    ) -> Option<impl Future<Output = ()> + 'static> {
        let Some(place) = self.doors.asked_within(sender.ip()) else {
            // That nothing was done is what this says: it may be asked again.
            respond.send_reset(Reason::REFUSED_STREAM);
            return None;
        };
        let Some(request) = translated(request, sender) else {
            respond.send_reset(Reason::PROTOCOL_ERROR);
            return None;
        };
        let head_only = request.method() == Method::HEAD;
        let (called, shut) = (self.service.call(request), bound(self.slow_after));
        Some(async move {
            // A client that has gone, or gives up, wants nothing more.
            let gone = |reset: Poll<_>| reset.map(|_| ());
            let answered = tokio::select! {
                answered = called => answered,
                () = poll_fn(|cx| gone(respond.poll_reset(cx))) => return,
            };
            let answer = match answered {
                Ok(answer) => answer.into_parts().1.map_into_boxed_body(),
                Err(error) => error.error_response(),
            };
            // What breaks a stream off concerns its client alone.
            let _ = write(answer, respond, head_only, shut).await;
            drop(place);
        })
    }
}

fn bound(span: Duration) -> Duration {
    if span.is_zero() { NEVER } else { span }
}

/// A request as the web server knows it; none where it names nothing that is here.
fn translated(request: http::Request<RecvStream>, sender: SocketAddr) -> Option<Request> {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query()?.as_str().parse::<Uri>().ok()?;
    let payload: Payload = if body.is_end_stream() {
        Payload::None
    } else {
        let payload = Box::pin(Body(body));
        Payload::Stream { payload }
    };
    let mut request = Request::with_payload(payload);
    let head = request.head_mut();
    head.method = Method::from_bytes(parts.method.as_str().as_bytes()).ok()?;
    head.uri = target;
    head.version = Version::HTTP_2;
    head.peer_addr = Some(sender);
    for (name, value) in &parts.headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        head.headers.append(name, value);
    }
    if let Some(authority) = parts.uri.authority() {
        let host = HeaderValue::from_str(authority.as_str()).ok()?;
        head.headers.insert(HOST, host);
    }
    Some(request)
}

/// The body of a request.
struct Body(RecvStream);

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let broken = |error: h2::Error| {
            PayloadError::Io(
                error
                    .into_io()
                    .unwrap_or_else(|| std::io::ErrorKind::ConnectionReset.into()),
            )
        };
        let piece = ready!(self.0.poll_data(cx)).map(|piece| piece.map_err(broken));
        if let Some(Ok(piece)) = &piece {
            // Only what was taken makes room for more.
            let _ = self.0.flow_control().release_capacity(piece.len());
        }
        Poll::Ready(piece)
    }
}

/// Writes an answer, for as long as somebody takes it.
async fn write(
    answer: HttpResponse<BoxBody>,
    mut respond: SendResponse<Bytes>,
    head_only: bool,
    shut: Duration,
) -> Result<(), h2::Error> {
    let (answer, body) = answer.into_parts();
    let size = body.size();
    let mut head = http::Response::new(());
    let status = answer.status().as_u16();
    *head.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    let headers = head.headers_mut();
    for (name, value) in answer.headers() {
        // These are of a connection, or said by frames.
        if [CONNECTION, TRANSFER_ENCODING, UPGRADE, CONTENT_LENGTH].contains(name) {
            continue;
        }
        let name = http::HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, http::HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    // What has no content has no length of it (RFC 9110, section 8.6).
    if let BodySize::Sized(length) = size
        && ![204, 304].contains(&status)
    {
        headers.insert(http::header::CONTENT_LENGTH, length.into());
    }
    let date = httpdate::fmt_http_date(SystemTime::now());
    if let Ok(date) = http::HeaderValue::from_str(&date) {
        headers.insert(http::header::DATE, date);
    }
    let over = head_only || matches!(size, BodySize::None | BodySize::Sized(0));
    let mut stream = respond.send_response(head, over)?;
    if over {
        return Ok(());
    }
    let mut body = pin!(body);
    loop {
        let piece = tokio::select! {
            piece = poll_fn(|cx| body.as_mut().poll_next(cx)) => piece,
            gone = poll_fn(|cx| stream.poll_reset(cx)) => return gone.map(|_| ()),
        };
        match piece {
            Some(Ok(piece)) => give(&mut stream, piece, shut).await?,
            Some(Err(_)) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Ok(());
            }
            None => return stream.send_data(Bytes::new(), true),
        }
    }
}

/// Gives a piece of a body to the connection, as it takes it; one that takes nothing for so long is
/// given up, since its client alone says how long that would last.
async fn give(
    stream: &mut SendStream<Bytes>,
    mut piece: Bytes,
    shut: Duration,
) -> Result<(), h2::Error> {
    while !piece.is_empty() {
        stream.reserve_capacity(piece.len().min(PIECE));
        let room = match timeout(shut, poll_fn(|cx| stream.poll_capacity(cx))).await {
            Ok(Some(room)) => room?.min(piece.len()),
            // It is closed.
            Ok(None) => return Err(Reason::CANCEL.into()),
            Err(_) => {
                stream.send_reset(Reason::CANCEL);
                return Err(Reason::CANCEL.into());
            }
        };
        stream.send_data(piece.split_to(room), false)?;
    }
    Ok(())
}
