-- Instead: the table is changed where it is.
--
-- A record refers to a copy of its environment. What is there already is looked at by the next step, which keeps nobody
-- waiting; this one has the tables for a moment only.
ALTER TABLE record DROP CONSTRAINT record_copy_fkey;
ALTER TABLE copy DROP CONSTRAINT copy_pkey, DROP CONSTRAINT copy_environment_id_account_id_resource_key,
	ADD PRIMARY KEY (environment_id, account_id, resource), ADD UNIQUE (environment_id, number);
ALTER TABLE record ADD FOREIGN KEY (environment_id, copy) REFERENCES copy (environment_id, number) ON DELETE CASCADE
	NOT VALID;
DROP POLICY environment ON record;
SELECT guard('record', 'environment_id = current_setting(''tenon.environment'')');

-- For nodes of the version before, which name a copy by its number alone: one version longer.
CREATE UNIQUE INDEX copy_of_0022 ON copy (number);
