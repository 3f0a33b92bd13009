//! A panic is the end of one request, or of one stream, and of nothing else.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpServer, test, web};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

async fn panics() -> HttpResponse {
    panic!("on purpose")
}

/// A stream of ticks, which panics after so many.
struct Ticks {
    interval: Interval,
    left: u32,
}

async fn ticks(path: web::Path<u32>) -> HttpResponse {
    let mut interval = interval(Duration::from_millis(20));
    // Each is written before the next is due, however busy the machine.
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let left = *path;
    HttpResponse::Ok().body(Ticks { interval, left })
}

impl MessageBody for Ticks {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = self.get_mut();
        ready!(this.interval.poll_tick(cx));
        assert!(this.left > 0, "on purpose");
        this.left -= 1;
        Poll::Ready(Some(Ok(Bytes::from_static(b"tick\n"))))
    }
}

fn surface(app: &mut web::ServiceConfig) {
    app.route("/panics", web::get().to(panics))
        .route("/ticks/{left}", web::get().to(ticks))
        .route("/works", web::get().to(|| async { "it works" }));
}

#[actix_web::test]
async fn a_panic_is_a_problem_of_that_request_and_of_no_other() {
    let app = App::new()
        .configure(surface)
        .wrap(CatchPanic::default())
        .wrap(from_fn(problems));
    let app = test::init_service(app).await;
    for _ in 0..3 {
        let request = test::TestRequest::get().uri("/panics").to_request();
        let error = test::try_call_service(&app, request).await;
        let response = error.expect_err("a panic").error_response();
        assert_eq!(response.status(), 500);
        let kind = response.headers().get(CONTENT_TYPE).expect("a type");
        assert_eq!(kind, "application/problem+json");
        let request = test::TestRequest::get().uri("/works").to_request();
        assert_eq!(test::call_service(&app, request).await.status(), 200);
    }
}

/// A connection, and what has come over it.
struct Connection {
    stream: TcpStream,
    seen: String,
}

impl Connection {
    async fn get(at: std::net::SocketAddr, path: &str) -> Self {
        let stream = TcpStream::connect(at).await.expect("a connection");
        let mut connection = Self {
            stream,
            seen: String::new(),
        };
        connection.ask(path).await;
        connection
    }

    async fn ask(&mut self, path: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\n\r\n");
        let sent = self.stream.write_all(request.as_bytes()).await;
        sent.expect("the request is sent");
    }

    /// Reads on, and says whether there was anything.
    async fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await;
        // A connection that is reset has ended too.
        let count = read.expect("something in time").unwrap_or(0);
        self.seen
            .push_str(&String::from_utf8_lossy(&buffer[..count]));
        count > 0
    }

    async fn expect(&mut self, wanted: &str) {
        while !self.seen.contains(wanted) {
            assert!(self.read().await, "it ended before {wanted}: {}", self.seen);
        }
        self.seen.clear();
    }
}

/// All connections are those of one worker: what ended it would end them all.
#[actix_web::test]
async fn a_panic_ends_one_connection_at_most_and_its_worker_goes_on() {
    let app = || {
        App::new()
            .configure(surface)
            .wrap(CatchPanic::default())
            .wrap(from_fn(problems))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .expect("a free port");
    let at = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);

    let mut open = Connection::get(at, "/ticks/4000000000").await;
    open.expect("tick").await;
    let mut kept = Connection::get(at, "/works").await;
    kept.expect("it works").await;
    for _ in 0..3 {
        // While it is answered.
        kept.ask("/panics").await;
        kept.expect("/problems/internal").await;
        kept.ask("/works").await;
        kept.expect("it works").await;
        // While its stream is written.
        let mut broken = Connection::get(at, "/ticks/2").await;
        while broken.read().await {}
        assert_eq!(broken.seen.matches("tick").count(), 2, "{}", broken.seen);
        assert!(
            !broken.seen.ends_with("0\r\n\r\n"),
            "it cannot pass for whole"
        );
        open.expect("tick").await;
    }
    let mut fresh = Connection::get(at, "/works").await;
    fresh.expect("it works").await;
    handle.stop(false).await;
}
