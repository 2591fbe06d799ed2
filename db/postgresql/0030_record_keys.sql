-- The indexes are there (0029), and what they need is known to be so: nothing is read here.
ALTER TABLE record DROP CONSTRAINT record_pkey;
DO $$
DECLARE
	part text;
BEGIN
	FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'record'::regclass LOOP
		IF to_regclass(part || '_key') IS NOT NULL THEN
			EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I PRIMARY KEY USING INDEX %I', part, part || '_pkey',
				part || '_key');
		END IF;
	END LOOP;
END $$;
ALTER TABLE record ADD PRIMARY KEY (environment_id, number),
	ADD CONSTRAINT record_of_copy FOREIGN KEY (environment_id, copy) REFERENCES copy (environment_id, number)
	ON DELETE CASCADE;
CREATE INDEX record_of_0022 ON record (number);

ALTER TABLE record_text ALTER COLUMN environment_id SET NOT NULL;
ALTER TABLE record_text DROP CONSTRAINT record_text_environment, DROP CONSTRAINT record_text_pkey,
	ADD CONSTRAINT record_text_pkey PRIMARY KEY USING INDEX record_text_key;
