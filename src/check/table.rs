//! The result as a table for people, and as JSON for machines.

use std::fmt::Write as _;

use serde::Serialize;

use super::facts::{Facts, Outcome};
use super::verdict::{SHARED, Verdict, idle_cut, longest_silence};
use crate::client::{plain, tame};

const LABEL: usize = 18;

#[derive(Serialize)]
struct Everything<'a> {
    verdict: &'a Verdict,
    facts: &'a Facts,
}

pub(super) fn json(facts: &Facts, verdict: &Verdict) -> String {
    // Texts and numbers always are JSON.
    let json = serde_json::to_string_pretty(&Everything { verdict, facts }).unwrap_or_default();
    format!("{}\n", tame(&json))
}

/// How a line stands: `-` says nothing for or against.
#[derive(Clone, Copy)]
enum Mark {
    Ok,
    Limit,
    Fault,
    Nothing,
}

#[derive(Default)]
struct Table(String);

impl Table {
    fn heading(&mut self, text: &str) {
        let _ = write!(self.0, "\n{text}\n");
    }

    fn row(&mut self, mark: Mark, label: &str, value: impl AsRef<str>) {
        let mark = match mark {
            Mark::Ok => "ok",
            Mark::Limit => "limit",
            Mark::Fault => "FAULT",
            Mark::Nothing => "-",
        };
        self.line(format!("  {mark:<6}{label:<LABEL$}{}", value.as_ref()));
    }

    /// A line that stays one, whatever the path has put into it.
    fn line(&mut self, text: impl AsRef<str>) {
        self.0.push_str(&plain(text.as_ref()));
        self.0.push('\n');
    }

    fn outcome(
        &mut self,
        label: &str,
        outcome: &Outcome,
        otherwise: Mark,
        good: impl FnOnce(u64) -> String,
    ) {
        if outcome.ok {
            self.row(Mark::Ok, label, good(outcome.ms.unwrap_or(0)));
        } else {
            self.row(otherwise, label, outcome.why());
        }
    }
}

pub(super) fn text(facts: &Facts, verdict: &Verdict) -> String {
    let mut table = Table::default();
    let through = if facts.proxied {
        ", through --proxy"
    } else {
        ""
    };
    table.line(format!(
        "Switchboard network check of {}/{through}",
        facts.server
    ));
    table.line("");
    table.line(&verdict.title);
    table.line(&verdict.reason);
    if !verdict.media.is_empty() {
        table.line(&verdict.media);
    }
    if !verdict.advice.is_empty() {
        table.heading("For the network's administrator");
        for one in &verdict.advice {
            table.line(format!("  * {one}"));
        }
    }
    requests(&mut table, facts);
    if facts.path.get.ok || facts.path.post.ok {
        events(&mut table, facts);
        way(&mut table, facts);
    }
    media(&mut table, facts);
    table.0
}

fn requests(table: &mut Table, facts: &Facts) {
    let path = &facts.path;
    table.heading("Requests up");
    table.outcome("POST", &path.post, Mark::Fault, |ms| {
        let (answered, made) = path.posts;
        let lost = if answered < made {
            format!(", {answered} of {made} answered")
        } else {
            String::new()
        };
        format!("{} there and back{lost}", span(ms))
    });
    for (name, outcome) in [("PATCH", &path.patch), ("DELETE", &path.delete)] {
        if outcome.ok {
            table.row(Mark::Ok, name, "allowed");
        } else {
            table.row(
                Mark::Limit,
                name,
                format!("blocked ({}); the same can be said by POST", outcome.why()),
            );
        }
    }
    for (name, state) in [
        ("Authorization", &path.authorization),
        ("Last-Event-ID", &path.last_event_id),
    ] {
        match state.as_deref() {
            Some("kept") => table.row(Mark::Ok, name, "kept"),
            Some(state) => table.row(Mark::Limit, name, state),
            None => table.row(Mark::Nothing, name, "not known"),
        }
    }
    table.outcome("Join a room", &facts.join, Mark::Fault, span);
}

