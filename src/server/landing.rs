//! `/`: for people who came to see what is here, and whether it works.
//!
//! It is one document that asks for nothing else. Where a Content-Security-Policy takes its style
//! away, headings, links and a table are left.

use std::fmt::Write;
use std::time::Duration;

use crate::refresh::{LogStanding, Standing};

/// The most accounts that are listed. Those that do not work come first.
const LISTED: usize = 1000;

const STYLE: &str = "body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em;\
    color:#222;background:#fff}table{border-collapse:collapse}th,td{text-align:left;\
    vertical-align:top;padding:.3em 1em .3em 0;border-bottom:1px solid #ccc}\
    .bad td:nth-child(2){color:#b00020;font-weight:bold}";

/// How an account is shown: what needs somebody first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Down,
    New,
    Up,
}

impl State {
    fn of(standing: &Standing) -> Self {
        let logs = &standing.logs;
        if logs.iter().any(|log| log.failing.is_some()) {
            Self::Down
        } else if logs.iter().all(|log| log.read.is_some()) {
            Self::Up
        } else {
            Self::New
        }
    }
}

/// The page at the time `now`, since the Unix epoch.
pub(super) fn page(telemetry_path: &str, mut accounts: Vec<Standing>, now: Duration) -> String {
    accounts.sort_by(|a, b| {
        let key = |standing: &Standing| (State::of(standing), standing.account.clone());
        key(a).cmp(&key(b))
    });
    let version = env!("CARGO_PKG_VERSION");
    let metrics = escaped(telemetry_path);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>metaaccess-exporter</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>metaaccess-exporter {version}</h1>\n\
         <p>The event logs of OPSWAT MetaAccess as Prometheus metrics, every line counted once.</p>\n\
         <ul>\n<li><a href=\"{metrics}\">Metrics</a></li>\n\
         <li><a href=\"/-/healthy\">Healthy</a></li>\n<li><a href=\"/-/ready\">Ready</a></li>\n</ul>\n"
    );
    write_accounts(&mut page, &accounts, now);
    page + "</body>\n</html>\n"
}

fn write_accounts(page: &mut String, accounts: &[Standing], now: Duration) {
    let count = |state| accounts.iter().filter(|a| State::of(a) == state).count();
    let (all, up, down) = (accounts.len(), count(State::Up), count(State::Down));
    let _ = write!(
        page,
        "<h2>Accounts</h2>\n<p>{all} in all: {up} up, {down} not, {} not read yet. \
         The logs are read when Prometheus scrapes.</p>\n\
         <table>\n<thead><tr><th>Account</th><th>State</th><th>Last read</th>\
         <th>Requests left</th></tr></thead>\n<tbody>\n",
        count(State::New)
    );
    for standing in accounts.iter().take(LISTED) {
        write_row(page, standing, now);
    }
    *page += "</tbody>\n</table>\n";
    if let Some(more) = all.checked_sub(LISTED).filter(|more| *more > 0) {
        let _ = writeln!(page, "<p>And {more} more: see the metrics.</p>");
    }
}

fn write_row(page: &mut String, standing: &Standing, now: Duration) {
    let state = State::of(standing);
    let class = match state {
        State::Down => " class=\"bad\"",
        State::New | State::Up => "",
    };
    let words: Vec<String> = standing.logs.iter().filter_map(failing).collect();
    let words = match state {
        State::Down => words.join("<br>"),
        State::New => "not read yet".to_owned(),
        State::Up => "up".to_owned(),
    };
    let read = |log: &LogStanding| format!("{}: {}", log.event_type, freshness(log, now));
    let read: Vec<String> = standing.logs.iter().map(read).collect();
    let (account, left) = (escaped(standing.account.as_str()), standing.left);
    let _ = writeln!(
        page,
        "<tr{class}><td>{account}</td><td>{words}</td><td>{}</td><td>{left} of {}</td></tr>",
        read.join("<br>"),
        standing.budget
    );
}

fn failing(log: &LogStanding) -> Option<String> {
    let failure = log.failing?;
    let (reason, advice) = (failure.reason(), escaped(failure.advice()));
    Some(format!("{}: {reason}: {advice}", log.event_type))
}

fn freshness(log: &LogStanding, now: Duration) -> String {
    let ago = log.read.map(|read| now.saturating_sub(read).as_secs());
    match ago {
        None => "never".to_owned(),
        Some(seconds) if !log.is_complete => {
            format!("{} ago, its history not whole yet", spelt(seconds))
        }
        Some(seconds) => format!("{} ago", spelt(seconds)),
    }
}

fn spelt(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::failure::Failure;
    use crate::event::{Account, EventType};

    const NOW: Duration = Duration::from_secs(1_767_225_600);

    fn standing(name: &str, read: Option<u64>, failing: Option<Failure>) -> Standing {
        let log = |event_type| LogStanding {
            event_type,
            read: read.map(|ago| NOW - Duration::from_secs(ago)),
            failing,
            is_complete: true,
            newest_line: None,
            behind: 0,
            unsettled: 0,
            order: None,
        };
        Standing {
            account: Account::new(name),
            logs: EventType::ALL.map(log).to_vec(),
            left: 7,
            budget: 10,
        }
    }

    #[test]
    fn an_account_is_shown_with_its_state_its_freshness_and_its_budget() {
        let page = page("/metrics", vec![standing("default", Some(95), None)], NOW);
        assert!(
            page.contains(
                "<tr><td>default</td><td>up</td><td>device: 95 s ago<br>admin: 95 s ago</td>\
                 <td>7 of 10</td></tr>"
            ),
            "{page}"
        );
        assert!(page.contains(env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn what_does_not_work_comes_first_and_says_why() {
        let accounts = vec![
            standing("a-new", None, None),
            standing("b-up", Some(1), None),
            standing("c-down", Some(7200), Some(Failure::Unauthorized)),
        ];
        let page = page("/metrics", accounts, NOW);
        let place = |name| page.find(name).unwrap();
        assert!(place("c-down") < place("a-new") && place("a-new") < place("b-up"));
        assert!(
            page.contains("3 in all: 1 up, 1 not, 1 not read yet"),
            "{page}"
        );
        assert!(
            page.contains("device: unauthorized: the API refused"),
            "{page}"
        );
        assert!(page.contains("device: 2 h ago"), "{page}");
    }

    #[test]
    fn what_users_named_is_text_and_nothing_more() {
        let name = "<script>alert(\"1\")</script>&'";
        let page = page("/m\"onclick='x'", vec![standing(name, None, None)], NOW);
        assert!(
            !page.contains("<script>") && !page.contains("\"onclick"),
            "{page}"
        );
        assert!(page.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;"));
    }

    #[test]
    fn a_thousand_accounts_are_one_page_and_more_are_counted() {
        let accounts = |count: usize| {
            let names = (0..count).map(|number| format!("account-{number}"));
            names.map(|name| standing(&name, Some(1), None)).collect()
        };
        let whole = page("/metrics", accounts(1000), NOW);
        assert_eq!(whole.matches("<tr>").count(), 1001);
        assert!(
            whole.len() < 200_000 && !whole.contains("more: see"),
            "{}",
            whole.len()
        );
        let cut = page("/metrics", accounts(1010), NOW);
        assert!(cut.contains("1010 in all") && cut.contains("And 10 more"));
    }

    #[test]
    fn it_asks_for_nothing_from_elsewhere_and_runs_nothing() {
        let page = page("/metrics", vec![standing("a", Some(1), None)], NOW);
        for word in ["http:", "https:", "src=", "<script", "@import", "url("] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
