//! Access tokens: the fixed one, and those that OAuth issued and that end.

use std::time::Duration;

use super::rng::Rng;
use crate::moment::Moment;

/// The tokens that open the API.
#[derive(Clone, Debug)]
pub struct Tokens {
    fixed: String,
    lifetime: Duration,
    reuse: bool,
    /// Issued tokens and when they end, oldest first.
    issued: Vec<(String, Moment)>,
}

/// A token and how long it is still valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    pub token: String,
    pub expires_in: Duration,
}

impl Tokens {
    /// `fixed` is always valid, unless it is empty; `reuse` returns a token anew while it is valid.
    pub fn new(fixed: &str, lifetime: Duration, reuse: bool) -> Self {
        Self {
            fixed: fixed.to_owned(),
            lifetime,
            reuse,
            issued: Vec::new(),
        }
    }

    pub fn issue(&mut self, now: Moment, rng: &mut Rng) -> Issued {
        self.issued.retain(|(_, ends)| *ends > now);
        if let Some((token, ends)) = self.issued.last()
            && self.reuse
        {
            return Issued {
                token: token.clone(),
                expires_in: ends.since(now),
            };
        }
        let token = rng.uuid();
        self.issued.push((token.clone(), now.plus(self.lifetime)));
        Issued {
            token,
            expires_in: self.lifetime,
        }
    }

    /// Whether the token opens the API now.
    pub fn accepts(&self, token: &str, now: Moment) -> bool {
        let fixed = !self.fixed.is_empty() && token == self.fixed;
        fixed
            || self
                .issued
                .iter()
                .any(|(issued, ends)| issued == token && *ends > now)
    }

    /// Ends all issued tokens at once.
    pub fn revoke_issued(&mut self) {
        self.issued.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    #[test]
    fn an_issued_token_ends_with_its_lifetime_and_the_fixed_one_never() {
        let mut tokens = Tokens::new("fixed", Duration::from_secs(10), false);
        let issued = tokens.issue(at(0), &mut Rng::new(1));
        assert!(tokens.accepts(&issued.token, at(9)));
        assert!(!tokens.accepts(&issued.token, at(10)));
        assert!(tokens.accepts("fixed", at(1000)));
        assert!(!tokens.accepts("", at(0)));
        assert!(!Tokens::new("", Duration::ZERO, false).accepts("", at(0)));
    }

    #[test]
    fn a_reused_token_has_less_time_left() {
        let mut rng = Rng::new(1);
        let mut tokens = Tokens::new("", Duration::from_secs(10), true);
        let first = tokens.issue(at(0), &mut rng);
        let second = tokens.issue(at(4), &mut rng);
        assert_eq!(second.token, first.token);
        assert_eq!(second.expires_in, Duration::from_secs(6));
        assert_ne!(tokens.issue(at(10), &mut rng).token, first.token);
        tokens.revoke_issued();
        assert!(!tokens.accepts(&first.token, at(4)));
    }
}
