//! On what this was measured.

use super::DLQ;
use super::process::version;

/// Processors, load, versions.
pub fn line() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": ")).map_or("", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    let dlq = version(DLQ).unwrap_or_default();
    let dlq = dlq.strip_prefix(DLQ).unwrap_or(&dlq).trim().to_owned();
    let peers: Vec<String> = ["jq", "jaq"].into_iter().map(|p| version(p).unwrap_or(format!("no {p}"))).collect();
    format!(
        "{} {}, {cores} cores {cpu}, load {load} at the start; {dlq}; {}",
        std::env::consts::OS,
        std::env::consts::ARCH,
        peers.join("; "),
    )
}
