-- The hot tail of the log: the newest events, until the seal moves them into a segment. Written by ingest alone.
-- Instants are integers of UTC microseconds; properties, traits, context and extra are JSON texts.

-- next_seq: never used before; generation: of the manifest when rows were last trimmed from the tail.
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('next_seq', 1), ('generation', 0);

-- A copy of the newest manifest, should the file be lost.
CREATE TABLE manifest (one INTEGER PRIMARY KEY CHECK (one = 1), generation INTEGER NOT NULL, body BLOB NOT NULL);

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
