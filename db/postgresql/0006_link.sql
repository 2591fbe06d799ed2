-- Numbers of events are given one after the other, at the commit's own turn: who writes events of
-- an environment waits for whoever does so, so that a number is never seen before a lower one.
CREATE FUNCTION event_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended('event ' || NEW.environment_id, 0));
	SELECT coalesce(max(number), 0) + 1 INTO NEW.number FROM event
		WHERE environment_id = NEW.environment_id;
	RETURN NEW;
END $$;

CREATE TRIGGER event_number BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION event_number();
