//! Where a reader stands, and what it does next: by stream or by long-poll, at which cursor, after
//! how long. It does no I/O and never asks what time it is: `now` is counted from any beginning.

mod ending;
mod spans;
mod terms;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use ending::Ending;
use spans::{HEARTBEAT, LATER, LONGEST_RETRY, OVERTAKE, PROOF, RETRY, STREAM_TRIES};
pub(crate) use spans::{HOLD, LATE};
use terms::{End, Phase, Ready, Then};
pub(crate) use terms::{Gap, Mode, Next, Settings, Transport};

use super::answer::{Refusal, Trouble};
use super::backoff::Backoff;
use super::event::Event;
use crate::proto::Cursor;

/// How the note begins that says by what it is read.
pub(crate) const READING: &str = "reading by";

const FORGOTTEN: &str = "the server knows nothing of this membership";

/// Where a reader stands.
#[derive(Debug)]
pub(crate) struct Reading {
    settings: Settings,
    /// The last event that was told.
    cursor: Option<String>,
    phase: Phase,
    backoff: Backoff,
    draw: fn() -> f64,
    /// How long the server wants to be left alone before the next reader.
    told: Option<Duration>,
    heartbeat: Duration,
    /// Gone on by long-poll, and whether one has shown to pass.
    fallen: Option<bool>,
    stream_failures: u32,
    abandoned: Option<Duration>,
    /// Since when nothing works.
    lost: Option<Duration>,
    /// By what it was read when that was last said.
    said: Option<Transport>,
    notes: Vec<String>,
}

impl Reading {
    /// `draw` gives numbers from 0 to 1.
    pub(crate) fn new(settings: Settings, draw: fn() -> f64) -> Self {
        Self {
            cursor: settings.cursor.clone(),
            heartbeat: settings.heartbeat.unwrap_or(HEARTBEAT),
            settings,
            phase: Phase::Waiting(Duration::ZERO, Then::Read),
            backoff: Backoff::default(),
            draw,
            told: None,
            fallen: None,
            stream_failures: 0,
            abandoned: None,
            lost: None,
            said: None,
            notes: Vec::new(),
        }
    }

    /// The cursor to read after.
    pub(crate) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// The server's longest silence.
    pub(crate) fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// What happened to the connection, in words, since the last time.
    pub(crate) fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// What is to be done now.
    pub(crate) fn next(&mut self, now: Duration) -> Next {
        match self.phase.clone() {
            Phase::Waiting(until, _) if until > now => Next::Wait(until),
            Phase::Waiting(_, Then::Read) => self.open(now),
            Phase::Waiting(_, then) => {
                self.phase = Phase::Joining(then);
                self.next(now)
            }
            Phase::Joining(Then::Rejoin) => Next::Rejoin,
            Phase::Joining(_) => Next::Renew,
            Phase::Open {
                proof: Some(by), ..
            } if by <= now => {
                self.notes.push(
                    "the event stream does not show within 3 s that it passes; going on by long-poll"
                        .into(),
                );
                self.abandoned = Some(now);
                self.fallen = Some(false);
                self.open(now)
            }
            Phase::Open {
                transport,
                heard,
                proof,
                ..
            } => {
                let until = heard + self.silence(transport);
                if until <= now {
                    self.abandoned = Some(now);
                    self.again(now, Duration::ZERO, "silent for too long", None);
                    return self.next(now);
                }
                Next::Read(proof.map_or(until, |by| by.min(until)))
            }
            Phase::Over(ending) => Next::Over(ending),
        }
    }

    /// The wait that the server asks for before the next reader.
    pub(crate) fn told(&mut self, wait: Duration) {
        self.told = Some(wait.min(LONGEST_RETRY));
    }

    /// Takes note of an event; whether it is to be told, which one that came before is not.
    pub(crate) fn event(&mut self, now: Duration, event: &Event) -> bool {
        self.hear(now);
        match event.name.as_str() {
            "ready" => {
                let ready: Ready = serde_json::from_str(event.data.get()).unwrap_or_default();
                if let Some(ms) = ready.heartbeat_ms {
                    self.heartbeat = Duration::from_millis(ms);
                }
                self.begun(ready.cursor, ready.gap);
                self.connected(Transport::Stream);
                true
            }
            "ping" => {
                if let Phase::Open {
                    proof, ready: true, ..
                } = &mut self.phase
                {
                    *proof = None;
                    self.stream_failures = 0;
                }
                true
            }
            "end" => {
                let end: End = serde_json::from_str(event.data.get()).unwrap_or_default();
                self.end(now, &end.reason, &end.retry, end.detail);
                true
            }
            _ => event.id.as_deref().is_none_or(|id| self.admit(id)),
        }
    }

    /// A long-poll was answered; its events follow.
    pub(crate) fn answered(&mut self, now: Duration, gap: Option<Gap>) {
        self.hear(now);
        self.begun(None, gap);
        if self.fallen.is_some() {
            self.fallen = Some(true);
        }
        self.connected(Transport::Poll);
    }

