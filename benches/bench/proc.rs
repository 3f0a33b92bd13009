//! What the kernel says of a process and all below it, and of the machine.

use std::fs;

use rustix::time::{ClockId, clock_gettime};

/// Clock ticks a second in /proc, on every Linux.
const TICKS: f64 = 100.0;

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The fields of /proc/PID/stat behind the name: state, parent, ….
fn stat(pid: u32) -> Option<Vec<u64>> {
    let text = read(&format!("/proc/{pid}/stat"));
    let fields = text.get(text.rfind(')')? + 2..)?.split(' ');
    Some(
        fields
            .map(|field| field.trim().parse().unwrap_or(0))
            .collect(),
    )
}

/// A process and all below it.
fn tree(root: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<(u32, u64)> = pids.filter_map(|pid| Some((pid, stat(pid)?[1]))).collect();
    let mut tree = vec![root];
    let mut at = 0;
    while let Some(&parent) = tree.get(at) {
        let below = parents.iter().filter(|(_, of)| *of == u64::from(parent));
        tree.extend(below.map(|(pid, _)| *pid));
        at += 1;
    }
    tree
}

/// CPU seconds of a process: in ticks of all its threads that ever were, in nanoseconds of those
/// that are. The larger is the better one.
fn cpu_of(pid: u32) -> f64 {
    let ticks = stat(pid).map_or(0, |fields| fields[11] + fields[12]) as f64 / TICKS;
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let nanos = tasks.filter_map(|task| {
        let text = read(&format!("{}/schedstat", task.path().display()));
        text.split(' ').next()?.parse::<u64>().ok()
    });
    ticks.max(nanos.sum::<u64>() as f64 / 1e9)
}

/// CPU seconds of a process and all below it, so far.
pub(crate) fn cpu(root: u32) -> f64 {
    tree(root).into_iter().map(cpu_of).sum()
}

/// CPU seconds of this process, without its children.
pub(crate) fn own_cpu() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

/// KiB of memory of a process and all below it, what is shared counted in parts.
pub(crate) fn pss(root: u32) -> anyhow::Result<f64> {
    let mut sum = 0.0;
    for pid in tree(root) {
        let text = read(&format!("/proc/{pid}/smaps_rollup"));
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let size = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        sum += size.ok_or_else(|| anyhow::anyhow!("/proc/{pid}/smaps_rollup says no Pss"))?;
    }
    Ok(sum)
}

/// CPU seconds that all CPUs have spent on anything but idling.
pub(crate) fn machine_cpu() -> f64 {
    let text = read("/proc/stat");
    let fields: Vec<u64> = text
        .lines()
        .next()
        .into_iter()
        .flat_map(str::split_whitespace)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    let busy = [0, 1, 2, 5, 6, 7].map(|at| fields.get(at).copied().unwrap_or(0));
    busy.iter().sum::<u64>() as f64 / TICKS
}

/// The CPUs that this process may run on.
pub(crate) fn cpus() -> Vec<usize> {
    let text = read("/proc/self/status");
    let list = text
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let ranges = list.unwrap_or_default().trim().split(',');
    ranges
        .filter_map(|range| {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            Some(from.parse::<usize>().ok()?..=to.parse().ok()?)
        })
        .flatten()
        .collect()
}

/// The name of the machine's processor.
pub(crate) fn processor() -> String {
    let text = read("/proc/cpuinfo");
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    name.map_or("unknown", |name| name.trim_start_matches([' ', '\t', ':']))
        .to_owned()
}
