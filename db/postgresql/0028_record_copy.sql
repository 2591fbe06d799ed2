-- Reads all records, and lets others write them meanwhile.
ALTER TABLE record VALIDATE CONSTRAINT record_environment_id_copy_fkey;
