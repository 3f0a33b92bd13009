//! A reader of a membership's mailbox: each event once and in order, over lost connections,
//! restarts and changes of transport.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::answer::Trouble;
use super::backoff::draw;
use super::event::Event;
use super::membership::{Membership, Wish};
use super::reading::{Next, Reading, Settings};
use super::source::{Answer, Door, Source, Step};
use super::{Failure, Server};

/// How old the last request may be when another event shows that the path is alive.
const ALIVE: Duration = Duration::from_secs(30);
/// The server counts on proofs of life every 90 s from the first on: with fewer events none is given.
const SELDOM: Duration = Duration::from_secs(45);

/// What a reader tells.
pub(crate) enum Told {
    Event(Event),
    /// What happened to the connection, in words.
    Note(String),
}

impl Told {
    /// The cursor behind it, where it is an event that has one.
    fn id(&self) -> Option<&str> {
        match self {
            Self::Event(event) => event.id.as_deref(),
            Self::Note(_) => None,
        }
    }
}

/// Where the access token comes from, each time that it is needed.
pub(crate) type Access = Box<dyn Fn() -> Option<String> + Send>;

type Joining = Pin<Box<dyn Future<Output = Result<Membership, Trouble>> + Send>>;

pub(crate) struct Reader {
    server: Server,
    pub(crate) member: Membership,
    wish: Wish,
    access: Access,
    door: Door,
    reading: Reading,
    source: Option<Source>,
    joining: Option<Joining>,
    began: Instant,
    asked: Instant,
    alive: JoinSet<()>,
    told: VecDeque<Told>,
    /// Behind the last event that was handed out, while others wait for that.
    behind: Option<String>,
}

impl Reader {
    /// Reads the mailbox of `member`, which `wish` joined, at `door`.
    pub(crate) fn new(
        server: &Server,
        member: Membership,
        wish: Wish,
        access: Access,
        door: Door,
        mut settings: Settings,
    ) -> Self {
        settings.cursor = settings.cursor.or_else(|| member.cursor.clone());
        settings.heartbeat = member.heartbeat;
        let behind = settings.cursor.clone();
        let now = Instant::now();
        Self {
            server: server.clone(),
            member,
            wish,
            access,
            door,
            reading: Reading::new(settings, draw),
            source: None,
            joining: None,
            began: now,
            asked: now,
            alive: JoinSet::new(),
            told: VecDeque::new(),
            behind,
        }
    }

    /// The cursor behind all that was told: a poll brings several events, and who stops in their midst
    /// has not seen the others.
    pub(crate) fn cursor(&self) -> Option<&str> {
        if self.told.iter().any(|told| told.id().is_some()) {
            self.behind.as_deref()
        } else {
            self.reading.cursor()
        }
    }

    /// The next thing to tell. It can be dropped at any moment without a loss.
    ///
    /// # Errors
    /// [`Failure`] where there is no more to come.
    pub(crate) async fn next(&mut self) -> Result<Told, Failure> {
        loop {
            let next = self.reading.next(self.began.elapsed());
            let notes = self.reading.notes().into_iter().map(Told::Note);
            self.told.extend(notes);
            if matches!(next, Next::Open(_)) {
                self.joining = None;
            }
            match next {
                Next::Open(transport) => {
                    self.asked = Instant::now();
                    self.source = Some(Source::open(
                        &self.server,
                        &self.member,
                        self.door,
                        transport,
                        self.reading.cursor(),
                    ));
                    continue;
                }
                Next::Over(ending) if self.told.is_empty() => return Err(ending.into()),
                Next::Over(_) | Next::Wait(_) | Next::Read(_) | Next::Renew | Next::Rejoin => {}
            }
            if let Some(told) = self.told.pop_front() {
                if let Some(id) = told.id() {
                    self.behind = Some(id.to_owned());
                }
                return Ok(told);
            }
            match next {
                Next::Wait(until) => {
                    self.source = None;
                    sleep_until(self.began + until).await;
                }
                Next::Read(until) => self.read(self.began + until).await,
                Next::Renew => self.join(true).await,
                Next::Rejoin => self.join(false).await,
                Next::Open(_) | Next::Over(_) => {}
            }
        }
    }

