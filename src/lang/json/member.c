#include "lang/json/member.h"

#include <stdlib.h>

enum {
	PAIRWISE_MAX = 8, /* up to here each key is compared with each */
	FILTER_MAX = 64,  /* up to here a set of hash bits tells which keys to compare at all */
	FILTER_BITS = 1024,
	PROBES_EACH = 8, /* a hash index that needs more per key on average is given up */
};

static void *take_memory(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (memory == NULL)
		die("out of memory: %zu times %zu bytes wanted", count, size);
	return memory;
}

/* The place among the first `count` members of one with the key of `wanted`, or `count`. */
static size_t find_member(const struct json_member *members, size_t count,
			  const struct json_member *wanted)
{
	size_t i = 0;

	while (i < count && !member_key_equal(&members[i], wanted))
		i++;
	return i;
}

static size_t make_unique_pairwise(struct json_member *members, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		size_t at = find_member(members, kept, &members[i]);

		if (at < kept)
			members[at].value = members[i].value;
		else if (kept++ != i)
			members[kept - 1] = members[i];
	}
	return kept;
}

/* Only keys whose bit is taken already can be repeated; with 1024 bits few others are looked at. */
static size_t make_unique_filtered(struct json_member *members, size_t count)
{
	uint64_t seen[FILTER_BITS / 64] = {0};
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t bit = members[i].key_hash % FILTER_BITS;
		uint64_t mask = (uint64_t)1 << bit % 64;
		size_t at = kept;

		if ((seen[bit / 64] & mask) != 0)
			at = find_member(members, kept, &members[i]);
		seen[bit / 64] |= mask;
		if (at < kept)
			members[at].value = members[i].value;
		else if (kept++ != i)
			members[kept - 1] = members[i];
	}
	return kept;
}

static int compare_keys(const struct json_member *a, const struct json_member *b)
{
	if (a->key_hash != b->key_hash)
		return a->key_hash < b->key_hash ? -1 : 1;
	if (a->key_len != b->key_len)
		return a->key_len < b->key_len ? -1 : 1;
	return a->key_len == 0 ? 0 : memcmp(a->key, b->key, a->key_len);
}

/* Equal keys stay in the order of the text. */
static int compare_indexes(const void *a, const void *b, void *members)
{
	const struct json_member *all = members;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	int order = compare_keys(&all[i], &all[j]);

	return order != 0 ? order : (i < j ? -1 : i > j);
}

/* The places of the members in the order of their keys. */
static uint32_t *sort_members(const struct json_member *members, size_t count)
{
	uint32_t *order = take_memory(count, sizeof *order);

	for (size_t i = 0; i < count; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, count, sizeof *order, compare_indexes, (void *)(uintptr_t)members);
	return order;
}

/* Never worse than n log n. A member that is to go loses its key first. */
static size_t make_unique_sorted(struct json_member *members, size_t count)
{
	uint32_t *order = sort_members(members, count);
	size_t kept = 0;

	for (size_t first = 0, next; first < count; first = next) {
		next = first + 1;
		while (next < count &&
		       member_key_equal(&members[order[first]], &members[order[next]]))
			next++;
		members[order[first]].value = members[order[next - 1]].value;
		for (size_t i = first + 1; i < next; i++)
			members[order[i]].value.type = JSON_UNDEFINED;
	}
	free(order);
	for (size_t i = 0; i < count; i++)
		if (members[i].value.type != JSON_UNDEFINED)
			members[kept++] = members[i];
	return kept;
}

/* The slot where the key is or belongs; slots hold index + 1. Takes from *probes_left. */
static uint32_t *find_slot(uint32_t *slots, size_t mask, const struct json_member *members,
			   const struct json_member *wanted, size_t *probes_left)
{
	size_t at = (wanted->key_hash * (uint64_t)0x9e3779b97f4a7c15 >> 32) & mask;

	for (; slots[at] != 0 && !member_key_equal(&members[slots[at] - 1], wanted);
	     at = (at + 1) & mask) {
		if (*probes_left == 0)
			return NULL;
		--*probes_left;
	}
	return &slots[at];
}

static size_t make_unique_indexed(struct json_member *members, size_t count)
{
	size_t capacity = 2 * FILTER_MAX, probes_left = count * PROBES_EACH, kept = 0, i;

	while (capacity < count * 2)
		capacity *= 2;
	uint32_t *slots = take_memory(capacity, sizeof *slots);

	for (i = 0; i < count; i++) {
		uint32_t *slot = find_slot(slots, capacity - 1, members, &members[i], &probes_left);

		if (slot == NULL)
			break;
		if (*slot != 0) {
			members[*slot - 1].value = members[i].value;
			continue;
		}
		if (kept++ != i)
			members[kept - 1] = members[i];
		*slot = (uint32_t)kept;
	}
	free(slots);
	if (i == count)
		return kept;
	/* Given up: what was gathered so far and the rest are one list still in order. */
	memmove(&members[kept], &members[i], (count - i) * sizeof *members);
	return make_unique_sorted(members, kept + count - i);
}

/* Whether no two keys share a place in the filter, and so none is repeated. */
static bool is_unique_at_sight(const struct json_member *members, size_t count,
			       struct member_filter *filter)
{
	bool is_shared = false;

	if (++filter->stamp == 0) {
		member_filter_init(filter);
		filter->stamp = 1;
	}
	uint16_t stamp = filter->stamp;

	for (size_t i = 0; i < count; i++) {
		uint16_t *seen = &filter->seen[members[i].key_hash % MEMBER_FILTER_PLACES];

		is_shared |= *seen == stamp;
		*seen = stamp;
	}
	return !is_shared;
}

size_t member_make_unique(struct json_member *members, size_t count, struct member_filter *filter)
{
	if (count < 2 || (count <= FILTER_MAX && is_unique_at_sight(members, count, filter)))
		return count;
	if (count <= PAIRWISE_MAX)
		return make_unique_pairwise(members, count);
	if (count <= FILTER_MAX)
		return make_unique_filtered(members, count);
	return make_unique_indexed(members, count);
}

uint32_t *member_match(const struct json_member *a, const struct json_member *b, size_t count,
		       bool *is_same)
{
	size_t same = 0;

	while (same < count && member_key_equal(&a[same], &b[same]))
		same++;
	*is_same = same == count;
	if (*is_same)
		return NULL;
	uint32_t *order_a = sort_members(a, count), *order_b = sort_members(b, count);
	uint32_t *match = take_memory(count, sizeof *match);
	bool is_equal = true;

	for (size_t i = 0; i < count && is_equal; i++) {
		is_equal = member_key_equal(&a[order_a[i]], &b[order_b[i]]);
		match[order_a[i]] = order_b[i];
	}
	free(order_a);
	free(order_b);
	if (is_equal)
		return match;
	free(match);
	return NULL;
}
