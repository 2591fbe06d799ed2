-- Each row is looked at; rows are read and written meanwhile.
ALTER TABLE event VALIDATE CONSTRAINT event_bound;
ALTER TABLE webhook_delivery VALIDATE CONSTRAINT webhook_delivery_bound;
ALTER TABLE record VALIDATE CONSTRAINT record_bound;
