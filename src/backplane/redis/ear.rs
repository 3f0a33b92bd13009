//! Where a node is rung: one subscription, proved to work, and rebuilt for ever.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use redis::{Client, Value};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::keys::Tag;
use super::lane::CONNECT;
use super::link::{Call, jittered};
use super::reply::{self, Heard};
use super::{Core, of};
use crate::backplane::store::{Later, News, NodeId, PARTITIONS, StoreError};

/// Between two tries to subscribe, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How often a node calls itself, and how long that may take.
const PROBE: Duration = Duration::from_secs(5);
/// How often the bells that were heard are compared with those that were rung.
const COMPARE: Duration = Duration::from_secs(10);
/// How long a bell may be under way.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// How often each partition has rung.
type Counts = Vec<u64>;
/// What they say of it; none: where one does not answer.
type Told = Vec<Option<u64>>;

/// Why a subscription ended.
#[derive(Debug, thiserror::Error)]
enum Deaf {
    #[error("{0}")]
    Engine(#[from] redis::RedisError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("it took too long")]
    Late(#[from] tokio::time::error::Elapsed),
    #[error("no server is known")]
    Nowhere,
    #[error("the connection ended")]
    Ended,
    #[error("the node does not hear itself")]
    Unheard,
}

/// Listens for ever.
pub(super) async fn listen(core: Arc<Core>) {
    let mut nodes = core.place.watch();
    let mut pause = PAUSES.0;
    loop {
        let node = *nodes.borrow_and_update();
        let began = Instant::now();
        tokio::select! {
            deaf = subscribed(&core, node) => {
                if let Err(error) = deaf {
                    tracing::debug!(%error, "a subscription ended");
                }
                core.link.look_again();
            }
            // Another node from now on, under another name.
            _ = nodes.changed() => continue,
        }
        if began.elapsed() > PROBE {
            pause = PAUSES.0;
        }
        sleep(jittered(pause)).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Subscribes once, and passes on what is heard until the subscription fails.
async fn subscribed(core: &Arc<Core>, node: NodeId) -> Result<(), Deaf> {
    let server = core.link.any_server().ok_or(Deaf::Nowhere)?;
    let client = Client::open(server)?;
    let (mut sink, mut messages) = timeout(CONNECT, client.get_async_pubsub()).await??.split();
    timeout(CONNECT, sink.subscribe(core.keys.channel(node))).await??;
    // What was rung before this is told of by `Missed`, whatever comes after is heard.
    let heard = rung(Arc::clone(core), node).await?;
    let mut heard: Counts = heard.into_iter().map(Option::unwrap_or_default).collect();
    core.feed.tell(News::Missed { partition: None });

    let began = Instant::now();
    let mut probe: Option<u64> = None;
    let mut next_probe = Instant::now() + jittered(PROBE);
    let mut probing: Option<Later<Result<Value, StoreError>>> = None;
    let mut next_look = Instant::now() + jittered(COMPARE);
    let mut looking: Option<(Counts, Later<Result<Told, StoreError>>)> = None;
    let mut due: Option<(Instant, Told)> = None;
    loop {
        let judged = due.as_ref().map(|(at, _)| *at);
        let (looks, judges) = (looking.is_none(), judged.is_some());
        tokio::select! {
            message = messages.next() => {
                let message = message.ok_or(Deaf::Ended)?;
                match reply::heard(message.get_payload_bytes()) {
                    Some(Heard::Bell(partition, count, news)) => {
                        bell(core, &mut heard, partition, count, news);
                    }
                    Some(Heard::Probe(number)) if probe == Some(number) => probe = None,
                    Some(Heard::Look) => core.look.notify_one(),
                    Some(Heard::Probe(_)) | None => {}
                }
            }
            () = sleep_until(next_probe) => {
                if probe.is_some() {
                    return Err(Deaf::Unheard);
                }
                let number = u64::from(super::random());
                probe = Some(number);
                next_probe = Instant::now() + PROBE;
                let mut cmd = redis::cmd("PUBLISH");
                cmd.arg(core.keys.channel(node)).arg(format!("?{number}"));
                let core = Arc::clone(core);
                probing = Some(Box::pin(async move {
                    core.link.call(Call::plain(Tag::Directory, cmd)).await
                }));
            }
            // Whether it was published shows by whether it is heard.
            _ = of(probing.as_mut()) => probing = None,
            () = sleep_until(next_look), if looks => {
                core.feed.own_up();
                looking = Some((heard.clone(), Box::pin(rung(Arc::clone(core), node))));
            }
            counts = of(looking.as_mut().map(|(_, looking)| looking)) => {
                next_look = Instant::now() + jittered(COMPARE);
                let before = looking.take().map(|(before, _)| before).unwrap_or_default();
                if let Ok(counts) = counts {
                    set_back(core, &before, &counts, &mut heard);
                    due = Some((Instant::now() + UNDER_WAY, counts));
                }
            }
            () = sleep_until(judged.unwrap_or(began)), if judges => {
                if let Some((_, counts)) = due.take() {
                    unheard(core, &counts, &mut heard);
                }
            }
        }
    }
}

/// How often each partition has rung for the node. One that does not answer keeps no other from being
/// heard.
async fn rung(core: Arc<Core>, node: NodeId) -> Result<Told, StoreError> {
    let asked = (0..PARTITIONS).map(Tag::Partition).map(|tag| {
        let mut cmd = redis::cmd("HGET");
        cmd.arg(core.keys.bells(tag)).arg(node.0);
        core.link.call(Call::plain(tag, cmd))
    });
    let count =
        |told: Result<Value, StoreError>| Ok(reply::read::<Option<u64>>(told?)?.unwrap_or(0));
    let counts: Vec<_> = join_all(asked).await.into_iter().map(count).collect();
    if let Some(Err(error)) = counts.first().filter(|_| counts.iter().all(Result::is_err)) {
        return Err(*error);
    }
    Ok(counts.into_iter().map(Result::ok).collect())
}

/// Passes a bell on, and tells where some before it were not heard.
fn bell(core: &Core, heard: &mut Counts, partition: u16, count: u64, news: News) {
    if let Some(known) = heard.get_mut(usize::from(partition)) {
        if count > *known + 1 {
            let partition = Some(partition);
            core.feed.tell(News::Missed { partition });
        }
        *known = count.max(*known);
    }
    core.feed.tell(news);
}

/// Tells where an engine knows of fewer bells than had been heard when it was asked: its counts were
/// set back, and those that it lost are counted again for others.
fn set_back(core: &Core, before: &Counts, counts: &Told, heard: &mut Counts) {
    for (partition, (count, before)) in (0..).zip(counts.iter().zip(before)) {
        let Some(count) = count else { continue };
        if count < before {
            heard[usize::from(partition)] = *count;
            let partition = Some(partition);
            core.feed.tell(News::Missed { partition });
        }
    }
}

/// Tells where bells that had been rung are not heard even now.
fn unheard(core: &Core, counts: &Told, heard: &mut Counts) {
    for (partition, (count, heard)) in (0..).zip(counts.iter().zip(heard)) {
        let Some(count) = count else { continue };
        if count > heard {
            *heard = *count;
            let partition = Some(partition);
            core.feed.tell(News::Missed { partition });
        }
    }
}
