/* Walks over whole values: the deep copy and deep equality. */
#include <assert.h>

#include "lang/json/json.h"
#include "lang/json/member.h"
#include "lang/json/stack.h"

/* --- copy ---------------------------------------------------------------------------------- */

/* A container whose items are being copied. */
struct copy_frame {
	struct json from;
	void *to; /* struct json[] or struct json_member[] */
	uint32_t next;
};

/* A scalar in full; a container with room for its items, and a frame to fill it. */
static struct json copy_value(struct arena *arena, struct stack *frames, struct json value)
{
	bool is_object = value.type == JSON_OBJECT;

	switch (value.type) {
	case JSON_STRING:
	case JSON_NUMBER_TEXT:
		value.text = arena_str(arena, json_str(value)).data;
		return value;
	case JSON_EXTENSION:
		return json_undefined();
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	default:
		return value;
	}
	value.flags &= (uint8_t)~JSON_HAS_SOURCE;
	if (value.count == 0)
		return value;
	struct copy_frame *frame = stack_push(frames);

	frame->from = value;
	frame->to = arena_array(arena, value.count,
				is_object ? sizeof(struct json_member) : sizeof(struct json));
	frame->next = 0;
	value.pointer = frame->to;
	return value;
}

/* Past the arena's limit what is left becomes null: a value may hold the same part many times
 * over, and the copy could be larger than any memory. */
static struct json copy_within(struct arena *arena, struct stack *frames, struct json value)
{
	return arena_is_over(arena) ? json_null() : copy_value(arena, frames, value);
}

static void copy_next(struct arena *arena, struct stack *frames, struct copy_frame *frame)
{
	uint32_t i = frame->next++;

	if (frame->from.type == JSON_ARRAY) {
		struct json *item = (struct json *)frame->to + i;

		*item = copy_within(arena, frames, frame->from.items[i]);
		return;
	}
	const struct json_member *from = &frame->from.members[i];
	struct json_member *to = (struct json_member *)frame->to + i;

	*to = *from;
	to->key = arena_str(arena, json_name(from)).data;
	to->value = copy_within(arena, frames, from->value);
}

struct json json_copy(struct arena *arena, struct json value)
{
	struct stack frames;
	struct copy_frame *frame;

	assert(arena != NULL);
	stack_init(&frames, sizeof *frame);
	struct json copy = copy_value(arena, &frames, value);

	while ((frame = stack_top(&frames)) != NULL) {
		if (frame->next < frame->from.count)
			copy_next(arena, &frames, frame);
		else
			stack_pop(&frames);
	}
	stack_finish(&frames);
	return copy;
}

/* --- equality ------------------------------------------------------------------------------ */

/* Two containers with the same number of items whose keys are the same. */
struct equal_frame {
	struct json a;
	struct json b;
	uint32_t *match; /* the place in b of each member of a; NULL: the same place */
	uint32_t next;
};

static bool is_equal_number(struct json a, struct json b)
{
	int64_t whole_a, whole_b;

	if (a.type == JSON_NUMBER_TEXT && b.type == JSON_NUMBER_TEXT &&
	    str_equal(json_str(a), json_str(b)))
		return true;
	if (json_to_int64(a, &whole_a) && json_to_int64(b, &whole_b))
		return whole_a == whole_b;
	return json_to_double(a) == json_to_double(b);
}

/* False when they differ at sight; of containers the items remain to be compared, in a frame. */
static bool compare_values(struct stack *frames, struct json a, struct json b)
{
	bool is_same_order = true;
	uint32_t *match = NULL;

	if (json_is_number(a) && json_is_number(b))
		return is_equal_number(a, b);
	if (a.type != b.type)
		return false;
	switch (a.type) {
	case JSON_BOOL:
		return a.boolean == b.boolean;
	case JSON_STRING:
		return str_equal(json_str(a), json_str(b));
	case JSON_EXTENSION:
		return a.extension == b.extension && a.pointer == b.pointer;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	default:
		return true;
	}
	if (a.count != b.count)
		return false;
	if (a.count == 0 || a.pointer == b.pointer)
		return true;
	if (a.type == JSON_OBJECT)
		match = member_match(a.members, b.members, a.count, &is_same_order);
	if (!is_same_order && match == NULL)
		return false;
	struct equal_frame *frame = stack_push(frames);

	*frame = (struct equal_frame){a, b, match, 0};
	return true;
}

static bool compare_next(struct stack *frames, struct equal_frame *frame)
{
	uint32_t i = frame->next++;

	if (frame->a.type == JSON_ARRAY)
		return compare_values(frames, frame->a.items[i], frame->b.items[i]);
	return compare_values(frames, frame->a.members[i].value,
			      frame->b.members[frame->match == NULL ? i : frame->match[i]].value);
}

bool json_equal(struct json a, struct json b)
{
	struct stack frames;
	struct equal_frame *frame;

	stack_init(&frames, sizeof *frame);
	bool is_equal = compare_values(&frames, a, b);

	while ((frame = stack_top(&frames)) != NULL) {
		if (is_equal && frame->next < frame->a.count) {
			is_equal = compare_next(&frames, frame);
			continue;
		}
		free(frame->match);
		stack_pop(&frames);
	}
	stack_finish(&frames);
	return is_equal;
}
