-- Which rows of the log go, asked of DuckDB. Each statement has the name that stands above it; they run in this order,
-- over the view events of the bulk engine and a table rules (ours, name, until): whether events of our own source are
-- meant, their name, and the instant up to which they are due; and a table ends (trait, until): up to when words on it
-- have ended. No value is put into these texts.

-- name: valued
-- The values by which events say who is who beside their own ids: table paths has where they stand.
CREATE TABLE valued AS
SELECT e.seq, p.namespace, p.spans, CAST(json_extract(
        CASE p.root WHEN 'traits' THEN e.traits WHEN 'context' THEN e.context ELSE e.properties END, p.pointer
    ) AS VARCHAR) AS value
FROM events AS e CROSS JOIN paths AS p
WHERE e.is_input AND e.source <> $engine AND value IS NOT NULL AND value <> 'null';

-- name: telling
-- The events that carry such values, or have a browser: who speaks (its user, else the persons' values), and all it says.
CREATE TABLE telling AS
SELECT e.seq, e.source, e.message_id, e.ts, e.user_id, e.anonymous_id, v.said,
    coalesce('u' || e.user_id, 's' || v.people) AS who
FROM events AS e LEFT JOIN (
    SELECT seq, string_agg(namespace || value, chr(0) ORDER BY namespace, value) AS said,
        string_agg(namespace || value, chr(0) ORDER BY namespace, value) FILTER (WHERE NOT spans) AS people
    FROM valued GROUP BY seq
) AS v USING (seq)
WHERE e.is_input AND e.source <> $engine AND (v.said IS NOT NULL OR (e.anonymous_id IS NOT NULL AND e.user_id IS NOT NULL));

-- name: starts
-- Where a stretch of one user begins on a browser: all that is needed of the events that claim it. Over all sources, and
-- within each, because the word of some sources may not count for links. An alias or an explicit word claims it too.
CREATE TABLE starts AS
SELECT seq, anonymous_id, ts FROM (
    SELECT seq, anonymous_id, ts,
        lag(who) OVER (PARTITION BY anonymous_id ORDER BY ts, source, message_id) IS DISTINCT FROM who AS first,
        lag(who) OVER (PARTITION BY anonymous_id, source ORDER BY ts, message_id) IS DISTINCT FROM who AS own
    FROM telling WHERE anonymous_id IS NOT NULL AND who IS NOT NULL
) WHERE first OR own
UNION ALL SELECT seq, json_extract_string(extra, '$.previousId'), ts FROM events
    WHERE is_input AND type = 'alias' AND json_extract_string(extra, '$.previousId') IS NOT NULL
UNION ALL SELECT seq, substr(word, 14), ts FROM (
    SELECT seq, ts, trim(unnest([json_extract_string(properties, '$.a'), json_extract_string(properties, '$.b')])) AS word
    FROM events WHERE is_input AND name = 'Link Added'
) WHERE starts_with(word, 'anonymous_id:');

-- name: evident
-- The earliest event of each set of values under the same ids, and where a run begins on a device.
CREATE TABLE evident AS
SELECT arg_min(seq, row(ts, message_id)) AS seq FROM telling WHERE said IS NOT NULL
GROUP BY source, user_id, anonymous_id, said
UNION SELECT seq FROM (
    SELECT t.seq,
        lag(coalesce(t.who, '')) OVER (PARTITION BY v.namespace, v.value ORDER BY t.ts, t.source, t.message_id)
            IS DISTINCT FROM coalesce(t.who, '') AS first,
        lag(coalesce(t.who, '')) OVER (PARTITION BY v.namespace, v.value, t.source ORDER BY t.ts, t.message_id)
            IS DISTINCT FROM coalesce(t.who, '') AS own
    FROM valued AS v JOIN telling AS t USING (seq) WHERE v.spans
) WHERE first OR own;

-- name: due
-- span: the stretch of an anonymous id that an event falls into. What is carried is carried apart for each.
CREATE TABLE due AS
SELECT d.*, coalesce(s.ts, 0) AS span FROM (
    SELECT e.seq, e.identifier, e.ts, e.source, e.message_id, e.name, e.type, e.is_input, r.ours
    FROM events AS e JOIN rules AS r ON r.name = e.name AND r.ours = (e.source = $engine)
    WHERE e.seq <= $taken AND e.seq < $last AND e.ts <= r.until
        AND (e.user_id IS NOT NULL OR e.anonymous_id IS NOT NULL) -- what was said of the log itself stays
) AS d ASOF LEFT JOIN (SELECT DISTINCT 'anonymous_id:' || anonymous_id AS identifier, ts FROM starts) AS s
    ON s.identifier = d.identifier AND d.ts >= s.ts;

-- name: told
-- Every word on a trait: the newest of each source may still stand, unless it has ended; an address was once a link.
CREATE TABLE told AS
SELECT t.seq, t.identifier, coalesce(s.ts, 0) AS span, t.source, t.ts, t.message_id, t.trait, t.word,
    coalesce(t.ts <= ends.until, FALSE) AS ended
FROM (
    SELECT seq, identifier, source, ts, message_id, unnest(json_keys(traits)) AS trait,
        CASE WHEN trait IN ('email', 'phone')
             THEN CAST(json_extract(traits, '$.' || trait) AS VARCHAR) END AS word
    FROM events WHERE traits <> '{}' AND (is_input OR name = 'Traits Updated')
) AS t ASOF LEFT JOIN (SELECT DISTINCT 'anonymous_id:' || anonymous_id AS identifier, ts FROM starts) AS s
    ON s.identifier = t.identifier AND t.ts >= s.ts
LEFT JOIN ends USING (trait);

-- name: needed
-- Why an event that is due stays all the same; of several reasons the first.
CREATE TABLE needed AS
SELECT seq, min(reason) AS reason FROM (
    SELECT seq, 'it links identifiers' AS reason FROM starts
    UNION ALL SELECT seq, 'it links identifiers' FROM evident
    UNION ALL SELECT seq, 'it links identifiers' FROM due WHERE is_input AND type IN ('alias', 'group')
    UNION ALL SELECT arg_max(seq, row(ts, message_id)), 'a trait still stands' FROM told WHERE NOT ended
        GROUP BY identifier, span, trait, source
    UNION ALL SELECT seq, 'a trait still stands' FROM told JOIN oldest_traits USING (trait)
    UNION ALL SELECT arg_min(seq, row(ts, message_id)), 'it links identifiers' FROM told
        WHERE word IS NOT NULL GROUP BY identifier, word
    UNION ALL SELECT seq, wanted.reason FROM due JOIN wanted USING (name) WHERE is_input
) WHERE seq IN (SELECT seq FROM due) GROUP BY seq;

-- name: going
CREATE TABLE going AS SELECT * FROM due WHERE seq NOT IN (SELECT seq FROM needed);

-- name: ending
-- The words that go: alone, where the rest of their event stays.
CREATE TABLE ending AS SELECT seq, trait, ts FROM told WHERE ended AND seq <= $taken;

-- name: merged
-- What was carried before for the same stretch of the same identifier is written anew, together with the new.
CREATE TABLE merged AS
SELECT c.* FROM (
    SELECT e.seq, e.identifier, e.ts, coalesce(s.ts, 0) AS span
    FROM (SELECT seq, identifier, ts FROM events WHERE source = $engine AND name = $carried AND seq < $last) AS e
    ASOF LEFT JOIN (SELECT DISTINCT 'anonymous_id:' || anonymous_id AS identifier, ts FROM starts) AS s
        ON s.identifier = e.identifier AND e.ts >= s.ts
) AS c SEMI JOIN (SELECT DISTINCT identifier, span FROM going WHERE is_input) AS g
    ON g.identifier = c.identifier AND g.span = c.span;

-- name: counts
-- Per name: how many are due, go, and stay for which reason.
SELECT due.ours, due.name, needed.reason, count(*) FROM due LEFT JOIN needed USING (seq) GROUP BY ALL ORDER BY ALL;

-- name: oldest
-- Per name the oldest that stays.
SELECT e.source = $engine AS ours, e.name, min(e.ts), count(*) FROM events AS e
WHERE NOT EXISTS (SELECT 1 FROM going WHERE going.seq = e.seq) GROUP BY ALL ORDER BY ALL;

-- name: words
-- Per trait with a retention: how many words go, and the oldest that stays.
SELECT ends.trait, count(*) FILTER (told.ended AND told.seq <= $taken), min(told.ts) FILTER (NOT told.ended OR told.seq > $taken)
FROM ends LEFT JOIN told USING (trait) GROUP BY ends.trait ORDER BY ends.trait;

-- name: thinned
-- The events that stay without some of their words.
SELECT e.seq, e.traits, e.context, e.extra, w.traits FROM events AS e
JOIN (SELECT seq, list_sort(list(trait)) AS traits FROM ending GROUP BY seq) AS w ON w.seq = e.seq
WHERE e.seq NOT IN (SELECT seq FROM going) ORDER BY e.seq;

-- name: folded
-- What goes, for the fold: properties only where something counts the event.
SELECT h.identifier, h.span, h.ts, e.source, e.message_id, e.name,
    CASE WHEN list_contains($names, e.name) THEN e.properties ELSE '{}' END
FROM (
    SELECT seq, identifier, span, ts FROM going WHERE is_input
    UNION ALL SELECT seq, identifier, span, ts FROM merged
) AS h JOIN events AS e ON e.seq = h.seq
ORDER BY h.identifier, h.span, h.ts, e.source, e.message_id;

-- name: leaving
SELECT seq, CASE WHEN ours THEN NULL ELSE md5_number_lower(source || chr(0) || message_id) END AS low,
    CASE WHEN ours THEN NULL ELSE md5_number_upper(source || chr(0) || message_id) END AS high FROM going
UNION ALL SELECT seq, NULL, NULL FROM merged;
