/* What `tenon jsonata` and its --batch share: variables and limits by name, one evaluation. */
#ifndef APP_CLI_JSONATA_RUN_H
#define APP_CLI_JSONATA_RUN_H

#include "lang/jsonata/jsonata.h"

struct variables {
	struct str *names;
	struct json *values;
	size_t count;
};

/* Sets the limit of that name: steps, depth, sequence, bytes, time_ms, regex_matches. False with
 * ERROR_INVALID for another name and for what is no whole number within its range. */
bool jsonata_run_limit(struct jsonata_limits *limits, struct str name, struct json value,
		       struct error *err) MUST_CHECK;
const struct jsonata *jsonata_run_compile(struct arena *arena, struct str text,
					  const struct variables *variables,
					  struct jsonata_error *error) MUST_CHECK;
bool jsonata_run(struct arena *arena, const struct jsonata *expression,
		 const struct jsonata_limits *limits, const struct variables *variables,
		 struct json input, struct json *out, struct jsonata_error *error) MUST_CHECK;

/* Lines of cases from standard input, a line answered to each. Returns the exit code. */
int jsonata_run_batch(void);

#endif
