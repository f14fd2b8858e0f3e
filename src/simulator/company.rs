//! A small company with the product on its devices: what it does in a minute, from a seed.

use std::collections::HashSet;
use std::sync::Arc;

use super::line::Line;
use super::rng::Rng;
use crate::event::{EventType, Minute};

const DEVICES: usize = 60;
/// One line in so many is an administrator's.
const LINES_PER_ADMIN_LINE: u64 = 6;
/// A release needs both: some days pass in silence, and a busy log is not all releases.
const LINES_PER_RELEASE: u64 = 60;
const MINUTES_PER_RELEASE: i64 = 5 * 60;

const DEVICE_CATEGORY: &str = "MetaAccess";
const ADMIN_CATEGORY: &str = "Management Console";
/// How the vendor begins the line of a changed policy; the policy's name follows in quotes.
const POLICY_CHANGE: &str = "Admin made configuration change policy";
const POLICIES: [&str; 4] = ["Default", "Branch laptops", "Kiosks", "Field staff"];

#[derive(Clone, Debug)]
struct Device {
    hostname: Arc<str>,
    /// The installed version; none where the product is not installed.
    version: Option<Arc<str>>,
    compliant: bool,
}

/// The company's present state. Equal seeds and calls give equal lines.
#[derive(Clone, Debug)]
pub struct Company {
    rng: Rng,
    devices: Vec<Device>,
    admin_hosts: Vec<Arc<str>>,
    /// The versions released so far, the newest last; never empty, see [`Company::newest`].
    versions: Vec<Arc<str>>,
    build: u64,
    lines_since_release: u64,
    released: Option<Minute>,
    /// Lines that the average asks for and that have not come yet.
    owed: f64,
}

