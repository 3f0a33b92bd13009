//! Whether an engine can be used: it answers, is new enough, and its keys are laid out as ours.

use super::Core;
use super::keys::Tag;
use super::link::Call;
use super::options::{FORMAT, OpenError};
use super::reply;
use super::resolve::{self, Unresolved};
use super::script::Script;
use crate::backplane::store::{NodeId, PARTITIONS};

/// The first major version that has all that is asked of it.
const VERSION: u32 = 7;

/// Connects once, so that whatever is wrong is told at once and in the engine's own words.
pub(super) async fn look(core: &Core) -> Result<Result<(), OpenError>, Unresolved> {
    let server = core.link.any_server().ok_or(Unresolved::NoPrimary)?;
    match resolve::ask::<String>(server, &redis::cmd("INFO")).await {
        Ok(info) => Ok(judge(&info)),
        // Not everyone may ask this, and not every engine answers.
        Err(Unresolved::Engine(error)) if error.code().is_some() => Ok(Ok(())),
        Err(reason) => Err(reason),
    }
}

/// Whether what an engine tells of itself will do.
fn judge(info: &str) -> Result<(), OpenError> {
    let hosted = field(info, "upstash_version").is_some();
    if let Some(version) = field(info, "redis_version")
        && too_old(version)
        // It has a version of its own, and names one of Redis that it is like.
        && !hosted
    {
        return Err(OpenError::TooOld(version.to_owned()));
    }
    if field(info, "run_id").is_none() {
        tracing::warn!(
            "the engine does not tell one of its servers from another: where one takes over without \
             the last entries, event numbers may be given twice"
        );
    }
    let policy = field(info, "maxmemory_policy").unwrap_or("noeviction");
    if policy != "noeviction" && field(info, "maxmemory") != Some("0") {
        tracing::warn!(
            policy,
            "the engine may evict rooms that are in use; maxmemory-policy is best noeviction"
        );
    }
    Ok(())
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = info.lines().filter_map(|line| line.trim().split_once(':'));
    let found = fields.find(|(field, _)| *field == name);
    found.map(|(_, value)| value)
}

/// Whether a version is known to be too old; what cannot be read is not.
fn too_old(version: &str) -> bool {
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    major.is_some_and(|major: u32| major < VERSION)
}

/// Writes down how the keys are laid out, or finds that it is as this program does it; and rings
/// nobody, to see that it may. A node that would not honour what another one signs is warned of.
pub(super) async fn agree(core: &Core, signers: &[String]) -> Result<(), OpenError> {
    let mut cmd = Script::Format.on(&[core.keys.config()]);
    cmd.arg(FORMAT).arg(PARTITIONS);
    cmd.arg(signers.first().map_or("", String::as_str));
    let value = core.link.call(Call::plain(Tag::Config, cmd)).await?;
    let (found, partitions, signer): (String, String, Option<String>) = reply::read(value)?;
    if found != FORMAT.to_string() || partitions != PARTITIONS.to_string() {
        return Err(OpenError::Format { found, partitions });
    }
    if is_strange(signer.as_deref(), signers) {
        tracing::warn!(
            "the node that started last over this store signs with another --secret: while such a node \
             runs, the tokens and tickets of one are not honoured at the other"
        );
    }
    // Whoever may not ring must not find out in the middle of an append.
    let mut cmd = redis::cmd("PUBLISH");
    cmd.arg(core.keys.channel(NodeId(0))).arg("");
    core.link.call(Call::plain(Tag::Config, cmd)).await?;
    Ok(())
}

/// Whether what another node signs is not honoured here.
fn is_strange(signer: Option<&str>, ours: &[String]) -> bool {
    signer.is_some_and(|signer| !ours.is_empty() && ours.iter().all(|our| our != signer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_a_stranger_that_signs_with_none_of_our_secrets() {
        let ours = ["new".to_owned(), "old".to_owned()];
        assert!(is_strange(Some("other"), &ours));
        assert!(!is_strange(Some("new"), &ours) && !is_strange(Some("old"), &ours));
        assert!(!is_strange(None, &ours), "nobody was there before");
        assert!(!is_strange(Some("other"), &[]), "nothing is compared");
    }

    #[test]
    fn versions_and_policies_are_read_from_what_an_engine_tells() {
        let info = "# Server\r\nredis_version:7.0.15\r\nmaxmemory:0\r\n";
        assert_eq!(field(info, "redis_version"), Some("7.0.15"));
        assert_eq!(field(info, "maxmemory"), Some("0"));
        assert_eq!(field(info, "valkey_version"), None);
        let like = "redis_version:6.2.6\r\n";
        assert!(judge(like).is_err());
        assert!(judge(&format!("upstash_version:1.13.3\r\n{like}")).is_ok());
        assert!(too_old("6.2.14") && !too_old("7.0.15") && !too_old("255.255") && !too_old("x"));
    }
}
