-- Format 2: late lines are looked for over a restart.
ALTER TABLE logs ADD COLUMN late_from INTEGER; -- minute; late lines may have come to it since they were looked for
