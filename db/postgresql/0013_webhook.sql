CREATE TRIGGER webhook_secret_secret_key BEFORE INSERT OR UPDATE OF secret ON webhook_secret
	FOR EACH ROW EXECUTE FUNCTION data_key_check('secret');
