-- A role that is held under a shared browser belongs to whoever had it when the role was given, no longer to its first
-- owner. Where there is such a browser, the next run settles anew who is who, and what is held goes to whose it is.
DELETE FROM meta WHERE key = 'identity_rules' AND EXISTS (
  SELECT 1 FROM told JOIN turns USING (identifier) WHERE told.kind = 'object' GROUP BY identifier HAVING count(*) > 1
);
