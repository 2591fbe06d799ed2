-- The local copy of accounts' records, as the unified API gives them. Owned by src/ats/copy.
-- Times are milliseconds since 1970 (UTC); 0 stands for never.

CREATE TABLE record (
	number INTEGER PRIMARY KEY,     -- never given twice; what sweeps and the full-text index know it by
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	resource TEXT NOT NULL,
	id TEXT NOT NULL,
	body TEXT NOT NULL,             -- the unified record; of a deleted one the last that was known
	hash BLOB NOT NULL,             -- of the body, without what changes by itself
	is_partial INTEGER NOT NULL,    -- as a list tells it, which is not all
	version INTEGER NOT NULL,       -- counts its changes, and its events
	read_ms INTEGER NOT NULL,       -- when the ATS was asked for what is here
	created_ms INTEGER NOT NULL,    -- the record's own, if it has such
	updated_ms INTEGER NOT NULL,
	changed_ms INTEGER NOT NULL,    -- when tenon noticed the last change
	missing_ms INTEGER NOT NULL,    -- a full sweep did not find it, and the next will tell; 0: all is well
	deleted_ms INTEGER NOT NULL,    -- 0: it is alive
	UNIQUE (environment_id, account_id, resource, id),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT;

-- How far the copy of one resource can be trusted.
CREATE TABLE copy (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	resource TEXT NOT NULL,
	whole_ms INTEGER NOT NULL,      -- all that was so at that time is in the copy; 0: it is not whole
	swept_ms INTEGER NOT NULL,      -- so are deletions
	record_count INTEGER NOT NULL,  -- alive
	PRIMARY KEY (environment_id, account_id, resource),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
