//! One peer as its client: it reads on and on wherever it gets a reader, and sends each signal until
//! it is answered.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::account::{Account, Got, Notice, Places};
use crate::client::{Answer, Connection, Event, Events, of_json};
use crate::peer::Peer;

/// How many peers a room has.
pub const ROOM: usize = 4;
/// Between two signals of a peer.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a request may take; then it is tried again.
const TRY: Duration = Duration::from_secs(6);
/// How long a stream may be silent: two and a half heartbeats, as the browser client has it.
const SILENT: Duration = Duration::from_secs(5);
/// How long the server holds a poll, in seconds.
const HOLD: u64 = 4;

/// How a peer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// By tickets, as a browser's EventSource.
    EventSource,
    /// By NDJSON, with its token in the header.
    Ndjson,
    /// By long-poll.
    Poll,
}

/// A peer of a crowd.
pub struct Member {
    pub room: usize,
    pub place: usize,
    reads: Reads,
    peer: Peer,
    ticket: String,
    pub account: Mutex<Account>,
}

/// What becomes of a reader.
enum Next {
    /// Another follows after that.
    After(Duration),
    /// It was told that its incarnation is over.
    Over,
}

impl Member {
    /// Joins, for as long as that takes.
    pub async fn join(front: SocketAddr, room: usize, place: usize) -> Arc<Self> {
        let reads = match place {
            0 | 1 => Reads::EventSource,
            2 => Reads::Ndjson,
            _ => Reads::Poll,
        };
        let body = json!({"peer": name(place), "key": format!("{room} {place} of the crowd")});
        let path = format!("/rooms/room-{room}/peers");
        let joined = loop {
            let tried = async {
                let mut connection = Connection::open(front).await?;
                connection.call("POST", &path, "", &body.to_string()).await
            };
            match timeout(TRY, tried).await {
                Ok(Ok(answer)) if matches!(answer.status, 200 | 201) => break answer.json,
                _ => sleep(between(100, 300)).await,
            }
        };
        Arc::new(Self {
            room,
            place,
            reads,
            peer: Peer::of(front, &joined),
            ticket: joined["ticket"].as_str().expect("a ticket").to_owned(),
            account: Mutex::default(),
        })
    }

    /// Reads until its incarnation is over.
    pub async fn read(self: Arc<Self>) {
        let mut cursor = self.peer.cursor.clone();
        let mut ticket = Some((self.ticket.clone(), false));
        loop {
            let next = match self.reads {
                Reads::Poll => self.poll(&mut cursor).await,
                Reads::Ndjson => self.stream(None, &mut cursor).await,
                Reads::EventSource => match ticket.take() {
                    Some(held) => self.event_source(held, &mut ticket, &mut cursor).await,
                    None => self.ask_for_ticket(&mut ticket, &cursor).await,
                },
            };
            match next {
                Next::After(wait) => sleep(wait).await,
                Next::Over => return,
            }
        }
    }

    /// Reads by a ticket, once more if it was opened before; keeps it where that is of use.
    async fn event_source(
        &self,
        (held, opened): (String, bool),
        ticket: &mut Option<(String, bool)>,
        cursor: &mut String,
    ) -> Next {
        let readers = self.account.lock().readers;
        let next = self.stream(Some((&held, opened)), cursor).await;
        // On any answer but a stream a browser's EventSource gives up for good.
        if self.account.lock().readers > readers {
            *ticket = Some((held, true));
        }
        next
    }

    async fn ask_for_ticket(&self, ticket: &mut Option<(String, bool)>, cursor: &str) -> Next {
        let body = json!({ "cursor": cursor }).to_string();
        let asked = timeout(TRY, self.peer.call("POST", "/tickets", &body)).await;
        match asked {
            Ok(Ok(answer)) if answer.status == 201 => {
                let given = answer.json["ticket"].as_str().expect("a ticket");
                *ticket = Some((given.to_owned(), false));
                Next::After(Duration::ZERO)
            }
            Ok(Ok(answer)) => self.refused(&answer),
            Ok(Err(_)) | Err(_) => Next::After(between(200, 700)),
        }
    }

