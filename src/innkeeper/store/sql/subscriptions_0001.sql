-- Who is told of what happens, and what waits to be told: `subscriptions.db`, written by the relay and the command line.
-- No event is in it, only places of the log. Instants are integers of UTC microseconds.

-- selection: what it wants, JSON (runtime/outward.py). cursor: up to which place of the log was looked at. state: ended is
-- what the receiver asked for, paused what a person did, or the relay after long failure; reason says which. failures: in
-- a row, since failing_since; not_before: until then the receiver is left alone.
CREATE TABLE subscriptions (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  name          TEXT NOT NULL UNIQUE,
  url           TEXT NOT NULL,
  selection     TEXT NOT NULL,
  private       INTEGER NOT NULL CHECK (private IN (0, 1)),
  created_at    INTEGER NOT NULL,
  state         TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'ended')),
  reason        TEXT NOT NULL DEFAULT '',
  cursor        INTEGER NOT NULL,
  delivered     INTEGER NOT NULL DEFAULT 0,
  delivered_at  INTEGER,
  failures      INTEGER NOT NULL DEFAULT 0,
  failing_since INTEGER,
  not_before    INTEGER NOT NULL DEFAULT 0,
  error         TEXT NOT NULL DEFAULT ''
);

-- What requests are signed with; several while one takes over from another. They are needed as they are.
CREATE TABLE secrets (
  subscription INTEGER NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE,
  secret       TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  until_at     INTEGER
);
CREATE INDEX secrets_subscription ON secrets (subscription);

-- One row for each event that is still to be told. subject: a hash of whom it is about; of one subject only the first is
-- tried. given_up_at: when the relay stopped trying.
CREATE TABLE queue (
  subscription INTEGER NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE,
  seq          INTEGER NOT NULL,
  subject      BLOB NOT NULL,
  not_before   INTEGER NOT NULL,
  attempts     INTEGER NOT NULL DEFAULT 0,
  first_at     INTEGER,
  error        TEXT NOT NULL DEFAULT '',
  given_up_at  INTEGER,
  PRIMARY KEY (subscription, seq)
) WITHOUT ROWID;
CREATE INDEX queue_due ON queue (subscription, not_before, seq) WHERE given_up_at IS NULL;
CREATE INDEX queue_subject ON queue (subscription, subject, seq) WHERE given_up_at IS NULL;
