-- Every word on who is a member of which account, and in what role: who was a member when is read from here.
CREATE TABLE account_words (
  identifier TEXT NOT NULL,
  account    TEXT NOT NULL,
  at         INTEGER NOT NULL,
  source     TEXT NOT NULL,
  message_id TEXT NOT NULL,
  joined     INTEGER,
  PRIMARY KEY (identifier, account, at, source, message_id)
) WITHOUT ROWID;

-- Who is a member now: an account may have very many, and is told of page by page.
CREATE TABLE members (
  account    TEXT NOT NULL,
  identifier TEXT NOT NULL,
  role       TEXT NOT NULL,
  since      INTEGER NOT NULL,
  PRIMARY KEY (account, identifier)
) WITHOUT ROWID;
CREATE INDEX members_identifier ON members (identifier);

-- Who asked for which item: the newest word, and when a change was told (then the wish is settled until it is said again).
CREATE TABLE wishes (
  catalog    TEXT NOT NULL,
  item       TEXT NOT NULL,
  identifier TEXT NOT NULL,
  at         INTEGER NOT NULL,
  source     TEXT NOT NULL,
  message_id TEXT NOT NULL,
  open       INTEGER NOT NULL,
  settled_at INTEGER,
  PRIMARY KEY (catalog, item, identifier)
) WITHOUT ROWID;

-- Changes that many profiles have to be told of: how far the telling has come (done: the last identifier told).
CREATE TABLE fanouts (
  kind     TEXT NOT NULL,
  type     TEXT NOT NULL,
  id       TEXT NOT NULL,
  change   TEXT NOT NULL,
  at       INTEGER NOT NULL,
  position INTEGER NOT NULL,
  done     TEXT NOT NULL,
  PRIMARY KEY (kind, type, id, change)
) WITHOUT ROWID;
