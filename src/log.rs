//! What is logged, and what never is. Credentials, SDP, candidates and whatever else clients send
//! stand in no log, whatever level is asked for: nothing here writes them, what other crates say
//! below `info` is cut off, since it may hold heads of requests, and a panic is told by its place.

#[cfg(feature = "otlp")]
mod otlp;

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;

use tracing::{Level, Metadata, Span, Subscriber};
use tracing_subscriber::filter::{FilterFn, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layered, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::config::LogFormat;

/// What is logged unless `RUST_LOG` says otherwise. A request that is no HTTP is its sender's
/// mistake: whoever sends many does not fill the log with them.
const USUAL: &str = "warn,actix_http::h1::dispatcher=off,switchboard=info";

/// What writes a line for each packet that a stranger sends, with addresses of peers.
const TALKATIVE: [&str; 5] = ["stun", "stun_types", "turn", "turn_types", "webrtc_util"];

/// Logs to standard error what `RUST_LOG` asks for, from now on.
pub fn start(format: LogFormat) {
    let asked = std::env::var("RUST_LOG").unwrap_or_default();
    let asked = if asked.is_empty() { USUAL } else { &asked };
    #[cfg(feature = "otlp")]
    if otlp::is_wanted() {
        traced(asked, format).init();
        std::panic::set_hook(Box::new(panicked));
        return;
    }
    match format {
        LogFormat::Text => {
            let colours = std::io::stderr().is_terminal();
            subscriber(asked, colours, std::io::stderr).init();
        }
        LogFormat::Json => written_by(asked, objects(std::io::stderr)).init(),
    }
    std::panic::set_hook(Box::new(panicked));
}

/// Has `span` belong to the trace that `traceparent` names, where traces are sent (W3C Trace Context).
#[cfg_attr(
    not(feature = "otlp"),
    expect(unused_variables, reason = "without the feature nothing is sent")
)]
pub fn follow(span: &Span, traceparent: Option<&str>) {
    #[cfg(feature = "otlp")]
    if let Some(traceparent) = traceparent {
        otlp::follow(span, traceparent);
    }
}

/// Sends what is left of traces, where they are sent.
pub fn finish() {
    #[cfg(feature = "otlp")]
    otlp::finish();
}

/// What writes the log, and sends the traces: each has its own mind about what it takes.
#[cfg(feature = "otlp")]
fn traced(asked: &str, format: LogFormat) -> impl Subscriber + Send + Sync {
    use tracing_subscriber::filter::FilterExt as _;
    let within = filter_fn(may_be_written as fn(&Metadata<'_>) -> bool);
    let asked = EnvFilter::builder().parse_lossy(asked).and(within);
    let lines = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(asked))
        .with(otlp::layer())
}

/// What writes the log as lines: what `asked` names, as tracing's `EnvFilter` reads it, within the
/// bounds of this module.
pub fn subscriber<W>(asked: &str, colours: bool, to: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    written_by(asked, fmt::layer().with_ansi(colours).with_writer(to))
}

/// The same, written by `layer`.
fn written_by<L>(asked: &str, layer: L) -> impl Subscriber + Send + Sync
where
    L: Layer<Asked> + Send + Sync,
{
    let asked = EnvFilter::builder().parse_lossy(asked);
    let within = filter_fn(may_be_written as fn(&Metadata<'_>) -> bool);
    tracing_subscriber::registry()
        .with(asked)
        .with(within)
        .with(layer)
}

/// What is asked for, within the bounds of this module.
type Asked = Layered<FilterFn<fn(&Metadata<'_>) -> bool>, Layered<EnvFilter, Registry>>;

/// One JSON object a line.
fn objects<W>(to: W) -> impl Layer<Asked> + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    fmt::layer().json().flatten_event(true).with_writer(to)
}

/// Whether it may be written, whoever asks for it.
fn may_be_written(said: &Metadata<'_>) -> bool {
    let target = said.target();
    let krate = target.split("::").next().unwrap_or_default();
    krate == "switchboard" || (*said.level() <= Level::INFO && !TALKATIVE.contains(&krate))
}

/// The message of a panic may quote what it was about; its place and its way there do not.
fn panicked(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let place = place.unwrap_or_default();
    let message = literal(panic.payload());
    tracing::error!(place, "a panic, which ends one request or task: {message}");
    let way = Backtrace::capture();
    if way.status() == BacktraceStatus::Captured {
        tracing::error!("its way there:\n{way}");
    }
}

/// The message, where it is a text of the source and holds nothing of the request.
fn literal(payload: &(dyn Any + Send)) -> &'static str {
    let text = payload.downcast_ref::<&'static str>();
    text.copied().unwrap_or("its message is left out")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is written when this is asked for, of one line of each kind.
    fn written(asked: &str) -> String {
        captured(|to| subscriber(asked, false, move || to.clone()))
    }

    fn captured<S>(by: impl FnOnce(Written) -> S) -> String
    where
        S: Subscriber + Send + Sync + 'static,
    {
        let to = Written::default();
        let subscriber = by(to.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::trace!(target: "switchboard::http", "our trace");
            tracing::info!(target: "switchboard", "our info");
            tracing::trace!(target: "actix_http::h1", "their trace");
            tracing::debug!(target: "hyper", "their debug");
            tracing::debug!(target: "switchboards", "whose debug");
            tracing::info!(target: "actix_server", "their info");
            tracing::warn!(target: "mio", "their warning");
            tracing::error!(target: "actix_http::h1::dispatcher", "their error");
        });
        let bytes = to.0.lock().clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn other_crates_are_silent_below_info_whatever_is_asked_for() {
        for asked in [
            "trace",
            "actix_http=trace,hyper=debug,switchboard=trace,info,switchboards=trace",
        ] {
            let log = written(asked);
            for line in [
                "our trace",
                "our info",
                "their info",
                "their warning",
                "their error",
            ] {
                assert!(log.contains(line), "{asked}: {line}");
            }
            for line in ["their trace", "their debug", "whose debug"] {
                assert!(!log.contains(line), "{asked}: {line}");
            }
        }
        let usual = written(USUAL);
        assert!(usual.contains("our info") && usual.contains("their warning"));
        assert!(!usual.contains("our trace") && !usual.contains("their info"));
        assert!(
            !usual.contains("their error"),
            "malformed requests do not fill it"
        );
    }

    #[test]
    fn as_json_each_line_is_an_object_with_what_was_said() {
        let log = captured(|to| written_by("trace", objects(move || to.clone())));
        let lines: Vec<serde_json::Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(lines.len(), 5, "{log}");
        assert_eq!(lines[1]["message"], "our info");
        assert_eq!(lines[1]["level"], "INFO");
        assert!(lines[1]["timestamp"].is_string() && lines[1]["target"] == "switchboard");
    }

    #[test]
    fn a_panic_that_quotes_something_is_told_without_its_words() {
        let quoting: Box<dyn Any + Send> = Box::new(format!("not in {}", "sp1.secret"));
        assert_eq!(literal(quoting.as_ref()), "its message is left out");
        let plain: Box<dyn Any + Send> = Box::new("on purpose");
        assert_eq!(literal(plain.as_ref()), "on purpose");
    }
}
