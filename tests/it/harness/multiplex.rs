//! A client of HTTP/2 within TLS that shows its frames: many requests on one connection.

use std::sync::Arc;

use actix_web::web::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{PATIENCE, TestServer, secrets};

/// One connection.
pub struct Multiplex {
    pub requests: SendRequest<Bytes>,
    /// Ends with the connection, and says how.
    pub end: JoinHandle<Result<(), h2::Error>>,
    authority: String,
}

/// Any certificate will do.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl Multiplex {
    /// Connects to what is served at this base, and agrees on HTTP/2.
    pub async fn open(base: &str) -> Self {
        Self::with(base, &h2::client::Builder::new()).await
    }

    /// The same, and leaves no room for what is answered.
    pub async fn shut(base: &str) -> Self {
        let mut builder = h2::client::Builder::new();
        Self::with(base, builder.initial_window_size(0)).await
    }

    async fn with(base: &str, builder: &h2::client::Builder) -> Self {
        let authority = base.trim_start_matches("https://").to_owned();
        let agreed = builder.handshake(agreed(&authority).await).await;
        let (requests, connection) = agreed.expect("HTTP/2");
        Self {
            requests,
            end: tokio::spawn(connection),
            authority,
        }
    }

    /// Asks; the body follows where it is not over.
    pub async fn ask(
        &self,
        (method, path, token): (&str, &str, &str),
        over: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://{}{path}", self.authority))
            .header("authorization", format!("Bearer {token}"))
            .body(())
            .expect("a request");
        let mut requests = self.requests.clone().ready().await?;
        requests.send_request(request, over)
    }

    /// Opens a stream of events.
    pub async fn events(&self, path: &str, token: &str) -> Events {
        let asked = self.ask(("GET", path, token), true).await;
        let (answer, _) = asked.expect("a stream of HTTP/2");
        let answer = answer.await.expect("an answer");
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Events {
            body: answer.into_body(),
            text: String::new(),
        }
    }

    /// One request, its status and its answer as JSON.
    pub async fn call(
        &self,
        what: (&str, &str, &str),
        body: &str,
    ) -> Result<(u16, Value), h2::Error> {
        secrets::hide_members_of(body);
        let (answer, mut sending) = self.ask(what, body.is_empty()).await?;
        if !body.is_empty() {
            sending.send_data(Bytes::copy_from_slice(body.as_bytes()), true)?;
        }
        let (status, text) = whole(answer.await?).await?;
        let json = serde_json::from_slice(&text).unwrap_or(Value::Null);
        secrets::hide_members(&json);
        Ok((status, json))
    }

    /// Joins; the token.
    pub async fn join(&self, room: &str, peer: &str) -> String {
        let path = format!("/rooms/{room}/peers");
        let body = serde_json::json!({ "peer": peer }).to_string();
        let (status, joined) = self
            .call(("POST", &path, ""), &body)
            .await
            .expect("an answer");
        assert_eq!(status, 201, "{joined}");
        joined["token"].as_str().expect("a token").to_owned()
    }
}

/// A connection within TLS on which HTTP/2 was agreed on, and nothing of it said yet.
pub async fn agreed(authority: &str) -> TlsStream<TcpStream> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)));
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    let socket = TcpStream::connect(authority).await.expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(name, socket).await.expect("TLS");
    let agreed = stream.get_ref().1.alpn_protocol();
    assert_eq!(agreed, Some(&b"h2"[..]), "HTTP/2 is preferred");
    stream
}

/// A whole answer.
pub async fn whole(answer: Response<RecvStream>) -> Result<(u16, Vec<u8>), h2::Error> {
    let (status, mut body) = (answer.status().as_u16(), answer.into_body());
    let mut text = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        text.extend_from_slice(&piece);
    }
    Ok((status, text))
}

/// A stream of events.
pub struct Events {
    body: RecvStream,
    pub text: String,
}

impl Events {
    /// Reads until this was said.
    pub async fn until(&mut self, said: &str) {
        while !self.text.contains(said) {
            let more = self.more().await;
            assert!(more, "no {said} before the end of {}", self.text);
        }
    }

    /// Reads some; whether the stream goes on.
    pub async fn more(&mut self) -> bool {
        let piece = tokio::time::timeout(PATIENCE, self.body.data()).await;
        let Some(piece) = piece.unwrap_or_else(|_| panic!("more in time than {}", self.text))
        else {
            return false;
        };
        let piece = piece.expect("a piece");
        let released = self.body.flow_control().release_capacity(piece.len());
        released.expect("it was taken");
        self.text.push_str(&String::from_utf8_lossy(&piece));
        true
    }
}

/// A server within TLS, and its certificate.
pub async fn secured(flags: &[&str]) -> (TestServer, super::certificate::Certificate) {
    let certificate = super::certificate::Certificate::make();
    let (chain, key) = (certificate.chain(), certificate.key());
    let tls = ["--tls-cert", &chain, "--tls-key", &key];
    let server = TestServer::with(&[&tls[..], flags].concat()).await;
    (server, certificate)
}
