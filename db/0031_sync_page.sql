-- What is kept of the pages of a job's list, so that one which is as it was need not be taken in again
-- (src/ats/sync/known.c). Owned by src/ats/sync.
-- Runs with 0022: who does not know it reads all pages as new, and what that writes shows in `stand`.

CREATE TABLE sync_page (
	environment_id TEXT NOT NULL,
	job_id TEXT NOT NULL,
	page INTEGER NOT NULL,          -- 0, 1, 2 … of the list
	answer BLOB NOT NULL,           -- digest of the ATS's answer, of its question and of what maps it
	stand BLOB NOT NULL,            -- digest of all that is known of its records in the copy
	ids TEXT NOT NULL,              -- theirs: JSON array
	id_count INTEGER NOT NULL,
	records INTEGER NOT NULL,       -- of the page: with those that were left out
	shares TEXT NOT NULL,           -- as in sync_run, of this page
	mark_ms INTEGER NOT NULL,       -- the latest change in it
	next_cursor TEXT NOT NULL,      -- empty: it was the last
	PRIMARY KEY (environment_id, job_id, page),
	FOREIGN KEY (environment_id, job_id) REFERENCES sync_job (environment_id, id)
		ON DELETE CASCADE
) STRICT;
