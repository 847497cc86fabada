-- The state of a workspace: what the engine has made of the log. Written by the engine alone.
-- Instants are integers of UTC microseconds.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One row per profile: its folded state. next_due_at is the whole timer system.
CREATE TABLE subjects (
  subject     TEXT PRIMARY KEY,
  next_due_at INTEGER NOT NULL,
  stage       TEXT,
  body        BLOB NOT NULL
);
CREATE INDEX subjects_due ON subjects (next_due_at, subject);

-- Profiles whose reactions did not settle; they take no more inputs than facts until the definitions change.
CREATE TABLE parked (subject TEXT PRIMARY KEY, error TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;

-- Which users an anonymous id has been seen with; with exactly one, it belongs to that user.
CREATE TABLE links (
  anonymous TEXT NOT NULL,
  user      TEXT NOT NULL,
  at        INTEGER NOT NULL,
  seq       INTEGER NOT NULL,
  PRIMARY KEY (anonymous, user)
) WITHOUT ROWID;

-- The order in which the engine took its inputs. mode: 'live', 'late' (at the clock), 'history' (recorded unannounced),
-- 'receipt' (the fate of a delivery, told to a subject), 'definitions' (seq: number of the strategy from here on), 'history_end'.
CREATE TABLE taken (
  position INTEGER PRIMARY KEY,
  mode     TEXT NOT NULL,
  seq      INTEGER NOT NULL,
  taken_at INTEGER NOT NULL,
  delivery TEXT,
  outcome  TEXT,
  reason   TEXT,
  subject  TEXT
);

-- Outputs and receipts on their way into the log, in the order of the log. Columns as in log.db's tail.
CREATE TABLE outbox (
  taken_at     INTEGER NOT NULL,
  subject      TEXT NOT NULL,
  input        INTEGER NOT NULL,
  idx          INTEGER NOT NULL,
  message_id   TEXT NOT NULL,
  name         TEXT NOT NULL,
  user_id      TEXT,
  anonymous_id TEXT,
  properties   TEXT NOT NULL,
  traits       TEXT NOT NULL,
  PRIMARY KEY (taken_at, subject, input, idx)
) WITHOUT ROWID;

-- The ledger: one row per planned send and its fate. attempts is the fence: a worker whose number is old has lost its
-- lease. doubts: how often nobody knew whether the provider has it. reason 'virtual': planned only, never claimed.
CREATE TABLE deliveries (
  id          TEXT PRIMARY KEY,
  subject     TEXT NOT NULL,
  identifier  TEXT NOT NULL,
  message     TEXT NOT NULL,
  channel     TEXT NOT NULL,
  purpose     TEXT NOT NULL,
  kind        TEXT NOT NULL,
  topic       TEXT,
  journey     TEXT NOT NULL,
  version     TEXT NOT NULL,
  enrollment  TEXT NOT NULL,
  key         TEXT,
  step        TEXT NOT NULL,
  address     TEXT NOT NULL,
  planned_at  INTEGER NOT NULL,
  not_before  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  quiet       TEXT,
  context     TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('planned', 'claimed', 'committing', 'accepted', 'rejected', 'in_doubt',
                'delivered', 'bounced', 'complained', 'suppressed', 'capped', 'expired', 'cancelled')),
  reason      TEXT NOT NULL DEFAULT '',
  state_at    INTEGER NOT NULL,
  attempts    INTEGER NOT NULL DEFAULT 0,
  doubts      INTEGER NOT NULL DEFAULT 0,
  worker      TEXT,
  lease_until INTEGER,
  provider_id TEXT,
  receipt     TEXT NOT NULL DEFAULT 'none' CHECK (receipt IN ('none', 'pending', 'taken'))
);
CREATE INDEX deliveries_open ON deliveries (state, not_before, id)
  WHERE state IN ('planned', 'claimed', 'committing') AND reason <> 'virtual';
CREATE INDEX deliveries_waiting ON deliveries (subject)
  WHERE state IN ('planned', 'claimed', 'committing') AND reason <> 'virtual';
CREATE INDEX deliveries_receipts ON deliveries (subject) WHERE receipt = 'pending';
CREATE INDEX deliveries_enrollment ON deliveries (enrollment);
CREATE INDEX deliveries_subject ON deliveries (subject);

-- One row per candidate, gate and reason, with first, last and count.
CREATE TABLE decisions (
  enrollment TEXT NOT NULL,
  step       TEXT NOT NULL,
  occurrence INTEGER NOT NULL,
  gate       TEXT NOT NULL,
  reason     TEXT NOT NULL,
  outcome    TEXT NOT NULL,
  subject    TEXT NOT NULL,
  identifier TEXT NOT NULL,
  message    TEXT NOT NULL,
  channel    TEXT NOT NULL,
  purpose    TEXT NOT NULL,
  journey    TEXT NOT NULL,
  version    TEXT NOT NULL,
  key        TEXT,
  facts      TEXT NOT NULL,
  until      INTEGER,
  refusing   INTEGER NOT NULL,
  first_at   INTEGER NOT NULL,
  last_at    INTEGER NOT NULL,
  count      INTEGER NOT NULL,
  PRIMARY KEY (enrollment, step, occurrence, gate, reason)
) WITHOUT ROWID;
CREATE INDEX decisions_subject ON decisions (subject, last_at);
CREATE INDEX decisions_at ON decisions (last_at);

CREATE TABLE tasks (
  id         TEXT PRIMARY KEY,
  subject    TEXT NOT NULL,
  identifier TEXT NOT NULL,
  queue      TEXT NOT NULL,
  title      TEXT NOT NULL,
  body       TEXT NOT NULL,
  journey    TEXT NOT NULL,
  enrollment TEXT NOT NULL,
  key        TEXT,
  context    TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  state      TEXT NOT NULL DEFAULT 'open'
) WITHOUT ROWID;

-- Every enrollment: where it stands, or how it ended.
CREATE TABLE enrollments (
  id         TEXT PRIMARY KEY,
  subject    TEXT NOT NULL,
  identifier TEXT NOT NULL,
  journey    TEXT NOT NULL,
  version    TEXT NOT NULL,
  key        TEXT,
  step       TEXT,
  entered_at INTEGER NOT NULL,
  ended_at   INTEGER,
  outcome    TEXT,
  reason     TEXT
) WITHOUT ROWID;
CREATE INDEX enrollments_journey ON enrollments (journey, outcome);
CREATE INDEX enrollments_subject ON enrollments (subject);

-- What the claim reads; '' means all.
CREATE TABLE consents (
  subject    TEXT NOT NULL,
  identifier TEXT NOT NULL,
  purpose    TEXT NOT NULL,
  channel    TEXT NOT NULL,
  topic      TEXT NOT NULL,
  given      INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  PRIMARY KEY (subject, identifier, purpose, channel, topic)
) WITHOUT ROWID;
CREATE TABLE suppressions (
  subject    TEXT NOT NULL,
  identifier TEXT NOT NULL,
  channel    TEXT NOT NULL,
  suppressed INTEGER NOT NULL,
  reason     TEXT NOT NULL,
  at         INTEGER NOT NULL,
  PRIMARY KEY (subject, identifier, channel)
) WITHOUT ROWID;

-- Every applied strategy; the one with the highest number is in force. files: JSON object path -> text.
CREATE TABLE definitions (
  number     INTEGER PRIMARY KEY,
  version    TEXT NOT NULL,
  applied_at INTEGER NOT NULL,
  files      TEXT NOT NULL
);
