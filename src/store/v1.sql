-- Format 1. Minutes are minutes since 1970-01-01 00:00 UTC; names ending in _ns are nanoseconds.
-- "log" is device or admin. Shown with .schema, so this explains the file to whoever opens it.

CREATE TABLE meta (           -- one row: which state this is
  epoch      TEXT    NOT NULL, -- random; another one means that counts began again
  created_ns INTEGER NOT NULL, -- since 1970-01-01 00:00 UTC
  key        BLOB    NOT NULL  -- of the fingerprints in buckets.counted
) STRICT;

CREATE TABLE accounts (
  id   INTEGER PRIMARY KEY,
  name TEXT    NOT NULL UNIQUE -- the account label
) STRICT;

CREATE TABLE logs (           -- how far each log was read
  account      INTEGER NOT NULL,
  log          TEXT    NOT NULL,
  page_order   TEXT,            -- newest-first or oldest-first; null: not known yet
  closed_place INTEGER,
  horizon      INTEGER,         -- minute; nothing below it ever counts
  closed_below INTEGER,         -- minute; all before it is counted
  second_hour  INTEGER,         -- minute; the repeated hour of autumn that has begun again
  empty_answers INTEGER NOT NULL,
  complete     INTEGER NOT NULL, -- 1: the first read has come to its end
  zone         TEXT    NOT NULL, -- the time zone in which the minutes were read
  PRIMARY KEY (account, log)
) STRICT, WITHOUT ROWID;

CREATE TABLE open_minutes (   -- minutes that were read but could not be told apart
  account   INTEGER NOT NULL,
  log       TEXT    NOT NULL,
  minute    INTEGER NOT NULL,
  attempts  INTEGER NOT NULL,
  postponed INTEGER NOT NULL,   -- 1: waits until the log is at rest
  uncounted INTEGER NOT NULL,   -- how many of its lines are not counted, at most
  PRIMARY KEY (account, log, minute)
) STRICT, WITHOUT ROWID;

CREATE TABLE buckets (        -- what was counted of each minute
  account INTEGER NOT NULL,
  log     TEXT    NOT NULL,
  kind    TEXT    NOT NULL,     -- minute; or, of lines without one, day or undated
  minute  INTEGER NOT NULL,     -- of a day its first; 0 if undated
  total   INTEGER NOT NULL,
  most_at_once INTEGER NOT NULL,
  counted BLOB    NOT NULL,     -- 12 bytes for each line: fingerprint (8), how often (4); big-endian
  PRIMARY KEY (account, log, kind, minute)
) STRICT, WITHOUT ROWID;

CREATE TABLE series (         -- metaaccess_events_total
  account  INTEGER NOT NULL,
  log      TEXT    NOT NULL,
  category TEXT    NOT NULL,
  version  TEXT    NOT NULL,
  hostname TEXT    NOT NULL,
  event    TEXT    NOT NULL,
  count    INTEGER NOT NULL,
  PRIMARY KEY (account, log, category, version, hostname, event)
) STRICT, WITHOUT ROWID;

CREATE TABLE tallies (        -- lines that are in no series, by why
  account INTEGER NOT NULL,
  log     TEXT    NOT NULL,
  name    TEXT    NOT NULL,
  lines   INTEGER NOT NULL,
  PRIMARY KEY (account, log, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (       -- the requests that the window of the API held
  account INTEGER PRIMARY KEY,
  boot    TEXT    NOT NULL,     -- the moments are of the monotonic clock of this boot
  paused_until_ns INTEGER
) STRICT;

CREATE TABLE places (
  account  INTEGER NOT NULL,
  position INTEGER NOT NULL,
  free_at_ns INTEGER NOT NULL,
  by_others  INTEGER NOT NULL,  -- 1: held for a request that others sent
  PRIMARY KEY (account, position)
) STRICT, WITHOUT ROWID;
