//! Every statement on the shared tables, in the SQL of PostgreSQL that distributed engines take too.
//! `$n` are parameters; `NOW()` stands for the clock of the database, and `LIVES()` for whether the replica
//! `r` lives.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::lease::LIFE;

/// The time of the database now, and not of the begin of the transaction.
const NOW: &str = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";

/// Whether the replica `r` lives. One whose time is further ahead than a beat sets it died before the clock
/// of the database was set back; or it will beat again within a second.
fn lives() -> String {
    let ahead = 2 * LIFE.as_micros();
    format!("(r.until_us > NOW() AND r.until_us < NOW() + {ahead})")
}

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub(super) const $name: Sql = Sql($text);)*
        const ALL: &[Sql] = &[$($name),*];
    };
}

/// A statement; equal is the same text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sql(&'static str);

impl Sql {
    /// What the database is sent.
    pub(super) fn text(self) -> &'static str {
        static TEXTS: LazyLock<HashMap<Sql, String>> = LazyLock::new(|| {
            let (all, lives) = (ALL.iter(), lives());
            let text = |sql: &Sql| sql.0.replace("LIVES()", &lives).replace("NOW()", NOW);
            all.map(|sql| (*sql, text(sql))).collect()
        });
        TEXTS.get(&self).map_or(self.0, String::as_str)
    }
}

