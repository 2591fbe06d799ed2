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

-- Microseconds, for rate limits.
CREATE OR REPLACE FUNCTION now_us() RETURNS bigint
LANGUAGE sql VOLATILE PARALLEL SAFE AS
'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint';

-- A node tells what has become of its calls of an account, and asks for more: src/ats/operation/shared.h. In
-- order: environment, account and node; the number of the message; how many calls the node may make by what it
-- knows, and how many have ended, both in all; how many wait (-1: as before); is_background, the share of these in percent, and
-- what they leave of the limit, within it and beyond it; the limit: calls, its length, is_window, how many at
-- once; for how long the ATS has said to pause.
--
-- A message that is older than the last one is passed over: its answer did not arrive, or it is late. As each tells
-- all, nothing has to arrive but the last.
CREATE OR REPLACE FUNCTION rate_take(its_environment text, its_account text, its_node text,
	its_number bigint, its_granted bigint, its_ended bigint, its_wanted bigint,
	is_behind bigint, share_percent bigint, leaves bigint, spares bigint,
	requests bigint, length_us bigint, is_window bigint, concurrent bigint, pause_us bigint,
	its_ahead bigint, OUT tokens bigint, OUT wait_us bigint, OUT paused_us bigint)
LANGUAGE plpgsql AS $$
DECLARE
	limit_ record;
	other record;
	now_us bigint;
	interval_us bigint := 0;
	since bigint;
	is_known boolean := false;
	dead text[] := '{}';
	ended_more bigint := 0; -- since its last message
	open bigint := 0;   -- under way, of all nodes
	ahead bigint := 0;  -- tokens of those who came earlier, and should be here about now
	queued bigint := 0; -- of all who came earlier
	used bigint := 0;   -- calls in the window that have ended
	over bigint;
	latest_us bigint;
	free bigint;
	places bigint;
	due_us bigint;
