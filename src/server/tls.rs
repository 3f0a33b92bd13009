//! TLS on the address that is served on: its certificate, which can be read again, and connections
//! within it.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::web::Bytes;
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::runtime::Handle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::wire::{Socket, WebConnection, replay};

/// What clients may say that they speak within TLS, the best first: HTTP/2 and HTTP/1.1, or TURN
/// (RFC 7443). Those that say nothing are known by what they send.
const PROTOCOLS: [&[u8]; 3] = [H2, b"http/1.1", b"stun.turn"];
const H2: &[u8] = b"h2";
/// The first bytes of a connection that are looked at.
const FIRST: usize = 4096;

/// What is said to who speaks HTTP without TLS.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 44\r\nconnection: close\r\n\r\nThis port speaks HTTPS: begin with https://\n";

/// Why a certificate cannot be served with.
#[derive(Debug, thiserror::Error)]
pub enum BadCertificate {
    /// The file cannot be read, or holds none.
    #[error("{0} is no PEM file of a certificate, or of its key: {1}")]
    Unreadable(PathBuf, rustls::pki_types::pem::Error),
    /// The certificate file is empty of certificates.
    #[error("{0} holds no certificate")]
    None(PathBuf),
    /// The two do not belong together, or cannot be used.
    #[error("{0} and {1} cannot be used together: {2}")]
    Unusable(PathBuf, PathBuf, rustls::Error),
}

/// The certificate that connections are taken with, and where it came from.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    now: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads a chain, the server's own certificate first, and the key of that one: PEM files.
    ///
    /// # Errors
    /// Where they cannot be read, or do not belong together.
    pub fn read(chain: &Path, key: &Path) -> Result<Arc<Self>, BadCertificate> {
        let now = RwLock::new(load(chain, key)?);
        let (chain, key) = (chain.to_owned(), key.to_owned());
        Ok(Arc::new(Self { chain, key, now }))
    }

    /// Reads the files again; connections that come from then on have what they hold.
    ///
    /// # Errors
    /// As of [`Certificate::read`]; then the former is kept.
    pub fn reload(&self) -> Result<(), BadCertificate> {
        *self.now.write() = load(&self.chain, &self.key)?;
        Ok(())
    }

    /// What takes connections with it.
    pub(super) fn acceptor(self: Arc<Self>) -> io::Result<TlsAcceptor> {
        let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let mut config = config.with_no_client_auth().with_cert_resolver(self);
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(Arc::new(config).into())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now.read().clone())
    }
}

fn load(chain: &Path, key: &Path) -> Result<Arc<CertifiedKey>, BadCertificate> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        |error| BadCertificate::Unreadable(path, error)
    };
    let certificates = CertificateDer::pem_file_iter(chain).map_err(unreadable(chain))?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(unreadable(chain))?;
    if certificates.is_empty() {
        return Err(BadCertificate::None(chain.to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?;
    let usable = CertifiedKey::from_der(certificates, secret, &aws_lc_rs::default_provider());
    let unusable = |error| BadCertificate::Unusable(chain.to_owned(), key.to_owned(), error);
    Ok(Arc::new(usable.map_err(unusable)?))
}

/// A connection of the web server.
pub(super) enum Connection {
    Plain(WebConnection),
    Secure(Box<TlsStream<Socket>>, Bytes),
}

/// A stream that no thread is tied to.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Connection {
    /// Takes a connection within TLS, and reads the first that comes. Who speaks HTTP without TLS is
    /// told so.
    ///
    /// # Errors
    /// Where the client does not agree, or sends nothing.
    pub(super) async fn secure(acceptor: TlsAcceptor, plain: WebConnection) -> io::Result<Self> {
        let (mut socket, _) = plain.into_socket();
        // The first of TLS is no letter (RFC 8446, section 5.1), that of HTTP is one.
        if socket.first().await?.is_ascii_uppercase() {
            refuse_plain(&mut socket).await?;
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut stream = Box::new(acceptor.accept(socket).await?);
        let mut first = [0; FIRST];
        let count = stream.read(&mut first).await?;
        let first = Bytes::copy_from_slice(&first[..count]);
        Ok(Self::Secure(stream, first))
    }

    /// Whether what has come first is of a TURN client: it begins with a request of STUN, whose first
    /// byte none of HTTP has (RFC 8489, section 5).
    pub(super) fn speaks_turn(&self) -> bool {
        let first = match self {
            Self::Plain(connection) => connection.heard(),
            Self::Secure(_, first) => first,
        };
        matches!(first.first(), Some(0 | 1))
    }

    /// Whether HTTP/2 was agreed on.
    pub(super) fn speaks_h2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Secure(stream, _) => stream.get_ref().1.alpn_protocol() == Some(H2),
        }
    }

    /// The stream on its own, watched by another runtime from now on, and what was read of it.
    ///
    /// # Errors
    /// Where the system can watch no more sockets.
    pub(super) fn leave(self, runtime: &Handle) -> io::Result<(Box<dyn Stream>, Bytes)> {
        match self {
            Self::Plain(connection) => {
                let (mut socket, first) = connection.into_socket();
                socket.move_to(runtime)?;
                Ok((Box::new(socket), first))
            }
            Self::Secure(mut stream, first) => {
                stream.get_mut().0.move_to(runtime)?;
                Ok((stream, first))
            }
        }
    }

    fn inner(&mut self) -> Pin<&mut dyn Both> {
        match self {
            Self::Plain(connection) => Pin::new(connection),
            Self::Secure(stream, _) => Pin::new(stream.as_mut()),
        }
    }
}

/// Tells a client that this is no port for HTTP without TLS, and waits for its close: with something
/// of it unread, ours would take the answer away from it.
async fn refuse_plain(socket: &mut Socket) -> io::Result<()> {
    let mut unread = [0; FIRST];
    let _ = socket.read(&mut unread).await?;
    socket.write_all(PLAIN).await?;
    socket.shutdown().await?;
    while socket.read(&mut unread).await? > 0 {}
    Ok(())
}

trait Both: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Both for T {}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Self::Secure(_, first) = &mut *self
            && replay(first, buffer)
        {
            return Poll::Ready(Ok(()));
        }
        self.inner().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(cx)
    }
}