    /// All events of a long-poll were taken: the next one follows.
    pub(crate) fn taken(&mut self, now: Duration, cursor: &str, superseded: bool) {
        let Phase::Open { from, .. } = &self.phase else {
            return;
        };
        let (opened, behind) = from.clone();
        self.admit(cursor);
        if superseded {
            self.end(now, "replaced", "never", None);
        } else {
            let mut wait = self.told.take().unwrap_or_default();
            // Something on the way does not hold it, or drops its cursor.
            if self.cursor == behind && now.saturating_sub(opened) < RETRY {
                wait = wait.max(RETRY);
            }
            self.phase = Phase::Waiting(now + wait, Then::Read);
        }
    }

    /// The connection ended without a word, or could not be read.
    pub(crate) fn closed(&mut self, now: Duration, why: &str) {
        let Phase::Open { ready, proof, .. } = self.phase else {
            return;
        };
        if ready {
            if proof.is_some() {
                self.fail_stream();
            }
            let wait = self.told.take().unwrap_or(RETRY);
            self.again(now, wait, why, None);
        } else {
            self.fail_stream();
            let wait = self.backoff.next((self.draw)(), Duration::ZERO);
            self.again(now, wait, why, None);
        }
    }

    /// A reader could not be opened.
    pub(crate) fn failed(&mut self, now: Duration, trouble: Trouble) {
        let Phase::Open { transport, .. } = self.phase else {
            return;
        };
        match trouble {
            Trouble::Refused(refusal) => self.refused(now, refusal),
            Trouble::Unreached(why) | Trouble::Lost(why) if transport == Transport::Poll => {
                // Then it says nothing of streams either.
                if self.fallen == Some(false) {
                    (self.fallen, self.stream_failures) = (None, 0);
                }
                self.again_soon(now, Duration::ZERO, &why, None);
            }
            Trouble::Unreached(why) => self.again_soon(now, Duration::ZERO, &why, None),
            Trouble::Lost(why) => {
                self.fail_stream();
                self.again_soon(now, Duration::ZERO, &why, None);
            }
        }
    }

    /// It was joined again, and the mailbox begins there; whether it is another than before.
    #[must_use]
    pub(crate) fn joined(
        &mut self,
        now: Duration,
        cursor: Option<String>,
        heartbeat: Option<Duration>,
    ) -> bool {
        self.heartbeat = heartbeat.unwrap_or(self.heartbeat);
        let epoch = |cursor: &Option<String>| {
            let cursor = cursor.as_deref().map(Cursor::parse);
            cursor.and_then(Result::ok).map(|cursor| cursor.epoch)
        };
        let is_another = epoch(&cursor) != epoch(&self.cursor);
        if is_another {
            self.notes.push(
                "joined anew; what was sent to the former membership and not read is gone".into(),
            );
            self.cursor = cursor;
        }
        self.phase = Phase::Waiting(now, Then::Read);
        is_another
    }

    /// It could not be joined again.
    pub(crate) fn not_joined(&mut self, now: Duration, trouble: Trouble) {
        let Phase::Joining(then) = self.phase else {
            return;
        };
        let (why, refusal) = match trouble {
            Trouble::Refused(refusal) => {
                let renewable = then == Then::Renew && self.settings.renewable;
                if !refusal.is_passing() && !renewable {
                    return self.over(Ending::Refused(refusal));
                }
                (refusal.to_string(), Some(refusal))
            }
            Trouble::Unreached(why) | Trouble::Lost(why) => (why, None),
        };
        let least = refusal.as_ref().and_then(|refusal| refusal.retry_after);
        self.again_soon(now, least.unwrap_or_default(), &why, refusal);
        self.then(then);
    }

    fn open(&mut self, now: Duration) -> Next {
        let transport = match self.settings.mode {
            Mode::Poll => Transport::Poll,
            Mode::Auto if self.fallen.is_some() => Transport::Poll,
            Mode::Auto | Mode::Sse => Transport::Stream,
        };
        let proved = transport == Transport::Stream && self.settings.mode == Mode::Auto;
        self.phase = Phase::Open {
            transport,
            from: (now, self.cursor.clone()),
            heard: now,
            proof: proved.then_some(now + PROOF),
            ready: false,
        };
        if transport == Transport::Poll && self.said.is_none() && self.lost.is_none() {
            self.notes.push(format!("{READING} long-poll"));
            self.said = Some(transport);
        }
        Next::Open(transport)
    }

    fn silence(&self, transport: Transport) -> Duration {
        match transport {
            Transport::Stream => self.heartbeat.mul_f64(2.5),
            Transport::Poll => HOLD + 2 * LATE,
        }
    }

    fn hear(&mut self, now: Duration) {
        if let Phase::Open { heard, .. } = &mut self.phase {
            *heard = now;
        }
    }

