-- Rate limits that several nodes share: how much of each account's is taken, and by whom. Written by PostgreSQL's
-- function rate_take() alone (postgresql/functions.sql); one process on SQLite knows it without. Owned by
-- src/ats/operation. Times are microseconds since 1970, by the database's clock.

CREATE TABLE rate_account (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	full_us INTEGER NOT NULL,       -- when the bucket will be full
	paused_until_us INTEGER NOT NULL, -- the ATS has said so
	front_us INTEGER NOT NULL,      -- when one came for whose call somebody waits
	share_us INTEGER NOT NULL,      -- when the others may take the next of their share
	pace_us INTEGER NOT NULL,       -- to when they have taken the even flow
	last_number INTEGER NOT NULL,   -- of rate_ended
	PRIMARY KEY (environment_id, account_id),
	FOREIGN KEY (environment_id, account_id) REFERENCES account (environment_id, id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What a node has said of its calls.
CREATE TABLE rate_node (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	node_id TEXT NOT NULL,
	number INTEGER NOT NULL,        -- of its last message
	granted INTEGER NOT NULL,       -- calls that it may make, in all
	ended INTEGER NOT NULL,         -- and how many of them have their answers
	wanted INTEGER NOT NULL,        -- that wait for their turn; 0: none
	is_background INTEGER NOT NULL,
	since_us INTEGER NOT NULL,      -- when they came
	due_us INTEGER NOT NULL,        -- when they were told to come again
	PRIMARY KEY (environment_id, account_id, node_id),
	FOREIGN KEY (environment_id, account_id) REFERENCES rate_account (environment_id, account_id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Calls that have ended, and may be in a window yet.
CREATE TABLE rate_ended (
	environment_id TEXT NOT NULL,
	account_id TEXT NOT NULL,
	number INTEGER NOT NULL,
	calls INTEGER NOT NULL,
	last_us INTEGER NOT NULL,       -- all are taken for as late as the last
	PRIMARY KEY (environment_id, account_id, number),
	FOREIGN KEY (environment_id, account_id) REFERENCES rate_account (environment_id, account_id)
		ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
