/* Whatever the bytes are, reading ends without a fault; and what was read is JSON that can be
 * read. */
#include <assert.h>

#include "lang/yaml/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_node(struct arena *arena, const struct yaml_node *node)
{
	struct json value = yaml_to_json(arena, node), again;
	struct buffer out;
	struct error err;

	buffer_init(&out, arena, (size_t)1 << 28);
	json_print(&out, value);
	assert(!out.is_over);
	bool is_read = json_parse(arena, buffer_str(&out), &json_limits_default, &again, &err);

	assert(is_read && json_equal(value, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena;
	struct yaml_node node;
	struct error err;

	arena_init(&arena, (size_t)1 << 28);
	if (yaml_parse(&arena, str_make((const char *)data, len), STR("fuzz.yaml"),
		       &yaml_limits_default, &node, &err)) {
		check_node(&arena, &node);
	} else {
		assert(err.code == ERROR_INVALID || err.code == ERROR_LIMIT);
		assert(memcmp(err.message, "fuzz.yaml:", 10) == 0);
	}
	arena_finish(&arena);
	return 0;
}
