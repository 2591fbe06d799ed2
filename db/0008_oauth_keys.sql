-- As 0005_vault has it for other columns: nothing is taken that is sealed under a data key which
-- goes.

CREATE TRIGGER oauth_app_key_insert BEFORE INSERT ON oauth_app
	WHEN substr(NEW.client_secret, 1, 1) = x'02'
	AND NOT EXISTS (SELECT 1 FROM data_key WHERE id = substr(NEW.client_secret, 3, 8) AND is_closing = 0)
BEGIN
	SELECT RAISE(ABORT, 'the data key is gone');
END;

CREATE TRIGGER oauth_app_key_update BEFORE UPDATE OF client_secret ON oauth_app
	WHEN substr(NEW.client_secret, 1, 1) = x'02'
	AND NOT EXISTS (SELECT 1 FROM data_key WHERE id = substr(NEW.client_secret, 3, 8) AND is_closing = 0)
BEGIN
	SELECT RAISE(ABORT, 'the data key is gone');
END;

CREATE TRIGGER oauth_state_key_insert BEFORE INSERT ON oauth_state
	WHEN substr(NEW.verifier, 1, 1) = x'02'
	AND NOT EXISTS (SELECT 1 FROM data_key WHERE id = substr(NEW.verifier, 3, 8) AND is_closing = 0)
BEGIN
	SELECT RAISE(ABORT, 'the data key is gone');
END;

CREATE TRIGGER oauth_state_key_update BEFORE UPDATE OF verifier ON oauth_state
	WHEN substr(NEW.verifier, 1, 1) = x'02'
	AND NOT EXISTS (SELECT 1 FROM data_key WHERE id = substr(NEW.verifier, 3, 8) AND is_closing = 0)
BEGIN
	SELECT RAISE(ABORT, 'the data key is gone');
END;
