-- Who may use the API, and what they did with it: `access.db`, written by the door and the command line.
-- Instants are integers of UTC microseconds.

-- ended_at: from when on this user may do nothing.
CREATE TABLE users (
  name       TEXT PRIMARY KEY,
  role       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  ended_at   INTEGER
) WITHOUT ROWID;

-- hash: SHA-256 of the token, which is random and long, so that it needs no salt; the token itself is nowhere. hint: its
-- beginning, to tell tokens apart. scopes: JSON list of permissions that narrow the user's role; NULL: all of the role.
CREATE TABLE tokens (
  hash       BLOB PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  user       TEXT NOT NULL REFERENCES users (name),
  scopes     TEXT,
  hint       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  until_at   INTEGER,
  used_at    INTEGER
) WITHOUT ROWID;

-- Every write, each row sealed by a hash over itself and the hash before it (`runtime/audit.py`). What a row is about may
-- be a person: the seal covers SHA-256 of nonce and about, so that both can be emptied when the person is erased, and the
-- chain still holds. body: SHA-256 of the nonce and what was sent. status: what was answered; 0: it has begun.
CREATE TABLE audit (
  seq    INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  actor  TEXT NOT NULL,
  action TEXT NOT NULL,
  noun   TEXT NOT NULL,
  about  TEXT NOT NULL,
  nonce  TEXT NOT NULL,
  sealed TEXT NOT NULL,
  body   TEXT NOT NULL,
  status INTEGER NOT NULL,
  hash   TEXT NOT NULL
);

-- Requests with an Idempotency-Key, and what was answered; status NULL: it is being worked on.
CREATE TABLE requests (
  actor  TEXT NOT NULL,
  key    TEXT NOT NULL,
  digest TEXT NOT NULL,
  at     INTEGER NOT NULL,
  status INTEGER,
  answer BLOB,
  PRIMARY KEY (actor, key)
) WITHOUT ROWID;
CREATE INDEX requests_at ON requests (at);
