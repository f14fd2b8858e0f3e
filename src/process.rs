//! What the system says of this process: the standard `process_` metrics, on Linux.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::catalogue::{
    PROCESS_CPU, PROCESS_MAX_FDS, PROCESS_OPEN_FDS, PROCESS_RESIDENT, PROCESS_START,
    PROCESS_THREADS, PROCESS_VIRTUAL,
};
use crate::meters::Meters;

/// What a tick of `/proc` is on every architecture of Linux that runs today.
const TICKS_PER_SECOND: f64 = 100.0;

/// What is read of this process.
#[derive(Debug)]
struct Process {
    /// Kept open: to open it would take as long again as to read it.
    stat: Option<File>,
    /// When the machine was booted, in seconds since the Unix epoch.
    booted: Option<f64>,
    /// How many files may be open.
    most_files: Option<f64>,
}

/// Scrapes at the same time measure one after the other, so that the CPU time only rises.
static PROCESS: LazyLock<Mutex<Process>> = LazyLock::new(|| {
    // Read once, since reading them costs more than all the rest of a scrape.
    let boot = fs::read_to_string("/proc/stat").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    Mutex::new(Process {
        stat: File::open("/proc/self/stat").ok(),
        booted: booted(&boot),
        most_files: most_open_files(&limits),
    })
});

/// Reads `/proc` and sets the metrics of the process. Where there is no `/proc`, they are absent.
pub fn measure(meters: &Meters) {
    let process = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(stat) = process.stat.as_ref().and_then(read_again) {
        set_from_stat(meters, &stat, process.booted);
    }
    if let Some(open) = open_files() {
        meters.set(PROCESS_OPEN_FDS, &[], open as f64);
    }
    if let Some(most) = process.most_files {
        meters.set(PROCESS_MAX_FDS, &[], most);
    }
}

/// What a file of `/proc` says now.
fn read_again(file: &File) -> Option<String> {
    let mut file = file;
    let mut text = String::with_capacity(512);
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_to_string(&mut text).ok()?;
    Some(text)
}

/// Linux tells the number of files from 6.2 on; before, they have to be counted.
fn open_files() -> Option<u64> {
    let folder = "/proc/self/fd";
    match fs::metadata(folder).ok()?.len() {
        0 => {
            let files = fs::read_dir(folder).ok()?.count() as u64;
            // Reading the folder takes one more.
            Some(files.saturating_sub(1))
        }
        files => Some(files),
    }
}

fn set_from_stat(meters: &Meters, stat: &str, booted: Option<f64>) {
    // The second field is the program's name in parentheses, with any character in it.
    let Some((_, fields)) = stat.rsplit_once(')') else {
        return;
    };
    // The fields are counted from the third one here, as proc(5) describes them: utime, stime,
    // num_threads, starttime, vsize and rss.
    let fields: Vec<&str> = fields.split_ascii_whitespace().take(22).collect();
    let [user, system, threads, start, bytes, pages] =
        [11, 12, 17, 19, 20, 21].map(|at| fields.get(at)?.parse::<f64>().ok());
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
        let text = meters.live(Format::Text, None);
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
    fn open_files_are_those_that_are_open() {
        let counted = || fs::read_dir("/proc/self/fd").map(|files| files.count() as u64 - 1);
        // Other tests open and close files meanwhile.
        let agrees = || Some(open_files()) == counted().ok().map(Some);
        assert!((0..1000).any(|_| agrees()));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_measured() {
        let meters = Meters::new().expect("a sound catalogue");
        measure(&meters);
        let text = meters.live(Format::Text, None);
        for name in ["resident_memory_bytes", "open_fds", "max_fds", "threads"] {
            assert!(text.contains(&format!("\nprocess_{name} ")), "{name}");
        }
    }
}
