-- What an event is about. Owned by src/ats/event.

ALTER TABLE event ADD COLUMN resource TEXT NOT NULL DEFAULT '';  -- of the unified model; empty: an account
ALTER TABLE event ADD COLUMN record_id TEXT NOT NULL DEFAULT '';
-- Counts the events of one record: 1, 2, 3 … The order in which they are told.
ALTER TABLE event ADD COLUMN version INTEGER NOT NULL DEFAULT 0;

CREATE INDEX event_record ON event (environment_id, account_id, resource, record_id, number)
	WHERE resource <> '';
