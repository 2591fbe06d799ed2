CREATE TRIGGER oauth_app_client_secret_key BEFORE INSERT OR UPDATE OF client_secret ON oauth_app
	FOR EACH ROW EXECUTE FUNCTION data_key_check('client_secret');
CREATE TRIGGER oauth_state_verifier_key BEFORE INSERT OR UPDATE OF verifier ON oauth_state
	FOR EACH ROW EXECUTE FUNCTION data_key_check('verifier');
