/* Members of the API's bodies which say how something is set up: an MCP server, a webhook, a sync
 * job. One that is not in the body leaves what there was. A bad one answers ERROR_INVALID, which
 * names the field and what is allowed. What is read borrows the body's bytes. */
#ifndef ATS_SETTINGS_SETTINGS_H
#define ATS_SETTINGS_SETTINGS_H

#include "lang/json/json.h"

enum {
	SETTING_LIST_MAX = 100, /* items of a list */
	SETTING_TEXT_BYTES_MAX = 128, /* each */
};

static inline bool setting_is_given(struct json value)
{
	return !json_is(value, JSON_UNDEFINED);
}
/* "NAME must be ALLOWED"; always false. */
bool setting_refuse(const char *name, const char *allowed, struct error *err);

/* true or false. */
bool setting_read_flag(struct json body, const char *name, bool *out, struct error *err) MUST_CHECK;
/* A whole number from min to max. */
bool setting_read_int(struct json body, const char *name, int64_t min, int64_t max, int64_t *out,
		      struct error *err) MUST_CHECK;
/* One of `words`: its index; `allowed` says them. */
bool setting_read_word(struct json body, const char *name, const char *const *words, size_t count,
		       const char *allowed, int *out, struct error *err) MUST_CHECK;
/* A list of texts, in the arena; null empties it. */
bool setting_read_list(struct arena *arena, struct json body, const char *name,
		       const struct str **list, size_t *count, struct error *err) MUST_CHECK;

/* The list as it is told; borrows the texts. */
struct json setting_show_list(struct arena *arena, const struct str *list, size_t count);

#endif
