//! Accounts that the vendor knows by one credential, and so by one budget.

use std::collections::BTreeMap;

use crate::config::duration;
use crate::config::secret::Credential;
use crate::config::settings::{AccountConfig, Endpoint, Grantee};

/// More warnings than this tell nothing new.
const MOST_WARNINGS: usize = 10;

/// The places of the endpoints that share a budget, group by group, in the order of the first of each.
pub fn groups<'a>(endpoints: impl Iterator<Item = &'a Endpoint>) -> Vec<Vec<usize>> {
    let mut places: BTreeMap<Grantee<'_>, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (place, endpoint) in endpoints.enumerate() {
        let next = groups.len();
        let group = *places.entry(endpoint.grantee()).or_insert(next);
        match groups.get_mut(group) {
            Some(group) => group.push(place),
            None => groups.push(vec![place]),
        }
    }
    groups
}

/// What is allowed, but most likely not wanted; each a sentence.
pub fn warnings(accounts: &[AccountConfig], of_a_file: bool) -> Vec<String> {
    let mut warnings = secrets_apart(accounts);
    for group in groups(accounts.iter().map(|account| &account.endpoint)) {
        let sharers: Vec<&AccountConfig> = group
            .iter()
            .filter_map(|place| accounts.get(*place))
            .collect();
        warnings.extend(counted_twice(&sharers));
        let eager = sharers.iter().filter_map(|account| {
            let setting = match of_a_file {
                true => format!("the account {}: min_interval", account.name),
                false => "--scrape.min-interval".to_owned(),
            };
            too_eager(account, &setting, &sharers)
        });
        warnings.extend(eager);
    }
    let left_out = warnings.len().saturating_sub(MOST_WARNINGS);
    warnings.truncate(MOST_WARNINGS);
    if left_out > 0 {
        warnings.push(format!(
            "{left_out} more warnings of this kind are left out"
        ));
    }
    warnings
}

/// Accounts of one client by different secrets: to the API they are one.
fn secrets_apart(accounts: &[AccountConfig]) -> Vec<String> {
    let mut clients: BTreeMap<(&str, &str), &AccountConfig> = BTreeMap::new();
    let mut warnings = Vec::new();
    for account in accounts {
        let Credential::Client { id, secret } = &account.endpoint.credential else {
            continue;
        };
        let known = (account.endpoint.base_url.as_str(), id.as_str());
        let first = *clients.entry(known).or_insert(account);
        let same = matches!(&first.endpoint.credential, Credential::Client { secret: its, .. } if its == secret);
        if !same {
            warnings.push(format!(
                "the accounts {} and {} are one client with secrets of two files: they share its requests \
                 and its token, for which one of the secrets is used; name the same file for both",
                first.name, account.name
            ));
        }
    }
    warnings
}

fn too_eager(account: &AccountConfig, setting: &str, sharers: &[&AccountConfig]) -> Option<String> {
    let logs = sharers.iter().map(|account| account.reading.logs.len());
    let rate = account.limits.rate;
    let least = rate.interval(logs.sum());
    let chosen = account.limits.min_interval;
    let others = match sharers.len() {
        1 => String::new(),
        all => format!(" of the {all} accounts with this credential"),
    };
    (chosen < least).then(|| {
        format!(
            "{setting} is {}, but {rate} is used up by a refresh{others} every {}: scrapes that come \
             sooner are answered without one, and nothing is left for reading further back",
            duration::spell(chosen),
            duration::spell(least),
        )
    })
}

/// Accounts that read the same log.
fn counted_twice(sharers: &[&AccountConfig]) -> Option<String> {
    let [first, others @ ..] = sharers else {
        return None;
    };
    let reads_the_same = |other: &&&AccountConfig| {
        let logs = &first.reading.logs;
        other.reading.logs.iter().any(|log| logs.contains(log))
    };
    let second = others.iter().find(reads_the_same)?;
    Some(format!(
        "the accounts {} and {} read the same log by one credential: its lines are counted under \
         both names",
        first.name, second.name
    ))
}