    /// Reads a stream to its end.
    async fn stream(&self, ticket: Option<(&str, bool)>, cursor: &mut String) -> Next {
        let mut tail = "/events".to_owned();
        let mut headers = format!("Last-Event-ID: {cursor}\r\n");
        match ticket {
            Some((ticket, opened)) => {
                tail += &format!("?ticket={ticket}");
                if !opened {
                    headers.clear();
                }
            }
            None => headers += &format!("{}Accept: application/x-ndjson\r\n", self.peer.bearer()),
        }
        let opening = async {
            let mut connection = Connection::open(self.peer.addr).await?;
            let path = self.peer.path(&tail);
            connection.send("GET", &path, &headers, "").await?;
            Events::of(connection).await
        };
        let mut events = match timeout(TRY, opening).await {
            Ok(Ok(Ok(events))) => events,
            // With a ticket the reason is told when the next one is asked for.
            Ok(Ok(Err(_))) if ticket.is_some() => return Next::After(between(50, 250)),
            Ok(Ok(Err(answer))) => return self.refused(&answer),
            Ok(Err(_)) | Err(_) => return Next::After(between(1000, 3000)),
        };
        self.account.lock().readers += 1;
        loop {
            match timeout(SILENT, events.next()).await {
                Ok(Ok(Some(event))) => {
                    if self.take(&event, cursor) {
                        return Next::Over;
                    }
                }
                Ok(Ok(None) | Err(_)) => return Next::After(events.retry),
                Err(_) => return Next::After(Duration::ZERO),
            }
        }
    }

    async fn poll(&self, cursor: &mut String) -> Next {
        let polling = async {
            let mut connection = Connection::open(self.peer.addr).await?;
            let headers = format!("{}Last-Event-ID: {cursor}\r\n", self.peer.bearer());
            let path = self.peer.path(&format!("/poll?wait={HOLD}"));
            connection.call("GET", &path, &headers, "").await
        };
        let answer = match timeout(TRY, polling).await {
            Ok(Ok(answer)) if answer.status == 200 => answer.json,
            Ok(Ok(answer)) => return self.refused(&answer),
            Ok(Err(_)) | Err(_) => return Next::After(between(200, 700)),
        };
        self.account.lock().readers += 1;
        self.note_gap(&answer);
        for event in answer["events"].as_array().into_iter().flatten() {
            if self.take(&of_json(event), cursor) {
                return Next::Over;
            }
        }
        if let Some(text) = answer["cursor"].as_str() {
            text.clone_into(cursor);
        }
        Next::After(Duration::from_millis(
            answer["retry_ms"].as_u64().unwrap_or(0),
        ))
    }

    fn refused(&self, answer: &Answer) -> Next {
        if answer.status == 410 || answer.status == 204 {
            let said = format!("{} {}", answer.status, answer.json["reason"]);
            self.account.lock().over.get_or_insert(said);
            return Next::Over;
        }
        Next::After(between(200, 700))
    }

    /// Where there is a gap, what was seen before may come again, or be something else.
    fn note_gap(&self, said: &Value) {
        if let Some(reason) = said["gap"]["reason"].as_str() {
            let mut account = self.account.lock();
            account.gaps.push(reason.to_owned());
            account.seen = 0;
        }
    }

    /// Takes an event; whether the incarnation is over by it.
    fn take(&self, event: &Event, cursor: &mut String) -> bool {
        let at = Instant::now();
        let data = &event.data;
        let mut account = self.account.lock();
        let mut over = false;
        // As the browser client does, what was seen already is passed over by its id.
        if event.name != "ready"
            && let Some(seq) = event.id.as_deref().and_then(seq)
        {
            if seq <= account.seen {
                account.passed_over += 1;
                return false;
            }
            account.seen = seq;
        }
        match event.name.as_str() {
            "ready" => {
                drop(account);
                self.note_gap(data);
            }
            "signal" => {
                let sent = (place(&data["from"]), data["data"]["n"].as_u64());
                if let (Some(from), Some(number)) = sent {
                    let tried = data["data"]["at"].as_u64().expect("a time");
                    let took = elapsed().saturating_sub(Duration::from_millis(tried));
                    account.got.push(Got {
                        from,
                        number,
                        at,
                        took,
                    });
                }
            }
            "session-ended" => account
                .notices
                .extend(place(&data["peer"]).map(Notice::Ended)),
            "peer-left" => account
                .notices
                .extend(place(&data["peer"]).map(Notice::Left)),
            "end" if data["retry"] == "never" => {
                account
                    .over
                    .get_or_insert(format!("end {}", data["reason"]));
                over = true;
            }
            _ => {}
        }
        if let Some(id) = &event.id {
            id.clone_into(cursor);
        }
        over
    }

