-- MCP servers of accounts: which tools an AI agent may call with which token. Owned by src/ats/mcp.
-- Times are milliseconds since 1970 (UTC); 0 stands for never.

CREATE TABLE mcp_server (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	id TEXT NOT NULL UNIQUE,        -- it is called by it alone
	digest BLOB NOT NULL UNIQUE,    -- HMAC-SHA-256 of its token
	name TEXT NOT NULL,
	config TEXT NOT NULL,           -- JSON object: what it may, as the API shows it
	created_by TEXT NOT NULL,       -- id of an API key; empty: on the machine itself
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,
	PRIMARY KEY (environment_id, account_id, id),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX mcp_server_expires ON mcp_server (expires_ms) WHERE expires_ms > 0;

-- Of calls through MCP: which server, which tool, and who the client said it is.
ALTER TABLE call_log ADD COLUMN mcp_server_id TEXT NOT NULL DEFAULT '';
ALTER TABLE call_log ADD COLUMN tool TEXT NOT NULL DEFAULT '';
ALTER TABLE call_log ADD COLUMN client_name TEXT NOT NULL DEFAULT '';
ALTER TABLE call_log ADD COLUMN client_version TEXT NOT NULL DEFAULT '';
