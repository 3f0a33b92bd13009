//! A WebSocket, for comparison: signaling does without.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{Client, StatusCode};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::facts::Outcome;
use super::path::{send, why};

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn check(client: &Client, base: &str) -> Outcome {
    let began = Instant::now();
    match tokio::time::timeout(PATIENCE, echo(client, base)).await {
        Ok(Ok(())) => Outcome::good(began.elapsed()),
        Ok(Err(why)) => Outcome::bad(why),
        Err(_) => Outcome::bad("no answer in time"),
    }
}

/// The handshake goes the way of all requests, through the same proxy (RFC 6455, section 4.1).
async fn echo(client: &Client, base: &str) -> Result<(), String> {
    let key = generate_key();
    let request = client
        .get(format!("{base}/check/websocket"))
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key);
    let response = send(request).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(format!(
            "the handshake was answered with HTTP {}",
            response.status().as_u16()
        ));
    }
    let accept = response.headers().get(SEC_WEBSOCKET_ACCEPT);
    if accept.is_none_or(|accept| accept != derive_accept_key(key.as_bytes()).as_str()) {
        return Err("the handshake was answered by something else".into());
    }
    let upgraded = response.upgrade().await.map_err(|error| why(&error))?;
    let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
    let sent = Message::text("check");
    socket
        .send(sent.clone())
        .await
        .map_err(|_| "the connection was cut")?;
    match socket.next().await {
        Some(Ok(came)) if came == sent => Ok(()),
        _ => Err("the message did not come back".into()),
    }
}
