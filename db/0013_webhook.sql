-- Webhooks: where events are sent, under which secrets, and how that went. Owned by
-- src/ats/webhook. Times are milliseconds since 1970 (UTC); 0 stands for never.

CREATE TABLE webhook (
	environment_id TEXT NOT NULL REFERENCES environment (id),
	id TEXT NOT NULL,
	config TEXT NOT NULL,           -- JSON object, as the API has it
	state TEXT NOT NULL,            -- active, paused, gone
	reason TEXT NOT NULL,           -- why it is not active; may be empty
	seen INTEGER NOT NULL,          -- events up to this number are settled, or have a delivery
	failing_ms INTEGER NOT NULL,    -- since when nothing but failures; 0: the last one went well
	delivered_ms INTEGER NOT NULL,  -- the last success
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	version INTEGER NOT NULL,       -- moves with each change of config, state or secrets
	PRIMARY KEY (environment_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_secret (
	environment_id TEXT NOT NULL,
	webhook_id TEXT NOT NULL,
	number INTEGER NOT NULL,        -- 1, 2, 3 …
	kind TEXT NOT NULL,             -- v1 (a shared secret) or v1a (a private key of Ed25519)
	secret BLOB NOT NULL,           -- sealed by the vault
	public_key TEXT NOT NULL,       -- of v1a: whpk_…
	created_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,    -- signs no more from then on; 0: until it is replaced
	PRIMARY KEY (environment_id, webhook_id, number),
	FOREIGN KEY (environment_id, webhook_id) REFERENCES webhook (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_delivery (
	environment_id TEXT NOT NULL,
	webhook_id TEXT NOT NULL,
	number INTEGER NOT NULL,        -- of the event
	type TEXT NOT NULL,
	account_id TEXT NOT NULL,       -- what it is about: deliveries of one thing keep their order
	resource TEXT NOT NULL,
	record_id TEXT NOT NULL,
	state TEXT NOT NULL,            -- pending, delivered, failed
	attempts INTEGER NOT NULL,
	first_ms INTEGER NOT NULL,      -- the first attempt
	last_ms INTEGER NOT NULL,
	next_ms INTEGER NOT NULL,       -- of a pending one
	status INTEGER NOT NULL,        -- what the receiver answered last; 0: nothing
	error TEXT NOT NULL,            -- why the last attempt failed
	reply TEXT NOT NULL,            -- the beginning of what the receiver said
	duration_ms INTEGER NOT NULL,
	PRIMARY KEY (environment_id, webhook_id, number),
	FOREIGN KEY (environment_id, webhook_id) REFERENCES webhook (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_delivery_pending ON webhook_delivery (environment_id, webhook_id, number)
	WHERE state = 'pending';
-- What is old is thrown away.
CREATE INDEX webhook_delivery_last ON webhook_delivery (environment_id, last_ms);

-- As 0005_vault has it for other columns: nothing is taken that is sealed under a data key which
-- goes.

CREATE TRIGGER webhook_secret_key_insert BEFORE INSERT ON webhook_secret
	WHEN substr(NEW.secret, 1, 1) = x'02'
	AND NOT EXISTS (SELECT 1 FROM data_key WHERE id = substr(NEW.secret, 3, 8) AND is_closing = 0)
BEGIN
	SELECT RAISE(ABORT, 'the data key is gone');
END;

CREATE TRIGGER webhook_secret_key_update BEFORE UPDATE OF secret ON webhook_secret
	WHEN substr(NEW.secret, 1, 1) = x'02'
	AND NOT EXISTS (SELECT 1 FROM data_key WHERE id = substr(NEW.secret, 3, 8) AND is_closing = 0)
BEGIN
	SELECT RAISE(ABORT, 'the data key is gone');
END;
