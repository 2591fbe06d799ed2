/* What the files of this room share: a batch, and its parts. Private to this room. */
#ifndef FRONT_BATCH_PARTS_H
#define FRONT_BATCH_PARTS_H

#include "front/batch/batch.h"

enum {
	PARTS_MAX = 50,
	CALLS_MAX = 1000,    /* of one batch, pages of lists and items of loops among them */
	RECORDS_MAX = 10000, /* of one part */
	PAGE_RECORDS = 200,
	PARALLEL_MAX = 8,
};

/* What one entry of `resources` asks for. */
struct part {
	struct str name;
	struct str resource; /* "ats/candidates" of a model, or one of the ATS's own */
	struct str method;
	struct str account_id;
	struct str key; /* of idempotency; empty: none */
	struct json id;
	struct json query; /* an object, or undefined */
	struct json body;
	const struct part **after;  /* NULL-terminated: those it depends on */
	const struct part *loop_on; /* NULL, or the part for each of whose records it runs */
	size_t number;
	bool is_done;
	bool has_failed;
	struct json_builder records;
	struct json_builder errors;
	struct str next_cursor; /* of a list that was not read to its end */
};

struct batch {
	const struct door *door;
	struct http_exchange *exchange;
	struct json args;
	struct json results; /* of the parts that are done, by name */
	struct part *parts;
	size_t part_count;
	size_t calls_left;
	int64_t deadline_ns; /* nothing is begun after it */
};

/* Reads the body. Errors name the member: "resources[2].method". */
bool parts_read(struct batch *batch, struct json body, struct error *err) MUST_CHECK;

/* Replaces each {{expression}} in the texts of `value`: JSONata over `record`, $results and $args.
 * A text that is one expression becomes its value. ERROR_INVALID, field `name`. */
bool parts_fill(const struct batch *batch, const char *name, struct json record, struct json value,
		struct json *out, struct error *err) MUST_CHECK;

/* Runs all parts; what becomes of each is in it. */
void parts_run(struct batch *batch);

#endif
