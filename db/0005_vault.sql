-- The keys under which texts are sealed, themselves sealed under a master key; how far the audit
-- log has certainly come. Owned by src/ats/vault. The credential's version: by src/ats/account.
-- Times are milliseconds since 1970 (UTC).

CREATE TABLE data_key (
	environment_id TEXT NOT NULL,   -- '': the installation's own
	id BLOB NOT NULL UNIQUE,        -- 8 bytes, in the head of each text sealed under it
	purpose TEXT NOT NULL,          -- sealing, tokens, digests, audit
	is_current INTEGER NOT NULL,    -- 1: new texts are sealed under it; 0: being rotated out
	is_closing INTEGER NOT NULL,    -- 1: nothing sealed under it is taken any more
	created_ms INTEGER NOT NULL,
	wrapped BLOB NOT NULL,          -- sealed under a master key, bound to the three first
	PRIMARY KEY (environment_id, id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX data_key_current ON data_key (environment_id, purpose) WHERE is_current = 1;

CREATE TABLE audit_head (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	number INTEGER NOT NULL,        -- of a line that is on the disk
	mac BLOB NOT NULL,              -- its own
	noted_ms INTEGER NOT NULL
) STRICT;

-- Counted up when the field is replaced; what was sealed is bound to it.
ALTER TABLE credential ADD COLUMN version INTEGER NOT NULL DEFAULT 0;

-- A text sealed under a data key that goes would be lost: who sealed it that long ago is told so
-- instead (the write is refused).
CREATE TRIGGER credential_key_insert BEFORE INSERT ON credential
	WHEN substr(NEW.sealed, 1, 1) = x'02'
	AND NOT EXISTS (SELECT 1 FROM data_key WHERE id = substr(NEW.sealed, 3, 8) AND is_closing = 0)
BEGIN
	SELECT RAISE(ABORT, 'the data key is gone');
END;

CREATE TRIGGER credential_key_update BEFORE UPDATE OF sealed ON credential
	WHEN substr(NEW.sealed, 1, 1) = x'02'
	AND NOT EXISTS (SELECT 1 FROM data_key WHERE id = substr(NEW.sealed, 3, 8) AND is_closing = 0)
BEGIN
	SELECT RAISE(ABORT, 'the data key is gone');
END;

CREATE TRIGGER idempotency_key_insert BEFORE INSERT ON idempotency
	WHEN substr(NEW.reply, 1, 1) = x'02'
	AND NOT EXISTS (SELECT 1 FROM data_key WHERE id = substr(NEW.reply, 3, 8) AND is_closing = 0)
BEGIN
	SELECT RAISE(ABORT, 'the data key is gone');
END;

CREATE TRIGGER idempotency_key_update BEFORE UPDATE OF reply ON idempotency
	WHEN substr(NEW.reply, 1, 1) = x'02'
	AND NOT EXISTS (SELECT 1 FROM data_key WHERE id = substr(NEW.reply, 3, 8) AND is_closing = 0)
BEGIN
	SELECT RAISE(ABORT, 'the data key is gone');
END;

CREATE TRIGGER idempotency_call_key_insert BEFORE INSERT ON idempotency_call
	WHEN substr(NEW.result, 1, 1) = x'02'
	AND NOT EXISTS (SELECT 1 FROM data_key WHERE id = substr(NEW.result, 3, 8) AND is_closing = 0)
BEGIN
	SELECT RAISE(ABORT, 'the data key is gone');
END;

CREATE TRIGGER idempotency_call_key_update BEFORE UPDATE OF result ON idempotency_call
	WHEN substr(NEW.result, 1, 1) = x'02'
	AND NOT EXISTS (SELECT 1 FROM data_key WHERE id = substr(NEW.result, 3, 8) AND is_closing = 0)
BEGIN
	SELECT RAISE(ABORT, 'the data key is gone');
END;
