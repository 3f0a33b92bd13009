//! How connections come in, and what they are handed to: the web server, run part by part, since its
//! connections are of our own kind.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_http::HttpService;
use actix_service::{IntoServiceFactory as _, Service as _, ServiceFactory as _, map_config};
use actix_web::dev::AppConfig;
use actix_web::http::KeepAlive;
use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use tokio_rustls::TlsAcceptor;

use super::LAST_REQUESTS;
use super::h2::Streams;
use super::tls::{Certificate, Connection};
use crate::config::Config;
use crate::http::{Doors, Express, app};
use crate::ice::Transport;
use crate::ice::relay::StreamDoor;
use crate::wire::{Answers, Handed, Lot, Settings, Web, WebConnection};

/// A connection whose peer has not acknowledged data, or has taken none, for so long is gone. A
/// silent client is so noticed within the heartbeat and 20 s.
const SILENT_CONNECTION: Duration = Duration::from_secs(18);
/// What the kernel holds of a connection before it sends it, in bytes: what a reader that stops
/// reading leaves unread is to wait in its mailbox, where it is counted.
const UNSENT: u32 = 16 * 1024;
/// How many connections may wait to be taken up.
const BACKLOG: i32 = 2048;
/// How long is waited for a thread that ought to have ended.
const HANGS: Duration = Duration::from_secs(1);
/// How long a client has to close its end after the last answer.
const DISCONNECT: Duration = Duration::from_secs(2);

/// All connections, and the web server behind them.
pub(super) struct Front {
    pub(super) lot: Lot,
    pub(super) addr: SocketAddr,
    workers: Arc<Workers>,
}

/// The threads of the web server. They end when this is dropped.
struct Workers {
    threads: Mutex<Vec<JoinHandle<()>>>,
    senders: Vec<UnboundedSender<Handed>>,
    next: AtomicUsize,
    /// When they are to end.
    going: watch::Sender<Going>,
}

/// Whether the server goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Going {
    No,
    /// Connections that are asked more than one thing at a time are to be left.
    Away,
    /// What is under way has its time.
    Soon,
    Now,
}

/// What the web server serves with.
#[derive(Clone)]
struct Serving {
    doors: Arc<Doors>,
    express: bool,
    origins: Arc<[String]>,
    keep_alive: KeepAlive,
    head_timeout: Duration,
    /// How long a client may take nothing of what it is answered; zero is no bound.
    slow_after: Duration,
    /// How many requests of a connection may be under way.
    streams: u32,
    addr: SocketAddr,
    /// Where all comes within TLS.
    acceptor: Option<TlsAcceptor>,
    /// Who takes connections that speak TURN.
    relay: Option<StreamDoor>,
    going: watch::Receiver<Going>,
}

impl Front {
    /// Serves on the address of `config`.
    ///
    /// # Errors
    /// Where it cannot be bound, or the system gives no threads.
    pub(super) fn open(
        config: &Config,
        doors: Arc<Doors>,
        listener: TcpListener,
        certificate: Option<Arc<Certificate>>,
        relay: Option<StreamDoor>,
    ) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let bounds = &config.bounds;
        let threads = threads(config);
        let (going, on_the_way) = watch::channel(Going::No);
        let serving = Serving {
            doors: doors.clone(),
            express: config.express,
            origins: config.origins.clone().into(),
            keep_alive: if bounds.keep_alive.is_zero() {
                KeepAlive::Os
            } else {
                KeepAlive::Timeout(bounds.keep_alive)
            },
            head_timeout: bounds.head_timeout,
            slow_after: bounds.slow_after,
            streams: bounds.max_streams_per_connection,
            addr,
            acceptor: certificate.map(Certificate::acceptor).transpose()?,
            relay,
            going: on_the_way,
        };
        let workers = Arc::new(Workers::start(threads, &serving, going)?);
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let settings = Settings {
            runtime,
            threads,
            veiled: serving.acceptor.is_some(),
            most: bounds.max_connections,
            first_within: bounds.head_timeout,
            keep_alive: bounds.keep_alive,
        };
        let answers: Arc<dyn Answers> =
            Arc::new(Express::new(doors, config.express, &config.origins));
        let web: Arc<dyn Web> = workers.clone();
        let lot = Lot::open(listener, &settings, &answers, &web)?;
        Ok(Self { lot, addr, workers })
    }

    /// Has clients that keep one connection for all they ask begin another, elsewhere.
    pub(super) fn go(&self) {
        self.workers.going.send_replace(Going::Away);
    }

    /// Ends all connections. Where there is `time`, those that are being answered have theirs.
    pub(super) async fn stop(self, time: bool) {
        let (going, last) = if time {
            (Going::Soon, LAST_REQUESTS)
        } else {
            (Going::Now, Duration::ZERO)
        };
        self.workers.going.send_replace(going);
        wait_while(last, || self.lot.under_way() > 0).await;
        self.lot.close();
        // They end by themselves within that time, but for one that hangs.
        wait_while(last + HANGS, || self.workers.are_at_work()).await;
    }
}

impl Workers {
    fn start(count: usize, serving: &Serving, going: watch::Sender<Going>) -> io::Result<Self> {
        let (mut threads, mut senders) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (sender, handed) = unbounded_channel();
            let serving = serving.clone();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let work = move || LocalSet::new().block_on(&runtime, serving.serve(handed));
            let thread = std::thread::Builder::new().name("web".to_owned());
            threads.push(thread.spawn(work)?);
            senders.push(sender);
        }
        Ok(Self {
            threads: Mutex::new(threads),
            senders,
            next: AtomicUsize::new(0),
            going,
        })
    }

    fn are_at_work(&self) -> bool {
        !self.threads.lock().iter().all(JoinHandle::is_finished)
    }
}

