-- Today's table is to be the first block (0025): below a number that is a whole block, at least, away from the largest
-- there. Rows that are there are looked at in 0024, which keeps nobody waiting.
SET LOCAL lock_timeout = '300ms';
DO $$
DECLARE
	event_size CONSTANT bigint := 16777216;
	record_size CONSTANT bigint := 65536 * 4294967296;
	events bigint;
	records bigint;
BEGIN
	SELECT (coalesce(max(newest), 0) / event_size + 2) * event_size INTO events FROM environment AS e,
		LATERAL (SELECT max(number) AS newest FROM event WHERE environment_id = e.id) AS its_own;
	SELECT (coalesce(max(number) + 1, 0) * 4294967296 / record_size + 2) * record_size INTO records FROM copy;
	EXECUTE format('ALTER TABLE event ADD CONSTRAINT event_bound CHECK (number < %s) NOT VALID', events);
	EXECUTE format('ALTER TABLE webhook_delivery ADD CONSTRAINT webhook_delivery_bound CHECK (number < %s) NOT VALID', events);
	EXECUTE format('ALTER TABLE record ADD CONSTRAINT record_bound CHECK (number < %s) NOT VALID', records);
END $$;
