//! One connection to one server. Commands that wait are sent together, and answered together.

use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisResult, ServerError, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::keys::{Keys, Tag};
use super::script::Script;
use super::standing::{Place, Sign, Trouble};
use super::url::Address;
use crate::backplane::store::{NodeId, PARTITIONS};

/// How many commands are sent together at most.
const TOGETHER: usize = 128;
/// How many may wait for that.
const WAITING: usize = 16_384;
/// How long a connection may take to be there, and its first words to be answered.
pub(super) const CONNECT: Duration = Duration::from_secs(2);
/// How long commands that were sent together may go unanswered; then the connection is given up.
const ANSWER: Duration = Duration::from_secs(2);
/// After how much of that it is a sign of trouble.
pub(super) const TROUBLE: Duration = Duration::from_secs(1);
/// How long replicas may take.
const REPLICATION: Duration = Duration::from_millis(500);

/// A command on its way.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) cmd: Arc<Cmd>,
    /// The server does not own the slot yet, and is to be told that this is known.
    pub(super) asking: bool,
    /// Enough replicas have to have it before it counts.
    pub(super) replicated: bool,
    /// Who this node has to be still when it is sent.
    pub(super) holder: Option<NodeId>,
    /// Who has to be there still.
    pub(super) asker: Option<Weak<()>>,
    pub(super) answer: oneshot::Sender<Attempt>,
}

/// What came of one try.
#[derive(Clone, Debug)]
pub(super) enum Attempt {
    /// It was done.
    Done(Value),
    /// It was not sent, since this node is no longer who it was.
    Fenced,
    /// The engine holds as much as it may.
    Full,
    /// Another try would fail as well.
    Refused,
    /// Another try may succeed.
    Again,
    /// Another try may succeed, perhaps at another server.
    Elsewhere,
    /// This once it has to be tried there.
    Ask(Address),
}

/// The way into the queue of a connection; the connection ends with the last of them.
#[derive(Clone, Debug)]
pub(super) struct Lane(mpsc::Sender<Job>);

impl Lane {
    /// A lane to the client's server.
    pub(super) fn start(
        client: Client,
        place: Arc<Place>,
        trouble: Arc<Trouble>,
        sign: Sign,
    ) -> Self {
        Self::of(Runner {
            client,
            replicas: 0,
            keys: None,
            place,
            trouble,
            sign,
            connection: None,
            unconnected: false,
        })
    }

    /// The same for appends. With `replicas`, what is to be replicated waits for so many.
    pub(super) fn for_appends(
        client: Client,
        replicas: usize,
        keys: Keys,
        place: Arc<Place>,
        trouble: Arc<Trouble>,
    ) -> Self {
        Self::of(Runner {
            client,
            replicas,
            keys: Some(keys),
            place,
            trouble,
            sign: Sign::Doubt,
            connection: None,
            unconnected: false,
        })
    }

    fn of(runner: Runner) -> Self {
        let (queue, jobs) = mpsc::channel(WAITING);
        tokio::spawn(runner.run(jobs));
        Self(queue)
    }

    /// Queues a job as soon as fewer than [`WAITING`] wait.
    pub(super) async fn send(&self, job: Job) {
        // A lane that has ended answers nothing, which tells as much.
        let _ = self.0.send(job).await;
    }
}

struct Runner {
    client: Client,
    replicas: usize,
    /// Where appends go this way: the keys under which is told which engine takes them.
    keys: Option<Keys>,
    place: Arc<Place>,
    trouble: Arc<Trouble>,
    /// What it says if the server does not answer here.
    sign: Sign,
    connection: Option<MultiplexedConnection>,
    /// The last try to connect failed, which was told of.
    unconnected: bool,
}

