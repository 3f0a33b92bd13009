//! Where rooms are kept: in this process, or in a store that several nodes share.

use std::time::Duration;

use clap::Args;

use super::check::duration;
use crate::backplane::redis;

/// Where rooms are kept.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Several nodes")]
pub struct Backplane {
    /// Where rooms are kept: memory, or a Redis or Valkey that several nodes share: redis://HOST:PORT, rediss://USER:PASSWORD@HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/MASTER, redis+cluster://HOST:PORT,HOST:PORT. Any request may then come to any node; all nodes need the same --secret
    #[arg(
        long = "backplane",
        env = "SWITCHBOARD_BACKPLANE",
        value_name = "URL",
        default_value = "memory",
        hide_env_values = true
    )]
    pub url: String,

    /// What all its keys and channels begin with; nodes share rooms with those of the same
    #[arg(
        long = "backplane-prefix",
        env = "SWITCHBOARD_BACKPLANE_PREFIX",
        value_name = "TEXT",
        default_value = "switchboard"
    )]
    pub prefix: String,

    /// How many of its replicas must have a signal before it is answered with 202; with fewer the answer is 503 store-unavailable
    #[arg(
        long = "backplane-wait",
        env = "SWITCHBOARD_BACKPLANE_WAIT",
        value_name = "N",
        default_value_t = 0
    )]
    pub wait: usize,

    /// A node that the store has not heard of for so long is no more: its peers are away, and gone after --grace unless they come back elsewhere. A node that cannot reach the store for nearly so long ends its readers, which go on elsewhere
    #[arg(
        long = "node-lease",
        env = "SWITCHBOARD_NODE_LEASE",
        value_name = "TIME",
        default_value = "30s",
        value_parser = duration
    )]
    pub lease: Duration,
}

impl Backplane {
    /// How the store is to be used; none where rooms are kept in memory.
    pub fn shared(&self) -> Option<redis::Options> {
        (self.url != "memory").then(|| redis::Options {
            url: self.url.clone(),
            prefix: self.prefix.clone(),
            lease: self.lease,
            wait: self.wait,
            signers: Vec::new(),
        })
    }
}
