-- Writes that were asked for under an Idempotency-Key, and the calls to the ATS that each made.
-- Owned by src/ats/idempotency. Kept for seven days. Times are milliseconds since 1970 (UTC).

CREATE TABLE idempotency (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	key_hash BLOB NOT NULL,         -- BLAKE2b of the key
	request_hash BLOB NOT NULL,     -- BLAKE2b of method, path and body
	status INTEGER NOT NULL,        -- of the reply; 0: there is none yet
	reply BLOB,                     -- sealed by the vault
	created_ms INTEGER NOT NULL,
	PRIMARY KEY (environment_id, account_id, key_hash),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_created ON idempotency (created_ms);

CREATE TABLE idempotency_call (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	key_hash BLOB NOT NULL,
	number INTEGER NOT NULL,        -- in the order in which the write makes its calls
	sent_ms INTEGER NOT NULL,
	result BLOB,                    -- sealed; NULL: it is not known whether the call was done
	PRIMARY KEY (environment_id, account_id, key_hash, number),
	FOREIGN KEY (environment_id, account_id, key_hash)
		REFERENCES idempotency (environment_id, account_id, key_hash) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
