//! What `listen` and `send` are both told: where, as whom, and how to print.

use std::io::Read as _;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use reqwest::Url;
use serde_json::value::RawValue;

use super::say;
use crate::client::backoff::persist;
use crate::client::membership::{Membership, Wish};
use crate::client::reader::Access;
use crate::client::{Failure, Server, plain};
use crate::proto::{PeerId, RoomId, SessionId};

/// As whom to be in the room.
#[derive(Clone, Debug, Args)]
pub struct Entry {
    /// Join as this peer [default: the server makes an id]
    #[arg(long, env = "SWITCHBOARD_PEER", value_name = "ID", value_parser = peer_id)]
    pub peer: Option<String>,

    /// What to say of oneself to the others
    #[arg(long, env = "SWITCHBOARD_META", value_name = "JSON", value_parser = json)]
    pub meta: Option<Box<RawValue>>,

    /// Access token to join with, where the server asks for one; @FILE reads it from a file, and again when it has run out
    #[arg(
        long,
        env = "SWITCHBOARD_ACCESS_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub access_token: Option<String>,

    /// Token of a membership that exists, to go on as --peer instead of joining, without leaving in the end; @FILE reads it from a file
    #[arg(
        long,
        env = "SWITCHBOARD_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        requires = "peer",
        conflicts_with = "meta"
    )]
    pub token: Option<String>,

    /// Do not leave in the end, and say by which --token to go on
    #[arg(long, env = "SWITCHBOARD_STAY", value_parser = FalseyValueParser::new())]
    pub stay: bool,

    /// How long to go on trying while the server, once reached, does not answer or refuses for now
    #[arg(long, env = "SWITCHBOARD_PATIENCE", value_name = "TIME", default_value = "60s", value_parser = crate::config::duration)]
    pub patience: Duration,

    /// HTTP proxy for every request, in place of the environment's
    #[arg(
        long,
        env = "SWITCHBOARD_PROXY",
        value_name = "URL",
        hide_env_values = true
    )]
    pub proxy: Option<Url>,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Pretty on a terminal, JSON in a pipe or file
    #[default]
    Auto,
    /// A line for people; in colours where NO_COLOR is not set
    Pretty,
    /// One JSON object a line
    Json,
}

/// A place in a room, and who took it.
pub(crate) struct Entered {
    pub(crate) member: Membership,
    pub(crate) wish: Wish,
    is_ours: bool,
}

impl Entry {
    /// Whether a membership is joined, not gone on with.
    pub(crate) fn joins(&self) -> bool {
        self.token.is_none()
    }

    /// Where the access token comes from.
    ///
    /// # Errors
    /// Where its file cannot be read now.
    pub(crate) fn access(&self) -> Result<Access, Failure> {
        let Some(text) = self.access_token.clone() else {
            return Ok(Box::new(|| None));
        };
        secret(&text)?;
        Ok(Box::new(move || secret(&text).ok()))
    }

    /// Whether another look may find another access token.
    pub(crate) fn is_renewable(&self) -> bool {
        let text = self.access_token.as_deref();
        text.is_some_and(|text| text.starts_with('@'))
    }

    /// Joins the room, or takes the place that exists.
    ///
    /// # Errors
    /// [`Failure`] where it is refused, or the server not reached.
    pub(crate) async fn enter(&self, server: &Server, room: &str) -> Result<Entered, Failure> {
        let mut wish = Wish::new(room, self.peer.clone());
        wish.meta.clone_from(&self.meta);
        if let (Some(token), Some(peer)) = (&self.token, &self.peer) {
            let member = Membership::existing(server, room, peer, secret(token)?);
            return Ok(Entered {
                member,
                wish,
                is_ours: false,
            });
        }
        let access = self.access()?();
        let join = async || wish.join(server, access.as_deref(), None).await;
        let member = persist(self.patience, false, join).await?;
        Ok(Entered {
            member,
            wish,
            is_ours: true,
        })
    }

    /// Leaves what was joined, unless it is to stay.
    pub(crate) async fn exit(&self, server: &Server, member: &Membership, cursor: Option<&str>) {
        if self.token.is_some() {
            return;
        }
        if !self.stay {
            return member.leave(server).await;
        }
        let cursor = cursor.map(|cursor| format!(" --cursor {cursor}"));
        say(&format!(
            "{} stays in {}; go on with --peer {} --token {}{}",
            member.peer,
            member.room,
            member.peer,
            member.token,
            cursor.unwrap_or_default()
        ));
    }
}

impl Entered {
    /// Says who is there.
    pub(crate) fn say(&self) {
        if !self.is_ours {
            return;
        }
        let Membership {
            peer, room, others, ..
        } = &self.member;
        let others = if others.is_empty() {
            "nobody else is there".to_owned()
        } else {
            let names = others.iter().filter_map(|other| other["peer"].as_str());
            format!("with {}", names.collect::<Vec<_>>().join(", "))
        };
        say(&format!("joined {room} as {peer}, {others}"));
    }
}

/// A secret as it is written on the command line, or read from a file.
///
/// # Errors
/// [`Failure::Usage`] where the file cannot be read.
pub(crate) fn secret(text: &str) -> Result<String, Failure> {
    let Some(path) = text.strip_prefix('@') else {
        return Ok(text.to_owned());
    };
    let read = std::fs::read_to_string(path);
    let text = read.map_err(|error| Failure::Usage(format!("{path} cannot be read: {error}")))?;
    Ok(text.trim().to_owned())
}

/// JSON as it is written on the command line, or read from a file or standard input.
///
/// # Errors
/// [`Failure::Usage`] where it cannot be read, or is none.
pub(crate) fn document(text: &str) -> Result<Box<RawValue>, Failure> {
    let (text, from) = match text.strip_prefix('@') {
        _ if text == "-" => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            (read.map(|_| text), "standard input")
        }
        Some(path) => (std::fs::read_to_string(path), path),
        None => (Ok(text.to_owned()), "--data"),
    };
    let text = text.map_err(|error| Failure::Usage(format!("{from} cannot be read: {error}")))?;
    json(text.trim()).map_err(|why| Failure::Usage(format!("{from}: {why}")))
}

pub(crate) fn json(text: &str) -> Result<Box<RawValue>, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON: {}", plain(&error.to_string())))
}

pub(crate) fn room_id(text: &str) -> Result<String, String> {
    let id = RoomId::parse(text).map_err(|bad| bad.to_string())?;
    Ok(id.as_str().to_owned())
}

pub(crate) fn peer_id(text: &str) -> Result<String, String> {
    let id = PeerId::parse(text).map_err(|bad| bad.to_string())?;
    Ok(id.as_str().to_owned())
}

pub(crate) fn session_id(text: &str) -> Result<String, String> {
    let id = SessionId::parse(text).map_err(|bad| bad.to_string())?;
    Ok(id.as_str().to_owned())
}
