-- Instead: the table is changed where it is.
--
-- A record refers to a copy of its environment. What is there already is looked at in 0029, which keeps nobody waiting;
-- this one has the tables for a moment only. (Of a table with partitions PostgreSQL cannot put that off: so each has its
-- own until then.)
DO $$
DECLARE
	its_name text;
BEGIN
	SELECT conname INTO STRICT its_name FROM pg_constraint WHERE conrelid = 'record'::regclass AND contype = 'f';
	EXECUTE format('ALTER TABLE record DROP CONSTRAINT %I', its_name);
END $$;
ALTER TABLE copy DROP CONSTRAINT copy_pkey, DROP CONSTRAINT copy_environment_id_account_id_resource_key,
	ADD PRIMARY KEY (environment_id, account_id, resource), ADD UNIQUE (environment_id, number);
DO $$
DECLARE
	part text;
BEGIN
	FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'record'::regclass LOOP
		EXECUTE format('ALTER TABLE %I ADD CONSTRAINT record_of_copy'
			' FOREIGN KEY (environment_id, copy) REFERENCES copy (environment_id, number)'
			' ON DELETE CASCADE NOT VALID', part);
	END LOOP;
	-- That the copy is of the environment is said by these now.
	FOR part IN SELECT relid::regclass FROM pg_partition_tree('record') LOOP
		EXECUTE format('DROP POLICY environment ON %I', part);
		PERFORM guard(part, 'environment_id = current_setting(''tenon.environment'')');
	END LOOP;
END $$;

-- For nodes of the version before, which name a copy by its number alone: one version longer.
CREATE UNIQUE INDEX copy_of_0022 ON copy (number);
