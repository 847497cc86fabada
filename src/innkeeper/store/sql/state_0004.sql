-- How many rows of the ledger went by retention, so that its balance stays what it is. One row per figure that is told.
CREATE TABLE retired_deliveries (
  journey TEXT NOT NULL,
  message TEXT NOT NULL,
  kind    TEXT NOT NULL,
  state   TEXT NOT NULL,
  virtual INTEGER NOT NULL,
  count   INTEGER NOT NULL,
  PRIMARY KEY (journey, message, kind, state, virtual)
) WITHOUT ROWID;

-- Every retention that let something go: when, by the workspace's clock, and its report.
CREATE TABLE retentions (at INTEGER NOT NULL, report TEXT NOT NULL);
