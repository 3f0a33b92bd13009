//! A WebSocket to compare with: is it blocked on the way? It says one message back and closes.
//! Signaling never uses it.

use std::time::Duration;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, rt};
use actix_ws::{Message, MessageStream, Session};

use super::Place;
use crate::http::Doors;
use crate::http::ask::Ask;
use crate::http::client::Client;
use crate::http::problem::{self, Problem};

/// The longest message, in bytes.
const MOST: usize = 64;
/// How long a WebSocket lives at most.
const LIFE: Duration = Duration::from_secs(10);

/// `GET /check/websocket`
pub(in crate::http) async fn websocket(
    doors: Data<Doors>,
    req: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Problem> {
    let place = doors
        .places
        .take(Client::of(&Ask::of(&req), &doors.trust), LIFE)?;
    let opened = actix_ws::handle(&req, body).map_err(|_| {
        let detail = "only a WebSocket's handshake is answered here (RFC 6455, section 4)";
        Problem::new(&problem::BAD_REQUEST, detail)
    })?;
    let (response, session, messages) = opened;
    rt::spawn(live(session, messages.max_frame_size(MOST), place));
    Ok(response)
}

/// The task ends with the connection, at the latest after [`LIFE`].
async fn live(mut session: Session, mut messages: MessageStream, place: Place) {
    let said = tokio::time::timeout(LIFE, async {
        while let Some(Ok(message)) = messages.recv().await {
            match message {
                Message::Text(text) => return session.text(text).await.is_ok(),
                Message::Binary(bytes) => return session.binary(bytes).await.is_ok(),
                Message::Ping(_) | Message::Pong(_) | Message::Nop => {}
                Message::Continuation(_) | Message::Close(_) => return false,
            }
        }
        false
    });
    let _ = said.await;
    let _ = tokio::time::timeout(LIFE, session.close(None)).await;
    drop(place);
}
