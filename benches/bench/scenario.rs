//! The scenarios, one a file.

mod call;
mod idle;
mod media;
mod relay;
mod resume;
mod room;
mod storm;

use crate::options::Name;
use crate::stage::{Outcome, Stage};
use crate::wire::Door;

/// Plays one scenario to one server.
pub(crate) fn play(name: Name, stage: &mut Stage) -> anyhow::Result<Outcome> {
    match name {
        Name::Idle => idle::play(stage, Door::Events),
        Name::IdleNotices => idle::play(stage, Door::Notices),
        Name::IdlePolls => idle::play(stage, Door::Poll),
        Name::Relay => relay::play(stage),
        Name::Media => media::play(stage),
        Name::Call => call::play(stage),
        Name::Room => room::play(stage),
        Name::Storm => storm::play(stage),
        Name::Resume => resume::play(stage),
    }
}
