-- Expressions that take the place of a connector's own, for an environment's accounts of one
-- connector, and for one account. Owned by src/ats/override.
-- Times are milliseconds since 1970 (UTC).

CREATE TABLE environment_override (
	environment_id TEXT NOT NULL REFERENCES environment (id),
	connector TEXT NOT NULL,
	resource TEXT NOT NULL,
	part TEXT NOT NULL,             -- "response", "tables/NAME", "request/METHOD/CALL"
	field TEXT NOT NULL,
	expression TEXT NOT NULL,       -- JSONata
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	PRIMARY KEY (environment_id, connector, resource, part, field)
) STRICT, WITHOUT ROWID;

CREATE TABLE account_override (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	resource TEXT NOT NULL,
	part TEXT NOT NULL,
	field TEXT NOT NULL,
	expression TEXT NOT NULL,
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	PRIMARY KEY (environment_id, account_id, resource, part, field),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
