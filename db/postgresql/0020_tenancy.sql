-- Whose rows a session sees and may write: those of the environment in its setting tenon.environment; '*' are all.
-- Without the setting each question is an error. The tables' owner is bound, too, for that is the program itself.
-- A new table says here what its rule is: SELECT guard('TABLE', 'RULE').
CREATE FUNCTION guard(its_table text, its_rule text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE POLICY environment ON %I USING (%s OR current_setting(''tenon.environment'') = ''*'')',
		its_table, its_rule);
	EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', its_table);
	EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', its_table);
END $$;

SELECT guard(c.relname, 'environment_id = current_setting(''tenon.environment'')')
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'environment_id'
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r';
SELECT guard('environment', 'id = current_setting(''tenon.environment'')');
-- Of these the environment stands in another table, which has its own rule.
SELECT guard('record', 'EXISTS (SELECT FROM copy AS its_copy WHERE its_copy.number = record.copy)');
SELECT guard('sync_seen', 'EXISTS (SELECT FROM sync_job AS its_job WHERE its_job.id = sync_seen.job_id)');