statements! {
    IDENTITY = "SELECT epoch, created_ns, key FROM metaaccess_meta WHERE id = 1";
    SET_IDENTITY = "INSERT INTO metaaccess_meta (id, epoch, created_ns, key) VALUES (1, $1, $2, $3)";

    FORMAT = "SELECT version FROM metaaccess_format WHERE id = 1";
    /// Whoever holds a lease has to take it anew.
    FENCE_ALL = "UPDATE metaaccess_leases SET holder = '', fence = fence + 1";

    SET_EPOCH = "UPDATE metaaccess_meta SET epoch = $1 WHERE id = 1 AND epoch = $2";

    /// Renews a replica's row, where the tables have no newer format than $4.
    BEAT = "INSERT INTO metaaccess_replicas (id, until_us, since_us, config, wishes, some_wishes) \
        SELECT $1::TEXT, NOW() + $2, NOW(), $3::BIGINT, 0, 0 FROM metaaccess_format \
        WHERE id = 1 AND version <= $4 \
        ON CONFLICT (id) DO UPDATE SET until_us = NOW() + $2, config = excluded.config";
    REPLICAS = "SELECT id, config, NOW() - since_us, wishes, some_wishes FROM metaaccess_replicas r \
        WHERE LIVES() ORDER BY id";
    /// Those that are dead for so long and hold nothing any more.
    FORGET_REPLICAS = "DELETE FROM metaaccess_replicas AS r WHERE NOT LIVES() \
        AND (r.until_us < NOW() - $1 OR r.until_us > NOW() + $1) AND NOT EXISTS \
        (SELECT 1 FROM metaaccess_leases WHERE holder = r.id)";
    /// Those whose holder has no row, since a restore has lost it.
    FREE_LEASES = "UPDATE metaaccess_leases SET holder = '' WHERE holder <> '' AND NOT EXISTS \
        (SELECT 1 FROM metaaccess_replicas r WHERE r.id = metaaccess_leases.holder)";
    FORGET_SCRAPERS = "DELETE FROM metaaccess_scrapers WHERE replica NOT IN \
        (SELECT id FROM metaaccess_replicas)";
    WISH_ALL = "UPDATE metaaccess_replicas SET wishes = wishes + 1 WHERE id = $1";
    WISH_SOME = "UPDATE metaaccess_replicas SET some_wishes = some_wishes + 1 WHERE id = $1";
    WISH = "UPDATE metaaccess_accounts SET wishes = wishes + 1 WHERE id = ANY($1)";
    WISHES = "SELECT id, wishes FROM metaaccess_accounts WHERE id = ANY($1)";
    /// Its row stays for a while, so that its scrapers do. Nothing is to be given to it, however the clock
    /// may be set.
    LEAVE = "UPDATE metaaccess_replicas SET until_us = NOW(), config = 0 WHERE id = $1";

    ADD_LEASES = "INSERT INTO metaaccess_leases (id, holder, fence) \
        SELECT id, '', 0 FROM unnest($1::BIGINT[]) AS t(id) ON CONFLICT (id) DO NOTHING";
    /// Those that nobody living holds, and who did.
    LEASES_TO_TAKE = "SELECT id, holder FROM metaaccess_leases WHERE holder = '' UNION ALL \
        SELECT l.id, l.holder FROM metaaccess_replicas r JOIN metaaccess_leases l ON l.holder = r.id \
        WHERE NOT LIVES()";
    LEASES_HELD = "SELECT id, fence FROM metaaccess_leases WHERE holder = $1";
    TAKE_LEASES = "UPDATE metaaccess_leases AS l SET holder = $1, fence = fence + 1 \
        WHERE l.id = ANY($2) AND NOT EXISTS (SELECT 1 FROM metaaccess_replicas r \
        WHERE r.id = l.holder AND LIVES()) \
        AND EXISTS (SELECT 1 FROM metaaccess_format WHERE id = 1 AND version <= $3) RETURNING id, fence";
    RELEASE_LEASES = "UPDATE metaaccess_leases SET holder = '' WHERE holder = $1 AND id = ANY($2)";
    RELEASE_ALL = "UPDATE metaaccess_leases SET holder = '' WHERE holder = $1";

    /// In an order, for others may do the same at this moment.
    ADD_ACCOUNTS = "INSERT INTO metaaccess_accounts \
        (id, name, version, shown, writer, generation, refreshed_us, standing, wishes) \
        SELECT id, name, 0, 0, 0, 0, 0, '', 0 FROM unnest($1::BIGINT[], $2::TEXT[]) AS t(id, name) \
        ORDER BY id ON CONFLICT (id) DO NOTHING";
    ACCOUNT = "SELECT name, version, shown, generation FROM metaaccess_accounts WHERE id = $1";
    /// What a look compares with what it knows: the last with how long ago the last refresh began.
    VERSIONS = "SELECT id, shown, refreshed_us, NOW() - refreshed_us FROM metaaccess_accounts WHERE id = ANY($1)";
    STANDINGS = "SELECT id, standing FROM metaaccess_accounts WHERE id = ANY($1)";

    /// Holds the lease as it is until the transaction ends; nothing if another has it.
    HOLD_LEASE = "SELECT 1 FROM metaaccess_leases WHERE id = $1 AND holder = $2 AND fence = $3 FOR UPDATE";
    /// Raises the version of an account to $3, if it is what was read or what an earlier try of the same
    /// holder may have made of it.
    RAISE_VERSION = "UPDATE metaaccess_accounts SET version = $3, writer = $4, \
        shown = CASE WHEN $5 THEN $3 ELSE shown END, \
        generation = CASE WHEN $6 > generation THEN $6 ELSE generation END, \
        refreshed_us = CASE WHEN $7::BIGINT IS NULL THEN refreshed_us ELSE NOW() - $7 END, \
        standing = CASE WHEN $8::TEXT IS NULL THEN standing ELSE $8 END \
        WHERE id = $1 AND (version = $2 OR (version > $2 AND version < $3 AND writer = $4)) \
        RETURNING version";
    /// In how long each place is free that is held by the lease, or was by this account.
    HELD_PLACES = "SELECT p.free_us - NOW() FROM metaaccess_requests r, unnest(r.places_us) AS p(free_us) \
        WHERE (r.lease = $1 OR r.account = $2) AND p.free_us > NOW() ORDER BY 1";

    LOGS = "SELECT log, page_order, closed_place, horizon, closed_below, late_from, second_hour, \
        empty_answers, complete, zone, open FROM metaaccess_logs WHERE account = $1 ORDER BY log";
    COMPLETE_LOGS = "SELECT account, log FROM metaaccess_logs WHERE account = ANY($1) AND complete";
    SET_LOG = "INSERT INTO metaaccess_logs (account, log, page_order, closed_place, horizon, closed_below, \
        late_from, second_hour, empty_answers, complete, zone, open) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
        ON CONFLICT (account, log) DO UPDATE SET page_order = excluded.page_order, \
        closed_place = excluded.closed_place, horizon = excluded.horizon, \
        closed_below = excluded.closed_below, late_from = excluded.late_from, \
        second_hour = excluded.second_hour, empty_answers = excluded.empty_answers, \
        complete = excluded.complete, zone = excluded.zone, open = excluded.open";

    BUCKETS = "SELECT log, kind, minute, total, most_at_once, counted FROM metaaccess_buckets \
        WHERE account = $1 ORDER BY log, kind, minute";
    SET_BUCKETS = "INSERT INTO metaaccess_buckets (account, log, kind, minute, total, most_at_once, counted) \
        SELECT $1::BIGINT, * FROM unnest($2::TEXT[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[], $6::BIGINT[], \
        $7::BYTEA[]) AS t(log, kind, minute, total, most_at_once, counted) \
        ON CONFLICT (account, log, kind, minute) DO UPDATE SET total = excluded.total, \
        most_at_once = excluded.most_at_once, counted = excluded.counted";
    FORGET_BUCKETS = "DELETE FROM metaaccess_buckets AS b \
        USING unnest($2::TEXT[], $3::TEXT[], $4::BIGINT[]) AS t(log, kind, minute) \
        WHERE b.account = $1 AND b.log = t.log AND b.kind = t.kind AND b.minute = t.minute";

    SERIES = "SELECT log, place, category, version, hostname, event, count, created, born \
        FROM metaaccess_series WHERE account = $1 ORDER BY log, place";
    /// Of several accounts, what changed after the version that is known of each.
    SERIES_SINCE = "SELECT s.account, s.log, s.place, s.category, s.version, s.hostname, s.event, s.count, \
        s.created, s.born FROM metaaccess_series s \
        JOIN unnest($1::BIGINT[], $2::BIGINT[]) AS t(account, known) ON s.account = t.account \
        AND s.changed > t.known ORDER BY s.account, s.log, s.place";
    SET_SERIES = "INSERT INTO metaaccess_series \
        (account, changed, log, place, category, version, hostname, event, count, created, born) \
        SELECT $1::BIGINT, $2::BIGINT, * FROM unnest($3::TEXT[], $4::BIGINT[], $5::TEXT[], $6::TEXT[], \
        $7::TEXT[], $8::TEXT[], $9::BIGINT[], $10::BIGINT[], $11::BIGINT[]) \
        AS t(log, place, category, version, hostname, event, count, created, born) \
        ON CONFLICT (account, log, place) DO UPDATE SET changed = excluded.changed, \
        category = excluded.category, version = excluded.version, hostname = excluded.hostname, \
        event = excluded.event, count = excluded.count, created = excluded.created, born = excluded.born";
    SERIES_OF_ACCOUNT_SINCE = "SELECT log, place, category, version, hostname, event, count, created, born \
        FROM metaaccess_series WHERE account = $1 AND changed > $2 ORDER BY log, place";
    NUMBER_OF_SERIES = "SELECT a.name, count(s.place) FROM metaaccess_accounts a \
        LEFT JOIN metaaccess_series s ON s.account = a.id GROUP BY a.name";

    OVERFLOWED = "SELECT fingerprint FROM metaaccess_overflowed WHERE account = $1 ORDER BY fingerprint";
    ADD_OVERFLOWED = "INSERT INTO metaaccess_overflowed (account, fingerprint) \
        SELECT $1::BIGINT, * FROM unnest($2::BIGINT[]) AS t(fingerprint) \
        ON CONFLICT (account, fingerprint) DO NOTHING";

    TALLIES_OF = "SELECT account, log, name, lines FROM metaaccess_tallies WHERE account = ANY($1)";
    TALLIES = "SELECT log, name, lines FROM metaaccess_tallies WHERE account = $1 ORDER BY log, name";
    SET_TALLIES = "INSERT INTO metaaccess_tallies (account, log, name, lines) \
        SELECT $1::BIGINT, * FROM unnest($2::TEXT[], $3::TEXT[], $4::BIGINT[]) AS t(log, name, lines) \
        ON CONFLICT (account, log, name) DO UPDATE SET lines = excluded.lines";

    /// With whether the replica lives, and whether it died so lately that the scraper is not overdue.
    SCRAPERS = "SELECT s.replica, s.id, s.period_s, s.served, \
        EXISTS (SELECT 1 FROM metaaccess_replicas r WHERE r.id = s.replica AND LIVES()), \
        EXISTS (SELECT 1 FROM metaaccess_replicas r WHERE r.id = s.replica AND r.until_us <= NOW() \
        AND r.until_us > NOW() - s.period_s * 2500000) \
        FROM metaaccess_scrapers s WHERE s.account = $1 ORDER BY s.replica, s.id";
    /// Those of the dead, and those that this replica told before.
    SCRAPERS_LEFT = "SELECT s.account, s.id, MAX(s.period_s), MAX(s.served) FROM metaaccess_scrapers s \
        WHERE s.account = ANY($1) AND (s.replica = $2 OR NOT EXISTS \
        (SELECT 1 FROM metaaccess_replicas r WHERE r.id = s.replica AND LIVES())) \
        GROUP BY s.account, s.id";
    CLEAR_SCRAPERS_BUT = "DELETE FROM metaaccess_scrapers WHERE replica = $1 AND account <> ALL($2)";
    CLEAR_SCRAPERS = "DELETE FROM metaaccess_scrapers WHERE replica = $1 AND account = ANY($2)";
    CLEAR_SCRAPERS_OF = "DELETE FROM metaaccess_scrapers WHERE replica = $1 AND account = $2";
    ADD_SCRAPERS = "INSERT INTO metaaccess_scrapers (replica, account, id, period_s, served) \
        SELECT $1::TEXT, * FROM unnest($2::BIGINT[], $3::BIGINT[], $4::BIGINT[], $5::BIGINT[]) \
        AS t(account, id, period_s, served) ON CONFLICT (account, replica, id) DO UPDATE SET \
        period_s = excluded.period_s, served = excluded.served";

    REQUESTS = "SELECT a.name, NOW(), r.places_us, r.by_others, r.paused_until_us \
        FROM metaaccess_requests r JOIN metaaccess_accounts a ON a.id = r.account \
        WHERE r.account = $1";
    REQUESTS_OF_LEASES = "SELECT a.name, NOW(), r.places_us, r.by_others, r.paused_until_us \
        FROM metaaccess_requests r JOIN metaaccess_accounts a ON a.id = r.account \
        WHERE r.lease = ANY($1)";
    ALL_REQUESTS = "SELECT a.name, NOW(), r.places_us, r.by_others, r.paused_until_us \
        FROM metaaccess_requests r JOIN metaaccess_accounts a ON a.id = r.account";
    SET_REQUESTS = "INSERT INTO metaaccess_requests (account, lease, places_us, by_others, paused_until_us) \
        SELECT $1::BIGINT, $2::BIGINT, \
        ARRAY(SELECT free_in + NOW() FROM unnest($3::BIGINT[]) WITH ORDINALITY AS t(free_in, nth) ORDER BY nth), $4::BOOLEAN[], NOW() + $5::BIGINT \
        ON CONFLICT (account, lease) DO UPDATE SET places_us = excluded.places_us, \
        by_others = excluded.by_others, paused_until_us = excluded.paused_until_us";
}
