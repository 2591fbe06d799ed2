-- On PostgreSQL each environment's rows are guarded by the database, too: postgresql/0020_tenancy.sql. SQLite has
-- nothing of the kind. Whose record it is stands in its row for that: to look up the copy of each row that is shown
-- took a third of the time of a page.

ALTER TABLE record ADD COLUMN environment_id TEXT NOT NULL DEFAULT '';

UPDATE record SET environment_id = (SELECT copy.environment_id FROM copy WHERE copy.number = record.copy);
