//! What the system says of this process: the standard `process_` metrics, on Linux.

use std::fs;

use crate::catalogue::{
    PROCESS_CPU, PROCESS_MAX_FDS, PROCESS_OPEN_FDS, PROCESS_RESIDENT, PROCESS_START,
    PROCESS_THREADS, PROCESS_VIRTUAL,
};
use crate::meters::Meters;

/// What a tick of `/proc` is on every architecture of Linux that runs today.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads `/proc` and sets the metrics of the process. Where there is no `/proc`, they are absent.
pub fn measure(meters: &Meters) {
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        set_from_status(meters, &status);
    }
    if let Ok(stat) = fs::read_to_string("/proc/self/stat") {
        let boot = fs::read_to_string("/proc/stat").unwrap_or_default();
        set_from_stat(meters, &stat, &boot);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // Reading the folder takes one more.
        meters.set(PROCESS_OPEN_FDS, &[], open.count().saturating_sub(1) as f64);
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(most) = most_open_files(&limits) {
        meters.set(PROCESS_MAX_FDS, &[], most);
    }
}

fn set_from_status(meters: &Meters, status: &str) {
    let number = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    let kib = |key| number(key).map(|kib| kib * 1024.0);
    let metrics = [
        (PROCESS_RESIDENT, kib("VmRSS:")),
        (PROCESS_VIRTUAL, kib("VmSize:")),
        (PROCESS_THREADS, number("Threads:")),
    ];
    for (metric, value) in metrics {
        if let Some(value) = value {
            meters.set(metric, &[], value);
        }
    }
}

fn set_from_stat(meters: &Meters, stat: &str, boot: &str) {
    // The second field is the program's name in parentheses, with any character in it.
    let Some((_, fields)) = stat.rsplit_once(')') else {
        return;
    };
    let ticks: Vec<f64> = fields
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    // The fields are counted from the third one here: utime, stime and starttime of proc(5).
    if let (Some(user), Some(system)) = (ticks.get(11), ticks.get(12)) {
        meters.raise_to(PROCESS_CPU, &[], (user + system) / TICKS_PER_SECOND);
    }
    let boot = boot.lines().find_map(|line| line.strip_prefix("btime "));
    let boot = boot.and_then(|seconds| seconds.parse::<f64>().ok());
    if let (Some(boot), Some(start)) = (boot, ticks.get(19)) {
        meters.set(PROCESS_START, &[], boot + start / TICKS_PER_SECOND);
    }
}

fn most_open_files(limits: &str) -> Option<f64> {
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_name_may_hold_anything() {
        let meters = Meters::new().expect("a sound catalogue");
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 3 0 1000 1 1";
        set_from_stat(&meters, stat, "btime 1000000\n");
        let text = meters.text();
        assert!(text.contains("process_cpu_seconds_total 2\n"), "{text}");
        assert!(
            text.contains("process_start_time_seconds 1000010\n"),
            "{text}"
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_measured() {
        let meters = Meters::new().expect("a sound catalogue");
        measure(&meters);
        let text = meters.text();
        for name in ["resident_memory_bytes", "open_fds", "max_fds", "threads"] {
            assert!(text.contains(&format!("\nprocess_{name} ")), "{name}");
        }
    }
}
