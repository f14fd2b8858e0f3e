//! The users of `basic_auth_users`.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};

use crate::config::mistake::{Mistake, Wrong};
use crate::config::setting::Setting;

/// The costs that are taken: below, bcrypt has none, and above, one try takes more than a minute.
const COSTS: std::ops::RangeInclusive<u32> = 4..=20;

/// A password as it is configured: a bcrypt hash. Debug hides it.
#[derive(Clone)]
pub struct PasswordHash {
    hash: SecretString,
    cost: u32,
}

impl PasswordHash {
    /// Reads a hash such as `$2y$10$…`.
    pub fn read(text: &str) -> Result<Self, Wrong> {
        let wrong =
            |mend: &str| Wrong::new("a bcrypt hash such as $2y$10$… of 60 characters", mend);
        let make = "make one by: htpasswd -nBC 10 \"\" | tr -d ':\\n'";
        let versions = ["$2a$", "$2b$", "$2x$", "$2y$"];
        if !versions.iter().any(|version| text.starts_with(version)) {
            return Err(wrong(&format!("this does not begin like one; {make}")));
        }
        let parts = bcrypt::HashParts::from_str(text);
        let parts = parts.map_err(|_| wrong(&format!("this one is cut off or broken; {make}")))?;
        let cost = parts.get_cost();
        if !COSTS.contains(&cost) {
            let (least, most) = (COSTS.start(), COSTS.end());
            return Err(wrong(&format!(
                "its cost is {cost}, of which {least} to {most} are taken, and 10 to 12 make sense; \
                 {make}"
            )));
        }
        Ok(Self {
            hash: text.into(),
            cost,
        })
    }

    /// The binary logarithm of its rounds.
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// Whether it is of this password. Takes long on purpose, and blocks.
    pub fn is_of(&self, password: &[u8]) -> bool {
        bcrypt::verify(password, self.hash.expose_secret()).unwrap_or(false)
    }
}

/// The users by name.
pub fn read(written: &[Setting], mistakes: &mut Vec<Mistake>) -> Vec<(String, PasswordHash)> {
    let mut users = Vec::new();
    for setting in written {
        let name = setting.name.split_once('.').map_or("", |(_, name)| name);
        if name.contains(':') {
            mistakes.push(Mistake::sentence(format!(
                "{}: {}: a name with a colon could never log in; take it out",
                setting.spot, setting.name
            )));
        }
        let hash = setting.read(PasswordHash::read, mistakes);
        users.extend(hash.map(|hash| (name.to_owned(), hash)));
    }
    users
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash(cost {})", self.cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `secret`, in the form that htpasswd writes.
    fn hash(cost: u32) -> String {
        bcrypt::hash_with_result("secret", cost)
            .unwrap()
            .format_for_version(bcrypt::Version::TwoY)
    }

    #[test]
    fn a_hash_is_of_its_password_alone() {
        let hash = PasswordHash::read(&hash(4)).unwrap();
        assert!(hash.is_of(b"secret"));
        assert!(!hash.is_of(b"Secret") && !hash.is_of(b"") && !hash.is_of(b"secret2"));
        assert_eq!(hash.cost(), 4);
    }

    #[test]
    fn the_hash_of_the_documentation_is_read() {
        let sample = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";
        assert_eq!(PasswordHash::read(sample).unwrap().cost(), 10);
    }

    #[test]
    fn what_is_no_hash_is_refused_and_not_shown() {
        let whole = hash(4);
        for (text, why) in [
            ("hunter2", "does not begin like one"),
            ("", "does not begin like one"),
            (
                "$1$hunter2$abcdefghijklmnopqrstuv",
                "does not begin like one",
            ),
            (&whole[..59], "cut off or broken"),
            (&format!("{whole}hunter2"), "cut off or broken"),
            (&whole.replace("$04$", "$31$"), "its cost is 31"),
        ] {
            let wrong = PasswordHash::read(text).unwrap_err().to_string();
            assert!(
                wrong.contains(why) && wrong.contains("htpasswd"),
                "{text}: {wrong}"
            );
            assert!(!wrong.contains("hunter2"), "{wrong}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        let shown = format!("{:?}", PasswordHash::read(&hash(4)).unwrap());
        assert_eq!(shown, "PasswordHash(cost 4)");
    }
}
