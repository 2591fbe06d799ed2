-- Instead: the tables are changed where they are.
ALTER TABLE sync_run DROP CONSTRAINT sync_run_pkey, DROP CONSTRAINT sync_run_id_key,
	DROP CONSTRAINT sync_run_job_id_fkey,
	ADD PRIMARY KEY (environment_id, job_id, number), ADD UNIQUE (environment_id, id),
	ADD FOREIGN KEY (environment_id, job_id) REFERENCES sync_job (environment_id, id) ON DELETE CASCADE;

ALTER TABLE sync_seen ADD COLUMN environment_id TEXT COLLATE "C";
UPDATE sync_seen SET environment_id = (SELECT sync_job.environment_id FROM sync_job WHERE sync_job.id = job_id);
ALTER TABLE sync_seen DROP CONSTRAINT sync_seen_pkey, DROP CONSTRAINT sync_seen_job_id_fkey,
	ALTER COLUMN environment_id SET NOT NULL, ADD PRIMARY KEY (environment_id, job_id, chunk),
	ADD FOREIGN KEY (environment_id, job_id) REFERENCES sync_job (environment_id, id) ON DELETE CASCADE;
DROP POLICY environment ON sync_seen;
SELECT guard('sync_seen', 'environment_id = current_setting(''tenon.environment'')');

-- For nodes of the version before, which name a job alone: one version longer.
CREATE UNIQUE INDEX sync_run_of_0022 ON sync_run (job_id, number);
CREATE UNIQUE INDEX sync_seen_of_0022 ON sync_seen (job_id, chunk);
CREATE FUNCTION sync_seen_of_0022() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	SELECT environment_id INTO NEW.environment_id FROM sync_job WHERE id = NEW.job_id;
	RETURN NEW;
END $$;
CREATE TRIGGER sync_seen_of_0022 BEFORE INSERT ON sync_seen FOR EACH ROW WHEN (NEW.environment_id IS NULL)
	EXECUTE FUNCTION sync_seen_of_0022();