impl Company {
    /// A company with three versions of the product on two thirds of its devices.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut names = hostnames(&mut rng, DEVICES + 3);
        let admin_hosts = names.split_off(DEVICES);
        let mut company = Self {
            devices: names.into_iter().map(not_installed).collect(),
            rng,
            admin_hosts,
            versions: Vec::new(),
            build: 400,
            lines_since_release: 0,
            released: None,
            owed: 0.0,
        };
        for _ in 0..3 {
            company.release();
        }
        for index in 0..DEVICES * 2 / 3 {
            let version = company.rng.pick(&company.versions).cloned();
            company.devices[index].version = version;
        }
        // One of them has the vendor's privacy setting on.
        company.devices[0].hostname = "<private>".into();
        company
    }

    /// What happens in this minute, at this hour of the wall clock: `rate` lines on the average of
    /// a day, more in office hours. Weekends are like other days, so that a demonstration on a
    /// Sunday shows something.
    pub fn live(&mut self, minute: Minute, hour: i8, rate: f64) -> Vec<Line> {
        self.owed += rate.max(0.0) * busyness(hour);
        let due = self.owed.max(0.0) as u64;
        let lines = due / 2 + self.rng.below(due.saturating_add(1));
        self.owed -= lines as f64;
        (0..lines).map(|_| self.happen(minute)).collect()
    }

    /// One line of either log.
    pub fn happen(&mut self, minute: Minute) -> Line {
        if self.rng.below(LINES_PER_ADMIN_LINE) == 0 {
            self.admin_line(minute)
        } else {
            self.device_line(minute)
        }
    }

    /// One line of this log.
    pub fn happen_in(&mut self, event_type: EventType, minute: Minute) -> Line {
        match event_type {
            EventType::Device => self.device_line(minute),
            EventType::Admin => self.admin_line(minute),
        }
    }

    /// Devices with the product installed, and those of them that are not compliant.
    pub fn devices_used(&self) -> (usize, usize) {
        let used = self
            .devices
            .iter()
            .filter(|device| device.version.is_some());
        let uncompliant = used.clone().filter(|device| !device.compliant).count();
        (used.count(), uncompliant)
    }

    fn admin_line(&mut self, minute: Minute) -> Line {
        let host = self
            .rng
            .pick(&self.admin_hosts)
            .cloned()
            .unwrap_or_default();
        let event = match self.rng.below(100) {
            0..34 => "Admin Logged On",
            34..54 => "Admin Logged Off",
            54..70 => "Admin Failed Authentication",
            70..90 => POLICY_CHANGE,
            90..94 => "Admin Changed Password",
            94..97 => "Revoke Registration Code",
            _ => "Submit Support Ticket",
        };
        let line = Line::device(minute, ADMIN_CATEGORY, "", &host, event).for_admin();
        if event == POLICY_CHANGE {
            let policy = self.rng.pick(&POLICIES).copied().unwrap_or_default();
            return line.described(&format!("{POLICY_CHANGE} \"{policy}\""));
        }
        line
    }

    fn device_line(&mut self, minute: Minute) -> Line {
        self.release_when_due(minute);
        let (device, event) = match self.rng.below(100) {
            0..18 => self.install(),
            18..26 => self.uninstall(),
            26..40 => self.upgrade(),
            40..56 => self.change_status(),
            56..72 => self.check("Scan threats"),
            72..90 => self.check("Compliance check"),
            90..95 => self.check("Fetch log"),
            95..98 => self.check("Granted access"),
            _ => self.check("Revoked access"),
        };
        let version = device.version.clone().unwrap_or_else(|| self.newest());
        Line::device(minute, DEVICE_CATEGORY, &version, &device.hostname, event)
    }

    fn release_when_due(&mut self, minute: Minute) {
        self.lines_since_release += 1;
        let released = *self.released.get_or_insert(minute);
        if self.lines_since_release >= LINES_PER_RELEASE
            && minute.0.saturating_sub(released.0) >= MINUTES_PER_RELEASE
        {
            self.release();
            self.released = Some(minute);
        }
    }

    fn release(&mut self) {
        self.build += 7 + self.rng.below(34);
        self.versions.push(format!("7.6.{}.0", self.build).into());
        self.lines_since_release = 0;
    }

    fn newest(&self) -> Arc<str> {
        self.versions.last().cloned().unwrap_or_default()
    }

    /// A device gets the product, or gets it anew after it was set up again; now and then from the
    /// package before the newest.
    fn install(&mut self) -> (Device, &'static str) {
        let without = self.devices_where(|device| device.version.is_none());
        let index = self.one_of(&without).unwrap_or_else(|| self.any());
        let recent = &self.versions[self.versions.len().saturating_sub(2)..];
        let version = if self.rng.chance(0.3) {
            recent.first()
        } else {
            recent.last()
        };
        self.devices[index].version = version.cloned();
        (self.devices[index].clone(), "Installed")
    }

    fn uninstall(&mut self) -> (Device, &'static str) {
        let Some(index) = self.one_installed() else {
            return self.install();
        };
        let before = self.devices[index].clone();
        self.devices[index].version = None;
        (before, "Uninstalled by a user")
    }

    fn upgrade(&mut self) -> (Device, &'static str) {
        let newest = self.newest();
        let behind =
            self.devices_where(|device| device.version.as_ref().is_some_and(|own| *own != newest));
        let Some(index) = self.one_of(&behind) else {
            return self.check("Compliance check");
        };
        self.devices[index].version = Some(newest);
        (self.devices[index].clone(), "Changed Agent Version")
    }

    fn change_status(&mut self) -> (Device, &'static str) {
        let Some(index) = self.one_installed() else {
            return self.install();
        };
        let device = &mut self.devices[index];
        device.compliant = !device.compliant;
        let event = if device.compliant {
            "Changed status to compliant"
        } else {
            "Changed status to non-compliant"
        };
        (device.clone(), event)
    }

    fn check(&mut self, event: &'static str) -> (Device, &'static str) {
        match self.one_installed() {
            Some(index) => (self.devices[index].clone(), event),
            None => self.install(),
        }
    }

    fn one_installed(&mut self) -> Option<usize> {
        let installed = self.devices_where(|device| device.version.is_some());
        self.one_of(&installed)
    }

    fn one_of(&mut self, indices: &[usize]) -> Option<usize> {
        self.rng.pick(indices).copied()
    }

    fn any(&mut self) -> usize {
        self.rng.below(self.devices.len() as u64) as usize
    }

    fn devices_where(&self, wanted: impl Fn(&Device) -> bool) -> Vec<usize> {
        let indices = self.devices.iter().enumerate();
        indices
            .filter(|(_, device)| wanted(device))
            .map(|(index, _)| index)
            .collect()
    }
}

