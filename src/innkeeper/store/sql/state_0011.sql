-- Since when there has been something to tell: `at` is when it changed last.
ALTER TABLE fanouts ADD COLUMN since INTEGER NOT NULL DEFAULT 0;

-- Words about the log that could not be done when their turn came, by messageId: they are passed over.
CREATE TABLE refused (word TEXT PRIMARY KEY, at INTEGER NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
