/* The real model and connectors, for tests of what is made of them. */
#ifndef TESTS_UNIT_DEFINITIONS_TESTING_H
#define TESTS_UNIT_DEFINITIONS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "ats/connector/connector.h"

static struct arena arena;
static const struct model *model;
static struct connectors connectors;

static inline const char *in_source(const char *path)
{
	return arena_format(&arena, "%s/%s", getenv("TENON_SOURCE"), path).data;
}

static inline int load_definitions(void **state)
{
	struct buffer faults;

	(void)state;
	arena_init(&arena, 512 << 20);
	buffer_init(&faults, &arena, 1 << 20);
	model = model_load(&arena, disk_system(), in_source("models/ats"), &faults);
	if (model == NULL || !connectors_load(&arena, disk_system(), in_source("connectors"), model,
					      &connectors, &faults)) {
		print_error("%.*s", STR_ARGS(buffer_str(&faults)));
		return -1;
	}
	return 0;
}

static inline int drop_definitions(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

#endif
