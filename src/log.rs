//! What is logged, and what never is. Credentials, SDP, candidates and whatever else clients send
//! stand in no log, whatever level is asked for: nothing here writes them, what other crates say
//! below `info` is cut off, since it may hold heads of requests, and a panic is told by its place.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

/// What is logged unless `RUST_LOG` says otherwise. A request that is no HTTP is its sender's
/// mistake: whoever sends many does not fill the log with them.
const USUAL: &str = "warn,actix_http::h1::dispatcher=off,switchboard=info";

/// What writes a line for each packet that a stranger sends, with addresses of peers.
const TALKATIVE: [&str; 5] = ["stun", "stun_types", "turn", "turn_types", "webrtc_util"];

/// Logs to standard error what `RUST_LOG` asks for, from now on.
pub fn start() {
    let asked = std::env::var("RUST_LOG").unwrap_or_default();
    let asked = if asked.is_empty() { USUAL } else { &asked };
    subscriber(asked, std::io::stderr().is_terminal(), std::io::stderr).init();
    std::panic::set_hook(Box::new(panicked));
}

/// What writes the log: what `asked` names, as tracing's `EnvFilter` reads it, within the bounds of
/// this module.
pub fn subscriber<W>(asked: &str, colours: bool, to: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::registry()
        .with(EnvFilter::builder().parse_lossy(asked))
        .with(filter_fn(may_be_written))
        .with(fmt::layer().with_ansi(colours).with_writer(to))
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
        let to = Written::default();
        let writer = to.clone();
        let subscriber = subscriber(asked, false, move || writer.clone());
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
    fn a_panic_that_quotes_something_is_told_without_its_words() {
        let quoting: Box<dyn Any + Send> = Box::new(format!("not in {}", "sp1.secret"));
        assert_eq!(literal(quoting.as_ref()), "its message is left out");
        let plain: Box<dyn Any + Send> = Box::new("on purpose");
        assert_eq!(literal(plain.as_ref()), "on purpose");
    }
}
