//! Every statement on the tables, in SQL that other databases take too: parameters are numbered in
//! the order in which they stand.

pub(super) const IDENTITY: &str = "SELECT epoch, created_ns, key FROM meta";
pub(super) const SET_IDENTITY: &str =
    "INSERT INTO meta (epoch, created_ns, key) VALUES ($1, $2, $3)";
/// Changes nothing, but has to be written.
pub(super) const TOUCH: &str = "UPDATE meta SET epoch = epoch";

pub(super) const ACCOUNTS: &str = "SELECT id FROM accounts ORDER BY id";
pub(super) const ACCOUNT_NAMES: &str = "SELECT id, name FROM accounts ORDER BY id";
pub(super) const ACCOUNT: &str = "SELECT id FROM accounts WHERE name = $1";
pub(super) const ADD_ACCOUNT: &str = "INSERT INTO accounts (name) VALUES ($1)";

pub(super) const LOGS: &str = "\
SELECT log, page_order, closed_place, horizon, closed_below, second_hour, empty_answers, complete, \
zone, late_from FROM logs WHERE account = $1 ORDER BY log";
pub(super) const SET_LOG: &str = "\
INSERT INTO logs (account, log, page_order, closed_place, horizon, closed_below, second_hour, \
empty_answers, complete, zone, late_from) \
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
ON CONFLICT (account, log) DO UPDATE SET page_order = excluded.page_order, \
closed_place = excluded.closed_place, horizon = excluded.horizon, \
closed_below = excluded.closed_below, second_hour = excluded.second_hour, \
empty_answers = excluded.empty_answers, complete = excluded.complete, zone = excluded.zone, \
late_from = excluded.late_from";

pub(super) const OPEN_MINUTES: &str = "\
SELECT log, minute, attempts, postponed, uncounted FROM open_minutes WHERE account = $1 ORDER BY log, minute";
pub(super) const CLEAR_OPEN_MINUTES: &str =
    "DELETE FROM open_minutes WHERE account = $1 AND log = $2";
pub(super) const ADD_OPEN_MINUTE: &str = "\
INSERT INTO open_minutes (account, log, minute, attempts, postponed, uncounted) \
VALUES ($1, $2, $3, $4, $5, $6) \
ON CONFLICT (account, log, minute) DO UPDATE SET attempts = excluded.attempts, \
postponed = excluded.postponed, uncounted = excluded.uncounted";

pub(super) const BUCKETS: &str = "\
SELECT log, kind, minute, total, most_at_once, counted FROM buckets WHERE account = $1 \
ORDER BY log, kind, minute";
pub(super) const SET_BUCKET: &str = "\
INSERT INTO buckets (account, log, kind, minute, total, most_at_once, counted) \
VALUES ($1, $2, $3, $4, $5, $6, $7) \
ON CONFLICT (account, log, kind, minute) DO UPDATE SET total = excluded.total, \
most_at_once = excluded.most_at_once, counted = excluded.counted";
pub(super) const FORGET_BUCKET: &str =
    "DELETE FROM buckets WHERE account = $1 AND log = $2 AND kind = $3 AND minute = $4";

pub(super) const SERIES: &str = "\
SELECT log, category, version, hostname, event, count, created, born FROM series WHERE account = $1 \
ORDER BY log, category, version, hostname, event";
pub(super) const SET_SERIES: &str = "\
INSERT INTO series (account, log, category, version, hostname, event, count, created, born) \
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
ON CONFLICT (account, log, category, version, hostname, event) DO UPDATE SET \
count = excluded.count, created = excluded.created, born = excluded.born";

pub(super) const NUMBER_OF_SERIES: &str = "SELECT count(*) FROM series WHERE account = $1";

pub(super) const OVERFLOWED: &str =
    "SELECT fingerprint FROM overflowed WHERE account = $1 ORDER BY fingerprint";
pub(super) const ADD_OVERFLOWED: &str = "\
INSERT INTO overflowed (account, fingerprint) VALUES ($1, $2) \
ON CONFLICT (account, fingerprint) DO NOTHING";

pub(super) const SCRAPERS: &str =
    "SELECT id, period_s, served FROM scrapers WHERE account = $1 ORDER BY id";
pub(super) const CLEAR_SCRAPERS: &str = "DELETE FROM scrapers WHERE account = $1";
pub(super) const ADD_SCRAPER: &str =
    "INSERT INTO scrapers (account, id, period_s, served) VALUES ($1, $2, $3, $4)";

pub(super) const TALLIES: &str =
    "SELECT log, name, lines FROM tallies WHERE account = $1 ORDER BY log, name";
pub(super) const SET_TALLY: &str = "\
INSERT INTO tallies (account, log, name, lines) VALUES ($1, $2, $3, $4) \
ON CONFLICT (account, log, name) DO UPDATE SET lines = excluded.lines";

pub(super) const REQUESTS: &str = "SELECT boot, paused_until_ns FROM requests WHERE account = $1";
pub(super) const SET_REQUESTS: &str = "\
INSERT INTO requests (account, boot, paused_until_ns) VALUES ($1, $2, $3) \
ON CONFLICT (account) DO UPDATE SET boot = excluded.boot, \
paused_until_ns = excluded.paused_until_ns";
pub(super) const PLACES: &str =
    "SELECT free_at_ns, by_others FROM places WHERE account = $1 ORDER BY position";
pub(super) const CLEAR_PLACES: &str = "DELETE FROM places WHERE account = $1";
pub(super) const ADD_PLACE: &str =
    "INSERT INTO places (account, position, free_at_ns, by_others) VALUES ($1, $2, $3, $4)";
