-- Jobs that keep the local copy fresh. Owned by src/ats/sync.
-- Times are milliseconds since 1970 (UTC); 0 stands for never.

CREATE TABLE sync_job (
	environment_id TEXT NOT NULL,
	id TEXT NOT NULL UNIQUE,
	account_id TEXT NOT NULL,
	resource TEXT NOT NULL,
	config TEXT NOT NULL,           -- JSON object: what is wanted, as the API shows it
	state INTEGER NOT NULL,         -- enum sync_state
	next_ms INTEGER NOT NULL,       -- the next run is due from then on
	full_ms INTEGER NOT NULL,       -- and from then on it is a full one
	mark_ms INTEGER NOT NULL,       -- the latest change that a run has seen, by the ATS's own clock
	since_ms INTEGER NOT NULL,      -- what the next incremental run asks from
	wishes INTEGER NOT NULL,        -- enum sync_wish bits, for the next run
	failures INTEGER NOT NULL,      -- in a row
	run_number INTEGER NOT NULL,    -- of its latest run; 0: there was none
	owner TEXT NOT NULL,            -- the process that runs it; empty: none
	fence INTEGER NOT NULL,         -- moves with each owner: what an older one writes is refused
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	PRIMARY KEY (environment_id, id),
	UNIQUE (environment_id, account_id, resource),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX sync_job_due ON sync_job (next_ms) WHERE state = 0;

CREATE TABLE sync_run (
	job_id TEXT NOT NULL REFERENCES sync_job (id) ON DELETE CASCADE,
	number INTEGER NOT NULL,        -- of the job: 1, 2, 3 …
	id TEXT NOT NULL UNIQUE,
	environment_id TEXT NOT NULL,
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
	PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;

-- Which records a full run has met: bits by a record's number in its copy.
CREATE TABLE sync_seen (
	job_id TEXT NOT NULL REFERENCES sync_job (id) ON DELETE CASCADE,
	chunk INTEGER NOT NULL,
	bits BLOB NOT NULL,
	PRIMARY KEY (job_id, chunk)
) STRICT, WITHOUT ROWID;

-- What is to be fetched again, since something told of a change.
CREATE TABLE sync_hint (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	resource TEXT NOT NULL,
	id TEXT NOT NULL,               -- of a record; empty: a filter tells which
	filter_name TEXT NOT NULL,
	filter_value TEXT NOT NULL,
	generation INTEGER NOT NULL,    -- moves when it is told again
	made_ms INTEGER NOT NULL,
	next_ms INTEGER NOT NULL,       -- not before
	tries INTEGER NOT NULL,
	PRIMARY KEY (environment_id, account_id, resource, id, filter_name, filter_value),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX sync_hint_due ON sync_hint (next_ms);
