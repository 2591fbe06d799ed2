-- Beside: each row is a statement of its own, as an index that is made while others write must be. What is done is not told
-- again; of an index whose making was broken off a part is left, which goes first.
WITH part AS (SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'record'::regclass),
-- For 0030: the keys; and for nodes of the version before, which name no environment, one version longer.
wanted AS (
	SELECT name || '_key' AS name, format('UNIQUE INDEX CONCURRENTLY %I ON %I (environment_id, number)',
		name || '_key', name) AS index FROM part
	UNION ALL SELECT name || '_of_0022', format('INDEX CONCURRENTLY %I ON %I (number)', name || '_of_0022', name) FROM part
	UNION ALL VALUES ('record_text_key',
		'UNIQUE INDEX CONCURRENTLY record_text_key ON record_text (environment_id, rowid)'),
		('record_text_of_0022', 'INDEX CONCURRENTLY record_text_of_0022 ON record_text (rowid)')),
-- Words, some at a time; of a copy that is gone they go.
words AS (
	SELECT format('UPDATE record_text SET environment_id = %L WHERE environment_id IS NULL AND rowid > %s AND rowid <= %s',
		environment_id, low, low + 5000) AS statement
	FROM copy, LATERAL (SELECT max(rowid) AS last FROM record_text
			WHERE rowid > number << 32 AND rowid < (number + 1) << 32) AS its_own,
		generate_series(number << 32, last, 5000) AS low
	WHERE EXISTS (SELECT FROM record_text WHERE environment_id IS NULL AND rowid > low AND rowid <= low + 5000)
	LIMIT 5000),
unseen AS (
	SELECT conrelid, conname FROM pg_constraint
	WHERE NOT convalidated AND (conname = 'record_text_environment' OR conname = 'record_of_copy'))
SELECT statement FROM (
	SELECT 1 AS place, statement FROM words
	UNION ALL SELECT 2, 'DELETE FROM record_text WHERE environment_id IS NULL'
		' AND NOT EXISTS (SELECT FROM copy WHERE number = rowid >> 32)'
	WHERE NOT EXISTS (SELECT FROM words) AND EXISTS (SELECT FROM record_text WHERE environment_id IS NULL)
	UNION ALL SELECT 3, format('DROP INDEX CONCURRENTLY %I', name) FROM wanted
		JOIN pg_index ON indexrelid = to_regclass(name) WHERE NOT indisvalid
	UNION ALL SELECT 4, 'CREATE ' || index FROM wanted WHERE NOT EXISTS
		(SELECT FROM pg_index WHERE indexrelid = to_regclass(name) AND indisvalid)
	UNION ALL SELECT 5, format('ALTER TABLE %s VALIDATE CONSTRAINT %I', conrelid::regclass, conname) FROM unseen
		WHERE NOT EXISTS (SELECT FROM record_text WHERE environment_id IS NULL)
	-- As with the guard (0020), the planner is not to take the environment for what leaves few rows: the texts name it
	-- beside a copy's numbers, and of what it thinks to be few it sorts all instead of reading a page in order.
	UNION ALL SELECT place, format(text, name) FROM part JOIN pg_attribute ON attrelid = name::regclass
		AND attname = 'environment_id' AND attoptions IS NULL
		CROSS JOIN (VALUES (6, 'ALTER TABLE %I ALTER environment_id SET (n_distinct = 1)'), (7, 'ANALYZE %I'))
			AS known (place, text)
) AS each ORDER BY place, statement
