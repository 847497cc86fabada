-- Who may send events: `sources.db`, written by the command line and, its counts, by the door. No event is in it.
-- Instants are integers of UTC microseconds.

-- user_tokens: how tokens of this source's users are signed, as JSON; NULL: it takes none.
CREATE TABLE sources (
  name        TEXT PRIMARY KEY,
  kind        TEXT NOT NULL CHECK (kind IN ('public', 'server')),
  created_at  INTEGER NOT NULL,
  user_tokens TEXT
) WITHOUT ROWID;

-- hash: SHA-256 of the key, which is random and long, so that it needs no salt; the key itself is nowhere. hint: its
-- beginning, to tell keys apart. use: what it opens; until_at: from when on it opens nothing.
CREATE TABLE keys (
  hash       BLOB PRIMARY KEY,
  source     TEXT NOT NULL REFERENCES sources (name),
  use        TEXT NOT NULL CHECK (use IN ('write', 'watch')),
  hint       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  until_at   INTEGER
) WITHOUT ROWID;
CREATE INDEX keys_source ON keys (source);

-- What became of what a source sent: how often, and when last. what: accepted, duplicate, or the code of a refusal.
CREATE TABLE counts (
  source  TEXT NOT NULL,
  what    TEXT NOT NULL,
  count   INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (source, what)
) WITHOUT ROWID;
