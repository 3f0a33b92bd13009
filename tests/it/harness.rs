//! A server of the test's own and peers that speak the domain. Whatever a test starts ends with it.

pub mod certificate;
pub mod command;
pub mod log;
pub mod multiplex;
mod nodes;
pub mod program;
mod raw;
pub mod secrets;
mod stream;
mod terminal;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use clap::Parser as _;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use switchboard::Server;
use switchboard::config::Cli;
use switchboard::hub::Hub;
use switchboard::wire::Lot;
use tokio::sync::oneshot;

pub use crate::store::port::free_port;
pub use raw::{Raw, signal_of, stream_of};
pub use stream::Stream;
pub use terminal::Terminal;

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a free port, with a runtime of its own; or several over one store, behind a proxy.
pub struct TestServer {
    pub base: String,
    pub admin: Option<String>,
    pub hub: Hub,
    pub lot: Lot,
    nodes: Vec<Running>,
    shared: Option<nodes::Shared>,
}

/// A node that runs.
struct Running {
    addr: SocketAddr,
    scheme: &'static str,
    admin: Option<SocketAddr>,
    hub: Hub,
    lot: Lot,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A server with these flags.
    pub async fn with(flags: &[&str]) -> Self {
        log::watch();
        secrets::hide_options(flags);
        let alone = ["--state-file", "--backplane", "--tls-cert"];
        let several = nodes::wanted().filter(|_| !flags.iter().any(|flag| alone.contains(flag)));
        let Some(several) = several else {
            return Self::of(vec![Running::start(flags).await], None);
        };
        let engine = nodes::engine();
        let prefix = unique(&format!("test-{}", std::process::id()));
        let url = engine.url();
        let mut all = vec!["--backplane", &url, "--backplane-prefix", &prefix];
        if !flags.contains(&"--secret") {
            all.extend(["--secret", "a secret that all nodes of a test have"]);
        }
        all.extend(flags);
        let mut nodes = Vec::new();
        for _ in 0..several {
            nodes.push(Running::start(&all).await);
        }
        let addresses: Vec<_> = nodes.iter().map(|node| node.addr).collect();
        let front = nodes::Front::before(&addresses).await;
        let shared = nodes::Shared {
            front,
            engine,
            prefix,
        };
        Self::of(nodes, Some(shared))
    }

    fn of(nodes: Vec<Running>, shared: Option<nodes::Shared>) -> Self {
        let first = &nodes[0];
        let addr = shared
            .as_ref()
            .map_or(first.addr, |shared| shared.front.addr);
        Self {
            base: format!("{}://{addr}", first.scheme),
            admin: first.admin.map(|addr| format!("http://{addr}")),
            hub: first.hub.clone(),
            lot: first.lot.clone(),
            nodes,
            shared,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// How many readers are open. Of several nodes: by what they count and by what the store has seats
    /// for, which agree but for those that open or close just now; more than any test has as long as
    /// they do not.
    pub fn open_readers(&self) -> usize {
        let nodes = self.nodes.iter();
        let counted = nodes.map(|node| node.hub.open_readers()).sum();
        match &self.shared {
            Some(shared) if shared.seats() != counted => usize::MAX,
            _ => counted,
        }
    }

    /// Asks the server to go away.
    pub fn ask_to_stop(&mut self) {
        for node in &mut self.nodes {
            node.ask_to_stop();
        }
    }

    /// Waits until the server has gone away.
    pub async fn gone(&mut self) {
        for node in &mut self.nodes {
            let thread = node.thread.take().expect("a server that runs");
            tokio::task::spawn_blocking(|| thread.join().expect("a clean end"))
                .await
                .expect("joined");
        }
    }

    pub async fn join(&self, room: &str, peer: &str) -> Peer {
        self.join_with(room, json!({ "peer": peer })).await
    }

    pub async fn join_with(&self, room: &str, body: Value) -> Peer {
        let answer = self
            .post(&format!("/rooms/{room}/peers"), &body.to_string())
            .await;
        answer.expect_status(201);
        Peer::of(self, &answer.json)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, |request| request).await
    }

    pub async fn post(&self, path: &str, body: &str) -> Answer {
        secrets::hide_members_of(body);
        self.request(Method::POST, path, |request| request.body(body.to_owned()))
            .await
    }

    pub async fn request(
        &self,
        method: Method,
        path: &str,
        change: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Answer {
        let request = change(client().request(method, self.url(path)));
        Answer::of(request.send().await.expect("an answer")).await
    }
}

impl Running {
    async fn start(flags: &[&str]) -> Self {
        let args = [
            "switchboard",
            "--listen",
            "127.0.0.1:0",
            "--workers",
            "2",
            "--drain",
            "0",
        ];
        let config = Cli::parse_from(args.iter().chain(flags)).into_config();
        config.check().expect("good flags");
        let scheme = config.tls_cert.as_ref().map_or("http", |_| "https");
        let (stop, stopped) = oneshot::channel::<()>();
        let (bound, started) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                let server = Server::open(&config).await.expect("a free port");
                let _ = bound.send((
                    server.addr(),
                    server.admin_addr(),
                    server.hub(),
                    server.lot(),
                ));
                let stop = async {
                    let _ = stopped.await;
                };
                server
                    .run(stop, std::future::pending())
                    .await
                    .expect("a clean end");
            });
        });
        let (addr, admin, hub, lot) = started.await.expect("a server");
        Self {
            addr,
            scheme,
            admin,
            hub,
            lot,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn ask_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.ask_to_stop();
        for node in &mut self.nodes {
            if let Some(thread) = node.thread.take() {
                let _ = thread.join();
            }
        }
        if !std::thread::panicking() {
            log::search();
        }
    }
}

