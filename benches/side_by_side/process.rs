//! Commands, timed as a whole.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Result;

/// Runs it with its output going to a file, and gives the seconds from start to exit. Anything but exit 0 is an error.
pub fn seconds(command: &mut Command, output: &Path) -> Result<f64> {
    command.stdin(Stdio::null()).stdout(File::create(output)?).stderr(Stdio::piped());
    // Not among the user's own runs.
    command.env("DLQ_STATE_DIR", output.with_file_name("state"));
    let begun = Instant::now();
    let ended = command.output().map_err(|e| format!("{:?}: {e}", command.get_program()))?;
    let took = begun.elapsed();
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        return Err(format!("{command:?} ended with {}: {}", ended.status, said.trim()).into());
    }
    Ok(took.as_secs_f64())
}

/// Whether there is such a command: what it says of its version.
pub fn version(program: &str) -> Option<String> {
    let said = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).lines().next()?.trim().to_owned();
    Some(if said.starts_with(program) { said } else { format!("{program} {said}") })
}

/// The most memory that was resident at once, in MiB.
pub fn peak(command: &mut Command, output: &Path) -> Result<f64> {
    if gnu_time() {
        let told = output.with_extension("peak");
        let mut timed = Command::new(GNU_TIME);
        timed
            .args(["--quiet", "--format=%M", "--output"])
            .arg(&told)
            .arg(command.get_program())
            .args(command.get_args());
        timed.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        seconds(&mut timed, output)?;
        let kib: f64 = std::fs::read_to_string(&told)?.trim().parse()?;
        return Ok(kib / 1024.0);
    }
    peak_seen(command, output)
}

const GNU_TIME: &str = "/usr/bin/time";

fn gnu_time() -> bool {
    let said = Command::new(GNU_TIME).arg("--version").output();
    said.is_ok_and(|o| [o.stdout, o.stderr].iter().any(|s| String::from_utf8_lossy(s).contains("GNU")))
}

/// Without GNU time: asked of /proc every other millisecond, so the last of it may be missed.
fn peak_seen(command: &mut Command, output: &Path) -> Result<f64> {
    let mut child = command.stdin(Stdio::null()).stdout(File::create(output)?).stderr(Stdio::null()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0_f64;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let kib = text.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        peak = peak.max(kib.unwrap_or(0.0) / 1024.0);
        if let Some(ended) = child.try_wait()? {
            return match (ended.success(), peak > 0.0) {
                (true, true) => Ok(peak),
                (true, false) => Err("neither GNU time nor /proc is there to tell how much memory was used".into()),
                (false, _) => Err(format!("{command:?} ended with {ended}").into()),
            };
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
