//! What the system says of this process: the standard `process_` metrics, on Linux.

use std::fs;
use std::sync::OnceLock;

use crate::catalogue::{
    PROCESS_CPU, PROCESS_MAX_FDS, PROCESS_OPEN_FDS, PROCESS_RESIDENT, PROCESS_START,
    PROCESS_THREADS, PROCESS_VIRTUAL,
};
use crate::meters::Meters;

/// What a tick of `/proc` is on every architecture of Linux that runs today.
const TICKS_PER_SECOND: f64 = 100.0;

/// When the machine was booted, in seconds since the Unix epoch, and how many files may be open:
/// read once, since reading them costs more than all the rest of a scrape.
static CONSTANT: OnceLock<(Option<f64>, Option<f64>)> = OnceLock::new();

/// Reads `/proc` and sets the metrics of the process. Where there is no `/proc`, they are absent.
pub fn measure(meters: &Meters) {
    let (booted, most_files) = *CONSTANT.get_or_init(|| {
        let boot = fs::read_to_string("/proc/stat").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        (booted(&boot), most_open_files(&limits))
    });
    if let Ok(stat) = fs::read_to_string("/proc/self/stat") {
        set_from_stat(meters, &stat, booted);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // Reading the folder takes one more.
        meters.set(PROCESS_OPEN_FDS, &[], open.count().saturating_sub(1) as f64);
    }
    if let Some(most) = most_files {
        meters.set(PROCESS_MAX_FDS, &[], most);
    }
}

fn set_from_stat(meters: &Meters, stat: &str, booted: Option<f64>) {
    // The second field is the program's name in parentheses, with any character in it.
    let Some((_, fields)) = stat.rsplit_once(')') else {
        return;
    };
    let fields: Vec<f64> = fields
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    // The fields are counted from the third one here, as proc(5) describes them: utime, stime,
    // num_threads, starttime, vsize and rss.
    let [user, system, threads, start, bytes, pages] =
        [11, 12, 17, 19, 20, 21].map(|at| fields.get(at).copied());
    if let (Some(user), Some(system)) = (user, system) {
        meters.raise_to(PROCESS_CPU, &[], (user + system) / TICKS_PER_SECOND);
    }
    let start = booted.zip(start);
    let page_size = rustix::param::page_size() as f64;
    for (metric, value) in [
        (
            PROCESS_START,
            start.map(|(boot, start)| boot + start / TICKS_PER_SECOND),
        ),
        (PROCESS_THREADS, threads),
        (PROCESS_VIRTUAL, bytes),
        (PROCESS_RESIDENT, pages.map(|pages| pages * page_size)),
    ] {
        if let Some(value) = value {
            meters.set(metric, &[], value);
        }
    }
}

fn booted(stat: &str) -> Option<f64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
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
    use crate::exposition::Format;

    #[test]
    fn the_programs_name_may_hold_anything() {
        let meters = Meters::new().expect("a sound catalogue");
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 3 0 1000 8192 2 1";
        set_from_stat(&meters, stat, booted("cpu 1\nbtime 1000000\n"));
        let text = meters.live(Format::Text);
        assert!(text.contains("process_cpu_seconds_total 2\n"), "{text}");
        assert!(
            text.contains("process_start_time_seconds 1000010\n"),
            "{text}"
        );
        assert!(text.contains("process_threads 3\n"), "{text}");
        assert!(
            text.contains("process_virtual_memory_bytes 8192\n"),
            "{text}"
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_measured() {
        let meters = Meters::new().expect("a sound catalogue");
        measure(&meters);
        let text = meters.live(Format::Text);
        for name in ["resident_memory_bytes", "open_fds", "max_fds", "threads"] {
            assert!(text.contains(&format!("\nprocess_{name} ")), "{name}");
        }
    }
}
