-- What is as if it had never come, and what has to be remembered so that names are not used twice.

-- Every retraction; lifted_at NULL: it stands. from_at and until_at bound timestamps, half open; listed: the events are
-- those of retracted_messages instead. position: its place in `taken`.
CREATE TABLE retractions (
  id        TEXT PRIMARY KEY,
  source    TEXT NOT NULL,
  from_at   INTEGER,
  until_at  INTEGER,
  listed    INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  position  INTEGER NOT NULL,
  lifted_at INTEGER
) WITHOUT ROWID;
CREATE TABLE retracted_messages (
  retraction TEXT NOT NULL,
  message_id TEXT NOT NULL,
  PRIMARY KEY (retraction, message_id)
) WITHOUT ROWID;

-- Pairs whose evidence a revision took away: whoever is revised later is revised with everybody whom evidence has ever
-- connected with them.
CREATE TABLE former_links (
  a TEXT NOT NULL,
  b TEXT NOT NULL,
  PRIMARY KEY (a, b)
) WITHOUT ROWID;
CREATE INDEX former_links_b ON former_links (b);

-- Profiles that a revision left without a row: how many inputs they had, because the messageIds of their outputs are used,
-- and which enrollments (JSON: identifier, journey and key -> how many).
CREATE TABLE numbered (subject TEXT PRIMARY KEY, inputs INTEGER NOT NULL, used TEXT NOT NULL) WITHOUT ROWID;

-- Deliveries that ended unsent and were planned again by a revision, and its place in `taken`.
CREATE TABLE replanned (
  delivery TEXT NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (delivery, position)
) WITHOUT ROWID;

-- Outputs `Traits Updated` that a revision took back: bulk questions pass over them.
CREATE TABLE unsaid (message_id TEXT PRIMARY KEY) WITHOUT ROWID;

-- Why a task was closed without being done.
ALTER TABLE tasks ADD COLUMN reason TEXT NOT NULL DEFAULT '';
