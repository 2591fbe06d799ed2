CREATE TRIGGER inbound_secret_sealed_key BEFORE INSERT OR UPDATE OF sealed ON inbound_secret
	FOR EACH ROW EXECUTE FUNCTION data_key_check('sealed');
