-- Instead: the table is changed where it is.
ALTER TABLE record_text_due ADD COLUMN environment_id TEXT COLLATE "C";
UPDATE record_text_due SET environment_id = copy.environment_id FROM copy WHERE copy.number = record_text_due.number >> 32;
-- Of copies that are gone, and with them their environments' names.
DELETE FROM record_text WHERE rowid IN (SELECT number FROM record_text_due WHERE environment_id IS NULL);
DELETE FROM record_text_due WHERE environment_id IS NULL;
ALTER TABLE record_text_due DROP CONSTRAINT record_text_due_pkey, ALTER COLUMN environment_id SET NOT NULL,
	ADD PRIMARY KEY (environment_id, number);
SELECT guard('record_text_due', 'environment_id = current_setting(''tenon.environment'')');

-- Of the words that are there already it is said in 0029, some at a time.
ALTER TABLE record_text ADD COLUMN environment_id TEXT COLLATE "C",
	ADD CONSTRAINT record_text_environment CHECK (environment_id IS NOT NULL) NOT VALID;

CREATE OR REPLACE FUNCTION record_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO record_text_due (environment_id, number) VALUES (OLD.environment_id, OLD.number)
		ON CONFLICT DO NOTHING;
	RETURN NULL;
END $$;

-- For nodes of the version before, which name a record by its number alone: one version longer.
CREATE UNIQUE INDEX record_text_due_of_0022 ON record_text_due (number);
CREATE FUNCTION record_text_due_of_0022() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	SELECT environment_id INTO NEW.environment_id FROM copy WHERE number = NEW.number >> 32;
	RETURN NEW;
END $$;
CREATE TRIGGER record_text_due_of_0022 BEFORE INSERT ON record_text_due FOR EACH ROW
	WHEN (NEW.environment_id IS NULL) EXECUTE FUNCTION record_text_due_of_0022();
-- That version refuses a search while another node takes in the same words. Here one waits for the other, and what was
-- undone for that reason it tries again.
CREATE FUNCTION record_text_of_0022() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('words ' || (NEW.rowid >> 32), 0));
	IF EXISTS (SELECT FROM record_text WHERE rowid = NEW.rowid) THEN
		RAISE EXCEPTION 'the words were taken in meanwhile' USING ERRCODE = 'serialization_failure';
	END IF;
	IF NEW.environment_id IS NULL THEN
		SELECT environment_id INTO NEW.environment_id FROM copy WHERE number = NEW.rowid >> 32;
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER record_text_of_0022 BEFORE INSERT ON record_text FOR EACH ROW EXECUTE FUNCTION record_text_of_0022();
