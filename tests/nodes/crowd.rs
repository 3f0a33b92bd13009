//! 200 rooms of 4 peers under load, some of whom leave or vanish: the others are told of it once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::account::{Account, Notice, Sum};
use crate::member::{Member, ROOM, between, name};

const ROOMS: usize = 200;
/// How long anything may take that is to come.
const PATIENCE: Duration = Duration::from_secs(40);
/// Over which time the departures of a scene are spread, in milliseconds.
const DEPARTURES: u64 = 3000;
/// A signal that took longer has met with the fault.
const PROMPT: Duration = Duration::from_secs(1);

/// How one peer of a room goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Leaves,
    Vanishes,
}

/// Who goes of a room, if anyone; the peer at place 0 has a session with it.
fn departure(room: usize) -> Option<(usize, Way)> {
    match room % 5 {
        0 => Some((1, Way::Leaves)),
        1 => Some((2, Way::Vanishes)),
        // Long-polls: between two of them there is no connection to be lost.
        2 => Some((3, Way::Vanishes)),
        _ => None,
    }
}

/// The peers of a scene, room by room.
pub struct Crowd {
    members: Vec<Arc<Member>>,
    readers: Vec<JoinHandle<()>>,
    senders: Vec<JoinHandle<()>>,
    going: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Crowd {
    /// All join and read, and the sessions are open.
    pub async fn gather(front: SocketAddr) -> Self {
        let mut joining = JoinSet::new();
        for room in 0..ROOMS {
            joining.spawn(async move {
                let mut members = Vec::new();
                for place in 0..ROOM {
                    members.push(Member::join(front, room, place).await);
                }
                members
            });
        }
        let rooms = tokio::time::timeout(PATIENCE, joining.join_all()).await;
        let mut members: Vec<_> = rooms.expect("all join").into_iter().flatten().collect();
        members.sort_by_key(|member| (member.room, member.place));
        let read = |member: &Arc<Member>| tokio::spawn(member.clone().read());
        let readers = members.iter().map(read).collect();
        let mut offers = JoinSet::new();
        for member in members.iter().filter(|member| member.place == 0) {
            let member = member.clone();
            offers.spawn(async move {
                if let Some((place, _)) = departure(member.room) {
                    member.offer(place).await;
                }
            });
        }
        offers.join_all().await;
        let crowd = Self {
            members,
            readers,
            senders: Vec::new(),
            going: JoinSet::new(),
            stop: watch::Sender::new(false),
        };
        let reads = |member: &Arc<Member>| member.account.lock().readers > 0;
        crowd
            .until("all read", || crowd.members.iter().all(reads))
            .await;
        crowd
    }

    /// Everybody begins to send; ready once every peer has had an answer.
    pub async fn begin(&mut self) {
        for member in &self.members {
            let sending = member.clone().send(self.stop.subscribe());
            self.senders.push(tokio::spawn(sending));
        }
        let answered = |member: &Arc<Member>| !member.account.lock().accepted.is_empty();
        self.until("signals flow", || self.members.iter().all(answered))
            .await;
    }

    /// Those who go do so, one after the other, beside whatever happens.
    pub fn depart(&mut self) {
        for (at, member) in self.members.iter().enumerate() {
            let Some((_, way)) = departure(member.room).filter(|(place, _)| *place == member.place)
            else {
                continue;
            };
            let member = member.clone();
            let sender = self.senders[at].abort_handle();
            let reader = self.readers[at].abort_handle();
            self.going.spawn(async move {
                tokio::time::sleep(between(0, DEPARTURES)).await;
                // A signal under way may have been accepted or not: nobody knows of an answer.
                sender.abort();
                match way {
                    Way::Leaves => member.leave().await,
                    Way::Vanishes => reader.abort(),
                }
            });
        }
    }

    /// How many signals have been accepted.
    pub fn accepted(&self) -> usize {
        let accepted = |member: &Arc<Member>| member.account.lock().accepted.len();
        self.members.iter().map(accepted).sum()
    }

    /// Lets everything come to its end, and counts; everybody could be served from `back` on.
    pub async fn settle(mut self, back: Instant) -> Sum {
        let settled = async { while self.going.join_next().await.is_some() {} };
        let gone = tokio::time::timeout(PATIENCE, settled).await;
        gone.expect("who leaves is answered");
        // They are all told while signals flow still.
        self.in_time(|| self.due().all(|(to, notice)| to.was_told(notice)))
            .await;
        self.stop.send_replace(true);
        for (member, sender) in self.members.iter().zip(&mut self.senders) {
            let ended = tokio::time::timeout(PATIENCE, sender).await;
            assert!(
                ended.is_ok(),
                "no answer for {} of {}",
                name(member.place),
                member.room
            );
        }
        self.in_time(|| self.lost() == 0).await;
        self.count(back)
    }

    async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        assert!(self.in_time(is_so).await, "in vain: {what}");
    }

