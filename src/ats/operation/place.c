#include "ats/operation/place.h"

#include <assert.h>

void place_init(struct place *place, struct arena *arena)
{
	*place = (struct place){.arena = arena};
}

void place_reserve(struct place *place)
{
	if (place->ids == NULL)
		place->ids = arena_array(place->arena, PLACE_IDS_MAX, sizeof *place->ids);
}

void place_pass(struct place *place, struct json key, struct json id, size_t ties_max)
{
	bool is_tie = !json_is(key, JSON_UNDEFINED) && !json_is(place->key, JSON_UNDEFINED) &&
		      place_compare(key, place->key) == 0;

	place->key = key;
	if (!is_tie) {
		place->tie_count = 0;
		place->has_more_ties = false;
	}
	if (json_is(id, JSON_UNDEFINED))
		return;
	if (ties_max > PLACE_IDS_MAX)
		ties_max = PLACE_IDS_MAX;
	place->tie_count++;
	if (place->tie_count > ties_max) {
		place->tie_count = ties_max;
		place->has_more_ties = true;
	}
	size_t keep = place->tie_count > PLACE_IDS_MIN ? place->tie_count : PLACE_IDS_MIN;
	if (place->id_count >= keep) {
		size_t over = place->id_count + 1 - keep;

		memmove(place->ids, place->ids + over, (place->id_count - over) * sizeof id);
		place->id_count -= over;
	}
	place_reserve(place);
	place->ids[place->id_count++] = id;
}

bool place_has_id(const struct place *place, struct json id)
{
	if (json_is(id, JSON_UNDEFINED))
		return false;
	for (size_t i = place->id_count; i-- > 0;)
		if (place_compare(place->ids[i], id) == 0)
			return true;
	return false;
}

void place_keep(struct place *place, struct arena *arena)
{
	place->token = arena_str(arena, place->token);
	place->parent = json_copy(arena, place->parent);
	place->key = json_copy(arena, place->key);
	for (size_t i = 0; i < place->id_count; i++)
		place->ids[i] = json_copy(arena, place->ids[i]);
}

void place_next_call(struct place *place)
{
	*place = (struct place){
		.call = place->call + 1, .ids = place->ids, .arena = place->arena};
}

struct json place_member(struct json record, struct str name)
{
	struct json value = json_get(record, name);

	return json_is(value, JSON_STRING) || json_is_number(value) ? value : json_undefined();
}

int place_compare(struct json a, struct json b)
{
	if (json_is(a, JSON_INT) && json_is(b, JSON_INT))
		return a.integer < b.integer ? -1 : a.integer > b.integer;
	if (json_is(a, JSON_STRING) && json_is(b, JSON_STRING))
		return str_compare(json_str(a), json_str(b));
	if (json_is(a, JSON_NUMBER_TEXT) && json_is(b, JSON_NUMBER_TEXT) &&
	    str_equal(json_str(a), json_str(b)))
		return 0; /* beyond a double's digits: the text tells */
	if (json_is_number(a) && json_is_number(b)) {
		double left = json_to_double(a), right = json_to_double(b);

		return left < right ? -1 : left > right;
	}
	return json_is_number(a) ? -1 : json_is_number(b);
}
