-- Other subjects than profiles: objects, accounts, items, each with its folded state. next_due_at as for subjects.
CREATE TABLE things (
  kind        TEXT NOT NULL,
  type        TEXT NOT NULL,
  id          TEXT NOT NULL,
  next_due_at INTEGER NOT NULL,
  body        BLOB NOT NULL,
  PRIMARY KEY (kind, type, id)
);
CREATE INDEX things_due ON things (next_due_at, kind, type, id);

-- Which identifiers were ever told of which thing: who has to be asked when the past of one of them is.
CREATE TABLE told (
  identifier TEXT NOT NULL,
  kind       TEXT NOT NULL,
  type       TEXT NOT NULL,
  id         TEXT NOT NULL,
  PRIMARY KEY (identifier, kind, type, id)
) WITHOUT ROWID;
