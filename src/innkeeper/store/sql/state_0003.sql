-- Double opt-in and reserved names.

-- When a purpose, channel and topic ('' meaning all) was last confirmed and last withdrawn, per identifier.
CREATE TABLE optins (
  subject      TEXT NOT NULL,
  identifier   TEXT NOT NULL,
  purpose      TEXT NOT NULL,
  channel      TEXT NOT NULL,
  topic        TEXT NOT NULL,
  confirmed_at INTEGER,
  withdrawn_at INTEGER,
  PRIMARY KEY (subject, identifier, purpose, channel, topic)
) WITHOUT ROWID;

-- How often each source told a reserved name (events/reserved.py), which was left out.
CREATE TABLE reserved (
  source  TEXT NOT NULL,
  name    TEXT NOT NULL,
  count   INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (source, name)
) WITHOUT ROWID;
