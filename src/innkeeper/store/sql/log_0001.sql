-- The hot tail of the log: the newest events, until the seal moves them into a segment. Written by ingest alone.
-- Instants are integers of UTC microseconds; properties, traits, context and extra are JSON texts.

-- sealed: number of the manifest's generation that the tail was last trimmed for; next_seq: never used before.
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('next_seq', 1), ('generation', 0);

CREATE TABLE tail (
  seq          INTEGER PRIMARY KEY,
  source       TEXT NOT NULL,
  message_id   TEXT NOT NULL,
  type         TEXT NOT NULL,
  name         TEXT NOT NULL,
  user_id      TEXT,
  anonymous_id TEXT,
  timestamp    INTEGER NOT NULL,
  received_at  INTEGER NOT NULL,
  properties   TEXT NOT NULL,
  traits       TEXT NOT NULL,
  context      TEXT NOT NULL,
  extra        TEXT NOT NULL
);
CREATE UNIQUE INDEX tail_message ON tail (message_id, source);
