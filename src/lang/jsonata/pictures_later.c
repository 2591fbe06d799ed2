#include "lang/jsonata/builtin.h"
static struct json later(struct evaluation *e, const char *what)
{
	jsonata_fail(e, "U1003", json_undefined());
	e->fault.token = str_from_c(what);
	e->fault.has_token = true;
	return value_failed();
}
#define LATER(name) \
	struct json jsonata_builtin_##name(struct evaluation *e, const struct json *a, const struct call_site *site) \
	{ (void)a, (void)site; return later(e, #name); }
LATER(format_number)
