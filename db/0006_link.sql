-- What linking keeps: tokens for the link page, the sessions they were exchanged for, tokens of one
-- account, and what happened to accounts. Owned by src/ats/link and src/ats/event. Times are
-- milliseconds since 1970 (UTC); 0 stands for never.

CREATE TABLE link_token (
	environment_id TEXT NOT NULL REFERENCES environment (id),
	id TEXT NOT NULL,
	digest BLOB NOT NULL UNIQUE,    -- HMAC-SHA-256 of the token's text; it is found by it
	tenant_id TEXT NOT NULL,
	account_id TEXT NOT NULL,       -- to be linked anew; empty: a new account
	connectors TEXT NOT NULL,       -- JSON array of names; empty: all that there are
	context TEXT NOT NULL,          -- JSON object: goes over what people fill in
	redirect_uri TEXT NOT NULL,
	allowed_origins TEXT NOT NULL,  -- JSON array; empty: those of the environment
	theme TEXT NOT NULL,            -- JSON object
	language TEXT NOT NULL,
	created_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,
	used_ms INTEGER NOT NULL,       -- when it was exchanged for a session: once
	revoked_ms INTEGER NOT NULL,
	PRIMARY KEY (environment_id, id)
) STRICT, WITHOUT ROWID;

-- How many are valid, and which ended long ago, is asked whenever one is made.
CREATE INDEX link_token_expires ON link_token (environment_id, expires_ms);

CREATE TABLE link_session (
	environment_id TEXT NOT NULL,
	id TEXT NOT NULL,
	token_id TEXT NOT NULL,
	digest BLOB NOT NULL UNIQUE,
	origin TEXT NOT NULL,           -- of the page around the dialog; empty: there is none
	mode TEXT NOT NULL,
	language TEXT NOT NULL,
	connectors TEXT NOT NULL,       -- JSON array of names: those of the token's that were asked for
	status TEXT NOT NULL,           -- open, connected, failed, ended
	account_id TEXT NOT NULL,       -- once it is connected
	error TEXT NOT NULL,            -- why it failed, as the page's `reason`
	tries INTEGER NOT NULL,         -- of credentials
	created_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,
	PRIMARY KEY (environment_id, id),
	FOREIGN KEY (environment_id, token_id) REFERENCES link_token (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX link_session_token ON link_session (environment_id, token_id);

CREATE TABLE account_token (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	digest BLOB NOT NULL UNIQUE,
	expires_ms INTEGER NOT NULL,
	PRIMARY KEY (environment_id, account_id, digest),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
	environment_id TEXT NOT NULL REFERENCES environment (id),
	number INTEGER NOT NULL,        -- 1, 2, 3 … without a gap
	type TEXT NOT NULL,
	account_id TEXT NOT NULL,
	payload TEXT NOT NULL,          -- JSON object
	created_ms INTEGER NOT NULL,
	PRIMARY KEY (environment_id, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX event_account ON event (environment_id, account_id, number);

-- JSON object: what the link page has where a token says nothing.
ALTER TABLE environment ADD COLUMN link TEXT NOT NULL DEFAULT '{}';

-- What the ATS last refused the account, as JSON; null: nothing.
ALTER TABLE account ADD COLUMN last_error TEXT NOT NULL DEFAULT 'null';
ALTER TABLE account ADD COLUMN last_forbidden_error TEXT NOT NULL DEFAULT 'null';
