//! How far something is that takes long; shown on a terminal only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// How often it is drawn.
const TICK: Duration = Duration::from_millis(100);
/// Characters of a bar.
const BAR: usize = 24;

/// A bar on standard error, if that is a terminal; it goes when it is dropped.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// So many things that are to be done.
    pub(crate) fn counting(what: &'static str, total: u64) -> Self {
        let style = ProgressStyle::with_template("{msg} {bar:24} {pos}/{len}");
        Self::new(
            what,
            total,
            style.unwrap_or_else(|_| ProgressStyle::default_bar()),
        )
    }

    /// Something that takes about so long.
    pub(crate) fn lasting(what: &'static str, span: Duration) -> Self {
        let style = ProgressStyle::with_template("{msg} {span_bar} {elapsed}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
        let drawn = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let done = state.elapsed().as_secs_f64() / span.as_secs_f64();
            let full = ((BAR as f64 * done) as usize).min(BAR);
            let _ = write!(out, "{}{}", "█".repeat(full), "░".repeat(BAR - full));
        };
        Self::new(what, 0, style.with_key("span_bar", drawn))
    }

    fn new(what: &'static str, total: u64, style: ProgressStyle) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        bar.set_style(style.progress_chars("█▓░"));
        bar.set_message(what);
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self(bar)
    }

    /// Whether nobody sees it.
    pub(crate) fn is_hidden(&self) -> bool {
        self.0.is_hidden()
    }

    /// So many are done.
    pub(crate) fn at(&self, count: u64) {
        self.0.set_position(count);
    }

    /// Takes it away.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
