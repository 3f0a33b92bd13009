//! Traces for a collector: a span a request, by OTLP over HTTP, where the environment says so. What
//! they hold is what the log holds at the level `debug`, and no more.

use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Metadata, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// What sends them, once it runs.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Where the environment says where to, as the specification of OTLP exporters names it.
const WISHES: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];

/// How long the last spans have to be sent.
const LAST: Duration = Duration::from_secs(2);

/// Whether traces are to be sent.
pub(super) fn is_wanted() -> bool {
    let given = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    WISHES.into_iter().any(given)
}

/// What sends the traces; none where it cannot be made.
pub(super) fn layer<S>() -> Option<impl Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let provider = provider(None)?;
    let layer = told(&provider);
    PROVIDER.get_or_init(|| provider);
    Some(layer)
}

/// What sends traces to where the environment says, or to `endpoint`.
fn provider(endpoint: Option<String>) -> Option<SdkTracerProvider> {
    // Its client has a runtime of its own, which must not be made within ours.
    let making = std::thread::spawn(|| {
        // It asks which TLS there is before it is made; where that was said before, it stays.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let builder = SpanExporter::builder().with_http();
        match endpoint {
            Some(endpoint) => builder.with_endpoint(endpoint).build(),
            None => builder.build(),
        }
    });
    let exporter = match making.join() {
        Ok(Ok(exporter)) => exporter,
        Ok(Err(error)) => {
            eprintln!("switchboard: no traces are sent: {error}");
            return None;
        }
        Err(_) => return None,
    };
    let service = Resource::builder().with_service_name("switchboard").build();
    let builder = SdkTracerProvider::builder().with_batch_exporter(exporter);
    Some(builder.with_resource(service).build())
}

fn told<S>(provider: &SdkTracerProvider) -> impl Layer<S> + Send + Sync + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let tracer = provider.tracer("switchboard");
    let layer = tracing_opentelemetry::layer().with_tracer(tracer);
    layer.with_filter(filter_fn(is_told))
}

/// Spans of ours, and what happens in them.
fn is_told(said: &Metadata<'_>) -> bool {
    let krate = said.target().split("::").next().unwrap_or_default();
    krate == "switchboard" && *said.level() <= Level::DEBUG
}

/// Has `span` belong to the trace of a request that came with this `traceparent`.
pub(super) fn follow(span: &Span, traceparent: &str) {
    let carrier =
        std::collections::HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract(&carrier);
    // Where nobody listens to this span, nothing is lost.
    let _ = span.set_parent(parent);
}

/// Sends what has not been sent.
pub(super) fn finish() {
    if let Some(provider) = PROVIDER.get() {
        let _ = provider.shutdown_with_timeout(LAST);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// A collector that takes one request; its path and body.
    fn collect(listener: &TcpListener) -> (String, Vec<u8>) {
        let (socket, _) = listener.accept().expect("a connection");
        let mut reader = BufReader::new(socket.try_clone().expect("the same"));
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first).expect("a line");
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a line");
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(shown) = line.strip_prefix("content-length: ") {
                length = shown.parse().expect("a number");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the body");
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        (&socket).write_all(answer).expect("an answer");
        (first, body)
    }

    #[test]
    fn a_request_is_told_of_in_the_trace_that_it_came_with() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let collector = std::thread::spawn(move || collect(&listener));
        let provider = provider(Some(format!("http://{address}/v1/traces"))).expect("a provider");
        let subscriber = tracing_subscriber::registry().with(told(&provider));
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::debug_span!("request", id = "mine-1");
            follow(
                &span,
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            );
            span.in_scope(|| tracing::debug!("refused"));
            tracing::debug_span!(target: "actix_http", "theirs").in_scope(|| {});
        });
        provider.force_flush().expect("sent");
        let (first, body) = collector.join().expect("collected");
        assert_eq!(first.trim(), "POST /v1/traces HTTP/1.1");
        let holds = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
        let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
        assert!(holds(&trace) && holds(&0x00f0_67aa_0ba9_02b7_u64.to_be_bytes()));
        assert!(holds(b"request") && holds(b"mine-1") && holds(b"refused"));
        assert!(!holds(b"theirs"));
    }
}