    /// Opens a session with the peer at this place.
    pub async fn offer(&self, to: usize) {
        let offer =
            json!({"to": name(to), "type": "offer", "session": "s", "id": "offer", "data": 0});
        self.insist(&mut None, &offer.to_string()).await;
    }

    /// Sends a signal every so often, each until it is answered, until it is to stop.
    pub async fn send(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut connection = None;
        tokio::select! {
            () = sleep(between(0, PAUSE.as_secs() * 1000)) => {}
            _ = stop.changed() => return,
        }
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in 0.. {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.changed() => return,
            }
            if !self.say(number, &mut connection).await {
                return;
            }
        }
    }

    /// Sends its signal of this number; whether it may send more.
    async fn say(&self, number: u64, connection: &mut Option<Connection>) -> bool {
        let at = u64::try_from(elapsed().as_millis()).expect("a short test");
        let mut signal = json!({
            "type": "n", "id": format!("m{number}"), "data": {"n": number, "at": at},
        });
        // Three to one of the others each, the fourth to all.
        let others = (0..ROOM).filter(|place| *place != self.place);
        if let Some(to) = others.clone().nth(number as usize % ROOM) {
            if self.account.lock().notices.contains(&Notice::Left(to)) {
                return true;
            }
            signal["to"] = json!(name(to));
        }
        let before = self.account.lock().retries;
        let answer = self.insist(connection, &signal.to_string()).await;
        let mut account = self.account.lock();
        if account.retries > before {
            account.repeated.push(number);
        }
        let Some(answer) = answer else {
            return account.over.is_none();
        };
        let result = &answer["results"][0];
        let to = result["to"].as_array().into_iter().flatten();
        let to = to.filter(|to| to["refused"].is_null());
        let places = to.filter_map(|to| place(&to["peer"]));
        let places = places.fold(0, |all: Places, place| all | 1 << place);
        account.accepted.push((number, places));
        account.duplicates += u64::from(result["duplicate"] == true);
        true
    }

    /// Posts a signal until it is answered for good; the answer, where it is accepted.
    async fn insist(&self, kept: &mut Option<Connection>, body: &str) -> Option<Value> {
        loop {
            match timeout(TRY, self.post(kept, body)).await {
                Ok(Ok(answer)) if answer.status == 202 => return Some(answer.json),
                Ok(Ok(answer)) if matches!(answer.slug(), "peer-left" | "unknown-peer") => {
                    return None;
                }
                Ok(Ok(answer)) if answer.slug() == "ended" => {
                    let said = format!("signal {}", answer.json["reason"]);
                    self.account.lock().over.get_or_insert(said);
                    return None;
                }
                Ok(Ok(answer)) => {
                    assert!(answer.status >= 429, "{answer:?}");
                }
                Ok(Err(_)) => {}
                Err(_) => *kept = None,
            }
            self.account.lock().retries += 1;
            sleep(between(200, 500)).await;
        }
    }

    async fn post(&self, kept: &mut Option<Connection>, body: &str) -> io::Result<Answer> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::open(self.peer.addr).await?,
        };
        let (path, bearer) = (self.peer.path("/signals"), self.peer.bearer());
        let answer = connection.call("POST", &path, &bearer, body).await?;
        *kept = Some(connection);
        Ok(answer)
    }

    /// Leaves, for as long as that takes.
    pub async fn leave(&self) {
        loop {
            match timeout(TRY, self.peer.call("DELETE", "", "")).await {
                Ok(Ok(answer)) if answer.status == 204 => return,
                _ => sleep(between(200, 500)).await,
            }
        }
    }

    /// Whether a notice of the departure of the peer at this place came.
    pub fn was_told(&self, notice: Notice) -> bool {
        self.account.lock().notices.contains(&notice)
    }
}

pub fn name(place: usize) -> String {
    format!("p{place}")
}

fn place(name: &Value) -> Option<usize> {
    name.as_str()?.strip_prefix('p')?.parse().ok()
}

/// The number of a cursor.
pub fn seq(cursor: &str) -> Option<u64> {
    cursor.split_once('-')?.1.parse().ok()
}

/// A span drawn at random, in milliseconds.
pub fn between(least: u64, most: u64) -> Duration {
    Duration::from_millis(fastrand::u64(least..most))
}

/// Since the first call.
fn elapsed() -> Duration {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    BEGUN.get_or_init(Instant::now).elapsed()
}
