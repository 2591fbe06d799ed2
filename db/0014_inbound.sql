-- Notifications that ATSs send by themselves: where they are taken for an account, what proves
-- them, and those of the last days. Owned by src/ats/inbound.
-- Times are milliseconds since 1970 (UTC); 0 stands for never.

CREATE TABLE inbound_endpoint (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	connector TEXT NOT NULL,        -- the account's
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	received_ms INTEGER NOT NULL,   -- the last one
	tested_ms INTEGER NOT NULL,     -- the last time that the ATS only tried the address
	refused_ms INTEGER NOT NULL,    -- the last one without a good signature
	received INTEGER NOT NULL,
	repeated INTEGER NOT NULL,      -- that had come before
	refused INTEGER NOT NULL,
	PRIMARY KEY (environment_id, account_id),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Who sends one names the account only.
CREATE INDEX inbound_endpoint_account ON inbound_endpoint (account_id);

CREATE TABLE inbound_secret (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	created_ms INTEGER NOT NULL,    -- its version
	sealed BLOB NOT NULL,           -- by the vault, bound to the three before
	until_ms INTEGER NOT NULL,      -- replaced, and good until then; 0: the present one
	PRIMARY KEY (environment_id, account_id, created_ms),
	FOREIGN KEY (environment_id, account_id)
		REFERENCES inbound_endpoint (environment_id, account_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Kept for seven days, so that one which comes again is known.
CREATE TABLE inbound_delivery (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	digest BLOB NOT NULL,           -- BLAKE2b of the notification's own id, or of the body
	received_ms INTEGER NOT NULL,
	repeated INTEGER NOT NULL,      -- how often it has come again
	remote_id TEXT NOT NULL,        -- its own id; empty: it has none
	event TEXT NOT NULL,            -- in the ATS's words; empty: not told
	body BLOB NOT NULL,             -- as it came
	hints TEXT NOT NULL,            -- JSON: what was to be fetched
	hint_count INTEGER NOT NULL,
	taken INTEGER NOT NULL,         -- how many of them sync jobs have taken
	error TEXT NOT NULL,            -- why it could not be read; empty: it could
	PRIMARY KEY (environment_id, account_id, digest),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX inbound_delivery_received ON inbound_delivery (environment_id, account_id, received_ms);

-- As 0005_vault has it for other columns: nothing is taken that is sealed under a data key which
-- goes.
CREATE TRIGGER inbound_secret_key_insert BEFORE INSERT ON inbound_secret
	WHEN substr(NEW.sealed, 1, 1) = x'02'
	AND NOT EXISTS (SELECT 1 FROM data_key WHERE id = substr(NEW.sealed, 3, 8) AND is_closing = 0)
BEGIN
	SELECT RAISE(ABORT, 'the data key is gone');
END;

CREATE TRIGGER inbound_secret_key_update BEFORE UPDATE OF sealed ON inbound_secret
	WHEN substr(NEW.sealed, 1, 1) = x'02'
	AND NOT EXISTS (SELECT 1 FROM data_key WHERE id = substr(NEW.sealed, 3, 8) AND is_closing = 0)
BEGIN
	SELECT RAISE(ABORT, 'the data key is gone');
END;
