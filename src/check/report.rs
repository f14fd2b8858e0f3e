//! What was seen, as text for people and as JSON for scripts.

use serde_json::{Value, json};

use super::account::Account;
use super::finding::{Finding, Verdict};
use super::state::StateReport;

/// All that was seen.
#[derive(Debug)]
pub struct Report {
    pub state: StateReport,
    pub accounts: Vec<Account>,
}

impl Report {
    /// Whether nothing failed.
    pub fn is_ok(&self) -> bool {
        self.number_of(Verdict::Failed) == 0
    }

    fn number_of(&self, verdict: Verdict) -> usize {
        let of_accounts = self.accounts.iter().flat_map(|account| &account.findings);
        let all = self.state.findings.iter().chain(of_accounts);
        all.filter(|finding| finding.verdict == verdict).count()
    }

    /// The last line of the text.
    pub fn sum(&self) -> String {
        let count = |number: usize, word: &str| match number {
            1 => format!("1 {word}"),
            number => format!("{number} {word}s"),
        };
        let warnings = count(self.number_of(Verdict::Warning), "warning");
        match self.number_of(Verdict::Failed) {
            0 => format!("nothing failed, {warnings}\n"),
            failed => format!("{} FAILED, {warnings}\n", count(failed, "check")),
        }
    }

    /// One object, on one line.
    pub fn json(&self) -> String {
        let accounts = self.accounts.iter().map(|account| {
            json!({
                "name": account.name,
                "checks": checks(&account.findings),
                "requests": account.requests,
            })
        });
        let all = json!({
            "ok": self.is_ok(),
            "accounts": accounts.collect::<Value>(),
            "state": {
                "path": self.state.path,
                "checks": checks(&self.state.findings),
            },
        });
        format!("{all}\n")
    }
}

impl Account {
    /// The account's part of the text.
    pub fn text(&self) -> String {
        let spent = match self.requests {
            0 => "no request was".to_owned(),
            1 => "1 request was".to_owned(),
            number => format!("{number} requests were"),
        };
        let lines = lines(&self.findings);
        format!("account {}\n{lines}  {spent} spent\n\n", self.name)
    }
}

impl StateReport {
    /// The state's part of the text.
    pub fn text(&self) -> String {
        let path = self.path.as_ref().map(|path| format!(" {path}"));
        format!(
            "state{}\n{}\n",
            path.unwrap_or_default(),
            lines(&self.findings)
        )
    }
}

fn lines(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let Finding {
            name,
            verdict,
            message,
            advice,
        } = finding;
        let word = match verdict {
            // To be seen at once.
            Verdict::Failed => "FAILED",
            other => word(*other),
        };
        let advice = advice.as_ref();
        let advice = advice.map_or_else(String::new, |advice| format!("{:>25} {advice}\n", "->"));
        format!("  {word:<8} {:<14} {message}\n{advice}", name.as_str())
    };
    findings.iter().map(line).collect()
}

fn checks(findings: &[Finding]) -> Value {
    let check = |finding: &Finding| {
        json!({
            "name": finding.name.as_str(),
            "result": word(finding.verdict),
            "message": finding.message,
            "advice": finding.advice,
        })
    };
    findings.iter().map(check).collect()
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Failed => "failed",
        Verdict::Skipped => "skipped",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::check::Name;

    fn report(finding: Finding) -> Report {
        Report {
            state: StateReport {
                path: Some("state".into()),
                findings: vec![Finding::ok(Name::State, "there is none yet")],
                kept: BTreeMap::new(),
                hides_requests: false,
            },
            accounts: vec![Account {
                name: "one".to_owned(),
                findings: vec![finding],
                requests: 1,
            }],
        }
    }

    #[test]
    fn a_failure_is_seen_in_text_and_json() {
        let failed = report(Finding::failed(Name::Dns, "not found", "check the name"));
        assert!(!failed.is_ok());
        assert_eq!(failed.sum(), "1 check FAILED, 0 warnings\n");
        assert_eq!(
            failed.accounts[0].text(),
            "account one\n  FAILED   dns            not found\n                       -> check the name\n  1 request was spent\n\n"
        );
        let json: Value = serde_json::from_str(&failed.json()).unwrap();
        let expected = json!({
            "ok": false,
            "accounts": [{
                "name": "one",
                "requests": 1,
                "checks": [{
                    "name": "dns", "result": "failed", "message": "not found", "advice": "check the name",
                }],
            }],
            "state": {
                "path": "state",
                "checks": [{
                    "name": "state", "result": "ok", "message": "there is none yet", "advice": null,
                }],
            },
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn warnings_and_what_was_skipped_are_no_failure() {
        let warned = report(Finding::warning(Name::Clock, "off", "set it"));
        assert!(warned.is_ok());
        assert_eq!(warned.sum(), "nothing failed, 1 warning\n");
        assert_eq!(
            warned.state.text(),
            "state state\n  ok       state          there is none yet\n\n"
        );
        assert!(report(Finding::needs(Name::Token, Name::Dns)).is_ok());
    }
}
