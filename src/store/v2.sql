-- Format 2.

-- Late lines are looked for over a restart.
ALTER TABLE logs ADD COLUMN late_from INTEGER; -- minute; late lines may have come to it since they were looked for

-- New series are shown at zero until every regular scraper was sent that.
ALTER TABLE series ADD COLUMN created INTEGER; -- seconds since 1970; its lines are counted since
ALTER TABLE series ADD COLUMN born INTEGER;    -- the generation that is shown at zero; null: at its value

CREATE TABLE scrapers (       -- who scrapes regularly
  account  INTEGER NOT NULL,
  id       INTEGER NOT NULL,    -- keyed hash of its address and program
  period_s INTEGER NOT NULL,    -- within which it comes again
  served   INTEGER NOT NULL,    -- the newest generation that it was sent
  PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE overflowed (     -- what found no room among the series, and never finds any
  account     INTEGER NOT NULL,
  fingerprint INTEGER NOT NULL, -- of a label set or the name of an event
  PRIMARY KEY (account, fingerprint)
) STRICT, WITHOUT ROWID;
