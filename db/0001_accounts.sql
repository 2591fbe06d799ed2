-- Environments, their API keys, their integrated accounts and the sealed credentials of these.
-- Owned by src/ats/account. Times are milliseconds since 1970 (UTC); 0 stands for never.
-- The environment comes first in every key: no row is reached without saying whose it is.

CREATE TABLE environment (
	id TEXT NOT NULL PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key (
	environment_id TEXT NOT NULL REFERENCES environment (id),
	id TEXT NOT NULL,
	digest BLOB NOT NULL UNIQUE,    -- HMAC-SHA-256 of the key's text; who calls is found by it
	name TEXT NOT NULL,
	hint TEXT NOT NULL,
	scopes INTEGER NOT NULL,
	created_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,
	used_ms INTEGER NOT NULL,
	revoked_ms INTEGER NOT NULL,
	PRIMARY KEY (environment_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
	environment_id TEXT NOT NULL REFERENCES environment (id),
	id TEXT NOT NULL,
	connector TEXT NOT NULL,
	tenant_id TEXT NOT NULL,
	status TEXT NOT NULL,
	context TEXT NOT NULL,          -- JSON object
	limits TEXT NOT NULL,           -- JSON object
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	PRIMARY KEY (environment_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX account_status ON account (environment_id, status);

CREATE TABLE credential (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	field TEXT NOT NULL,
	sealed BLOB NOT NULL,           -- by the vault, bound to the three before
	PRIMARY KEY (environment_id, account_id, field),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
