-- Persons who were erased. Owned by src/ats/erasure.
-- Times are milliseconds since 1970 (UTC).

CREATE TABLE erasure (
	environment_id TEXT NOT NULL,
	id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	created_ms INTEGER NOT NULL,
	counts TEXT NOT NULL,           -- JSON object: what was found and erased
	PRIMARY KEY (environment_id, id),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What is not taken into the copy any more: of each record a keyed hash, and nothing else.
CREATE TABLE erased_record (
	environment_id TEXT NOT NULL,
	erasure_id TEXT NOT NULL,
	digest BLOB NOT NULL,
	PRIMARY KEY (environment_id, erasure_id, digest),
	FOREIGN KEY (environment_id, erasure_id) REFERENCES erasure (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- How long things are kept, in days, as a JSON object. Owned by src/ats/retention.
ALTER TABLE environment ADD COLUMN retention TEXT NOT NULL DEFAULT '{}';