    /// A reader has begun, where it was told to, perhaps after a gap.
    fn begun(&mut self, cursor: Option<String>, gap: Option<Gap>) {
        let back = gap.is_some_and(|gap| ["reset", "bad-cursor"].contains(&gap.reason.as_str()));
        match cursor {
            // The mailbox is read again from a point that may lie before what was seen.
            cursor if back => self.cursor = cursor,
            Some(cursor) => {
                self.admit(&cursor);
            }
            None => {}
        }
    }

    fn connected(&mut self, transport: Transport) {
        if let Phase::Open { ready, .. } = &mut self.phase {
            *ready = true;
        }
        if self.said != Some(transport) || self.lost.is_some() {
            self.notes.push(match transport {
                Transport::Stream => format!("{READING} event stream"),
                Transport::Poll => format!("{READING} long-poll"),
            });
        }
        (self.said, self.lost) = (Some(transport), None);
        self.backoff = Backoff::default();
    }

    /// Moves the cursor; whether the event behind it is a new one.
    fn admit(&mut self, id: &str) -> bool {
        let seen = self.cursor.as_deref().map(Cursor::parse);
        if let (Ok(id), Some(Ok(seen))) = (Cursor::parse(id), seen)
            && id.epoch == seen.epoch
            && id.seq <= seen.seq
        {
            return false;
        }
        self.cursor = Some(id.to_owned());
        true
    }

    fn end(&mut self, now: Duration, reason: &str, retry: &str, detail: Option<String>) {
        let told = self.told.take();
        let overtaken = |at: Duration| now.saturating_sub(at) < OVERTAKE;
        match (reason, retry) {
            ("replaced", "never") if self.abandoned.take().is_some_and(overtaken) => {
                self.again(
                    now,
                    RETRY,
                    "overtaken by an earlier reader of its own",
                    None,
                );
            }
            ("unknown", "never") if self.settings.rejoins => {
                // A balancer may lead to another server each time.
                self.again_soon(now, Duration::ZERO, FORGOTTEN, None);
                self.then(Then::Rejoin);
            }
            (_, "never") => self.over(Ending::Ended {
                reason: reason.to_owned(),
                detail,
            }),
            ("expired", _) => self.expired(now),
            (_, "later") => {
                let wait = told.unwrap_or(LATER).max(LATER) + RETRY.mul_f64((self.draw)());
                self.again(now, wait, &format!("the server ended it ({reason})"), None);
            }
            (_, _) => {
                let wait = told.unwrap_or(RETRY);
                self.again(now, wait, &format!("the server ended it ({reason})"), None);
            }
        }
    }

    fn expired(&mut self, now: Duration) {
        self.notes
            .push("the access has run out; joining again with the access token".into());
        self.phase = Phase::Waiting(now, Then::Renew);
    }

    fn refused(&mut self, now: Duration, refusal: Refusal) {
        if let Some(reason) = refusal.ended() {
            let reason = reason.to_owned();
            self.end(now, &reason, "never", None);
        } else if refusal.is_expired() {
            self.expired(now);
        } else if refusal.slug == "bad-cursor" && self.cursor.take().is_some() {
            self.again(now, Duration::ZERO, &refusal.to_string(), Some(refusal));
        } else if refusal.is_passing() {
            let least = refusal.retry_after.unwrap_or_default();
            self.again_soon(now, least, &refusal.to_string(), Some(refusal));
        } else {
            self.over(Ending::Refused(refusal));
        }
    }

    fn fail_stream(&mut self) {
        self.stream_failures += 1;
        if self.settings.mode == Mode::Auto && self.stream_failures >= STREAM_TRIES {
            self.fallen.get_or_insert(false);
        }
    }

    fn again_soon(&mut self, now: Duration, least: Duration, why: &str, refusal: Option<Refusal>) {
        let wait = self.backoff.next((self.draw)(), least);
        self.again(now, wait, why, refusal);
    }

    /// A new reader after a wait, unless patience is at its end by then.
    fn again(&mut self, now: Duration, wait: Duration, why: &str, refusal: Option<Refusal>) {
        let since = *self.lost.get_or_insert(now);
        if now + wait > since + self.settings.patience {
            return self
                .over(refusal.map_or_else(|| Ending::Unreached(why.into()), Ending::Refused));
        }
        self.notes.push(if wait.is_zero() {
            format!("{why}; trying again")
        } else {
            format!("{why}; trying again in {:.1} s", wait.as_secs_f64())
        });
        self.phase = Phase::Waiting(now + wait, Then::Read);
    }

    /// What follows the wait, if there is one.
    fn then(&mut self, then: Then) {
        if let Phase::Waiting(_, after) = &mut self.phase {
            *after = then;
        }
    }

    fn over(&mut self, ending: Ending) {
        self.phase = Phase::Over(ending);
    }
}
