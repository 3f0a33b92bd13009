//! Which servers of an engine take writes, and for which keys.

use std::time::Duration;

use redis::{Client, Cmd, ConnectionInfo, FromRedisValue, RedisError, Value};
use tokio::time::timeout;

use super::keys::Tag;
use super::lane;
use super::url::{self, Address, EngineUrl, Kind};

/// How long one server may take to tell.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Which server takes what.
pub(super) struct Map {
    /// The primaries; never none.
    pub(super) servers: Vec<ConnectionInfo>,
    /// Which of them each tag lies at, by its number.
    pub(super) of: [usize; Tag::COUNT],
}

/// Why it is not known.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Unresolved {
    /// The server that was asked.
    #[error("{0}")]
    Engine(#[from] RedisError),
    /// It did not answer.
    #[error("no answer")]
    Silent,
    /// It answered something else.
    #[error("it does not know of a primary")]
    NoPrimary,
}

/// Asks the engine. `known` are servers that were primaries before.
pub(super) async fn resolve(
    url: &EngineUrl,
    known: Vec<ConnectionInfo>,
) -> Result<Map, Unresolved> {
    let mut reason = Unresolved::NoPrimary;
    match &url.kind {
        Kind::Single => {
            let servers = url.seeds().take(1).cloned().collect();
            let of = [0; Tag::COUNT];
            return Ok(Map { servers, of });
        }
        Kind::Sentinel(master) => {
            for seed in url.seeds() {
                match behind_sentinel(url, seed, master).await {
                    Ok(map) => return Ok(map),
                    Err(error) => reason = error,
                }
            }
        }
        Kind::Cluster => {
            let mut candidates: Vec<_> = known.into_iter().chain(url.seeds().cloned()).collect();
            let first = super::random() as usize % candidates.len();
            candidates.rotate_left(first);
            for candidate in candidates {
                match cluster(url, candidate).await {
                    Ok(map) => return Ok(map),
                    Err(error) => reason = error,
                }
            }
        }
    }
    Err(reason)
}

/// What a server answers, on a connection of its own.
pub(super) async fn ask<T: FromRedisValue>(
    info: ConnectionInfo,
    cmd: &Cmd,
) -> Result<T, Unresolved> {
    let asking = async {
        let mut connection = lane::plain(&Client::open(info)?).await?;
        Ok(cmd.query_async(&mut connection).await?)
    };
    let answer = timeout(PATIENCE, asking).await;
    answer.unwrap_or(Err(Unresolved::Silent))
}

async fn behind_sentinel(
    url: &EngineUrl,
    seed: &ConnectionInfo,
    master: &str,
) -> Result<Map, Unresolved> {
    let mut cmd = redis::cmd("SENTINEL");
    cmd.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
    let found: Option<(String, u16)> = ask(EngineUrl::sentinel(seed), &cmd).await?;
    let (host, port) = found.ok_or(Unresolved::NoPrimary)?;
    let server = url.server(&Address { host, port });
    // A Sentinel may not have heard yet that another server was promoted.
    let role: Vec<Value> = ask(server.clone(), &redis::cmd("ROLE")).await?;
    let role = role.into_iter().next().unwrap_or(Value::Nil);
    if String::from_redis_value(role).is_ok_and(|role| role == "master") {
        let servers = vec![server];
        let of = [0; Tag::COUNT];
        Ok(Map { servers, of })
    } else {
        Err(Unresolved::NoPrimary)
    }
}

async fn cluster(url: &EngineUrl, candidate: ConnectionInfo) -> Result<Map, Unresolved> {
    let asked = url::address(&candidate);
    let mut cmd = redis::cmd("CLUSTER");
    cmd.arg("SLOTS");
    let ranges: Vec<Value> = ask(candidate, &cmd).await?;
    let mut addresses: Vec<Address> = Vec::new();
    let mut of = [usize::MAX; Tag::COUNT];
    for range in ranges {
        let Some((slots, mut address)) = range_of(range) else {
            continue;
        };
        // A server that does not know its own name has the one that it was asked by.
        if matches!(address.host.as_str(), "" | "?")
            && let Some(asked) = &asked
        {
            address.host.clone_from(&asked.host);
        }
        let place = addresses.iter().position(|known| *known == address);
        let place = place.unwrap_or_else(|| {
            addresses.push(address);
            addresses.len() - 1
        });
        for tag in Tag::all().filter(|tag| slots.contains(&tag.slot())) {
            of[tag.number()] = place;
        }
    }
    if of.contains(&usize::MAX) {
        return Err(Unresolved::NoPrimary);
    }
    let servers = addresses.iter().map(|address| url.server(address));
    let servers = servers.collect();
    Ok(Map { servers, of })
}

/// The slots of one line of the answer, and the primary that has them.
fn range_of(range: Value) -> Option<(std::ops::RangeInclusive<u16>, Address)> {
    let Value::Array(range) = range else {
        return None;
    };
    let mut range = range.into_iter();
    let first = u16::from_redis_value(range.next()?).ok()?;
    let last = u16::from_redis_value(range.next()?).ok()?;
    let Value::Array(primary) = range.next()? else {
        return None;
    };
    let mut primary = primary.into_iter();
    let host = Option::<String>::from_redis_value(primary.next()?).ok()?;
    let port = u16::from_redis_value(primary.next()?).ok()?;
    let host = host.unwrap_or_default();
    Some((first..=last, Address { host, port }))
}