BEGIN
	-- What a crash of the database forgets of this the nodes tell again.
	PERFORM set_config('synchronous_commit', 'off', true);
	LOOP
		SELECT * INTO limit_ FROM rate_account
		WHERE environment_id = its_environment AND account_id = its_account FOR UPDATE;
		EXIT WHEN FOUND;
		INSERT INTO rate_account VALUES (its_environment, its_account, 0, 0, 0, 0, 0, 0)
		ON CONFLICT (environment_id, account_id) DO NOTHING;
		-- An account that is new was tried before it had an id.
		IF FOUND AND is_window <> 0 AND requests >= 10 THEN
			INSERT INTO rate_ended VALUES (its_environment, its_account, 0,
				least(requests / 10, 2), now_us());
		END IF;
	END LOOP;
	now_us := now_us();
	since := now_us;
	-- A clock that was set back is not waited for.
	limit_.full_us := least(greatest(limit_.full_us, now_us), now_us + length_us);
	limit_.pace_us := least(greatest(limit_.pace_us, now_us), now_us + length_us);
	limit_.front_us := least(limit_.front_us, now_us);
	limit_.share_us := least(limit_.share_us, now_us + 100 * length_us);
	IF requests > 0 THEN
		interval_us := (length_us + requests - 1) / requests;
	END IF;

	-- Its own row comes first.
	FOR other IN
		SELECT r.*, until_ms FROM rate_node AS r LEFT JOIN node ON id = node_id
		WHERE environment_id = its_environment AND account_id = its_account
		ORDER BY node_id <> its_node
	LOOP
		IF other.node_id = its_node THEN
			IF other.number >= its_number THEN
				tokens := 0;
				wait_us := -1;
				paused_us := 0;
				RETURN;
			END IF;
			is_known := true;
			IF its_ended < other.ended THEN
				ended_more := its_ended; -- it has begun anew, with nothing under way
			ELSE
				ended_more := its_ended - other.ended;
				limit_.full_us := greatest(now_us, limit_.full_us
					- greatest(other.granted - its_granted, 0) * interval_us);
			END IF;
			IF other.wanted > 0 AND (its_wanted < 0 OR other.is_background = is_behind) THEN
				since := other.since_us;
			END IF;
		ELSIF other.until_ms IS NULL OR other.until_ms <= now_us / 1000 THEN
			dead := dead || other.node_id;
		ELSE
			open := open + other.granted - other.ended;
			IF other.wanted > 0 AND other.due_us >= now_us - 200000 AND (other.is_background < is_behind
				OR (other.is_background = is_behind AND other.since_us < since)) THEN
				queued := queued + other.wanted;
				IF other.due_us <= now_us + 100000 THEN
					ahead := ahead + other.wanted;
				END IF;
			END IF;
		END IF;
	END LOOP;
	open := open + its_granted - its_ended;
	IF NOT is_known THEN
		ended_more := its_ended;
	END IF;
	IF pause_us > 0 THEN
		limit_.paused_until_us := greatest(limit_.paused_until_us, now_us + pause_us);
	END IF;

	-- What dead ones had under way has ended, as far as it is known, with their leases.
	IF dead <> '{}' THEN
		WITH gone AS (
			DELETE FROM rate_node WHERE environment_id = its_environment
				AND account_id = its_account AND node_id = ANY (dead)
			RETURNING node_id, granted - ended AS calls)
		INSERT INTO rate_ended
		SELECT its_environment, its_account, limit_.last_number + row_number() OVER (), calls,
			least(now_us, coalesce(until_ms * 1000, now_us))
		FROM gone LEFT JOIN node ON id = node_id WHERE calls > 0 AND is_window <> 0;
		limit_.last_number := limit_.last_number + cardinality(dead);
	END IF;
	IF is_window <> 0 THEN
		IF ended_more > 0 THEN
			-- A large limit is kept in groups.
			UPDATE rate_ended SET calls = calls + ended_more, last_us = now_us
			WHERE environment_id = its_environment AND account_id = its_account
				AND number = limit_.last_number AND calls < (requests + 127) / 128;
			IF NOT FOUND THEN
				limit_.last_number := limit_.last_number + 1;
				INSERT INTO rate_ended VALUES (its_environment, its_account, limit_.last_number,
					ended_more, now_us);
			END IF;
		END IF;
		SELECT coalesce(sum(calls) FILTER (WHERE last_us > now_us - length_us), 0), max(last_us),
			count(*) FILTER (WHERE last_us <= now_us - length_us)
		INTO used, latest_us, over
		FROM rate_ended WHERE environment_id = its_environment AND account_id = its_account;
		IF over > 8 THEN
			DELETE FROM rate_ended WHERE environment_id = its_environment
				AND account_id = its_account AND last_us <= now_us - length_us;
		END IF;
		IF latest_us > now_us THEN
			UPDATE rate_ended SET last_us = now_us WHERE environment_id = its_environment
				AND account_id = its_account AND last_us > now_us;
		END IF;
	END IF;

	free := CASE WHEN is_window <> 0 THEN requests - used - open
		WHEN requests > 0 THEN (now_us + length_us - limit_.full_us) / interval_us
		ELSE its_wanted + queued END;
	places := CASE WHEN concurrent > 0
		THEN concurrent - open - CASE WHEN is_behind <> 0 AND concurrent > 1 THEN 1 ELSE 0 END
		ELSE its_wanted + queued END;
	tokens := greatest(0, least(its_wanted, free - leaves - ahead, places - ahead));
	due_us := now_us;
	IF is_behind <> 0 AND requests > 0 AND its_wanted > 0 THEN
		-- An even flow, and a little ahead of it.
		IF is_window <> 0 THEN
			due_us := limit_.pace_us + interval_us - greatest(length_us / 20, interval_us);
			tokens := least(tokens, 1 + (now_us - due_us) / interval_us);
		END IF;
		-- While there are others no more than a share, but for what these let lie.
		IF share_percent < 100 AND limit_.front_us > now_us - 10000000
			AND limit_.share_us > now_us AND free - spares - ahead < 1 THEN
			due_us := greatest(due_us, least(limit_.share_us, rate_due(its_environment, its_account,
				queued + spares + 1, free, now_us, length_us, interval_us, is_window,
				limit_.full_us)));
		END IF;
	END IF;
	due_us := greatest(due_us, limit_.paused_until_us);
	IF due_us > now_us THEN
		tokens := 0;
	-- Half of the limit may be had before it is needed, by whoever comes when nobody else waits.
	ELSIF its_ahead > 0 AND its_wanted IN (0, tokens) AND queued = 0 AND is_behind = 0 AND requests > 0 THEN
		tokens := tokens + greatest(0, least(its_ahead, free - tokens - requests / 2, CASE
			WHEN concurrent > 0 THEN places - tokens - concurrent / 2 ELSE its_ahead END));
	END IF;
	IF tokens > 0 AND is_behind <> 0 THEN
		limit_.pace_us := limit_.pace_us + tokens * interval_us;
		limit_.share_us := greatest(limit_.share_us, now_us)
			+ tokens * interval_us * 100 / greatest(share_percent, 1);
	ELSIF (its_wanted > 0 OR its_ahead > 0) AND is_behind = 0 THEN
		limit_.front_us := now_us;
	END IF;
	limit_.full_us := limit_.full_us + tokens * interval_us;
	wait_us := 0;
	IF tokens = 0 AND its_wanted > 0 THEN
		IF requests > 0 THEN
			due_us := greatest(due_us, rate_due(its_environment, its_account,
				queued + leaves + 1, free, now_us, length_us, interval_us, is_window,
				limit_.full_us));
		END IF;
		-- When a place will be free nobody knows: who is first in line looks often.
		IF places <= ahead THEN
			due_us := greatest(due_us, now_us + least(10000 * (queued + 1), 100000));
		END IF;
		-- Several are not worth a message each.
		due_us := greatest(due_us, now_us + CASE WHEN its_wanted > 1 THEN 5000 ELSE 1000 END);
		wait_us := due_us - now_us;
	END IF;
	paused_us := greatest(limit_.paused_until_us - now_us, 0);

	UPDATE rate_account SET full_us = limit_.full_us, paused_until_us = limit_.paused_until_us,
		front_us = limit_.front_us, share_us = limit_.share_us, pace_us = limit_.pace_us,
		last_number = limit_.last_number
	WHERE environment_id = its_environment AND account_id = its_account;
	IF is_known THEN
		UPDATE rate_node AS r SET number = its_number, granted = its_granted + tokens, ended = its_ended,
			wanted = CASE WHEN its_wanted < 0 THEN r.wanted WHEN tokens > 0 THEN 0
				ELSE its_wanted END,
			is_background = CASE WHEN its_wanted < 0 THEN r.is_background ELSE is_behind END,
			since_us = since,
			due_us = CASE WHEN its_wanted < 0 THEN r.due_us ELSE now_us + wait_us END
		WHERE environment_id = its_environment AND account_id = its_account AND node_id = its_node;
	ELSE
		INSERT INTO rate_node VALUES (its_environment, its_account, its_node, its_number,
			its_granted + tokens, its_ended,
			CASE WHEN tokens > 0 THEN 0 ELSE greatest(its_wanted, 0) END,
			is_behind, since, now_us + wait_us);
	END IF;
