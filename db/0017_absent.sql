-- A record that was found to be gone before the copy ever had it: its deleted_ms is that time, negative. Nobody sees
-- it; what was read before does not bring it in; after a day it is forgotten. Owned by src/ats/copy.

CREATE INDEX record_absent ON record (deleted_ms) WHERE deleted_ms < 0;
