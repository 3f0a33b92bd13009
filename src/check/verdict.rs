//! What the facts come to, in words: usable how, and what to ask of whom.

use serde::Serialize;

use super::facts::{Facts, Fate};
use super::table::span;

/// How a server is usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Usable {
    /// By event stream.
    Sse,
    /// By long-poll only.
    Poll,
    /// Not at all.
    None,
}

/// How good that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing is in the way.
    Good,
    /// Usable with limits.
    Limited,
    /// Not usable.
    Bad,
}

/// What the facts come to.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// How the server is usable.
    pub usable: Usable,
    /// How good that is.
    pub level: Level,
    /// One sentence.
    pub title: String,
    /// What it rests on.
    pub reason: String,
    /// The way for picture and sound.
    pub media: String,
    /// What to ask of the network's administrator.
    pub advice: Vec<String>,
}

/// A stream that was held longer than this was held back, in milliseconds.
const HELD_MS: u64 = 250;

pub(super) fn of(facts: &Facts) -> Verdict {
    let up = facts.path.post.ok && facts.join.ok;
    let usable = match (up, facts.ticks.passes && facts.stream.ok, facts.poll.ok) {
        (true, true, _) => Usable::Sse,
        (true, false, true) => Usable::Poll,
        _ => Usable::None,
    };
    let cut = idle_cut(facts).filter(|cut| *cut <= facts.heartbeat_ms);
    let relays = facts.ice.iter().filter(|ice| ice.what.starts_with("TURN"));
    let (some, good) = (
        relays.clone().count() > 0,
        relays.clone().any(|ice| ice.outcome.ok),
    );
    let (level, title, reason) = match (usable, cut) {
        (Usable::Sse, None) => (
            if some && !good {
                Level::Limited
            } else {
                Level::Good
            },
            "Calls can be set up from here, over the event stream.",
            "Requests go up, and events come down as they are written.".to_owned(),
        ),
        (Usable::Sse, Some(cut)) => (
            Level::Limited,
            "Calls can be set up from here, over an event stream that is often cut.",
            format!(
                "A connection that is silent for {} is cut, and the server says something only every {}. Nothing is lost: the stream is built anew each time.",
                span(cut),
                span(facts.heartbeat_ms)
            ),
        ),
        (Usable::Poll, _) => (
            Level::Limited,
            "Calls can be set up from here, by long-poll.",
            stream_fault(facts),
        ),
        (Usable::None, _) => (
            Level::Bad,
            "Calls cannot be set up over this network path.",
            up_fault(facts),
        ),
    };
    let media = match (usable, some, good) {
        (Usable::None, ..) => "",
        (_, false, _) => "No TURN server is configured: calls between strict networks will fail.",
        (_, true, true) => "A relay for picture and sound can be had.",
        (_, true, false) => {
            "The TURN server gives no relay over any way tried: calls between strict networks will fail."
        }
    };
    let (title, media) = (title.to_owned(), media.to_owned());
    Verdict {
        usable,
        level,
        title,
        reason,
        media,
        advice: advice(facts, usable, cut),
    }
}

/// How long a silence ended a connection, in milliseconds, if any did.
pub(super) fn idle_cut(facts: &Facts) -> Option<u64> {
    let ended = facts
        .silences
        .iter()
        .filter(|silence| matches!(silence.fate, Fate::Cut | Fate::Dark));
    ended.map(|silence| silence.for_ms).min()
}

fn stream_fault(facts: &Facts) -> String {
    let ticks = &facts.ticks;
    if !ticks.arrived_ms.is_empty() && ticks.held_ms >= HELD_MS {
        return format!(
            "The event stream is held back on the way, for {} in the check: something reads responses to their end before it hands them on, as content scanners do.",
            span(ticks.held_ms)
        );
    }
    let why = ticks.why.as_deref().unwrap_or_else(|| facts.stream.why());
    format!("The event stream does not come through: {why}.")
}

fn up_fault(facts: &Facts) -> String {
    let path = &facts.path;
    if !path.get.ok && !path.post.ok {
        format!("The server is not reached: {}.", path.get.why())
    } else if !path.post.ok {
        format!("POST requests do not arrive: {}.", path.post.why())
    } else if !facts.join.ok {
        format!(
            "Requests arrive, but a room cannot be joined: {}.",
            facts.join.why()
        )
    } else {
        format!(
            "Requests go up, but no events come down, neither by stream nor by long-poll: {}.",
            facts.poll.why()
        )
    }
}

fn advice(facts: &Facts, usable: Usable, cut: Option<u64>) -> Vec<String> {
    let (path, ticks, at) = (&facts.path, &facts.ticks, &facts.server);
    if !path.get.ok && !path.post.ok {
        return vec![format!("Allow HTTP requests to {at}/.")];
    }
    let mut advice = Vec::new();
    if !path.post.ok {
        advice.push(format!("Allow POST requests to {at}/."));
    }
    for (name, state) in [
        ("Authorization", &path.authorization),
        ("Last-Event-ID", &path.last_event_id),
    ] {
        if state.as_deref().is_some_and(|state| state != "kept") {
            advice.push(format!(
                "Pass the request header {name} on to {at}/ unchanged."
            ));
        }
    }
    if facts.join.ok && usable != Usable::Sse {
        advice.push(format!(
            "Exempt text/event-stream at {at}/ from content scanning and response buffering."
        ));
    }
    if let Some(encoding) = &ticks.encoding {
        advice.push(format!(
            "Do not compress text/event-stream from {at}/ (it came as {encoding})."
        ));
    }
    if let Some(kind) = &ticks.content_type {
        advice.push(format!(
            "Leave the content type text/event-stream from {at}/ as it is (it came as {kind})."
        ));
    }
    if let Some(cut) = cut {
        let (least, is) = (span(facts.heartbeat_ms), span(cut));
        advice.push(format!(
            "Set the idle time-out for connections to {at}/ above {least} (it is about {is})."
        ));
    }
    if let Some(poll) = facts
        .long_poll
        .as_ref()
        .filter(|poll| !poll.ok && usable == Usable::Poll)
    {
        let is = span(poll.ms.unwrap_or(0));
        advice.push(format!(
            "Let requests to {at}/ run for 30 s (one was cut after {is})."
        ));
    }
    advice
}
