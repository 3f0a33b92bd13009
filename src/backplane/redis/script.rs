//! The scripts, each of which is one step that the engine does as a whole.

use std::sync::LazyLock;

use redis::{Cmd, ToRedisArgs};

/// A step of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    Append,
    Census,
    Claim,
    Compact,
    Engine,
    Fence,
    Fetch,
    Format,
    Heads,
    Living,
    Refresh,
    Register,
    Release,
    Resign,
    Swept,
}

/// All of them, in the order of their numbers.
const ALL: [Script; 15] = [
    Script::Append,
    Script::Census,
    Script::Claim,
    Script::Compact,
    Script::Engine,
    Script::Fence,
    Script::Fetch,
    Script::Format,
    Script::Heads,
    Script::Living,
    Script::Refresh,
    Script::Register,
    Script::Release,
    Script::Resign,
    Script::Swept,
];

static HASHES: LazyLock<[String; ALL.len()]> =
    LazyLock::new(|| ALL.map(|script| redis::Script::new(script.text()).get_hash().to_owned()));

impl Script {
    /// What the engine runs.
    const fn text(self) -> &'static str {
        macro_rules! with_tail {
            ($file:literal) => {
                concat!(include_str!("tail.lua"), include_str!($file))
            };
        }
        match self {
            Script::Append => with_tail!("append.lua"),
            Script::Census => with_tail!("census.lua"),
            Script::Claim => include_str!("claim.lua"),
            Script::Compact => with_tail!("compact.lua"),
            Script::Engine => include_str!("engine.lua"),
            Script::Fence => include_str!("fence.lua"),
            Script::Fetch => with_tail!("fetch.lua"),
            Script::Format => include_str!("format.lua"),
            Script::Heads => with_tail!("heads.lua"),
            Script::Living => include_str!("living.lua"),
            Script::Refresh => include_str!("refresh.lua"),
            Script::Register => include_str!("register.lua"),
            Script::Release => with_tail!("release.lua"),
            Script::Resign => include_str!("resign.lua"),
            Script::Swept => include_str!("swept.lua"),
        }
    }

    /// The command that runs it with these keys; arguments are added to it.
    pub(super) fn on(self, keys: &[impl ToRedisArgs]) -> Cmd {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(&HASHES[self as usize]).arg(keys.len());
        for key in keys {
            cmd.arg(key);
        }
        cmd
    }

    /// The commands that make all of them known to an engine.
    pub(super) fn load_all() -> redis::Pipeline {
        let mut pipeline = redis::pipe();
        for script in ALL {
            pipeline.cmd("SCRIPT").arg("LOAD").arg(script.text());
        }
        pipeline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_script_stands_at_its_number() {
        for (number, script) in ALL.iter().enumerate() {
            assert_eq!(*script as usize, number);
        }
    }
}
