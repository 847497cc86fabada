-- Drafts of the strategy: `drafts.db`, written by the door and by commands. Instants are integers of UTC microseconds.

-- version: rises with every change. base: number of the strategy that the draft was made over. files: JSON object of the
-- paths that differ from it, each with its whole text, or null where the file goes. number: of the strategy that the draft
-- has become; NULL: it is open.
CREATE TABLE drafts (
  id           TEXT PRIMARY KEY,
  title        TEXT NOT NULL,
  author       TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  version      INTEGER NOT NULL,
  changed_by   TEXT NOT NULL,
  changed_at   INTEGER NOT NULL,
  base         INTEGER NOT NULL,
  files        TEXT NOT NULL,
  number       INTEGER,
  published_by TEXT,
  published_at INTEGER
) WITHOUT ROWID;
