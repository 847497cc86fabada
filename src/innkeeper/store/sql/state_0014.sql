-- Every word on who asked for which item, and when a change was told that settled it: under a browser that several people
-- use each has a newest word of their own. The next run finds the others again in the log, as it settles who is who. Items
-- are folded anew then, too, without values that are of a wrong kind.
ALTER TABLE wishes RENAME TO newest_wishes;
CREATE TABLE wishes (
  catalog    TEXT NOT NULL,
  item       TEXT NOT NULL,
  identifier TEXT NOT NULL,
  at         INTEGER NOT NULL,
  source     TEXT NOT NULL,
  message_id TEXT NOT NULL,
  open       INTEGER NOT NULL,
  settled_at INTEGER,
  PRIMARY KEY (catalog, item, identifier, at, source, message_id)
) WITHOUT ROWID;
INSERT INTO wishes SELECT catalog, item, identifier, at, source, message_id, open, settled_at FROM newest_wishes;
DROP TABLE newest_wishes;
DELETE FROM meta WHERE key = 'identity_rules' AND EXISTS (
  SELECT 1 FROM wishes UNION ALL SELECT 1 FROM things WHERE kind = 'item'
);
