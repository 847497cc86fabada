-- Files that were sent to be imported, and what became of them: `imports.db`, written by the door alone.
-- Instants are integers of UTC microseconds.

-- actor: who sent it. mapping: the text of the mapping of a table. size: of the file. begun: how often its import was
-- begun and neither ended nor was stopped with the door. read to skipped: as of an import on the command line (docs/import.md).
-- rejects: the name of the rejects file. error: JSON, why it failed.
CREATE TABLE imports (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  created_at INTEGER NOT NULL,
  actor      TEXT NOT NULL,
  name       TEXT NOT NULL,
  source     TEXT NOT NULL,
  mapping    TEXT,
  size       INTEGER NOT NULL,
  state      TEXT NOT NULL DEFAULT 'waiting'
             CHECK (state IN ('waiting', 'running', 'cancelling', 'done', 'failed', 'cancelled')),
  begun      INTEGER NOT NULL DEFAULT 0,
  began_at   INTEGER,
  ended_at   INTEGER,
  read       INTEGER NOT NULL DEFAULT 0,
  events     INTEGER NOT NULL DEFAULT 0,
  accepted   INTEGER NOT NULL DEFAULT 0,
  duplicates INTEGER NOT NULL DEFAULT 0,
  rejected   INTEGER NOT NULL DEFAULT 0,
  skipped    INTEGER NOT NULL DEFAULT 0,
  done       INTEGER NOT NULL DEFAULT 0,
  seconds    REAL NOT NULL DEFAULT 0,
  rejects    TEXT,
  error      TEXT
);
CREATE INDEX imports_open ON imports (id) WHERE state IN ('waiting', 'running', 'cancelling');
