/* From rows to a connector with the overrides in it. Private to this room. */
#ifndef ATS_OVERRIDE_EFFECT_H
#define ATS_OVERRIDE_EFFECT_H

#include "ats/override/override.h"

enum { ALL_TABLES = -1 };

/* One override, checked and compiled. */
struct target {
	const struct override *override;
	const struct unified_resource *resource;
	const struct jsonata *expression;
	const char *origin;
	bool is_request;
	struct str path; /* response: below the field, or empty; request: behind "body." or "query." */
	/* Of a response. */
	int table; /* index into the resource's maps, or ALL_TABLES */
	struct str name;
	/* Of a request. */
	struct str method;
	const struct native_method *native;
	bool is_query;
};

/* check.c: ERROR_INVALID with *fault. Compiles into the arena. */
bool target_make(struct arena *arena, const struct connector *connector,
		 const struct override *override, struct target *target,
		 struct override_fault *fault, struct error *err) MUST_CHECK;
/* Fields of the model's resource alone. */
bool target_is_new(const struct target *target);

/* effect.c: a copy of the connector with the targets in it, later ones over earlier ones. */
const struct connector *effect_make(struct arena *arena, const struct connector *connector,
				    const struct target *targets, size_t count);

/* reads.c: list and get of `out`, whose model and maps are made, from those of `base`. */
void effect_make_reads(struct arena *arena, const struct target *targets, size_t count,
		       const struct unified_resource *base, struct unified_resource *out);
/* request.c: its writes. */
void effect_make_writes(struct arena *arena, const struct target *targets, size_t count,
			const struct unified_resource *base, struct unified_resource *out);

/* The map of `out` for one of `base`. */
static inline const struct unified_map *effect_map(const struct unified_resource *base,
						   const struct unified_resource *out,
						   const struct unified_map *map)
{
	return map == NULL ? NULL : out->maps + (map - base->maps);
}

/* Do the targets of this resource say something of it? */
static inline bool target_is_of(const struct target *target, const struct unified_resource *base)
{
	return target->resource == base;
}

#endif