/// A client of the calling test's own: connections cannot outlive its runtime.
pub fn client() -> Client {
    // A client wants to know its TLS before it is built; where it was told before, that stays.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder()
        .no_proxy()
        // Nothing here speaks TLS; to read the system's certificates takes longer than most tests.
        .tls_certs_only([])
        .timeout(Duration::from_secs(60))
        .build()
        .expect("a client")
}

/// An id that no other test uses.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        secrets::hide_members(&json);
        Self {
            status,
            headers,
            text,
            json,
        }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text"))
    }

    #[track_caller]
    pub fn expect_status(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Checks that this is the refusal `slug` in the form that every refusal has.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, slug: &str) -> &Self {
        assert_eq!(self.json["type"], format!("/problems/{slug}"), "{self:?}");
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.json["status"], status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert!(
            self.json["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty())
        );
        assert!(
            self.json["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty())
        );
        if status == 429 || status == 503 {
            assert!(!self.header("retry-after").is_empty(), "{self:?}");
        }
        self
    }
}

/// A peer that has joined.
#[derive(Clone, Debug)]
pub struct Peer {
    base: String,
    pub room: String,
    pub name: String,
    pub token: String,
    pub cursor: String,
    pub ticket: String,
    pub joined: Value,
}

impl Peer {
    pub fn of(server: &TestServer, joined: &Value) -> Self {
        let text = |field: &str| joined[field].as_str().expect("a text").to_owned();
        Self {
            base: server.base.clone(),
            room: text("room"),
            name: text("peer"),
            token: text("token"),
            cursor: text("cursor"),
            ticket: text("ticket"),
            joined: joined.clone(),
        }
    }

    /// The same peer, at another server.
    pub fn at(&self, server: &TestServer) -> Self {
        Self {
            base: server.base.clone(),
            ..self.clone()
        }
    }

    pub fn url(&self, tail: &str) -> String {
        format!(
            "{}/rooms/{}/peers/{}{tail}",
            self.base, self.room, self.name
        )
    }

    pub fn request(&self, method: Method, tail: &str) -> RequestBuilder {
        client()
            .request(method, self.url(tail))
            .bearer_auth(&self.token)
    }

    pub async fn get(&self, tail: &str) -> Answer {
        Answer::of(
            self.request(Method::GET, tail)
                .send()
                .await
                .expect("an answer"),
        )
        .await
    }

    pub async fn post(&self, tail: &str, body: impl ToString) -> Answer {
        let request = self.request(Method::POST, tail).body(body.to_string());
        Answer::of(request.send().await.expect("an answer")).await
    }

    pub async fn signal(&self, signal: Value) -> Answer {
        self.post("/signals", signal).await
    }

    /// Sends what must be accepted.
    pub async fn say(&self, signal: Value) -> Value {
        self.signal(signal).await.expect_status(202).json.clone()
    }

    pub async fn poll(&self, query: &str) -> Value {
        self.get(&format!("/poll?{query}"))
            .await
            .expect_status(200)
            .json
            .clone()
    }

    pub async fn leave(&self) {
        let left = self
            .request(Method::DELETE, "")
            .send()
            .await
            .expect("an answer");
        assert_eq!(left.status(), 204);
    }

    pub async fn events(&self) -> Stream {
        self.stream("/events", None).await
    }

    pub async fn events_after(&self, cursor: &str) -> Stream {
        self.stream("/events", Some(cursor)).await
    }

    pub async fn stream(&self, tail: &str, last_event_id: Option<&str>) -> Stream {
        let mut request = self.request(Method::GET, tail);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        Stream::open(request).await
    }

    pub async fn ticket(&self, cursor: Option<&str>) -> String {
        let body = cursor.map_or(json!({}), |cursor| json!({ "cursor": cursor }));
        let answer = self.post("/tickets", body).await;
        answer.expect_status(201).json["ticket"]
            .as_str()
            .expect("a ticket")
            .to_owned()
    }
}

/// Waits until `check` holds.
pub async fn until(mut check: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !check().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "it did not come about in time"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
