//! What the facts come to, in words: usable how, and what to ask of whom.

use reqwest::Url;
use serde::Serialize;

use super::facts::{Facts, Fate, Silence};
use super::member::BUSY;
use super::table::span;
use crate::client::{certificate, names};

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

/// Of a relay that is reached on the port that the server speaks HTTP on.
pub(super) const SHARED: &str = " on the server's own port";

/// A stream that was held longer than this was held back, in milliseconds.
const HELD_MS: u64 = 250;

/// Silences that differ by less are as long as each other.
const CLOSE_MS: u64 = 500;

pub(super) fn of(facts: &Facts) -> Verdict {
    // A join is a POST: where it passed, POST is not blocked, whatever became of some others.
    let up = facts.join.ok;
    let streams = facts.stream.ok && (facts.ticks.passes || facts.ticks.busy);
    let usable = match (up, streams, facts.poll.ok) {
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
        (Usable::Sse, None) if !facts.path.post.ok => (
            Level::Limited,
            "Calls can be set up from here, but many requests get lost.",
            format!(
                "Of some POST requests most had no answer: {}.",
                facts.path.post.why()
            ),
        ),
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
        (_, _) if is_full(facts) => (
            Level::Bad,
            "The server is full just now, which says nothing of this network path.",
            "It takes requests, but has no place for another reader: try again later.".to_owned(),
        ),
        (Usable::None, _) if wants_access(facts) => (
            Level::Bad,
            "The server wants an access token, which says nothing of this network path.",
            format!(
                "It takes requests, but no join without a token that admits to the room: {}. --access-token names one, and --room the room.",
                facts.join.why()
            ),
        ),
        (Usable::None, _) if refuses(facts, &[409, 422, 429, 503]) => (
            Level::Bad,
            "The server refuses the join, which says nothing of this network path.",
            format!("It takes requests, but not this one: {}.", facts.join.why()),
        ),
        (Usable::None, _) if distrust(facts).is_some() => (
            Level::Bad,
            "The server's certificate is not trusted here, so nothing was asked of it.",
            format!(
                "A server answers, but {}; {}.",
                facts.path.get.why(),
                distrust(facts).unwrap_or_default()
            ),
        ),
        (Usable::None, _) => (
            Level::Bad,
            "Calls cannot be set up over this network path.",
            up_fault(facts),
        ),
    };
    let media = match (usable, some, good) {
        (Usable::None, ..) => String::new(),
        (_, false, _) => {
            "No TURN server is configured: calls between strict networks will fail.".into()
        }
        (_, true, true) => format!(
            "A relay for picture and sound can be had, over {}.",
            relay_ways(facts).join(", ")
        ),
        (_, true, false) => {
            "The TURN server gives no relay over any way tried: calls between strict networks will fail.".into()
        }
    };
    let title = title.to_owned();
    Verdict {
        usable,
        level,
        title,
        reason,
        media,
        advice: advice(facts, usable, cut),
    }
}

/// The ways by which a relay was had, each once.
fn relay_ways(facts: &Facts) -> Vec<String> {
    let mut ways = Vec::new();
    for ice in facts.ice.iter().filter(|ice| ice.outcome.ok) {
        if let Some(way) = ice.what.strip_prefix("TURN over ") {
            let way = format!("{way}{}", if ice.shared { SHARED } else { "" });
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
    }
    ways
}

/// Whether neither stream nor poll was to be had for want of a place on the server.
fn is_full(facts: &Facts) -> bool {
    let busy = |why: &str| why == BUSY || why.starts_with("HTTP 503");
    busy(facts.stream.why()) && busy(facts.poll.why())
}

/// Whether the server itself refuses the join, by one of these.
fn refuses(facts: &Facts, statuses: &[u16]) -> bool {
    let refused = facts.join.refused;
    refused.is_some_and(|status| statuses.contains(&status))
}

/// The same for want of an access token, unless it may have got lost on the way.
fn wants_access(facts: &Facts) -> bool {
    let kept = facts.path.authorization.as_deref() == Some("kept");
    kept && refuses(facts, &[401, 403])
}

/// What to do about the server's certificate, where nothing was asked since it is not trusted.
fn distrust(facts: &Facts) -> Option<&'static str> {
    let path = &facts.path;
    let unasked = !path.get.ok && !path.post.ok;
    certificate::advice(path.get.why()).filter(|_| unasked)
}

/// How long a silence ended a connection, in milliseconds, if any did; a cut that came sooner than a
/// silence that another connection bore had another cause.
pub(super) fn idle_cut(facts: &Facts) -> Option<u64> {
    let borne = longest_silence(facts).unwrap_or(0);
    let cut = |silence: &&Silence| matches!(silence.fate, Fate::Cut | Fate::Dark);
    let ended = facts.silences.iter().filter(cut);
    ended
        .map(|silence| silence.for_ms)
        .filter(|ms| ms + CLOSE_MS > borne)
        .min()
}

/// The longest silence that a connection bore, in milliseconds.
pub(super) fn longest_silence(facts: &Facts) -> Option<u64> {
    let kept = facts.silences.iter().filter(|one| one.fate == Fate::Kept);
    kept.map(|one| one.wanted_ms).max()
}

fn stream_fault(facts: &Facts) -> String {
    let ticks = &facts.ticks;
    if !ticks.arrived_ms.is_empty() && ticks.held_ms >= HELD_MS {
        return format!(
            "The event stream is held back on the way, for {} in the check: something reads responses to their end before it hands them on, as content scanners do.",
            span(ticks.held_ms)
        );
    }
    let why = ticks.why.as_deref().filter(|_| !ticks.busy);
    let why = why.unwrap_or_else(|| facts.stream.why());
    format!("The event stream does not come through: {why}.")
}

fn up_fault(facts: &Facts) -> String {
    let path = &facts.path;
    if !path.get.ok && !path.post.ok {
        let why = path.get.why();
        match names::advice(why) {
            Some(advice) => format!("The server is not reached: {why}; {advice}."),
            None => format!("The server is not reached: {why}."),
        }
    } else if !path.post.ok && !facts.join.ok {
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
    if distrust(facts).is_some() {
        // Only of what looks into connections is the network's administrator to be asked.
        let looked_into = certificate::is_unknown(path.get.why());
        let exempt = format!("Exempt {at}/ from the inspection of TLS.");
        return looked_into.then_some(exempt).into_iter().collect();
    }
    if !path.get.ok && !path.post.ok {
        let (why, host) = (path.get.why(), Url::parse(at).ok());
        let host = host.as_ref().and_then(Url::host_str).unwrap_or_default();
        return vec![if names::is_of(why, host) {
            format!("Have the name in {at}/ resolved, or say which HTTP proxy leads there.")
        } else if names::advice(why).is_some() {
            format!("Say which HTTP proxy leads to {at}/.")
        } else {
            format!("Allow HTTP requests to {at}/.")
        }];
    }
    let mut advice = Vec::new();
    if !path.post.ok && !facts.join.ok {
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
    if facts.join.ok && usable != Usable::Sse && !is_full(facts) {
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
            "Let requests to {at}/ run for 30 s (one was over after {is})."
        ));
    }
    advice
}

#[cfg(test)]
mod tests;
