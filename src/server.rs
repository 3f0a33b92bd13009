//! The composition root: binds the doors to addresses, runs them, and knows the order of shutdown.

mod front;
mod h2;
mod tls;
mod witnesses;

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;

use crate::access::{Access, BadKey};
use crate::backplane::Memory;
use crate::backplane::redis::{OpenError, Redis};
use crate::backplane::store::News;
use crate::config::Config;
use crate::history::History;
use crate::http::{
    Doors, admin_routes, epoch, fraction, key_id, problems, refusal_name, secret, unread,
};
use crate::hub::{Clock, Hub, Tasks};
use crate::ice::relay::Relay;
use crate::metrics::{Metrics, Outside};
use crate::proto::Time;
use crate::state_file::{self, BadState, State};
use crate::wire::{Lot, together};
use front::Front;
pub use tls::{BadCertificate, Certificate};
use witnesses::Witnesses;

/// How long requests in flight have, once the readers are gone.
const LAST_REQUESTS: Duration = Duration::from_secs(5);

/// A server that listens.
pub struct Server {
    admin_addr: Option<SocketAddr>,
    hub: Hub,
    /// What the store of shared rooms tells.
    news: Option<Receiver<News>>,
    access: Arc<Access>,
    history: Option<Arc<History>>,
    certificate: Option<Arc<Certificate>>,
    drain: Duration,
    keep: Option<Keep>,
    front: Front,
    relay: Option<Relay>,
    admin: Option<actix_web::dev::Server>,
}

