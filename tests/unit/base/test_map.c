/* The hash map: against a simple model, with removals in full runs of slots; and its hash against
 * known values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/map.h"
#include "dying.h"

static void test_put_get_remove(void **state)
{
	struct map map;
	int a, b;

	(void)state;
	map_init(&map, random_system());
	assert_null(map_get(&map, STR("x")));
	assert_null(map_remove(&map, STR("x")));
	assert_null(map_put(&map, STR("x"), &a));
	assert_ptr_equal(map_put(&map, STR("x"), &b), &a);
	assert_ptr_equal(map_get(&map, STR("x")), &b);
	assert_int_equal(map.count, 1);
	assert_ptr_equal(map_remove(&map, STR("x")), &b);
	assert_null(map_remove(&map, STR("x")));
	assert_null(map_get(&map, STR("x")));
	assert_int_equal(map.count, 0);
	map_finish(&map);
}

/* Keys are bytes of any length, told apart by length too, and copied. */
static void test_keys_are_bytes(void **state)
{
	char key[] = "changes";
	int values[4];
	struct map map;

	(void)state;
	map_init(&map, random_system());
	assert_null(map_put(&map, (struct str){NULL, 0}, &values[0]));
	assert_null(map_put(&map, STR("\0"), &values[1]));
	assert_null(map_put(&map, STR("\0\0"), &values[2]));
	assert_null(map_put(&map, str_from_c(key), &values[3]));
	assert_ptr_equal(map_get(&map, STR("")), &values[0]);
	assert_ptr_equal(map_get(&map, STR("\0")), &values[1]);
	assert_ptr_equal(map_get(&map, STR("\0\0")), &values[2]);
	key[0] = 'C';
	assert_ptr_equal(map_get(&map, STR("changes")), &values[3]);
	assert_null(map_get(&map, STR("Changes")));
	assert_ptr_equal(map_remove(&map, (struct str){NULL, 0}), &values[0]);
	map_finish(&map);
}

enum { KEYS = 1500, STEPS = 100000 };

struct model {
	struct map map;
	char *values[KEYS]; /* NULL: not there */
	size_t count;
	char places[KEYS * 2];
};

static struct str name_of(size_t key, char text[16])
{
	snprintf(text, 16, "key-%zu", key * 7919);
	return str_from_c(text);
}

static void step(struct model *model, struct random_seeded *seeded)
{
	struct random random = random_from_seed(seeded);
	size_t key = (size_t)random_below(&random, KEYS);
	char text[16];
	struct str name = name_of(key, text);
	char *old = model->values[key];

	if (random_below(&random, 2) == 0) {
		char *value = &model->places[random_below(&random, sizeof model->places)];
		assert_ptr_equal(map_put(&model->map, name, value), old);
		model->values[key] = value;
	} else {
		assert_ptr_equal(map_remove(&model->map, name), old);
		model->values[key] = NULL;
	}
	model->count += (size_t)(model->values[key] != NULL) - (size_t)(old != NULL);
	assert_int_equal(model->map.count, model->count);
}

static void compare(struct model *model)
{
	size_t at = 0, seen = 0;
	struct str key;
	void *value;
	char text[16];

	for (size_t i = 0; i < KEYS; i++)
		assert_ptr_equal(map_get(&model->map, name_of(i, text)), model->values[i]);
	while (map_next(&model->map, &at, &key, &value)) {
		assert_ptr_equal(map_get(&model->map, key), value);
		assert_int_equal(key.data[key.len], '\0');
		seen++;
	}
	assert_int_equal(seen, model->count);
}

/* 100,000 random puts and removals; everything is compared now and then, and at the end. */
static void test_against_a_model(void **state)
{
	static struct model model;
	struct random_seeded seeded = {20260304};
	struct random random = random_from_seed(&seeded);

	(void)state;
	map_init(&model.map, &random);
	for (size_t i = 0; i < STEPS; i++) {
		step(&model, &seeded);
		if (i % 5000 == 0)
			compare(&model);
	}
	compare(&model);
	/* It stayed as large as its keys need: removals leave no marks behind. */
	assert_true(model.map.capacity <= 4096);
	map_finish(&model.map);
}

/* Removing while the map is as full as it gets, in the order of the slots: runs close up. */
static void test_removal_in_full_runs(void **state)
{
	struct random_seeded seeded = {7};
	struct random random = random_from_seed(&seeded);
	struct map map;
	char text[16];
	int value;

	(void)state;
	map_init(&map, &random);
	for (size_t i = 0; i < 3072; i++)
		assert_null(map_put(&map, name_of(i, text), &value));
	assert_int_equal(map.capacity, 4096);
	for (size_t i = 0; i < 3072; i++) {
		assert_ptr_equal(map_remove(&map, name_of(i, text)), &value);
		for (size_t k = i + 1; k < 3072; k += 97)
			assert_ptr_equal(map_get(&map, name_of(k, text)), &value);
	}
	assert_int_equal(map.count, 0);
	map_finish(&map);
}

