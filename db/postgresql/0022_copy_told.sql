-- A node remembers how new a copy is (src/ats/copy/recall.c). The number of its records, which changes with each
-- page of a run, is not remembered, and not told.
CREATE TRIGGER copy_told AFTER DELETE ON copy
	FOR EACH ROW EXECUTE FUNCTION tell_change('environment_id', 'account_id', 'resource');
CREATE TRIGGER copy_changed_told AFTER UPDATE OF whole_ms, swept_ms ON copy
	FOR EACH ROW WHEN (OLD.whole_ms <> NEW.whole_ms OR OLD.swept_ms <> NEW.swept_ms)
	EXECUTE FUNCTION tell_change('environment_id', 'account_id', 'resource');