END $$;

-- So ask nodes of the version before; the next one drops it.
CREATE OR REPLACE FUNCTION rate_take(its_environment text, its_account text, its_node text,
	its_number bigint, its_granted bigint, its_ended bigint, its_wanted bigint,
	is_behind bigint, share_percent bigint, leaves bigint, spares bigint,
	requests bigint, length_us bigint, is_window bigint, concurrent bigint, pause_us bigint,
	OUT tokens bigint, OUT wait_us bigint, OUT paused_us bigint)
LANGUAGE sql AS $$
	SELECT * FROM rate_take(its_environment, its_account, its_node, its_number, its_granted, its_ended,
		its_wanted, is_behind, share_percent, leaves, spares, requests, length_us, is_window, concurrent,
		pause_us, 0)
$$;

-- When there is room for so many calls, of which some have it now: when the others have left the window, or have
-- come into the bucket.
CREATE OR REPLACE FUNCTION rate_due(its_environment text, its_account text, calls_due bigint, free bigint,
	now_us bigint, length_us bigint, interval_us bigint, is_window bigint, full_us bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	due_us bigint;
BEGIN
	IF free >= calls_due THEN
		RETURN now_us;
	ELSIF is_window = 0 THEN
		RETURN full_us + calls_due * interval_us - length_us;
	END IF;
	SELECT last_us + length_us INTO due_us
	FROM (SELECT last_us, sum(calls) OVER (ORDER BY last_us, number) AS so_far FROM rate_ended
		WHERE environment_id = its_environment AND account_id = its_account
			AND last_us > now_us - length_us) AS leaving
	WHERE so_far >= calls_due - free ORDER BY so_far LIMIT 1;
	-- Of what is under way no more is known.
	RETURN coalesce(due_us, now_us + length_us);
END $$;

-- The partitions of the log of calls: those of today and of so many days ahead are made, those that ended before then
-- are dropped. Answers how many were dropped. One process does it at a time, and others pass by; who reads the log for
-- long is not waited for, but found gone the next time.
CREATE OR REPLACE FUNCTION call_log_tend(its_now_ms bigint, days_ahead bigint, before_ms bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	day_ms CONSTANT bigint := 86400000;
	part text;
	low bigint;
	high bigint;
	dropped bigint := 0;
BEGIN
	IF NOT pg_try_advisory_xact_lock(hashtextextended('call_log', 0)) THEN
		RETURN 0;
	END IF;
	PERFORM set_config('lock_timeout', '2s', true);
	FOR day IN its_now_ms / day_ms .. its_now_ms / day_ms + days_ahead LOOP
		part := 'call_log_' || day;
		CONTINUE WHEN to_regclass(part) IS NOT NULL;
		-- Who is about to put a row where it will not belong any more waits here, and looks anew.
		LOCK TABLE call_log IN SHARE ROW EXCLUSIVE MODE;
		low := day * day_ms << 20;
		high := (day + 1) * day_ms << 20;
		EXECUTE format('CREATE TABLE %I (LIKE call_log INCLUDING DEFAULTS)', part);
		-- Rows that came before it.
		EXECUTE format('WITH gone AS (DELETE FROM call_log_rest WHERE id >= %s AND id < %s RETURNING *)'
			' INSERT INTO %I SELECT * FROM gone', low, high, part);
		EXECUTE format('ALTER TABLE call_log ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', part, low, high);
		PERFORM guard(part, 'environment_id = current_setting(''tenon.environment'')');
	END LOOP;
	FOR part IN SELECT c.relname FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid
		WHERE inhparent = 'call_log'::regclass AND c.relname <> 'call_log_rest'
			AND (substr(c.relname, 10)::bigint + 1) * day_ms <= before_ms
	LOOP
		EXECUTE format('DROP TABLE %I', part);
		dropped := dropped + 1;
	END LOOP;
	RETURN dropped;
END $$;

-- The blocks of a table (0025_blocks): the numbers from `low` (NULL: from the first) up to `high` - 1; the last, TABLE_rest,
-- has no `high`.
CREATE OR REPLACE FUNCTION blocks(its_table text, OUT part text, OUT low bigint, OUT high bigint) RETURNS SETOF record
LANGUAGE sql STABLE AS $$
SELECT its_name, lag(its_high) OVER (ORDER BY its_high), its_high
FROM (SELECT c.relname::text AS its_name, substring(c.relname FROM '_below_(\d+)$')::bigint AS its_high
	FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid WHERE inhparent = to_regclass(its_table)) AS parts
ORDER BY its_high
$$;

CREATE OR REPLACE FUNCTION block_make(its_table text, low bigint, high bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	part text := its_table || coalesce('_below_' || high, '_rest');
BEGIN
	EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)', part, its_table,
		coalesce(low::text, 'MINVALUE'), coalesce(high::text, 'MAXVALUE'));
	-- As 0029_record_keys_beside has it.
	IF its_table = 'record' THEN
		EXECUTE format('ALTER TABLE %I ALTER environment_id SET (n_distinct = 1)', part);
	END IF;
	PERFORM guard(part, 'environment_id = current_setting(''tenon.environment'')');
END $$;

-- Nobody is made to wait for long: false, if others have the table.
CREATE OR REPLACE FUNCTION block_lock(its_table text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('lock_timeout', '300ms', true);
	EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', its_table);
	RETURN true;
EXCEPTION WHEN lock_not_available THEN
	RETURN false;
END $$;

-- The last number that a row of the table may have by now. Deliveries have the numbers of events, records those of copies.
CREATE OR REPLACE FUNCTION block_last(its_table text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	IF its_table = 'record' THEN
		RETURN (SELECT coalesce(max(number) + 1, 0) * 4294967296 FROM copy);
	END IF;
	RETURN (SELECT coalesce(max(newest), 0) FROM environment AS e,
		LATERAL (SELECT max(number) AS newest FROM event WHERE environment_id = e.id) AS its_own);
END $$;

-- What is known to be empty seems to cost nothing when it is read whole, and then lists are sorted, of all blocks, instead
-- of read in their order. What nobody has counted yet is thought to have some rows.
CREATE OR REPLACE FUNCTION block_forget_counts(its_table text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	its_part text;
BEGIN
	FOR its_part IN SELECT part FROM blocks(its_table) JOIN pg_class ON pg_class.oid = part::regclass
		WHERE reltuples = 0 AND pg_relation_size(part::regclass) = 0
	LOOP
		EXIT WHEN NOT block_lock(its_table);
		IF pg_relation_size(its_part::regclass) = 0 THEN
			EXECUTE format('TRUNCATE %I', its_part);
		END IF;
	END LOOP;
END $$;

-- The next block of event, webhook_delivery or record, where the last number that was given is within half a block of the
-- last one's end: the rest gets an end, and becomes it, with what rows have come into it, and behind it is a new rest.
-- Answers how many were made. A size of 0 is the usual: 2^24 events, records of 2^16 copies.
CREATE OR REPLACE FUNCTION block_ahead(its_table text, its_size bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	size bigint := CASE WHEN its_size > 0 THEN its_size WHEN its_table = 'record' THEN 65536 * 4294967296
		ELSE 16777216 END;
	start bigint;
	ended bigint;
	part text;
BEGIN
	IF NOT pg_try_advisory_xact_lock(hashtextextended('blocks', 0)) THEN
		RETURN 0;
	END IF;
	PERFORM block_forget_counts(its_table);
	SELECT low INTO STRICT start FROM blocks(its_table) WHERE high IS NULL;
	IF block_last(its_table) < start - size / 2 OR NOT block_lock(its_table) THEN
		RETURN 0;
	END IF;
	-- By now others may have given more.
	ended := greatest(start + size, (block_last(its_table) / size + 2) * size);
	part := its_table || '_below_' || ended;
	EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', its_table, its_table || '_rest');
	EXECUTE format('ALTER TABLE %I RENAME TO %I', its_table || '_rest', part);
	EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', its_table, part, start, ended);
	PERFORM block_make(its_table, ended, NULL);
	RETURN 1;
END $$;

-- Whether all rows of a block may go, by what their environments say of how long they keep them: as src/ats/retention has it
-- row by row. Numbers are given in the order of time, so the newest of each tells.
CREATE OR REPLACE FUNCTION block_is_past(its_table text, part text, low bigint, high bigint, now_ms bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	is_past boolean;
BEGIN
	EXECUTE format(CASE its_table WHEN 'event' THEN $event$
		SELECT NOT EXISTS (SELECT FROM environment AS e, LATERAL (SELECT number, created_ms FROM %I
			WHERE environment_id = e.id ORDER BY number DESC LIMIT 1) AS newest
		WHERE coalesce(newest.created_ms >= $1 - 86400000 * (e.retention::json ->> 'events_days')::bigint, true)
			OR NOT EXISTS (SELECT FROM event WHERE environment_id = e.id AND number >= $3)
			OR newest.number > (SELECT min(seen) FROM webhook WHERE environment_id = e.id AND state = 'active')
			OR EXISTS (SELECT FROM webhook AS w JOIN webhook_delivery AS d ON d.environment_id = w.environment_id
				AND d.webhook_id = w.id WHERE w.environment_id = e.id AND w.state = 'active'
				AND d.state = 'pending' AND d.number >= coalesce($2, 0) AND d.number < $3))
		$event$ ELSE $delivery$
		SELECT NOT EXISTS (SELECT FROM environment AS e, LATERAL (SELECT $1 - 86400000
			* (e.retention::json ->> 'deliveries_days')::bigint AS before_ms) AS its_own
		WHERE (before_ms IS NULL AND EXISTS (SELECT FROM %1$I WHERE environment_id = e.id))
			OR EXISTS (SELECT FROM %1$I WHERE environment_id = e.id AND last_ms >= before_ms)
			OR EXISTS (SELECT FROM %1$I WHERE environment_id = e.id AND state = 'pending'))
		$delivery$ END, part) INTO is_past USING now_ms, low, high;
	RETURN is_past;
END $$;

-- Blocks that go whole by tomorrow: their rows are left for that.
CREATE OR REPLACE FUNCTION blocks_due(its_table text) RETURNS oid[] LANGUAGE sql STABLE AS $$
SELECT coalesce(array_agg(part::regclass::oid), '{}') FROM blocks(its_table)
WHERE high IS NOT NULL AND block_is_past(its_table, part, low, high, now_ms(0) + 86400000)
$$;

-- Drops the blocks of event or webhook_delivery all of whose rows may go; answers how many. In the place of each comes an
-- empty one, for young environments come to its numbers yet; of empty ones that lie side by side one is made.
CREATE OR REPLACE FUNCTION block_expire(its_table text, now_ms bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	block record;
	empty_part text; -- the one before, if it is empty
	empty_low bigint;
	dropped bigint := 0;
BEGIN
	IF NOT pg_try_advisory_xact_lock(hashtextextended('blocks', 0)) THEN
		RETURN 0;
	END IF;
	FOR block IN SELECT part, low, high, pg_relation_size(part::regclass) = 0 AS is_empty FROM blocks(its_table)
		WHERE high IS NOT NULL
	LOOP
		IF NOT block.is_empty AND block_is_past(its_table, block.part, block.low, block.high, now_ms) THEN
			EXIT WHEN NOT block_lock(its_table);
			-- Somebody may have come before the lock.
			block.is_empty := block_is_past(its_table, block.part, block.low, block.high, now_ms);
			IF block.is_empty THEN
				EXECUTE format('DROP TABLE %I', block.part);
				IF empty_part IS NOT NULL THEN
					EXECUTE format('DROP TABLE %I', empty_part);
					block.low := empty_low;
				END IF;
				PERFORM block_make(its_table, block.low, block.high);
				dropped := dropped + 1;
			END IF;
		END IF;
		empty_part := CASE WHEN block.is_empty THEN block.part END;
		empty_low := block.low;
	END LOOP;
	RETURN dropped;
END $$;