    async fn read(&mut self, until: Instant) {
        let Some(source) = &mut self.source else {
            return self.reading.closed(self.began.elapsed(), "lost");
        };
        let Ok(step) = timeout_at(until, source.step()).await else {
            return;
        };
        let now = self.began.elapsed();
        match step {
            Step::Nothing => {}
            Step::Event(event, retry) => {
                if let Some(wait) = retry {
                    self.reading.told(wait);
                }
                self.take(event);
            }
            Step::Answer(answer) => self.answer(answer),
            Step::Over => self.source = Some(Source::ask(&self.server, &self.member)),
            Step::Failed(trouble) => {
                self.source = None;
                self.reading.failed(now, trouble);
            }
            Step::Closed(why) => {
                self.source = None;
                self.reading.closed(now, &why);
            }
        }
    }

    fn answer(&mut self, answer: Answer) {
        let now = self.began.elapsed();
        let (gap, told_gap) = (answer.gap(), answer.told_gap());
        self.reading.answered(now, gap);
        if let Some(gap) = told_gap {
            self.told.push_back(Told::Event(gap));
        }
        self.reading.told(Duration::from_millis(answer.retry_ms));
        for event in answer.events {
            self.take(event);
        }
        self.reading.taken(now, &answer.cursor, answer.superseded);
    }

    fn take(&mut self, event: Event) {
        let now = self.began.elapsed();
        if !self.reading.event(now, &event) {
            return;
        }
        let gap = gap_of(&event);
        self.told
            .extend(self.reading.notes().into_iter().map(Told::Note));
        self.told.push_back(Told::Event(event));
        self.told.extend(gap.map(Told::Event));
        self.show_life();
    }

    fn show_life(&mut self) {
        if self.asked.elapsed() < ALIVE || self.reading.heartbeat() > SELDOM {
            return;
        }
        self.asked = Instant::now();
        let (server, member) = (self.server.clone(), self.member.clone());
        while self.alive.try_join_next().is_some() {}
        self.alive.spawn(async move { member.alive(&server).await });
    }

    /// Joins again: with the token of the membership that is to go on, or anew.
    async fn join(&mut self, goes_on: bool) {
        let (server, access) = (self.server.clone(), (self.access)());
        let token = goes_on.then(|| self.member.token.clone());
        let joining = self.joining.get_or_insert_with(|| {
            let mut wish = self.wish.clone();
            wish.peer = Some(self.member.peer.clone());
            Box::pin(async move {
                let (access, token) = (access.as_deref(), token.as_deref());
                wish.join(&server, access, token).await
            })
        });
        let joined = joining.await;
        self.joining = None;
        let now = self.began.elapsed();
        match joined {
            Ok(member) => {
                let cursor = member.cursor.clone();
                if self.reading.joined(now, cursor, member.heartbeat) {
                    self.told
                        .extend(self.reading.notes().into_iter().map(Told::Note));
                    self.told
                        .extend(reset(member.others.clone()).map(Told::Event));
                }
                self.member = member;
            }
            Err(trouble) => self.reading.not_joined(now, trouble),
        }
    }
}

/// Says that what was not read of a former mailbox is gone, as a reader would be told of the same.
fn reset(peers: Vec<Value>) -> Option<Event> {
    let gap = json!({ "reason": "reset", "peers": peers, "sessions": [] });
    Event::read(None, "gap".into(), gap.to_string())
}

/// What a stream begins with says what is missing; it is told as an event of its own, as by polls.
fn gap_of(event: &Event) -> Option<Event> {
    if event.name != "ready" {
        return None;
    }
    let ready = event.json();
    let mut gap = ready.get("gap")?.clone();
    gap["peers"] = ready["peers"].clone();
    gap["sessions"] = ready["sessions"].clone();
    Event::read(None, "gap".into(), gap.to_string())
}
