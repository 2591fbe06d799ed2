#include "ats/schema/schema.h"

static const struct store_derived derived[] = {
	/* The words of records, in whichever way the engine searches: all are due again, and taken
	 * in as searches and sync jobs come to them. */
	{"record_text", "INSERT INTO record_text_due (environment_id, number)"
			" SELECT environment_id, number FROM record"
			" ON CONFLICT (environment_id, number) DO NOTHING"},
};

const struct store_derived *schema_derived(size_t *count)
{
	*count = sizeof derived / sizeof derived[0];
	return derived;
}

/* There each folder has an audit log of its own; the only one had no name. */
const char *schema_move_finish(void)
{
	return "UPDATE audit_head SET folder = $1 WHERE folder = ''";
}
