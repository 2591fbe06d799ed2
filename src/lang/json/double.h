/* Shortest decimal of a double. Private to the room. */
#ifndef LANG_JSON_DOUBLE_H
#define LANG_JSON_DOUBLE_H

#include <stdint.h>

enum { DOUBLE_POWER_MIN = -292, DOUBLE_POWER_MAX = 324 };

struct power {
	uint64_t high;
	uint64_t low;
};

extern const struct power double_powers[];

#endif
