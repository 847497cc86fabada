-- Webhooks: what other programs send in a form of their own.

-- webhook: the mapping, the signature scheme and what belongs to it, as JSON; NULL: the source takes no webhooks. The
-- secret is not here: it stands in the environment of `up`, and this names the variable.
ALTER TABLE sources ADD COLUMN webhook TEXT;

-- What a sender has signed and must not come a second time while its signed time would still be believed.
CREATE TABLE used (
  source   TEXT NOT NULL,
  once     BLOB NOT NULL,
  until_at INTEGER NOT NULL,
  PRIMARY KEY (source, once)
) WITHOUT ROWID;
CREATE INDEX used_until_at ON used (until_at);
