-- Format 1. Minutes are minutes since 1970-01-01 00:00 UTC; names ending in _us are microseconds since
-- then by the clock of the database, in _ns nanoseconds. "log" is device or admin. In texts a
-- backslash stands before a backslash, and \0 for the character NUL, which the database does not take.

CREATE TABLE metaaccess_meta ( -- one row: which state this is
  id         BIGINT PRIMARY KEY,
  epoch      TEXT   NOT NULL,  -- random; another one means that counts began again
  created_ns BIGINT NOT NULL,
  key        BYTEA  NOT NULL   -- of the fingerprints in metaaccess_buckets.counted, and of all ids
);

CREATE TABLE metaaccess_replicas ( -- the processes that share this state
  id       TEXT PRIMARY KEY,       -- random, another one at each start
  until_us BIGINT NOT NULL,        -- it lives as long as it renews this
  since_us BIGINT NOT NULL,
  config   BIGINT NOT NULL,        -- tells those of the same accounts
  wishes   BIGINT NOT NULL,        -- rises when all accounts are to be refreshed, since it is scraped
  some_wishes BIGINT NOT NULL      -- rises when some are: see metaaccess_accounts.wishes
);

CREATE TABLE metaaccess_leases (   -- who may ask the API, by credential
  id     BIGINT PRIMARY KEY,
  holder TEXT   NOT NULL,          -- a replica, for as long as it lives; empty: nobody
  fence  BIGINT NOT NULL           -- rises with each holder: what an earlier one writes is refused
);
CREATE INDEX metaaccess_leases_by_holder ON metaaccess_leases (holder);

CREATE TABLE metaaccess_accounts (
  id         BIGINT PRIMARY KEY,
  name       TEXT   NOT NULL UNIQUE,
  version    BIGINT NOT NULL,      -- rises with each commit
  shown      BIGINT NOT NULL,      -- the version at which what scrapes see changed last
  writer     BIGINT NOT NULL,      -- who wrote last: another number for each time that one began to
  generation BIGINT NOT NULL,      -- the newest in which a series was born
  refreshed_us BIGINT NOT NULL,    -- when the last refresh began; 0: never
  standing   TEXT   NOT NULL,      -- how it ended, as JSON
  wishes     BIGINT NOT NULL       -- rises when it is to be refreshed, since it is scraped by name
);

CREATE TABLE metaaccess_logs (     -- how far each log was read
  account      BIGINT NOT NULL,
  log          TEXT   NOT NULL,
  page_order   TEXT,               -- newest-first or oldest-first; null: not known yet
  closed_place BIGINT,
  horizon      BIGINT,             -- minute; nothing below it ever counts
  closed_below BIGINT,             -- minute; all before it is counted
  late_from    BIGINT,             -- minute; late lines may have come to it since they were looked for
  second_hour  BIGINT,             -- minute; the repeated hour of autumn that has begun again
  empty_answers BIGINT NOT NULL,
  complete     BOOLEAN NOT NULL,   -- the first read has come to its end
  zone         TEXT   NOT NULL,    -- the time zone in which the minutes were read
  open         BIGINT[] NOT NULL,  -- four numbers of each minute that could not be told apart: the
                                   -- minute, attempts, 1 if it is postponed, lines not counted at most
  PRIMARY KEY (account, log)
);

CREATE TABLE metaaccess_buckets (  -- what was counted of each minute
  account BIGINT NOT NULL,
  log     TEXT   NOT NULL,
  kind    TEXT   NOT NULL,         -- minute; or, of lines without one, day or undated
  minute  BIGINT NOT NULL,         -- of a day its first; 0 if undated
  total   BIGINT NOT NULL,
  most_at_once BIGINT NOT NULL,
  counted BYTEA  NOT NULL,         -- 12 bytes for each line: fingerprint (8), how often (4); big-endian
  PRIMARY KEY (account, log, kind, minute)
);

CREATE TABLE metaaccess_series (   -- metaaccess_events_total
  account  BIGINT NOT NULL,
  log      TEXT   NOT NULL,
  place    BIGINT NOT NULL,        -- where it stands in the text that is shown
  category TEXT   NOT NULL,
  version  TEXT   NOT NULL,
  hostname TEXT   NOT NULL,
  event    TEXT   NOT NULL,
  count    BIGINT NOT NULL,
  created  BIGINT,                 -- seconds since 1970: since when it is counted
  born     BIGINT,                 -- the generation in which it is shown at zero; null: at its count
  changed  BIGINT NOT NULL,        -- the version of the account that changed it last
  PRIMARY KEY (account, log, place)
);
CREATE INDEX metaaccess_series_by_change ON metaaccess_series (account, changed);

CREATE TABLE metaaccess_overflowed ( -- label sets and event names that found no room
  account     BIGINT NOT NULL,
  fingerprint BIGINT NOT NULL,
  PRIMARY KEY (account, fingerprint)
);

CREATE TABLE metaaccess_tallies (  -- lines that are in no series, by why
  account BIGINT NOT NULL,
  log     TEXT   NOT NULL,
  name    TEXT   NOT NULL,
  lines   BIGINT NOT NULL,
  PRIMARY KEY (account, log, name)
);

CREATE TABLE metaaccess_scrapers ( -- who scrapes a replica regularly
  account  BIGINT NOT NULL,
  replica  TEXT   NOT NULL,
  id       BIGINT NOT NULL,        -- a keyed hash
  period_s BIGINT NOT NULL,
  served   BIGINT NOT NULL,        -- the newest generation that it was sent
  PRIMARY KEY (account, replica, id)
);

CREATE TABLE metaaccess_requests ( -- the requests that the window of the API holds
  account   BIGINT NOT NULL,
  lease     BIGINT NOT NULL,       -- by which they were paid for
  places_us BIGINT[] NOT NULL,     -- when the place of each is free
  by_others BOOLEAN[] NOT NULL,    -- whether it is held for a request that others sent
  paused_until_us BIGINT,
  PRIMARY KEY (account, lease)
);
CREATE INDEX metaaccess_requests_by_lease ON metaaccess_requests (lease);
