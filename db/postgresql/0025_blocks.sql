-- Events, deliveries and records in blocks of numbers. TABLE_below_N is one, up to the number N - 1; TABLE_rest, which is
-- nearly always empty, has what comes after the last of them, and has no end, so that each number has its place. (A
-- default partition would be in no order, and lists were merged of all blocks.) block_ahead() and block_expire() in
-- functions.sql make them and drop them.
SET LOCAL lock_timeout = '300ms';

-- Today's table becomes the first block; an empty one that has parts gets its name.
CREATE FUNCTION blocks_begin(its_table text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	first text;
	each text;
BEGIN
	SELECT its_table || '_below_' || substring(pg_get_constraintdef(oid) FROM '\d+') INTO STRICT first FROM pg_constraint
		WHERE conrelid = its_table::regclass AND conname = its_table || '_bound';
	EXECUTE format('ALTER TABLE %I RENAME TO %I', its_table, first);
	FOR each IN SELECT indexrelid::regclass FROM pg_index WHERE indrelid = first::regclass LOOP
		EXECUTE format('ALTER INDEX %I RENAME TO %I', each, first || substr(each, length(its_table) + 1));
	END LOOP;
	FOR each IN SELECT tgname FROM pg_trigger WHERE tgrelid = first::regclass AND NOT tgisinternal LOOP
		EXECUTE format('DROP TRIGGER %I ON %I', each, first);
	END LOOP;
	EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS) PARTITION BY RANGE (number)', its_table, first);
	PERFORM guard(its_table, 'environment_id = current_setting(''tenon.environment'')');
END $$;

-- That it is below the bound is known, so it is not read once more.
CREATE FUNCTION blocks_end(its_table text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	first text;
	bound text;
BEGIN
	SELECT conrelid::regclass, substring(pg_get_constraintdef(oid) FROM '\d+') INTO STRICT first, bound FROM pg_constraint
		WHERE conname = its_table || '_bound';
	EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%s)', its_table, first, bound);
	EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', first, its_table || '_bound');
	EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (MAXVALUE)', its_table || '_rest', its_table,
		bound);
	PERFORM guard(its_table || '_rest', 'environment_id = current_setting(''tenon.environment'')');
END $$;

SELECT blocks_begin('event');
ALTER TABLE event ADD PRIMARY KEY (environment_id, number), ADD FOREIGN KEY (environment_id) REFERENCES environment (id);
CREATE INDEX event_account ON event (environment_id, account_id, number);
CREATE INDEX event_record ON event (environment_id, account_id, resource, record_id, number) WHERE resource <> '';
SELECT blocks_end('event');

-- As 0006_link has it. A row has found its block before it comes here, by the number that its text has seen to be the
-- next; where others took that and those after it meanwhile, and the next is of another block, it is tried again.
-- It is looked for from there on, as numbers only grow; in the whole table where the text has made one up.
CREATE OR REPLACE FUNCTION event_number() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	seen bigint := NEW.number - 1;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('event ' || NEW.environment_id, 0));
	SELECT max(number) INTO NEW.number FROM event WHERE environment_id = NEW.environment_id AND number >= seen;
	IF NEW.number IS NULL THEN
		SELECT coalesce(max(number), 0) INTO NEW.number FROM event WHERE environment_id = NEW.environment_id;
	END IF;
	NEW.number := NEW.number + 1;
	IF TG_TABLE_NAME <> 'event_rest' AND NEW.number >= substr(TG_TABLE_NAME, length('event_below_') + 1)::bigint THEN
		RAISE EXCEPTION 'the next event is of another block' USING ERRCODE = 'serialization_failure';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER event_number BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION event_number();

SELECT blocks_begin('webhook_delivery');
ALTER TABLE webhook_delivery ADD PRIMARY KEY (environment_id, webhook_id, number),
	ADD FOREIGN KEY (environment_id, webhook_id) REFERENCES webhook (environment_id, id) ON DELETE CASCADE;
CREATE INDEX webhook_delivery_pending ON webhook_delivery (environment_id, webhook_id, number) WHERE state = 'pending';
CREATE INDEX webhook_delivery_last ON webhook_delivery (environment_id, last_ms);
SELECT blocks_end('webhook_delivery');

-- Numbers of records were always given by whoever writes them.
ALTER TABLE record ALTER number DROP IDENTITY;
SELECT blocks_begin('record');
ALTER TABLE record ADD PRIMARY KEY (number), ADD FOREIGN KEY (copy) REFERENCES copy (number) ON DELETE CASCADE;
CREATE INDEX record_known ON record (copy, id, version, read_ms, is_partial, missing_ms, deleted_ms, hash, list_hash);
CREATE INDEX record_candidate ON record (copy, candidate) WHERE candidate <> '';
CREATE INDEX record_absent ON record (deleted_ms) WHERE deleted_ms < 0;
SELECT blocks_end('record');
-- As 0020_tenancy has it.
ALTER POLICY environment ON record WITH CHECK (current_setting('tenon.environment') = '*'
	OR (environment_id = current_setting('tenon.environment')
		AND (SELECT true FROM copy AS its_copy WHERE its_copy.number = record.copy)));
CREATE TRIGGER record_gone AFTER DELETE ON record FOR EACH ROW EXECUTE FUNCTION record_gone();

DROP FUNCTION blocks_begin, blocks_end;
