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