impl Web for Workers {
    fn take(&self, handed: Handed) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        // A worker that has ended takes nothing: the connection is closed.
        let _ = self.senders[turn % self.senders.len()].send(handed);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.going.send_replace(Going::Now);
    }
}

/// How connections are taken before the web server has them.
#[derive(Clone)]
struct Welcome {
    acceptor: Option<TlsAcceptor>,
    /// How long a client may take to agree on TLS, and to say something; zero is no bound.
    within: Duration,
    relay: Option<StreamDoor>,
    addr: SocketAddr,
    going: watch::Receiver<Going>,
}

impl Welcome {
    /// A connection for the web server; none where it is not for it.
    async fn take(mut self, connection: WebConnection) -> Option<Connection> {
        let sender = connection.sender();
        let connection = match &self.acceptor {
            None => {
                connection.ready().await;
                Connection::Plain(connection)
            }
            Some(acceptor) => {
                let securing = Connection::secure(acceptor.clone(), connection);
                let most = if self.within.is_zero() {
                    Duration::MAX
                } else {
                    self.within
                };
                tokio::select! {
                    secured = tokio::time::timeout(most, securing) => secured.ok()?.ok()?,
                    // Nothing was asked yet that would have to be waited for.
                    _ = self.going.wait_for(|going| *going >= Going::Soon) => return None,
                }
            }
        };
        let Some(relay) = self.relay.as_ref().filter(|_| connection.speaks_turn()) else {
            return Some(connection);
        };
        let transport = match connection {
            Connection::Plain(_) => Transport::Tcp,
            Connection::Secure(..) => Transport::Tls,
        };
        match connection.leave(relay.runtime()) {
            Ok((stream, first)) => relay.take(stream, sender, self.addr, first, transport),
            Err(error) => tracing::debug!(%error, "a connection could not change hands"),
        }
        None
    }
}

impl Serving {
    /// Serves what is handed over, until the server goes; then what is under way has its time.
    async fn serve(mut self, mut handed: UnboundedReceiver<Handed>) {
        let app = || {
            let app = app(self.doors.clone(), &self.origins).into_factory();
            // Its host names are in no answer.
            map_config(app, |()| AppConfig::default())
        };
        let (going, express) = (self.going.clone(), self.express);
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let mut going = going.clone();
                async move { drop(going.wait_for(|going| *going >= Going::Soon).await) }
            })
            .keep_alive(self.keep_alive)
            .client_request_timeout(self.head_timeout)
            .client_disconnect_timeout(DISCONNECT)
            // A closed reader is seen at once; the default waits for the second write that fails.
            .h1_allow_half_closed(false)
            .local_addr(self.addr)
            .on_connect_ext(move |connection: &Connection, data| {
                if let Connection::Plain(connection) = connection
                    && express
                {
                    data.insert(connection.slot().clone());
                }
            })
            .h1(app());
        let (Ok(service), Ok(streamed)) = (http.new_service(()).await, app().new_service(()).await)
        else {
            tracing::error!("the web server does not start");
            return;
        };
        let service = Rc::new(service);
        let streams = Rc::new(Streams {
            service: streamed,
            doors: self.doors.clone(),
            most: self.streams,
            first_within: self.head_timeout,
            slow_after: self.slow_after,
            keep_alive: match self.keep_alive {
                KeepAlive::Timeout(span) => span,
                KeepAlive::Os | KeepAlive::Disabled => Duration::ZERO,
            },
        });
        let welcome = Welcome {
            acceptor: self.acceptor.take(),
            within: self.head_timeout,
            relay: self.relay.take(),
            addr: self.addr,
            going: self.going.clone(),
        };
        let (mut connections, going) = (JoinSet::new(), self.going.clone());
        loop {
            tokio::select! {
                next = handed.recv() => match next.map(WebConnection::new) {
                    Some(Ok(connection)) => {
                        let (service, welcome) = (service.clone(), welcome.clone());
                        let (streams, going) = (streams.clone(), going.clone());
                        connections.spawn_local(async move {
                            let sender = connection.sender();
                            let Some(connection) = welcome.take(connection).await else {
                                return;
                            };
                            if connection.speaks_h2() {
                                return streams.serve(connection, sender, going).await;
                            }
                            // What ends a connection concerns its client alone.
                            let _ = service.call((connection, Some(sender))).await;
                        });
                    }
                    Some(Err(error)) => tracing::warn!(%error, "a connection cannot be watched"),
                    None => break,
                },
                Some(_) = connections.join_next() => {}
                _ = self.going.wait_for(|going| *going >= Going::Soon) => break,
            }
        }
        let last = async { while connections.join_next().await.is_some() {} };
        tokio::select! {
            () = last => {}
            () = tokio::time::sleep(LAST_REQUESTS) => {}
            _ = self.going.wait_for(|going| *going == Going::Now) => {}
        }
    }
}

/// Waits until that is no more so, or for that long.
async fn wait_while(most: Duration, so: impl Fn() -> bool) {
    let until = Instant::now() + most;
    while so() && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    // A server that starts again finds connections of the former one still closing.
    socket.set_reuse_address(true)?;
    watch_over(&socket);
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Has each write go out at once, and the kernel notice connections that have gone silent (RFC 5482).
/// What is accepted takes this over from its listener.
fn watch_over(socket: &Socket) {
    // Where any of this fails, connections are slower, or noticed later.
    let _ = socket.set_tcp_nodelay(true);
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

fn threads(config: &Config) -> usize {
    match config.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        some => some,
    }
}
