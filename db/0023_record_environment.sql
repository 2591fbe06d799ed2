-- Whose record it is stands in its row: PostgreSQL asks that of each row that it shows
-- (postgresql/0023_record_environment.sql). Owned by src/ats/copy.

ALTER TABLE record ADD COLUMN environment_id TEXT NOT NULL DEFAULT '';

UPDATE record SET environment_id = (SELECT copy.environment_id FROM copy WHERE copy.number = record.copy);
