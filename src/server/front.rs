//! How connections come in, and what they are handed to: the web server, run part by part, since its
//! connections are of our own kind.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_server::{GracefulShutdownSignal, Server};
use actix_service::{
    IntoServiceFactory as _, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config,
};
use actix_web::dev::AppConfig;
use actix_web::http::KeepAlive;
use actix_web::rt::net::TcpStream;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::LAST_REQUESTS;
use crate::config::Config;
use crate::http::{Counted, Doors, app};
use crate::park::{Connection, Lot};

/// A connection whose peer has not acknowledged data, or has taken none, for so long is gone. A
/// silent client is so noticed within the heartbeat and 20 s.
const SILENT_CONNECTION: Duration = Duration::from_secs(18);
/// What the kernel holds of a connection before it sends it, in bytes: what a reader that stops
/// reading leaves unread is to wait in its mailbox, where it is counted.
const UNSENT: u32 = 16 * 1024;
/// How many connections may wait to be taken up.
const BACKLOG: i32 = 2048;
/// How long a client has to close its end after the last answer.
const DISCONNECT: Duration = Duration::from_secs(2);

/// What every connection is served with.
#[derive(Clone)]
pub(super) struct Front {
    doors: Arc<Doors>,
    lot: Lot,
    park: bool,
    origins: Arc<[String]>,
    keep_alive: KeepAlive,
    head_timeout: Duration,
}

impl Front {
    pub(super) fn new(config: &Config, doors: Arc<Doors>, lot: Lot) -> Self {
        let keep_alive = config.bounds.keep_alive;
        Self {
            doors,
            lot,
            park: config.park,
            origins: config.origins.clone().into(),
            keep_alive: if keep_alive.is_zero() {
                KeepAlive::Os
            } else {
                KeepAlive::Timeout(keep_alive)
            },
            head_timeout: config.bounds.head_timeout,
        }
    }

    /// Serves on the address of `config`, and says which that is.
    pub(super) fn listen(self, config: &Config) -> io::Result<(Server, SocketAddr)> {
        let listener = bind(config.listen)?;
        let addr = listener.local_addr()?;
        let workers = workers(config);
        let server = Server::build();
        let going = server.graceful_shutdown_signal();
        let server = server
            .workers(workers)
            .max_concurrent_connections(connections_of_one(config, workers))
            .shutdown_timeout(LAST_REQUESTS.as_secs())
            .disable_signals()
            .listen("public", listener, move || self.worker(addr, &going))?;
        Ok((server.run(), addr))
    }

    /// What one worker does with the connections that it is handed.
    fn worker(
        &self,
        addr: SocketAddr,
        going: &GracefulShutdownSignal,
    ) -> impl ServiceFactory<TcpStream, Config = (), InitError = ()> + use<> {
        let (going, park) = (going.clone(), self.park);
        let app = app(self.doors.clone(), &self.origins).into_factory();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let going = going.clone();
                async move { going.notified().await }
            })
            .keep_alive(self.keep_alive)
            .client_request_timeout(self.head_timeout)
            .client_disconnect_timeout(DISCONNECT)
            // A closed reader is seen at once; the default waits for the second write that fails.
            .h1_allow_half_closed(false)
            .local_addr(addr)
            .on_connect_ext(move |connection: &Connection<Counted>, data| {
                if park {
                    data.insert(connection.slot().clone());
                }
                data.insert(connection.kept().clone());
            })
            // Its host names are in no answer.
            .h1(map_config(app, |()| AppConfig::default()));
        let front = self.clone();
        fn_service(move |socket| {
            let accepted = front.accept(socket);
            async move { accepted.map_err(DispatchError::Io) }
        })
        .and_then(http)
    }

    /// Counts a connection, or closes it where its address has too many.
    fn accept(&self, socket: TcpStream) -> io::Result<(Connection<Counted>, Option<SocketAddr>)> {
        // One that is gone already is found so here.
        let sender = socket.peer_addr()?;
        let Some(counted) = self.doors.connected(sender) else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        watch(&socket);
        let connection = Connection::new(socket, self.lot.clone(), counted);
        Ok((connection, Some(sender)))
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    // A server that starts again finds connections of the former one still closing.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn workers(config: &Config) -> usize {
    match config.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        some => some,
    }
}

/// How many connections one worker may have. They are handed out in turn.
fn connections_of_one(config: &Config, workers: usize) -> usize {
    match config.bounds.max_connections {
        0 => usize::MAX,
        all => all.div_ceil(workers),
    }
}

/// Has each write go out at once, and the kernel notice connections that have gone silent (RFC 5482).
fn watch(socket: &TcpStream) {
    // A connection on which any of this fails is slower, or noticed later.
    let _ = socket.set_nodelay(true);
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new()
        .with_time(SILENT_CONNECTION)
        .with_interval(Duration::from_secs(5));
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    {
        let _ = socket.set_tcp_user_timeout(Some(SILENT_CONNECTION));
        let _ = socket.set_tcp_notsent_lowat(UNSENT);
    }
}
