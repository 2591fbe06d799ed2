-- The local copy of accounts' records, as the unified API gives them. Owned by src/ats/copy.
-- Times are milliseconds since 1970 (UTC); 0 stands for never.

-- The copy of one resource of one account, and how far it can be trusted.
CREATE TABLE copy (
	number INTEGER PRIMARY KEY,     -- the upper half of its records' numbers
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	resource TEXT NOT NULL,
	whole_ms INTEGER NOT NULL,      -- all that was so at that time is in the copy; 0: it is not whole
	swept_ms INTEGER NOT NULL,      -- so are deletions
	record_count INTEGER NOT NULL,  -- alive
	updated_max_ms INTEGER NOT NULL, -- the latest updated_at that the ATS has given
	last_number INTEGER NOT NULL,   -- of its records: never given twice
	UNIQUE (environment_id, account_id, resource),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT;

CREATE TABLE record (
	number INTEGER PRIMARY KEY,     -- copy * 2^32 + its number in the copy: 1, 2, 3 …
	copy INTEGER NOT NULL REFERENCES copy (number) ON DELETE CASCADE,
	id TEXT NOT NULL,
	version INTEGER NOT NULL,       -- counts its events
	read_ms INTEGER NOT NULL,       -- when the ATS was asked for what is here
	is_partial INTEGER NOT NULL,    -- as a list tells it, which is not all
	created_ms INTEGER NOT NULL,    -- the record's own, if it has such
	updated_ms INTEGER NOT NULL,
	changed_ms INTEGER NOT NULL,    -- when tenon noticed the last change
	missing_ms INTEGER NOT NULL,    -- a full sweep did not find it, and the next will tell; 0: all is well
	deleted_ms INTEGER NOT NULL,    -- 0: it is alive
	hash BLOB NOT NULL,             -- of the body, without what changes by itself
	list_hash BLOB NOT NULL,        -- of what a partial list last told of it; empty: none did
	body TEXT NOT NULL              -- the unified record; of a deleted one the last that was known
) STRICT;

-- All that has to be known of a record to see that nothing has changed. There is one of each id:
-- nobody creates records of a copy but who takes last_number on.
CREATE INDEX record_known ON record (copy, id, version, read_ms, is_partial, missing_ms,
	deleted_ms, hash, list_hash);

-- The words of records, to search for; rowid is the record's number. It lags behind: what is still
-- to be taken in stands in record_text_due.
CREATE VIRTUAL TABLE record_text USING fts5 (words, tokenize = 'unicode61 remove_diacritics 2');

CREATE TABLE record_text_due (
	number INTEGER PRIMARY KEY
) STRICT;

-- Of a record that is gone the words go, too, when these are looked at next.
CREATE TRIGGER record_gone AFTER DELETE ON record
BEGIN
	INSERT OR IGNORE INTO record_text_due (number) VALUES (OLD.number);
END;
