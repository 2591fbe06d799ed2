-- The processes that share the store, and what each has taken for itself. Owned by src/ats/node; the
-- columns `owner` and `fence` of other tables by their rooms. Times are milliseconds since 1970
-- (UTC), here by the database's clock.

CREATE TABLE node (
	id TEXT NOT NULL PRIMARY KEY,   -- nod_…, a new one with each lease
	folder TEXT NOT NULL,           -- of its keys: one process at a time has it
	slot INTEGER NOT NULL UNIQUE,   -- 0 to 63
	version TEXT NOT NULL,          -- of the program
	started_ms INTEGER NOT NULL,
	until_ms INTEGER NOT NULL       -- it is taken for dead from then on
) STRICT, WITHOUT ROWID;

-- What one node at a time does.
CREATE TABLE duty (
	name TEXT NOT NULL PRIMARY KEY,
	owner TEXT NOT NULL,
	fence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who sends an endpoint's messages.
ALTER TABLE webhook ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE webhook ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;
-- The data folder of who asks for the token.
ALTER TABLE credential_lease ADD COLUMN owner TEXT NOT NULL DEFAULT '';
-- Who is at the attempt; empty: it has ended.
ALTER TABLE idempotency ADD COLUMN owner TEXT NOT NULL DEFAULT '';

-- Each data folder has an audit log of its own.
CREATE TABLE audit_head_new (
	folder TEXT NOT NULL PRIMARY KEY, -- empty: the only one
	number INTEGER NOT NULL,        -- of a line that is on the disk
	mac BLOB NOT NULL,              -- its own
	noted_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO audit_head_new (folder, number, mac, noted_ms)
	SELECT '', number, mac, noted_ms FROM audit_head;
DROP TABLE audit_head;
ALTER TABLE audit_head_new RENAME TO audit_head;
