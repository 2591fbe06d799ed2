-- What the SQL texts of src/ use of SQLite's words, for PostgreSQL. Each is inlined by the planner
-- where it can be. Made anew when this text changes.

-- How many rows a statement changed, against how many it should have: the write is undone when
-- they differ.
CREATE OR REPLACE FUNCTION store_expect(changed bigint, expected bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF changed <> expected THEN
		RAISE EXCEPTION USING ERRCODE = 'TN001',
			MESSAGE = changed || ' rows would have changed where ' || expected || ' were meant';
	END IF;
END $$;

CREATE OR REPLACE FUNCTION iif(condition boolean, yes anycompatible, no anycompatible)
RETURNS anycompatible LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
'SELECT CASE WHEN condition THEN yes ELSE no END';

CREATE OR REPLACE FUNCTION ifnull(a anycompatible, b anycompatible)
RETURNS anycompatible LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
'SELECT coalesce(a, b)';

CREATE OR REPLACE FUNCTION max(a bigint, b bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT greatest(a, b)';

CREATE OR REPLACE FUNCTION min(a bigint, b bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT least(a, b)';

CREATE OR REPLACE FUNCTION instr(whole text, part text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT strpos(whole, part)';

-- The items of a JSON array, as texts.
CREATE OR REPLACE FUNCTION json_each(list text, OUT key bigint, OUT value text)
RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 100 AS
'SELECT at - 1, item FROM jsonb_array_elements_text(
	(CASE list WHEN '''' THEN ''[]'' ELSE list END)::jsonb) WITH ORDINALITY AS each (item, at)';

-- What a path leads to: of texts and numbers the text.
CREATE OR REPLACE FUNCTION json_extract(body text, path text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
'SELECT jsonb_path_query_first(body::jsonb, path::jsonpath) #>> ''{}''';

-- RFC 7396 for objects without objects in them, which is all that it is used for.
CREATE OR REPLACE FUNCTION json_patch(old text, patch text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
'SELECT jsonb_strip_nulls(old::jsonb || patch::jsonb)::text';

-- A text sealed under a data key that goes would be lost: who sealed it that long ago is told so
-- instead. The column is the trigger's argument.
CREATE OR REPLACE FUNCTION data_key_check() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	sealed bytea;
BEGIN
	EXECUTE format('SELECT ($1).%I', TG_ARGV[0]) USING NEW INTO sealed;
	IF substr(sealed, 1, 1) = '\x02'::bytea THEN
		PERFORM 1 FROM data_key WHERE id = substr(sealed, 3, 8) AND is_closing = 0 FOR SHARE;
		IF NOT FOUND THEN
			RAISE EXCEPTION 'the data key is gone';
		END IF;
	END IF;
	RETURN NEW;
END $$;

-- Of times as views have them, for those who analyse (docs/analysis.md).
CREATE OR REPLACE FUNCTION julianday(moment text) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE AS
'SELECT extract(epoch FROM moment::timestamp) / 86400 + 2440587.5';

-- Words as they are searched for: no accents. As unicode61 of FTS5 has it with remove_diacritics.
CREATE OR REPLACE FUNCTION plain_words(words text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$SELECT regexp_replace(normalize(words, NFD), '[\u0300-\u036f]', '', 'g')$$;

-- What src/ats/copy asks FTS5 for ("word" "begin"*), as a tsquery: all of the words.
CREATE OR REPLACE FUNCTION words_query(query text) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT coalesce(string_agg('(' || lexemes || CASE star WHEN '*' THEN ':*' ELSE '' END || ')',
	' & '), '')::tsquery
FROM (SELECT phraseto_tsquery('simple', plain_words(replace(word[1], '""', '"')))::text AS lexemes,
		word[2] AS star
	FROM regexp_matches(query, '"((?:[^"]|"")*)"(\*?)', 'g') AS word) AS parts
WHERE lexemes <> ''
$$;

-- The type of what a path leads to; of strings 'text', as SQLite says it.
CREATE OR REPLACE FUNCTION json_type(body text, path text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
'SELECT CASE found WHEN ''string'' THEN ''text'' ELSE found END
FROM (SELECT jsonb_typeof(jsonb_path_query_first(body::jsonb, path::jsonpath)) AS found) AS x';

-- Times that several nodes compare are the database's, whatever a node's own clock says.
CREATE OR REPLACE FUNCTION now_ms(own bigint) RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL SAFE AS
'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint';
