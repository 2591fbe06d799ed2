-- One record per call that a door took for an account: what was asked, what became of it, and what
-- it took. Never a body, a name or a secret. Owned by src/ats/calls. Kept for a set time.
-- What an account did outlives the account.

CREATE TABLE call_log (
	environment_id TEXT NOT NULL,
	id INTEGER NOT NULL,            -- milliseconds since 1970 (UTC) times 2^20, and a number
	account_id TEXT NOT NULL,       -- empty: no account was found
	connector TEXT,
	door TEXT NOT NULL,
	resource TEXT,                  -- NULL: none that the model or the connector knows
	method TEXT,
	status INTEGER NOT NULL,        -- of the reply
	error TEXT,                     -- its name; NULL: there was none
	duration_ms INTEGER NOT NULL,
	upstream_ms INTEGER NOT NULL,
	wait_ms INTEGER NOT NULL,
	calls INTEGER NOT NULL,
	retries INTEGER NOT NULL,
	result_count INTEGER,
	request_id TEXT NOT NULL,
	PRIMARY KEY (environment_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX call_log_account ON call_log (environment_id, account_id, id);