impl Runner {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(TOGETHER);
        while jobs.recv_many(&mut batch, TOGETHER).await > 0 {
            let batch = std::mem::replace(&mut batch, Vec::with_capacity(TOGETHER));
            let trouble = Arc::clone(&self.trouble);
            // Only what was sent says something of the engine: what waits here is this node's own.
            let sign = self.sign;
            trouble.over(sign, TROUBLE, self.send(batch)).await;
        }
    }

    async fn send(&mut self, mut batch: Vec<Job>) {
        batch.retain(|job| !job.answer.is_closed() && !is_gone(job.asker.as_ref()));
        if batch.is_empty() {
            return;
        }
        let connected = match self.connection.take() {
            Some(connection) => Ok(connection),
            None => connect(&self.client, self.keys.as_ref()).await,
        };
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(error) => {
                if !std::mem::replace(&mut self.unconnected, true) {
                    tracing::warn!(%error, "no connection to the engine");
                }
                return answer_all(batch, &Attempt::Elsewhere);
            }
        };
        self.unconnected = false;
        // Looked at last of all: to connect may have taken its time.
        let (batch, void): (Vec<Job>, Vec<Job>) = batch.into_iter().partition(|job| {
            let holds = |node| self.place.holds(node);
            job.holder.is_none_or(holds)
        });
        answer_all(void, &Attempt::Fenced);
        if batch.is_empty() {
            self.connection = Some(connection);
            return;
        }
        let mut pipeline = redis::Pipeline::with_capacity(batch.len() + 1);
        let mut places = Vec::with_capacity(batch.len());
        let mut count = 0;
        for job in &batch {
            if job.asking {
                pipeline.cmd("ASKING");
                count += 1;
            }
            pipeline.add_command(Cmd::clone(&job.cmd));
            places.push(count);
            count += 1;
        }
        let replicated = self.replicas > 0 && batch.iter().any(|job| job.replicated);
        if replicated {
            let patience = u64::try_from(REPLICATION.as_millis()).unwrap_or(u64::MAX);
            pipeline.cmd("WAIT").arg(self.replicas).arg(patience);
            count += 1;
        }
        let answers = timeout(ANSWER, connection.send_packed_commands(&pipeline, 0, count)).await;
        let mut answers = match answers {
            Ok(Ok(answers)) if answers.len() == count => answers,
            // What has to be known is that it failed; the next connection tells why.
            Ok(_) | Err(_) => return answer_all(batch, &Attempt::Elsewhere),
        };
        let enough = match replicated.then(|| answers.pop()) {
            None => true,
            Some(Some(Value::Int(have))) => usize::try_from(have).is_ok_and(|n| n >= self.replicas),
            Some(_) => false,
        };
        let (mut forgotten, mut keep) = (false, true);
        for (job, place) in batch.into_iter().zip(places) {
            let answer = std::mem::replace(&mut answers[place], Value::Nil);
            let attempt = if let Value::ServerError(error) = answer {
                forgotten |= error.code() == "NOSCRIPT";
                keep &= error.code() != "READONLY";
                judge(&error)
            } else if job.replicated && !enough {
                Attempt::Again
            } else {
                Attempt::Done(answer)
            };
            let _ = job.answer.send(attempt);
        }
        // The scripts are made known to each connection at first, and again where the engine forgot
        // them.
        if keep && (!forgotten || load(&mut connection).await.is_ok()) {
            self.connection = Some(connection);
        }
    }
}

/// A connection that has introduced itself, to an engine that knows the scripts.
async fn connect(client: &Client, keys: Option<&Keys>) -> RedisResult<MultiplexedConnection> {
    let mut connection = plain(client).await?;
    load(&mut connection).await?;
    if let Some(keys) = keys {
        match timeout(ANSWER, meet(&mut connection, keys)).await {
            Ok(met) => met?,
            Err(_) => return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }
    Ok(connection)
}

/// Finds out which engine this is, before anything is appended: it may not be the one that took the
/// last entries.
async fn meet(connection: &mut MultiplexedConnection, keys: &Keys) -> RedisResult<()> {
    let mut ask = redis::cmd("INFO");
    ask.arg("server");
    let info: String = match ask.query_async(connection).await {
        Ok(info) => info,
        // Not everyone may ask this.
        Err(error) if error.code().is_some() => String::new(),
        Err(error) => return Err(error),
    };
    let named = |line: &str| line.trim().strip_prefix("run_id:").map(str::to_owned);
    // One that does not say is taken for the same always.
    let Some(name) = info.lines().find_map(named) else {
        return Ok(());
    };
    let mut pipeline = redis::pipe();
    for partition in 0..PARTITIONS {
        let key = keys.engine(Tag::Partition(partition));
        let mut cmd = Script::Engine.on(&[key]);
        cmd.arg(&name);
        pipeline.add_command(cmd);
    }
    let count = usize::from(PARTITIONS);
    let answers = connection.send_packed_commands(&pipeline, 0, count).await?;
    for answer in answers {
        if let Value::ServerError(error) = answer
            && !matches!(error.code(), "MOVED" | "ASK")
        {
            return Err(error.into());
        }
    }
    Ok(())
}

/// A connection that has introduced itself.
pub(super) async fn plain(client: &Client) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(None);
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

async fn load(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let loading = Script::load_all();
    match timeout(ANSWER, loading.exec_async(connection)).await {
        Ok(done) => done,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

/// Whether nobody is there any more for whom something is to be done.
pub(super) fn is_gone(asker: Option<&Weak<()>>) -> bool {
    asker.is_some_and(|asker| asker.strong_count() == 0)
}

fn answer_all(batch: Vec<Job>, attempt: &Attempt) {
    for job in batch {
        let _ = job.answer.send(attempt.clone());
    }
}

/// Whether another try makes sense.
fn judge(error: &ServerError) -> Attempt {
    match error.code() {
        "ASK" => {
            let target = error.details().and_then(|text| text.rsplit(' ').next());
            target
                .and_then(Address::parse)
                .map_or(Attempt::Elsewhere, Attempt::Ask)
        }
        "MOVED" | "CLUSTERDOWN" | "MASTERDOWN" | "READONLY" => Attempt::Elsewhere,
        "BUSY" | "LOADING" | "MISCONF" | "NOREPLICAS" | "NOSCRIPT" | "TRYAGAIN" => Attempt::Again,
        "OOM" => Attempt::Full,
        _ => {
            tracing::error!(%error, "the engine refuses a command");
            Attempt::Refused
        }
    }
}
