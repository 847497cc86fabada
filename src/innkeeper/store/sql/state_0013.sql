-- What an enrollment brings about is of whoever the word was of that it began by: the event, or what gave the role in its
-- object. Of those of before only the instant is known at which they began.
ALTER TABLE enrollments ADD COLUMN owned_at INTEGER NOT NULL DEFAULT 0;
UPDATE enrollments SET owned_at = entered_at;

-- Since when a role is held under a shared browser is told to its holders by the next run, which settles anew who is who.
DELETE FROM meta WHERE key = 'identity_rules' AND EXISTS (
  SELECT 1 FROM told JOIN turns USING (identifier) WHERE told.kind = 'object' GROUP BY identifier HAVING count(*) > 1
);
