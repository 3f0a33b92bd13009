//! The URL of an engine: one server, several behind Sentinels, or a cluster.

use std::fmt;

use redis::io::tcp::TcpSettings;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};

/// Where the engine is, and how a connection introduces itself.
#[derive(Clone)]
pub(super) struct EngineUrl {
    pub(super) kind: Kind,
    /// The servers that are asked first; never none.
    seeds: Vec<ConnectionInfo>,
}

/// How the servers of an engine hang together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One, or a name that leads to the one that is primary.
    Single,
    /// The seeds are Sentinels, and know the primary by this name.
    Sentinel(String),
    /// The seeds belong to a cluster.
    Cluster,
}

/// A URL that names no engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an engine's URL is redis://HOST:PORT, rediss://…, unix://PATH, redis+sentinel://HOST:PORT,…/MASTER or redis+cluster://HOST:PORT,…: {0}"
)]
pub struct BadUrl(&'static str);

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Address {
    /// Reads `host:port`, as an engine tells it: an IPv6 address may stand without brackets.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().ok()?;
        let host = host.to_owned();
        Some(Self { host, port })
    }
}

impl EngineUrl {
    /// Reads a URL.
    pub(super) fn parse(url: &str) -> Result<Self, BadUrl> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(BadUrl("it has no scheme"));
        };
        let (plain, kind) = match scheme.split_once('+') {
            None if ["redis", "rediss", "unix", "redis+unix"].contains(&scheme) => {
                let seeds = vec![connection(url)?];
                let kind = Kind::Single;
                return Ok(Self { kind, seeds });
            }
            Some((plain @ ("redis" | "rediss"), kind)) => (plain, kind),
            Some(_) | None => return Err(BadUrl("its scheme is not known")),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), authority),
        };
        let (kind, database) = match kind {
            "cluster" if path.is_empty() || path == "0" => (Kind::Cluster, ""),
            "cluster" => return Err(BadUrl("a cluster has one database only")),
            "sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err(BadUrl("the primary's name is missing"));
                }
                (Kind::Sentinel(master.to_owned()), database)
            }
            _ => return Err(BadUrl("its scheme is not known")),
        };
        let seed = |host: &str| connection(&format!("{plain}://{user}{host}/{database}"));
        let seeds = hosts.split(',').map(seed).collect::<Result<_, _>>()?;
        Ok(Self { kind, seeds })
    }

    /// The servers that are asked first.
    pub(super) fn seeds(&self) -> impl Iterator<Item = &ConnectionInfo> {
        self.seeds.iter()
    }

    /// How to connect to a server of the engine.
    pub(super) fn server(&self, address: &Address) -> ConnectionInfo {
        let host = address.host.clone();
        let port = address.port;
        let seed = &self.seeds[0];
        let addr = if let ConnectionAddr::TcpTls {
            insecure,
            tls_params,
            ..
        } = seed.addr()
        {
            ConnectionAddr::TcpTls {
                host,
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        seed.clone().set_addr(addr)
    }

    /// How to connect to a Sentinel: the password is that of the servers, and not told to it.
    pub(super) fn sentinel(seed: &ConnectionInfo) -> ConnectionInfo {
        seed.clone()
            .set_redis_settings(RedisConnectionInfo::default())
    }
}

impl fmt::Display for EngineUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, seed) in self.seeds.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{}", seed.addr())?;
        }
        Ok(())
    }
}

fn connection(url: &str) -> Result<ConnectionInfo, BadUrl> {
    let info = url
        .into_connection_info()
        .map_err(|_| BadUrl("it cannot be read"))?;
    Ok(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

/// Where a server listens that a connection leads to; none for a socket in the file system.
pub(super) fn address(info: &ConnectionInfo) -> Option<Address> {
    if let ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } = info.addr()
    {
        let host = host.clone();
        Some(Address { host, port: *port })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_several_behind_sentinels_and_a_cluster_are_told_apart() {
        let kind = |url: &str| EngineUrl::parse(url).expect("a good URL").kind;
        assert_eq!(kind("redis://localhost:6379/1"), Kind::Single);
        assert_eq!(kind("rediss://user:word@example.net"), Kind::Single);
        assert_eq!(kind("unix:///run/redis.sock"), Kind::Single);
        assert_eq!(kind("redis+cluster://a:1,b:2"), Kind::Cluster);
        let sentinel = kind("redis+sentinel://:word@a:1,b:2/main/3");
        assert_eq!(sentinel, Kind::Sentinel("main".to_owned()));
    }

    #[test]
    fn every_seed_has_the_password_and_none_shows_it() {
        let url = EngineUrl::parse("rediss+cluster://me:p%40ss@a:1,[::1]:2").expect("a good URL");
        for seed in url.seeds() {
            assert_eq!(seed.redis_settings().username(), Some("me"));
            assert_eq!(seed.redis_settings().password(), Some("p@ss"));
        }
        assert!(!url.to_string().contains("ss@"), "{url}");
        let server = url.server(&Address::parse("10.0.0.1:7000").expect("an address"));
        assert_eq!(server.addr().to_string(), "10.0.0.1:7000");
        assert!(matches!(server.addr(), ConnectionAddr::TcpTls { .. }));
    }

    #[test]
    fn what_names_no_engine_is_refused() {
        for bad in [
            "localhost",
            "http://localhost",
            "redis+cluster://a:1/3",
            "redis+sentinel://a:1",
            "redis+magic://a:1",
            "redis+cluster://a:port",
        ] {
            assert!(EngineUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
