//! The whole surface in this process, with time that moves by hand.

use std::cell::OnceCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use actix_web::HttpResponse;
use actix_web::body::{BoxBody, MessageBody as _};
use actix_web::http::{Method, Uri};
use actix_web::rt::SystemRunner;
use actix_web::test::TestRequest;
use serde_json::Value;
use switchboard::Config;
use switchboard::access::{Access, Options};
use switchboard::backplane::Memory;
use switchboard::http::fuzz::service;
use switchboard::hub::{Clock, Hub};

use crate::is_json;

/// Longer than anything is remembered, in milliseconds.
const LONG: u64 = 3_600_000;

/// Runs `work` where the surface can be driven: in one thread, with timers that are due as soon as
/// all else waits. Nothing is there of what was there before.
pub fn run<F: Future<Output = ()>>(work: impl FnOnce(&'static Site) -> F) {
    thread_local! {
        static SYSTEM: OnceCell<(SystemRunner, &'static Site)> = const { OnceCell::new() };
    }
    SYSTEM.with(|system| {
        let paused = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder
                .enable_all()
                .start_paused(true)
                .build()
                .expect("a runtime")
        };
        let (system, site) = system.get_or_init(|| {
            let system = actix_web::rt::System::with_tokio_rt(paused);
            let site = system.block_on(open());
            (system, Box::leak(Box::new(site)))
        });
        system.block_on(async {
            site.clear().await;
            work(site).await;
        });
    });
}

type Service = Box<dyn Fn(TestRequest) -> Pin<Box<dyn Future<Output = HttpResponse>>>>;

/// An open server without bounds on rates, in this process. It is kept from one input to the next,
/// since it is long in the making.
pub struct Site {
    service: Service,
    pub hub: Hub,
    millis: Arc<AtomicU64>,
}

/// An answer whose body was read as far as it went.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

async fn open() -> Site {
    let mut config = Config::standard();
    config.bounds.joins_per_second = 0;
    config.bounds.signals_per_second = 0;
    config.bounds.max_readers_per_ip = 0;
    config.operator_token = Some("operator".into());
    config.secrets = vec!["secret".into()];
    let config: &'static Config = Box::leak(Box::new(config));
    let millis = Arc::new(AtomicU64::new(1_000_000));
    let clock = Clock::Manual(millis.clone());
    let hub = Hub::new(config.bounds.limits(), config.timings(), clock, Memory);
    let access = Access::new(Options::default()).expect("no keys");
    let service: &'static _ = Box::leak(Box::new(service(config, access, hub.clone()).await));
    Site {
        service: Box::new(|request| Box::pin(service(request))),
        hub,
        millis,
    }
}

impl Site {
    async fn clear(&self) {
        for room in self.hub.rooms() {
            let _ = self.hub.close(&room.room, None).await;
        }
        self.pass(LONG);
    }

    /// Lets time pass.
    pub fn pass(&self, millis: u64) {
        self.millis.fetch_add(millis, Ordering::Relaxed);
        self.hub.tick();
    }

    /// Makes a request, reads its answer, of which a stream gives at most `pieces`, and checks what
    /// is true of every answer.
    pub async fn ask(
        &self,
        method: Method,
        path: &Uri,
        headers: &[(&str, &[u8])],
        body: &[u8],
        pieces: usize,
    ) -> Answer {
        let request = TestRequest::default()
            .method(method.clone())
            .uri(&path.to_string());
        let request =
            headers
                .iter()
                .fold(request, |request, header| match (*header).try_into_pair() {
                    Some(pair) => request.append_header(pair),
                    None => request,
                });
        let response = (self.service)(request.set_payload(body.to_vec())).await;
        let status = response.status().as_u16();
        let header = |name: &str| {
            let value = response.headers().get(name);
            value
                .map_or("", |value| value.to_str().expect("text"))
                .to_owned()
        };
        let (kind, waits) = (header("content-type"), header("retry-after"));
        for (name, value) in response.headers() {
            let value = value.as_bytes();
            assert!(!value.iter().any(|b| b"\r\n\0".contains(b)), "{name}");
        }
        let body = read(response.into_body(), pieces).await;
        assert!(
            status < 500,
            "{method} {path}: {status} {}",
            String::from_utf8_lossy(&body)
        );
        if status >= 400 {
            assert_eq!(
                kind, "application/problem+json",
                "{method} {path}: {status}"
            );
            assert_eq!(status == 429, !waits.is_empty());
        }
        if kind == "application/x-ndjson" {
            let whole = body.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
            for line in body[..whole].split(|byte| *byte == b'\n') {
                assert!(line.is_empty() || is_json(line), "{method} {path}");
            }
        } else if kind.ends_with("json") {
            let text = String::from_utf8_lossy(&body);
            assert!(
                method == Method::HEAD || is_json(&body),
                "{method} {path}: {text}"
            );
        }
        if kind == "text/event-stream" && !path.path().starts_with("/probe") {
            check_stream(&body);
        }
        Answer { status, body }
    }
}

trait TryIntoPair {
    fn try_into_pair(
        self,
    ) -> Option<(
        actix_web::http::header::HeaderName,
        actix_web::http::header::HeaderValue,
    )>;
}

impl TryIntoPair for (&str, &[u8]) {
    fn try_into_pair(
        self,
    ) -> Option<(
        actix_web::http::header::HeaderName,
        actix_web::http::header::HeaderValue,
    )> {
        Some((self.0.parse().ok()?, TryFrom::try_from(self.1).ok()?))
    }
}

async fn read(body: BoxBody, pieces: usize) -> Vec<u8> {
    let mut body = pin!(body);
    let mut read = Vec::new();
    for _ in 0..pieces {
        let next = poll_fn(|cx| match Pin::as_mut(&mut body).poll_next(cx) {
            Poll::Ready(piece) => Poll::Ready(piece),
            Poll::Pending => Poll::Ready(None),
        });
        match next.await {
            Some(Ok(bytes)) => read.extend_from_slice(&bytes),
            Some(Err(error)) => panic!("a body broke off: {error}"),
            None => break,
        }
    }
    read
}

/// Whatever was put in, a stream has no line but those of its own fields.
fn check_stream(body: &[u8]) {
    let text = std::str::from_utf8(body).unwrap_or_else(|error| {
        // It may have been cut in mid-character where reading ended.
        assert!(error.error_len().is_none(), "no UTF-8");
        std::str::from_utf8(&body[..error.valid_up_to()]).unwrap_or_default()
    });
    assert!(!text.contains(['\r', '\0']), "{text:?}");
    let whole = text.rfind("\n\n").map_or("", |at| &text[..at + 2]);
    for line in whole.lines() {
        match line.split_once(": ") {
            Some(("data", data)) => assert!(is_json(data.as_bytes()), "{data:?}"),
            Some(("id", id)) => {
                let bare = |b: u8| b.is_ascii_hexdigit() || b == b'-';
                assert!(id.bytes().all(bare), "{id:?}");
            }
            Some(("event", name)) => {
                let bare = |b: u8| b.is_ascii_lowercase() || b == b'-';
                assert!(name.bytes().all(bare), "{name:?}");
            }
            Some(("retry", millis)) => assert!(millis.parse::<u64>().is_ok(), "{millis:?}"),
            _ => assert!(line.is_empty() || line.starts_with(':'), "{line:?}"),
        }
    }
}
