-- The log of calls in a partition for each day (UTC) of its ids, which begin with the time: call_log_tend() in
-- functions.sql makes them ahead, and drops those whose time is over. A row that has no partition, or was there
-- before there were any, is in call_log_rest.
ALTER TABLE call_log RENAME TO call_log_rest;
ALTER INDEX call_log_pkey RENAME TO call_log_rest_pkey;
ALTER INDEX call_log_account RENAME TO call_log_rest_account;
CREATE TABLE call_log (LIKE call_log_rest INCLUDING DEFAULTS, PRIMARY KEY (environment_id, id)) PARTITION BY RANGE (id);
CREATE INDEX call_log_account ON call_log (environment_id, account_id, id);
ALTER TABLE call_log ATTACH PARTITION call_log_rest DEFAULT;
SELECT guard('call_log', 'environment_id = current_setting(''tenon.environment'')');
