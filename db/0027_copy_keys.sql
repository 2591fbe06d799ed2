-- The key of a copy begins with its environment. Its number, of which its records' numbers are made, is one of its
-- columns. Owned by src/ats/copy.
-- Runs with 0022: on PostgreSQL an index of the number alone stays beside: postgresql/0027_copy_keys.sql.

CREATE TABLE copy_now (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	resource TEXT NOT NULL,
	number INTEGER NOT NULL UNIQUE, -- the upper half of its records' numbers
	whole_ms INTEGER NOT NULL,      -- all that was so at that time is in the copy; 0: it is not whole
	swept_ms INTEGER NOT NULL,      -- so are deletions
	record_count INTEGER NOT NULL,  -- alive
	updated_max_ms INTEGER NOT NULL, -- the latest updated_at that the ATS has given
	last_number INTEGER NOT NULL,   -- of its records: never given twice
	PRIMARY KEY (environment_id, account_id, resource),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

INSERT INTO copy_now SELECT environment_id, account_id, resource, number, whole_ms, swept_ms, record_count,
	updated_max_ms, last_number FROM copy;

DROP TABLE copy;

ALTER TABLE copy_now RENAME TO copy;