/// Where the state goes at the end, and the secret that goes with it.
struct Keep {
    path: PathBuf,
    secret: Option<Vec<u8>>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be bound, or the system gives no random numbers.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A key of access tokens cannot be used.
    #[error(transparent)]
    Access(#[from] BadKey),
    /// The certificate cannot be served with.
    #[error(transparent)]
    Certificate(#[from] BadCertificate),
    /// The store of shared rooms cannot be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The state file cannot be used.
    #[error(transparent)]
    State(#[from] BadState),
    /// The state file could not be written at the end.
    #[error("the state file {0} cannot be written: {1}")]
    Unwritable(PathBuf, io::Error),
}

impl Server {
    /// Binds to the addresses of `config`, and takes over what its state file holds. Port 0 takes a
    /// free one.
    ///
    /// # Errors
    /// Where an address cannot be bound, the state file cannot be used, or the system gives no
    /// random numbers.
    pub fn bind(config: &Config) -> Result<Self, StartError> {
        Self::over(config, None)
    }

    /// The same; where rooms are shared with other nodes, their store is joined first.
    ///
    /// # Errors
    /// As of [`Server::bind`]; where the store cannot be reached or used.
    pub async fn open(config: &Config) -> Result<Self, StartError> {
        let Some(mut options) = config.backplane.shared() else {
            return Self::bind(config);
        };
        let secrets = config.secrets.iter();
        options.signers = secrets.map(|secret| key_id(secret.as_bytes())).collect();
        Self::over(config, Some(Redis::open(options).await?))
    }

    fn over(
        config: &Config,
        store: Option<(Arc<Redis>, Receiver<News>)>,
    ) -> Result<Self, StartError> {
        for option in config.guessable() {
            tracing::warn!(
                option,
                "short enough to be guessed: take 16 random bytes or more"
            );
        }
        let mut state = None;
        if let Some(path) = &config.state_file {
            let unwritable = |error| StartError::Unwritable(path.clone(), error);
            state_file::check(path).map_err(unwritable)?;
            state = state_file::read(path)?;
        }
        let then = state.as_ref().map_or(Time(0), |state| state.hub.now);
        let clock = Clock::machine(then);
        let (limits, timings) = (config.bounds.limits(), config.timings());
        let (hub, news) = match store {
            Some((store, news)) => {
                let tasks = Tasks::Runtime(Handle::current());
                (Hub::sharing(limits, timings, store, tasks), Some(news))
            }
            None => (Hub::new(limits, timings, clock, Memory), None),
        };
        let kept = state.as_mut().and_then(|state| state.secret.take());
        let made = kept.map_or_else(secret, Ok)?;
        let access = Arc::new(Access::new(config.access())?);
        let turn_secret = secret()?;
        let certificate = match (&config.tls_cert, &config.tls_key) {
            (Some(chain), Some(key)) => Some(Certificate::read(chain, key)?),
            _ => None,
        };
        let address = config.listen.to_string();
        let listener = front::bind(config.listen)?;
        let secrets = config.ice.secrets(&turn_secret);
        let relay = config.ice.relay(secrets.clone()).map(Relay::start);
        let relay = relay.transpose()?;
        let port = listener.local_addr()?.port();
        let secure = certificate.is_some().then_some(port);
        let own = relay.as_ref().map_or_else(Vec::new, |relay| {
            let (stun, turn) = (relay.stun_addr(), relay.turn_addr());
            config.ice.own_urls(stun, turn, secure)
        });
        let ice = config.ice.servers(own, secrets);
        let metrics = Arc::new(Metrics::new().map_err(io::Error::other)?);
        let operated = config.operator_token.is_some() || access.is_on();
        let history = match operated {
            true => Some(History::new(
                epoch()?,
                config.bounds.max_history,
                refusal_name,
            )),
            false => None,
        };
        let history = history.map(Arc::new);
        hub.tell(Arc::new(Witnesses {
            metrics: metrics.clone(),
            history: history.clone(),
        }));
        let watched = (metrics, history.clone());
        let doors = Doors::new(
            hub.clone(),
            access.clone(),
            config,
            &made,
            ice,
            address,
            watched,
        );
        let keep = config.state_file.clone().map(|path| {
            let secret = config.secrets.is_empty().then_some(made);
            Keep { path, secret }
        });
        // Before the first connection is taken: whoever is kept must not hear that he is unknown.
        let is_taken_over = state.is_some();
        if let Some(State {
            hub: saved, rooms, ..
        }) = state
        {
            tracing::info!(rooms = rooms.len(), "taking over what the state file holds");
            hub.restore(saved);
            rooms.into_iter().for_each(|room| hub.restore_room(room));
        }
        let door = relay.as_ref().and_then(Relay::door);
        let front = Front::open(config, doors.clone(), listener, certificate.clone(), door)?;
        let connections = front.lot.count();
        let counted = relay.as_ref().map(Relay::tally);
        doors.look_outside(move || Outside {
            connections: connections.load(Ordering::Relaxed),
            relay: counted.as_ref().map(|counted| counted()),
            ..Outside::default()
        });
        let mut admin_addr = None;
        let mut admin = None;
        if let Some(listen) = config.admin_listen {
            let app = move || {
                App::new()
                    .configure(admin_routes(doors.clone()))
                    .wrap(from_fn(problems))
                    .wrap(from_fn(unread))
            };
            let server = HttpServer::new(app)
                .workers(1)
                .disable_signals()
                .bind(listen)?;
            admin_addr = server.addrs().first().copied();
            admin = Some(server.run());
        }
        if let Some(keep) = keep.as_ref().filter(|_| is_taken_over) {
            state_file::used_up(&keep.path)?;
        }
        let drain = config.drain;
        Ok(Self {
            admin_addr,
            hub,
            news,
            access,
            history,
            certificate,
            drain,
            keep,
            front,
            relay,
            admin,
        })
    }

    /// The address that is served on.
    pub fn addr(&self) -> SocketAddr {
        self.front.addr
    }

    /// The second address.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin_addr
    }

    /// The check of access tokens, whose keys can be read again.
    pub fn access(&self) -> Arc<Access> {
        self.access.clone()
    }

    /// Where this server relays (TURN), if it does.
    pub fn relay_addr(&self) -> Option<SocketAddr> {
        self.relay.as_ref().and_then(Relay::turn_addr)
    }

    /// The certificate of its TLS, which can be read again; none where it serves without.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.certificate.clone()
    }

    /// The connections of this server.
    pub fn lot(&self) -> Lot {
        self.front.lot.clone()
    }

    /// The rooms of this server.
    pub fn hub(&self) -> Hub {
        self.hub.clone()
    }

    /// Serves until `stop` resolves, then goes away: refuses what is new, ends the readers over the
    /// drain window, and stops. A second wish to stop, `at_once`, ends it where it is.
    ///
    /// # Errors
    /// Where serving itself fails.
    pub async fn run(
        self,
        stop: impl Future<Output = ()>,
        at_once: impl Future<Output = ()>,
    ) -> Result<(), StartError> {
        let Self {
            hub,
            news,
            drain,
            keep,
            front,
            relay,
            admin,
            history,
            ..
        } = self;
        let admin_handle = admin.as_ref().map(actix_web::dev::Server::handle);
        let serve_admin = async {
            match admin {
                Some(admin) => admin.await,
                None => std::future::pending().await,
            }
        };
        let going = async {
            stop.await;
            front.go();
            if let Some(history) = &history {
                history.close();
            }
            tokio::select! {
                () = go_away(&hub, drain) => true,
                () = at_once => false,
            }
        };
        tokio::pin!(serve_admin);
        let mut running = pin!(hub.run());
        let ticking = poll_fn(|cx| together(|| running.as_mut().poll(cx)));
        let mut following = pin!(async {
            match news {
                Some(news) => hub.follow(news).await,
                None => std::future::pending().await,
            }
        });
        let following = poll_fn(|cx| together(|| following.as_mut().poll(cx)));
        let time = tokio::select! {
            served = &mut serve_admin => served.map(|()| false)?,
            () = ticking => false,
            () = following => false,
            time = going => time,
        };
        front.stop(time).await;
        drop(relay);
        hub.resign().await;
        if let Some(admin) = admin_handle {
            // Its future resolves when the server has stopped, which is polled here.
            drop(admin.stop(false));
            serve_admin.await?;
        }
        // Nothing is answered any more: whatever was answered with 202 is in what is written.
        let Some(Keep { path, secret }) = keep else {
            return Ok(());
        };
        let written = state_file::write(&path, secret, &hub);
        written.map_err(|error| StartError::Unwritable(path, error))
    }
}

/// Ends all readers over the window `drain`, and waits until they are gone.
async fn go_away(hub: &Hub, drain: Duration) {
    let readers = hub.open_readers();
    tracing::info!(readers, window = ?drain, "going away");
    // Without random numbers all go at once, which is the lesser evil.
    hub.drain(drain, |window| window.mul_f64(fraction().unwrap_or(0.0)));
    let begun = tokio::time::Instant::now();
    let deadline = begun + drain + Duration::from_secs(1);
    // What stands before several nodes sends requests to this one until it has seen that it is not
    // ready.
    let stays = || hub.is_shared() && begun.elapsed() < drain;
    while stays() || hub.open_readers() > 0 && tokio::time::Instant::now() < deadline {
        together(|| hub.tick());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
