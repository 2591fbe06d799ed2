CREATE TRIGGER credential_sealed_key BEFORE INSERT OR UPDATE OF sealed ON credential
	FOR EACH ROW EXECUTE FUNCTION data_key_check('sealed');
CREATE TRIGGER idempotency_reply_key BEFORE INSERT OR UPDATE OF reply ON idempotency
	FOR EACH ROW EXECUTE FUNCTION data_key_check('reply');
CREATE TRIGGER idempotency_call_result_key BEFORE INSERT OR UPDATE OF result ON idempotency_call
	FOR EACH ROW EXECUTE FUNCTION data_key_check('result');