    /// Waits until it is so; whether it came to be.
    async fn in_time(&self, is_so: impl Fn() -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        true
    }

    /// Those who stay.
    fn stayers(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.members.iter().filter(|member| stays(member))
    }

    /// The notices that are due, and to whom.
    fn due(&self) -> impl Iterator<Item = (&Arc<Member>, Notice)> {
        self.stayers().flat_map(|member| {
            let (place, _) = departure(member.room).unzip();
            let ended = place.filter(|_| member.place == 0).map(Notice::Ended);
            let left = place.map(Notice::Left);
            ended
                .into_iter()
                .chain(left)
                .map(move |notice| (member, notice))
        })
    }

    fn room_of(&self, member: &Member) -> &[Arc<Member>] {
        &self.members[member.room * ROOM..][..ROOM]
    }

    /// The accepted signals for a peer, by the others of its room.
    fn expected(&self, to: &Member) -> impl Iterator<Item = (usize, Vec<u64>)> {
        let others = self
            .room_of(to)
            .iter()
            .filter(|other| other.place != to.place);
        let bit = 1 << to.place;
        others.map(move |other| {
            let account = other.account.lock();
            let sent = account
                .accepted
                .iter()
                .filter(|(_, places)| places & bit != 0);
            (other.place, sent.map(|(number, _)| *number).collect())
        })
    }

    fn lost(&self) -> usize {
        let lacks = |to: &Arc<Member>| {
            let expected: Vec<_> = self.expected(to).collect();
            let account = to.account.lock();
            let lacks = expected
                .iter()
                .map(|(from, sent)| account.lacks(*from, sent));
            if account.over.is_some() {
                0
            } else {
                lacks.sum()
            }
        };
        self.stayers().map(lacks).sum()
    }

    fn count(&self, back: Instant) -> Sum {
        let mut sum = Sum {
            lost: self.lost(),
            accepted: self.accepted(),
            ..Sum::default()
        };
        for member in self.stayers() {
            sum.delivered += self
                .expected(member)
                .map(|(_, sent)| sent.len())
                .sum::<usize>();
            let account = member.account.lock();
            self.count_one(member, &account, &mut sum);
            for got in account.got.iter().filter(|got| got.took > PROMPT) {
                let after = got.at.saturating_duration_since(back);
                sum.recovered = sum.recovered.max(after);
            }
        }
        sum.delivered -= sum.lost;
        let left_by = |place| move |other: &&Arc<Member>| other.was_told(Notice::Left(place));
        sum.gone = self
            .stayers()
            .filter(|member| {
                let mut others = self.room_of(member).iter();
                member.account.lock().over.is_some() || others.any(|o| left_by(member.place)(&o))
            })
            .count();
        sum
    }

    fn count_one(&self, member: &Member, account: &Account, sum: &mut Sum) {
        for place in 0..ROOM {
            let (doubled, reordered) = account.disorder(place);
            sum.doubled += doubled.len();
            if !doubled.is_empty() {
                let sender = self.room_of(member)[place].account.lock();
                let once = doubled.iter().filter(|n| !sender.repeated.contains(n));
                sum.doubled_unasked += once.count();
            }
            sum.reordered += reordered;
        }
        if let Some((place, _)) = departure(member.room) {
            let mut due = vec![Notice::Left(place)];
            if member.place == 0 {
                due.push(Notice::Ended(place));
                sum.reordered += usize::from(!account.is_in_order(place));
            }
            for notice in due {
                let times = account.times(notice);
                sum.due += 1;
                sum.missing += usize::from(times == 0);
                if times == 0 {
                    println!(
                        "{} of room {} is not told: {notice:?}",
                        name(member.place),
                        member.room
                    );
                }
                sum.twice += times.saturating_sub(1);
            }
        }
        sum.gaps += account.gaps.len();
        sum.retries += account.retries;
        sum.duplicates += account.duplicates;
        sum.readers += account.readers;
        sum.passed_over += account.passed_over;
        let longest = account.got.iter().map(|got| got.took).max();
        sum.longest = sum.longest.max(longest.unwrap_or_default());
        if let Some(over) = &account.over {
            println!(
                "{} of room {} was told: {over}",
                name(member.place),
                member.room
            );
        }
        for gap in &account.gaps {
            println!(
                "{} of room {} has a gap: {gap}",
                name(member.place),
                member.room
            );
        }
    }
}

fn stays(member: &Member) -> bool {
    departure(member.room).is_none_or(|(place, _)| place != member.place)
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for task in self.readers.iter().chain(&self.senders) {
            task.abort();
        }
    }
}
