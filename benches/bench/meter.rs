//! What a span of time cost: the server, the generator, and whoever else was busy.

use std::time::Instant;

use crate::proc;

/// CPU seconds of the server, the generator and the machine.
#[derive(Clone, Copy)]
struct Spent {
    server: f64,
    generator: f64,
    machine: f64,
}

impl Spent {
    fn now(pid: u32, helper: Option<u32>) -> Self {
        Self {
            server: proc::cpu(pid),
            generator: proc::own_cpu() + helper.map_or(0.0, proc::cpu),
            machine: proc::machine_cpu(),
        }
    }
}

/// Runs from its start to its stop.
pub(crate) struct Meter {
    pid: u32,
    /// A process that counts as the generator too.
    helper: Option<u32>,
    began: Instant,
    spent: Spent,
}

/// What was spent between.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    pub(crate) seconds: f64,
    /// CPU seconds of the server.
    pub(crate) server: f64,
    /// How busy the generator was, in percent of one CPU.
    pub(crate) generator: f64,
    /// How busy all others were, in percent of one CPU.
    pub(crate) others: f64,
}

impl Meter {
    pub(crate) fn start(pid: u32, helper: Option<u32>) -> Self {
        let spent = Spent::now(pid, helper);
        Self {
            pid,
            helper,
            began: Instant::now(),
            spent,
        }
    }

    pub(crate) fn stop(&self) -> Load {
        let seconds = self.began.elapsed().as_secs_f64();
        let now = Spent::now(self.pid, self.helper);
        let server = now.server - self.spent.server;
        let generator = now.generator - self.spent.generator;
        let others = now.machine - self.spent.machine - server - generator;
        Load {
            seconds,
            server,
            generator: 100.0 * generator / seconds,
            others: 100.0 * others.max(0.0) / seconds,
        }
    }
}

impl Load {
    /// CPU microseconds of the server for each of so many.
    pub(crate) fn micros_each(&self, count: u64) -> f64 {
        self.server * 1e6 / count.max(1) as f64
    }

    /// How many of them there were in a second.
    pub(crate) fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.seconds
    }

    /// Whether others were busy enough to be seen in the figures.
    pub(crate) fn is_doubtful(&self) -> bool {
        // The machine counts in hundredths of a second, on each CPU.
        self.others / 100.0 * self.seconds > 0.1 * self.seconds + 0.03
    }
}
