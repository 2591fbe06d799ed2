-- Whom a record of the copy is about, so that all about one candidate are found without a look at each. Owned by
-- src/ats/copy.

ALTER TABLE record ADD COLUMN candidate TEXT NOT NULL DEFAULT ''; -- its candidate.id; empty: it has none

UPDATE record SET candidate = json_extract(body, '$.candidate.id')
	WHERE json_type(body, '$.candidate.id') = 'text';

CREATE INDEX record_candidate ON record (copy, candidate) WHERE candidate <> '';
