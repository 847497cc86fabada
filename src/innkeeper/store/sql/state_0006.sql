-- Proposals: pairs of profiles that may be one person, and profiles that may live in one home. Open ones are computed
-- (`match propose` makes them again); what people decided about them stands in the log too. members, evidence: JSON.
CREATE TABLE proposals (
  id           TEXT PRIMARY KEY,
  kind         TEXT NOT NULL CHECK (kind IN ('person', 'household')),
  members      TEXT NOT NULL,
  household_id TEXT,
  probability  REAL,
  weight       REAL,
  evidence     TEXT NOT NULL,
  state        TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepted', 'rejected')),
  proposed_at  INTEGER NOT NULL,
  decided_at   INTEGER
) WITHOUT ROWID;
CREATE INDEX proposals_state ON proposals (state, kind, probability);

-- Homes and deaths as the claim reads them: every word with the instant at which it was taken, so that a delivery sees
-- what was known before its own instant, however large a tick is. household '', joined 0: left, whichever it was.
CREATE TABLE household_words (
  subject    TEXT NOT NULL,
  identifier TEXT NOT NULL,
  household  TEXT NOT NULL,
  joined     INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  taken_at   INTEGER NOT NULL,
  PRIMARY KEY (subject, identifier, household, at, joined)
) WITHOUT ROWID;
CREATE INDEX household_words_household ON household_words (household, subject);
CREATE TABLE deaths (
  subject    TEXT NOT NULL,
  identifier TEXT NOT NULL,
  dead       INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  taken_at   INTEGER NOT NULL,
  PRIMARY KEY (subject, identifier, at, dead)
) WITHOUT ROWID;
CREATE TABLE bereavement_answers (
  household TEXT NOT NULL,
  allowed   INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  taken_at  INTEGER NOT NULL,
  PRIMARY KEY (household, at, allowed)
) WITHOUT ROWID;
-- The questions that were asked, so that each is asked once.
CREATE TABLE bereavement_questions (
  household TEXT NOT NULL,
  deceased  TEXT NOT NULL,
  asked_at  INTEGER NOT NULL,
  PRIMARY KEY (household, deceased)
) WITHOUT ROWID;

-- hold: the household whose answer a planned row waits for; released_at: when the answer came; home: what the claim saw
-- of the home (JSON), for the decision record.
ALTER TABLE deliveries ADD COLUMN hold TEXT;
ALTER TABLE deliveries ADD COLUMN released_at INTEGER;
ALTER TABLE deliveries ADD COLUMN home TEXT;
CREATE INDEX deliveries_held ON deliveries (hold) WHERE hold IS NOT NULL;
