-- Whose record it is whose words are still to be taken in stands in the key. Owned by src/ats/copy.
-- Runs with 0022: on PostgreSQL a trigger says the environment where the version before does not, and its index stays
-- beside: postgresql/0028_text_due.sql.

DROP TRIGGER record_gone;

CREATE TABLE record_text_due_now (
	environment_id TEXT NOT NULL,
	number INTEGER NOT NULL,        -- of a record
	PRIMARY KEY (environment_id, number)
) STRICT, WITHOUT ROWID;

INSERT INTO record_text_due_now SELECT copy.environment_id, record_text_due.number
	FROM record_text_due JOIN copy ON copy.number = record_text_due.number >> 32;

-- Of copies that are gone, and with them their environments' names.
DELETE FROM record_text WHERE rowid IN (SELECT number FROM record_text_due
	WHERE NOT EXISTS (SELECT 1 FROM copy WHERE copy.number = record_text_due.number >> 32));

DROP TABLE record_text_due;

ALTER TABLE record_text_due_now RENAME TO record_text_due;

-- Of a record that is gone the words go, too, when these are looked at next.
CREATE TRIGGER record_gone AFTER DELETE ON record
BEGIN
	INSERT OR IGNORE INTO record_text_due (environment_id, number)
		VALUES (OLD.environment_id, OLD.number);
END;
