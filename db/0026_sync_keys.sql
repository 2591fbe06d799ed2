-- Keys of what belongs to a sync job begin with its environment, as all keys do. Owned by src/ats/sync.
-- Runs with 0022: on PostgreSQL the keys that the version before names stay beside, and a trigger says the environment
-- where it does not. A later version takes away both: postgresql/0026_sync_keys.sql.

CREATE TABLE sync_run_now (
	environment_id TEXT NOT NULL,
	job_id TEXT NOT NULL,
	number INTEGER NOT NULL,        -- of the job: 1, 2, 3 …
	id TEXT NOT NULL,
	fence INTEGER NOT NULL,         -- of who writes it
	is_full INTEGER NOT NULL,
	is_asked INTEGER NOT NULL,      -- by somebody, not by the clock
	allows_deletions INTEGER NOT NULL,
	status TEXT NOT NULL,
	started_ms INTEGER NOT NULL,
	ended_ms INTEGER NOT NULL,      -- 0: it goes on
	place TEXT NOT NULL,            -- JSON object: where it goes on
	shares TEXT NOT NULL,           -- JSON object: in how many records each field was told
	expected INTEGER NOT NULL,      -- records, by the last count; 0: not known
	records INTEGER NOT NULL,
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	deleted INTEGER NOT NULL,
	unchanged INTEGER NOT NULL,
	calls INTEGER NOT NULL,         -- of the ATS
	retries INTEGER NOT NULL,
	wait_ms INTEGER NOT NULL,       -- for the rate limit
	error TEXT NOT NULL,            -- JSON object; empty: none
	PRIMARY KEY (environment_id, job_id, number),
	UNIQUE (environment_id, id),
	FOREIGN KEY (environment_id, job_id) REFERENCES sync_job (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

INSERT INTO sync_run_now SELECT environment_id, job_id, number, id, fence, is_full, is_asked, allows_deletions, status,
	started_ms, ended_ms, place, shares, expected, records, created, updated, deleted, unchanged, calls, retries,
	wait_ms, error FROM sync_run;

DROP TABLE sync_run;

ALTER TABLE sync_run_now RENAME TO sync_run;

-- Which records a full run has met: bits by a record's number in its copy.
CREATE TABLE sync_seen_now (
	environment_id TEXT NOT NULL,
	job_id TEXT NOT NULL,
	chunk INTEGER NOT NULL,
	bits BLOB NOT NULL,
	PRIMARY KEY (environment_id, job_id, chunk),
	FOREIGN KEY (environment_id, job_id) REFERENCES sync_job (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

INSERT INTO sync_seen_now SELECT sync_job.environment_id, job_id, chunk, bits
	FROM sync_seen JOIN sync_job ON sync_job.id = job_id;

DROP TABLE sync_seen;

ALTER TABLE sync_seen_now RENAME TO sync_seen;