static void test_an_empty_map_has_nothing_to_walk(void **state)
{
	struct map map;
	size_t at = 0;
	struct str key;
	void *value;

	(void)state;
	map_init(&map, random_system());
	assert_false(map_next(&map, &at, &key, &value));
	map_finish(&map);
	map_finish(&map);
}

static void put_nothing(void *context)
{
	map_put(context, STR("x"), NULL);
}

static void test_a_value_is_wanted(void **state)
{
	struct map map;

	(void)state;
	map_init(&map, random_system());
	assert_int_equal(dies_by(put_nothing, &map), SIGABRT);
	map_finish(&map);
}

/* Low 20 bits of SipHash-1-3 under the key 00 01 … 0f of the texts "", 00, 00 01, … 00 … 3e. */
static const uint32_t known[64] = {
	0x0fc4dc, 0x07ca93, 0x07d44d, 0x0df7fb, 0x038328, 0x033b67, 0x0f22a7, 0x011140,
	0x099a8e, 0x063de4, 0x0f097f, 0x0dc352, 0x04d9a2, 0x09ffa7, 0x095d34, 0x019956,
	0x008b66, 0x0bd80c, 0x03e63e, 0x097d1c, 0x0ce040, 0x05f844, 0x00872e, 0x06c123,
	0x049c8c, 0x0b0979, 0x0913a5, 0x0e3b35, 0x0cd00d, 0x01e1f4, 0x05e663, 0x01d1bc,
	0x07b60d, 0x0ff9bf, 0x0a753e, 0x086b91, 0x026206, 0x033057, 0x0a36a1, 0x008392,
	0x041531, 0x0ad944, 0x038825, 0x0949a6, 0x08876b, 0x042196, 0x01d623, 0x0114fd,
	0x074c46, 0x0c86b3, 0x02098f, 0x092f9a, 0x041f12, 0x071ed0, 0x00bce6, 0x07e980,
	0x0c6d75, 0x071513, 0x0d8a08, 0x08f148, 0x0644ee, 0x0837f2, 0x0694e0, 0x0bb3a8,
};

static void fill_counting(void *context, void *bytes, size_t len)
{
	unsigned char *at = bytes;

	(void)context;
	for (size_t i = 0; i < len; i++)
		at[i] = (unsigned char)i;
}

/* In a map of 2^20 slots the slot of a key tells the low bits of its hash. */
static void test_the_hash_is_siphash_1_3(void **state)
{
	struct random counting = {fill_counting, NULL};
	struct map map;
	char key[64];

	(void)state;
	fill_counting(NULL, key, sizeof key);
	map_init(&map, &counting);
	map.capacity = 1 << 20;
	map.slots = calloc(map.capacity, sizeof *map.slots);
	assert_non_null(map.slots);
	for (size_t len = 0; len < 64; len++) {
		map_put(&map, str_make(key, len), &map);
		if (map.slots[known[len]].key == NULL || map.slots[known[len]].key_len != len)
			fail_msg("the hash of %zu bytes", len);
	}
	map_finish(&map);
}

/* Another seed, other places: nobody can tell beforehand which keys collide. */
static void test_the_seed_moves_keys(void **state)
{
	struct map maps[2];
	char text[16];
	size_t same = 0;

	(void)state;
	for (size_t m = 0; m < 2; m++) {
		map_init(&maps[m], random_system());
		for (size_t i = 0; i < 3000; i++)
			map_put(&maps[m], name_of(i, text), &maps[m]);
	}
	for (size_t i = 0; i < maps[0].capacity; i++)
		same += maps[0].slots[i].key != NULL && maps[1].slots[i].key != NULL &&
			strcmp(maps[0].slots[i].key, maps[1].slots[i].key) == 0;
	assert_true(same < 300);
	map_finish(&maps[0]);
	map_finish(&maps[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_get_remove),
		cmocka_unit_test(test_keys_are_bytes),
		cmocka_unit_test(test_against_a_model),
		cmocka_unit_test(test_removal_in_full_runs),
		cmocka_unit_test(test_an_empty_map_has_nothing_to_walk),
		cmocka_unit_test(test_a_value_is_wanted),
		cmocka_unit_test(test_the_hash_is_siphash_1_3),
		cmocka_unit_test(test_the_seed_moves_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
