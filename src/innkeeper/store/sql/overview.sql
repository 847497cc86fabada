-- Figures of an overview, read from state.db. Each statement has the name that stands above it.
-- A quarter of an hour (900,000,000 microseconds) is the coarsest slice of time that falls into one local hour and day
-- in every zone.

-- name: enrollments
SELECT journey, coalesce(outcome, 'open'), count(*) FROM enrollments GROUP BY 1, 2 ORDER BY 1, 2;

-- name: deliveries
-- A row of a run with --deliver none stays planned, with reason 'virtual'.
SELECT journey, state, reason = 'virtual', count(*) FROM deliveries GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

-- name: refusals
-- One row per candidate, gate and reason, so that count(*) is the number of candidates.
SELECT journey, outcome, gate, reason, purpose, count(*) FROM decisions
WHERE outcome IN ('deny', 'defer') GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5;

-- name: tasks
SELECT journey, queue, count(*) FROM tasks GROUP BY 1, 2 ORDER BY 1, 2;

-- name: sent_per_slice
SELECT planned_at / 900000000, kind, count(*) FROM deliveries
WHERE state IN ('accepted', 'delivered', 'bounced', 'complained') OR reason = 'virtual' GROUP BY 1, 2;

-- name: held_per_slice
SELECT first_at / 900000000, gate, count(*) FROM decisions
WHERE (outcome = 'deny' AND gate = 'cap') OR (outcome = 'defer' AND gate = 'quiet_hours') GROUP BY 1, 2;

-- name: sent_per_local_slice
-- Only messages that quiet hours bind carry the recipient's zone.
SELECT quiet ->> '$.zone', planned_at / 900000000, count(*) FROM deliveries
WHERE quiet IS NOT NULL AND (state IN ('accepted', 'delivered', 'bounced', 'complained') OR reason = 'virtual')
GROUP BY 1, 2;

-- name: eventful
-- The profile to whom the most different things happened: journeys, letters, refusals, work for people.
SELECT subject FROM (
  SELECT subject, 3 * count(DISTINCT journey) AS score FROM enrollments GROUP BY subject
  UNION ALL SELECT subject, 2 * count(DISTINCT outcome) FROM enrollments WHERE outcome IS NOT NULL GROUP BY subject
  UNION ALL SELECT subject, 5 * count(DISTINCT reason) FROM decisions WHERE outcome IN ('deny', 'defer') GROUP BY subject
  UNION ALL SELECT subject, 4 * count(DISTINCT queue) FROM tasks GROUP BY subject
  UNION ALL SELECT subject, count(DISTINCT message) FROM deliveries GROUP BY subject
) WHERE subject LIKE 'user\_id:%' ESCAPE '\' GROUP BY subject ORDER BY sum(score) DESC, subject LIMIT 1;
