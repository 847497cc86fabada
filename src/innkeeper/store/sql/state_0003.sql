-- Who is who. Evidence that joins nothing whatever else is known (blocked, not verified, ...) is not kept: the log has it.

-- A span-owned identifier (a browser, a device) and who has it from when on: the claims before which somebody else had
-- it. reason: why the claims of this pair count for nothing ('limit', 'removed'); '' when they count.
CREATE TABLE turns (
  identifier TEXT NOT NULL,
  at         INTEGER NOT NULL,
  source     TEXT NOT NULL,
  message_id TEXT NOT NULL,
  claimant   TEXT NOT NULL,
  seq        INTEGER NOT NULL,
  reason     TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (identifier, at, source, message_id, claimant)
) WITHOUT ROWID;
CREATE INDEX turns_claimant ON turns (claimant, reason, identifier);

-- Two identifiers of one person: the earliest evidence of each kind ('seen', 'alias', 'added'). reason as above.
CREATE TABLE bonds (
  a          TEXT NOT NULL,
  b          TEXT NOT NULL,
  kind       TEXT NOT NULL,
  at         INTEGER NOT NULL,
  source     TEXT NOT NULL,
  message_id TEXT NOT NULL,
  seq        INTEGER NOT NULL,
  reason     TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (a, b, kind)
) WITHOUT ROWID;
CREATE INDEX bonds_a ON bonds (a, at);
CREATE INDEX bonds_b ON bonds (b, at);

-- Of the explicit words on a pair the newest; a < b. counts: 1 for Link Added, 0 for Link Removed.
CREATE TABLE words (
  a          TEXT NOT NULL,
  b          TEXT NOT NULL,
  counts     INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  source     TEXT NOT NULL,
  message_id TEXT NOT NULL,
  seq        INTEGER NOT NULL,
  PRIMARY KEY (a, b)
) WITHOUT ROWID;
CREATE INDEX words_b ON words (b);

-- The subject of every identifier that is joined to another.
CREATE TABLE persons (identifier TEXT PRIMARY KEY, subject TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX persons_subject ON persons (subject);

-- What profiles that were there became one, or came apart, when, and by which evidence.
CREATE TABLE merges (
  at         INTEGER NOT NULL,
  what       TEXT NOT NULL,
  subject    TEXT NOT NULL,
  other      TEXT NOT NULL,
  kind       TEXT NOT NULL,
  a          TEXT NOT NULL,
  b          TEXT NOT NULL,
  event_at   INTEGER NOT NULL,
  source     TEXT NOT NULL,
  message_id TEXT NOT NULL
);
CREATE INDEX merges_subject ON merges (subject);
CREATE INDEX merges_other ON merges (other);
