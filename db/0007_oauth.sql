-- How each account shows itself to its ATS, its tokens, and OAuth. The columns of account are of
-- src/ats/account, the tables of src/ats/oauth. Times are milliseconds since 1970 (UTC).

-- The format of its credential; empty: from before there were several, the connector's first.
ALTER TABLE account ADD COLUMN authentication_method TEXT NOT NULL DEFAULT '';
-- Those granted, parted by blanks.
ALTER TABLE account ADD COLUMN scopes TEXT NOT NULL DEFAULT '';
-- Counts the credentials that it has had: who stores a new one says which one it takes the place of.
ALTER TABLE account ADD COLUMN token_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN token_expires_ms INTEGER NOT NULL DEFAULT 0;  -- 0: not known
ALTER TABLE account ADD COLUMN token_refresh_ms INTEGER NOT NULL DEFAULT 0;  -- from then on; 0: on demand
-- The provider has said of this version that it gives no other for it.
ALTER TABLE account ADD COLUMN token_refused INTEGER NOT NULL DEFAULT 0;

CREATE INDEX account_token_refresh ON account (token_refresh_ms) WHERE token_refresh_ms > 0;

-- Who may ask for a new token: the holder of the fence, until then. What the holder is about to
-- send is noted first.
CREATE TABLE credential_lease (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	fence INTEGER NOT NULL,
	until_ms INTEGER NOT NULL,      -- 0: nobody's
	intent_version INTEGER NOT NULL, -- of the token that was sent off for a new one
	intent_ms INTEGER NOT NULL,     -- 0: what came of it is known
	PRIMARY KEY (environment_id, account_id),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What an environment has registered with an ATS.
CREATE TABLE oauth_app (
	environment_id TEXT NOT NULL REFERENCES environment (id),
	connector TEXT NOT NULL,
	client_id TEXT NOT NULL,
	client_secret BLOB,             -- sealed; NULL: it has none
	scopes TEXT NOT NULL,           -- parted by blanks; empty: the connector's
	authorize_url TEXT NOT NULL,    -- empty: the connector's
	token_url TEXT NOT NULL,
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	PRIMARY KEY (environment_id, connector)
) STRICT, WITHOUT ROWID;

-- Authorizations under way. Each row is taken once.
CREATE TABLE oauth_state (
	environment_id TEXT NOT NULL REFERENCES environment (id),
	digest BLOB NOT NULL UNIQUE,    -- keyed hash of the state, by which it is found
	connector TEXT NOT NULL,
	authentication_method TEXT NOT NULL,
	context TEXT NOT NULL,          -- JSON object
	redirect_uri TEXT NOT NULL,
	browser BLOB NOT NULL,          -- hash of what its cookie says
	session_id TEXT NOT NULL,
	verifier BLOB NOT NULL,         -- sealed
	expires_ms INTEGER NOT NULL,
	PRIMARY KEY (environment_id, digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_state_expires ON oauth_state (expires_ms);
