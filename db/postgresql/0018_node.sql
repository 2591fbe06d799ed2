-- What other nodes remember of a row that has changed: each is told "TABLE KEY…" (store_hear()).
-- The arguments are the columns of the key. With several rows in one transaction each is told.
CREATE FUNCTION tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	told text := TG_TABLE_NAME;
	kept jsonb;
BEGIN
	IF TG_LEVEL = 'ROW' THEN
		kept := to_jsonb(CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END);
		FOR i IN 0 .. TG_NARGS - 1 LOOP
			told := told || ' ' || (kept ->> TG_ARGV[i]);
		END LOOP;
	END IF;
	PERFORM pg_notify('tenon_told', told);
	RETURN NULL;
END $$;

CREATE TRIGGER environment_told AFTER UPDATE OR DELETE ON environment
	FOR EACH ROW EXECUTE FUNCTION tell_change('id');
CREATE TRIGGER api_key_told AFTER DELETE OR UPDATE OF revoked_ms, expires_ms, scopes, digest, name ON api_key
	FOR EACH ROW EXECUTE FUNCTION tell_change('environment_id');
CREATE TRIGGER account_told AFTER UPDATE OR DELETE ON account
	FOR EACH ROW EXECUTE FUNCTION tell_change('environment_id', 'id');
CREATE TRIGGER credential_told AFTER INSERT OR UPDATE OR DELETE ON credential
	FOR EACH ROW EXECUTE FUNCTION tell_change('environment_id', 'account_id');
CREATE TRIGGER data_key_told AFTER INSERT OR DELETE OR UPDATE OF is_current ON data_key
	FOR EACH STATEMENT EXECUTE FUNCTION tell_change();
CREATE TRIGGER environment_override_told AFTER INSERT OR UPDATE OR DELETE ON environment_override
	FOR EACH STATEMENT EXECUTE FUNCTION tell_change();
CREATE TRIGGER account_override_told AFTER INSERT OR UPDATE OR DELETE ON account_override
	FOR EACH STATEMENT EXECUTE FUNCTION tell_change();
CREATE TRIGGER mcp_server_told AFTER UPDATE OR DELETE ON mcp_server
	FOR EACH ROW EXECUTE FUNCTION tell_change('id');
CREATE TRIGGER erased_record_told AFTER INSERT OR DELETE ON erased_record
	FOR EACH STATEMENT EXECUTE FUNCTION tell_change();
CREATE TRIGGER sync_job_told AFTER INSERT OR DELETE ON sync_job
	FOR EACH ROW EXECUTE FUNCTION tell_change('id');
CREATE TRIGGER sync_job_changed_told AFTER UPDATE OF config, state, wishes ON sync_job
	FOR EACH ROW WHEN (OLD.config <> NEW.config OR OLD.state <> NEW.state OR OLD.wishes < NEW.wishes)
	EXECUTE FUNCTION tell_change('id');
CREATE TRIGGER sync_hint_told AFTER INSERT ON sync_hint
	FOR EACH STATEMENT EXECUTE FUNCTION tell_change();
CREATE TRIGGER webhook_told AFTER INSERT OR DELETE OR UPDATE OF version ON webhook
	FOR EACH ROW EXECUTE FUNCTION tell_change('id');
