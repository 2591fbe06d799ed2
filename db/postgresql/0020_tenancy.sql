-- Whose rows a session sees and may write: those of the environment in its setting tenon.environment; '*' are all.
-- Without the setting each question is an error. The tables' owner is bound, too, for that is the program itself.
-- A new table says here what its rule is: SELECT guard('TABLE', 'RULE').
--
-- The planner takes "is not null" of what it knows nothing about for true of nearly all rows, which is right: the texts
-- name their environment themselves. Of the rule as it stands it would think that it leaves few of those, and sort.
CREATE FUNCTION guard(its_table text, its_rule text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE POLICY environment ON %I USING'
		' (nullif(%s OR current_setting(''tenon.environment'') = ''*'', false) IS NOT NULL)',
		its_table, its_rule);
	EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', its_table);
	EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', its_table);
END $$;

SELECT guard(c.relname, 'environment_id = current_setting(''tenon.environment'')')
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'environment_id'
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r';
SELECT guard('environment', 'id = current_setting(''tenon.environment'')');
-- A record is written into copies of its environment only.
ALTER POLICY environment ON record WITH CHECK (current_setting('tenon.environment') = '*'
	OR (environment_id = current_setting('tenon.environment')
		AND (SELECT true FROM copy AS its_copy WHERE its_copy.number = record.copy)));
-- Of this one the environment stands in another table, which has its own rule. (As a value it is looked up for each
-- row: EXISTS would have all jobs of the environment read first. Who sees all looks up nothing.)
SELECT guard('sync_seen', 'current_setting(''tenon.environment'') = ''*'''
	' OR (SELECT true FROM sync_job AS its_job WHERE its_job.id = sync_seen.job_id)');
