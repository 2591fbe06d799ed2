-- The words of records, to search for.
CREATE TABLE record_text (
	rowid BIGINT PRIMARY KEY,
	words TEXT NOT NULL,
	lexemes TSVECTOR GENERATED ALWAYS AS (to_tsvector('simple', plain_words(words))) STORED
);

CREATE INDEX record_text_lexemes ON record_text USING gin (lexemes);

CREATE FUNCTION record_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO record_text_due (number) VALUES (OLD.number) ON CONFLICT DO NOTHING;
	RETURN NULL;
END $$;

CREATE TRIGGER record_gone AFTER DELETE ON record FOR EACH ROW EXECUTE FUNCTION record_gone();