fn events(table: &mut Table, facts: &Facts) {
    let ticks = &facts.ticks;
    table.heading("Events down");
    table.outcome("Event stream", &facts.stream, Mark::Limit, |ms| {
        format!("first event after {}", span(ms))
    });
    if ticks.busy {
        table.row(
            Mark::Nothing,
            "Buffering",
            "not measured: the server has too many checks at once",
        );
    } else if ticks.passes {
        table.row(
            Mark::Ok,
            "Buffering",
            format!("none, within {}", span(ticks.held_ms)),
        );
    } else {
        let held = || format!("held back for {}", span(ticks.held_ms));
        table.row(
            Mark::Limit,
            "Buffering",
            ticks.why.clone().unwrap_or_else(held),
        );
    }
    let heartbeat = facts.heartbeat_ms;
    match (idle_cut(facts), longest_silence(facts)) {
        (Some(cut), _) => {
            let mark = if cut > heartbeat {
                Mark::Ok
            } else {
                Mark::Limit
            };
            let told = format!(
                "cut after {}; the server says something every {}",
                span(cut),
                span(heartbeat)
            );
            table.row(mark, "Silence", told);
        }
        (None, Some(kept)) => table.row(Mark::Ok, "Silence", format!("{} and more", span(kept))),
        (None, None) => table.row(Mark::Nothing, "Silence", "not measured"),
    }
    match &facts.long_poll {
        Some(poll) if poll.ok => table.row(
            Mark::Ok,
            "Long-poll",
            format!("whole after {}", span(poll.ms.unwrap_or(0))),
        ),
        Some(poll) => table.row(
            Mark::Limit,
            "Long-poll",
            format!("over after {} ({})", span(poll.ms.unwrap_or(0)), poll.why()),
        ),
        None => table.outcome("Long-poll", &facts.poll, Mark::Fault, |_| {
            "a short one came whole".into()
        }),
    }
    let note = "for comparison; signaling does without";
    match &facts.websocket {
        socket if socket.ok => table.row(Mark::Nothing, "WebSocket", format!("possible ({note})")),
        socket => table.row(
            Mark::Nothing,
            "WebSocket",
            format!("blocked: {} ({note})", socket.why()),
        ),
    }
}

fn way(table: &mut Table, facts: &Facts) {
    let path = &facts.path;
    table.heading("On the way");
    let (here, there) = (path.version_here.as_deref(), path.version_there.as_deref());
    let mark = if there == Some("HTTP/1.0") {
        Mark::Limit
    } else {
        Mark::Ok
    };
    table.row(
        mark,
        "HTTP version",
        format!(
            "{} here, {} at the server",
            here.unwrap_or("unknown"),
            there.unwrap_or("unknown")
        ),
    );
    let mut seen = path.forwarded.clone();
    if !path.via.is_empty() {
        seen.insert(0, format!("Via: {}", path.via));
    }
    table.row(
        Mark::Nothing,
        "Proxies",
        if seen.is_empty() {
            "none that says so".into()
        } else {
            seen.join(", ")
        },
    );
    if let Some(skew) = path.skew_ms {
        let (far, doubt) = (skew.unsigned_abs(), path.skew_doubt_ms.max(1));
        let mark = if far > 60_000 { Mark::Limit } else { Mark::Ok };
        let told = if far <= doubt.max(50) {
            format!("agrees, to within {}", span(doubt))
        } else {
            format!(
                "{} {} the server's, to within {}",
                span(far),
                if skew < 0 { "ahead of" } else { "behind" },
                span(doubt)
            )
        };
        table.row(mark, "Clock", told);
    }
}

fn media(table: &mut Table, facts: &Facts) {
    table.heading("Picture and sound");
    if !facts.ice_named {
        table.row(
            Mark::Limit,
            "STUN and TURN",
            "none configured; --ice URL asks one",
        );
    }
    for ice in &facts.ice {
        let got = if ice.what.starts_with("TURN") {
            "relay"
        } else {
            "answer"
        };
        let told = match &ice.outcome {
            outcome if outcome.ok => format!(
                "{got} after {}{} ({})",
                span(outcome.ms.unwrap_or(0)),
                if ice.shared { SHARED } else { "" },
                ice.url
            ),
            outcome => format!("{} ({})", outcome.why(), ice.url),
        };
        table.row(
            if ice.outcome.ok {
                Mark::Ok
            } else {
                Mark::Fault
            },
            ice.what,
            told,
        );
    }
}

/// Milliseconds as people say them.
pub(super) fn span(ms: u64) -> String {
    match ms {
        0..995 => format!("{ms} ms"),
        995..9950 => {
            let tenths = (ms + 50) / 100;
            if tenths.is_multiple_of(10) {
                format!("{} s", tenths / 10)
            } else {
                format!("{}.{} s", tenths / 10, tenths % 10)
            }
        }
        _ => format!("{} s", (ms + 500) / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_path_says_cannot_write_lines_or_drive_the_terminal() {
        let mut table = Table::default();
        table.row(
            Mark::Limit,
            "Via",
            "a\u{1b}]0;title\u{7}\u{1b}[2J\nok  forged\u{9b}1m",
        );
        assert_eq!(table.0.lines().count(), 1);
        assert!(
            !table.0.trim_end().contains(char::is_control),
            "{:?}",
            table.0
        );
        assert_eq!(plain(&"x".repeat(1000)).len(), 400);
    }

    #[test]
    fn spans_are_told_as_people_say_them() {
        let told = [0, 994, 995, 1049, 1050, 9949, 9950, 25_400].map(span);
        assert_eq!(
            told,
            [
                "0 ms", "994 ms", "1 s", "1 s", "1.1 s", "9.9 s", "10 s", "25 s"
            ]
        );
    }
}