fn not_installed(hostname: Arc<str>) -> Device {
    Device {
        hostname,
        version: None,
        compliant: true,
    }
}

/// So many different names in the form of the vendor's sample: `TEST-R1W3Y`.
fn hostnames(rng: &mut Rng, count: usize) -> Vec<Arc<str>> {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ0123456789";
    let mut seen = HashSet::new();
    let mut names = Vec::with_capacity(count);
    while names.len() < count {
        let letters = (0..5).filter_map(|_| rng.pick(LETTERS).copied().map(char::from));
        let name: Arc<str> = format!("TEST-{}", letters.collect::<String>()).into();
        if seen.insert(Arc::clone(&name)) {
            names.push(name);
        }
    }
    names
}

/// How much more happens at this hour than on the average of a day; 24 hours add up to 24.
fn busyness(hour: i8) -> f64 {
    match hour {
        8..18 => 1.72,
        7 | 18 => 1.0,
        _ => 0.4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a day that begins at midnight, at this average rate.
    fn day(seed: u64, rate: f64) -> Vec<Line> {
        let mut company = Company::new(seed);
        let minutes = 0..24 * 60;
        minutes
            .flat_map(|minute| company.live(Minute(minute), (minute / 60) as i8, rate))
            .collect()
    }

    #[test]
    fn a_seed_always_gives_the_same_company_and_another_seed_another() {
        assert_eq!(day(1, 0.16), day(1, 0.16));
        assert_ne!(day(1, 0.16), day(2, 0.16));
    }

    #[test]
    fn a_day_holds_about_the_lines_that_its_rate_asks_for() {
        for seed in 0..5 {
            let lines = day(seed, 0.16).len();
            assert!(
                (225..=232).contains(&lines),
                "{lines} lines with seed {seed}"
            );
            let lines = day(seed, 30.0).len();
            assert!(
                (43_000..=43_400).contains(&lines),
                "{lines} lines with seed {seed}"
            );
        }
    }

    #[test]
    fn each_day_holds_installs_of_several_versions_and_lines_of_both_logs() {
        for seed in 0..200 {
            let lines = day(seed, 0.16);
            let installs: Vec<&Line> = lines
                .iter()
                .filter(|line| &*line.event == "Installed")
                .collect();
            let versions: HashSet<&str> = installs.iter().map(|line| &*line.version).collect();
            assert!(
                installs.len() >= 10,
                "{} installs with seed {seed}",
                installs.len()
            );
            assert!(versions.len() >= 3, "{versions:?} with seed {seed}");
            let admin = lines
                .iter()
                .filter(|line| line.event_type == EventType::Admin)
                .count();
            assert!(admin >= 10, "{admin} administrator lines with seed {seed}");
        }
    }

    #[test]
    fn office_hours_are_busier() {
        let lines = day(1, 1.0);
        let in_office = lines
            .iter()
            .filter(|line| (8 * 60..18 * 60).contains(&line.minute.0))
            .count();
        assert!(in_office * 2 > lines.len());
    }

    #[test]
    fn a_changed_policy_is_named_in_the_log_and_not_in_the_label() {
        let lines = day(1, 1.0);
        let change = lines
            .iter()
            .find(|line| &*line.event == POLICY_CHANGE)
            .unwrap();
        assert!(
            change
                .description
                .starts_with("Admin made configuration change policy \"")
        );
    }
}
