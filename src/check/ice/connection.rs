//! Messages to a STUN or TURN server and back, over each transport that it may speak.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio_rustls::TlsConnector;

use crate::ice::Transport;

/// The first wait for an answer over UDP; each further one is twice as long (RFC 8489, section
/// 6.2.1).
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The fixed part of a message, and where its transaction's id stands in it.
const HEAD: usize = 20;
const TRANSACTION: std::ops::Range<usize> = 8..20;

pub(in crate::check) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(in crate::check) enum Connection {
    Datagrams(UdpSocket),
    Stream(Box<dyn Stream>),
}

/// How long one address of several may take.
const EACH: Duration = Duration::from_secs(3);

/// What the first address gives that gives something, or else why the last gives nothing.
async fn first<T>(
    addresses: &[SocketAddr],
    connect: impl AsyncFn(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for at in addresses {
        match tokio::time::timeout(EACH, connect(*at)).await {
            Ok(Ok(connected)) => return Ok(connected),
            Ok(Err(error)) => failed = error,
            Err(_) => failed = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failed)
}

/// A machine without a way to such addresses is told so at once.
async fn datagrams(at: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match at {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(at).await?;
    Ok(socket)
}

impl Connection {
    /// Connects to the first address of the name's that takes it.
    pub(super) async fn open(transport: Transport, host: &str, port: u16) -> Result<Self, String> {
        let found = lookup_host((host, port))
            .await
            .map_err(|_| "the name is not known")?;
        // Version 4 first: a machine without version 6 knows such addresses all the same.
        let mut found: Vec<SocketAddr> = found.collect();
        found.sort_by_key(SocketAddr::is_ipv6);
        let failed = |error: io::Error| format!("cannot connect: {error}");
        if transport == Transport::Udp {
            let socket = first(&found, datagrams).await.map_err(failed)?;
            return Ok(Self::Datagrams(socket));
        }
        let stream = first(&found, TcpStream::connect).await.map_err(failed)?;
        if transport == Transport::Tcp {
            return Ok(Self::Stream(Box::new(stream)));
        }
        let config = ClientConfig::with_platform_verifier()
            .map_err(|_| "the system's certificates cannot be read")?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| "the name is none for a certificate")?;
        let secure = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await;
        Ok(Self::Stream(Box::new(
            secure.map_err(|error| format!("no TLS: {error}"))?,
        )))
    }

    /// Sends a request and waits for its answer, for as long as the caller does.
    pub(in crate::check) async fn ask(&mut self, request: Vec<u8>) -> Result<Vec<u8>, String> {
        let asked = match self {
            Self::Datagrams(socket) => ask_datagrams(socket, &request).await,
            Self::Stream(stream) => ask_stream(stream, &request).await,
        };
        asked.map_err(|error| {
            if error.kind() == io::ErrorKind::ConnectionRefused {
                "nobody listens there".into()
            } else {
                format!("the connection failed: {error}")
            }
        })
    }
}

async fn ask_datagrams(socket: &UdpSocket, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut wait = FIRST_WAIT;
    let mut buffer = vec![0; 2048];
    loop {
        socket.send(request).await?;
        let answered = async {
            loop {
                let length = socket.recv(&mut buffer).await?;
                // What is older, or of somebody else, is left alone.
                if length >= HEAD && buffer[TRANSACTION] == request[TRANSACTION] {
                    return Ok::<_, io::Error>(length);
                }
            }
        };
        if let Ok(length) = tokio::time::timeout(wait, answered).await {
            buffer.truncate(length?);
            return Ok(buffer);
        }
        wait *= 2;
    }
}

async fn ask_stream(stream: &mut Box<dyn Stream>, request: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(request).await?;
    stream.flush().await?;
    loop {
        let mut message = vec![0; HEAD];
        stream.read_exact(&mut message).await?;
        let length = usize::from(u16::from_be_bytes([message[2], message[3]]));
        message.resize(HEAD + length, 0);
        stream.read_exact(&mut message[HEAD..]).await?;
        if message[TRANSACTION] == request[TRANSACTION] {
            return Ok(message);
        }
    }
}
