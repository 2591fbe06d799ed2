/* How a unified request wants its answer: response_format. Private to this room. */
#ifndef FRONT_REST_FORMAT_H
#define FRONT_REST_FORMAT_H

#include "front/door/door.h"

enum format {
	FORMAT_UNIFIED,	   /* records of the model */
	FORMAT_RAW,	   /* the ATS's answers as they came */
	FORMAT_NORMALIZED, /* of each record the ATS's own */
	FORMAT_STREAM,	   /* a list to its end, one record a line */
	FORMAT_DEBUG,	   /* the unified answer, and the calls that it took */
};

/* ERROR_INVALID, field "response_format". */
bool format_read(struct str text, enum format *format, struct error *err) MUST_CHECK;
/* What the operation must bring for it. ERROR_INVALID names a parameter that has no meaning there.
 */
bool format_prepare(enum format format, struct operation *operation, struct error *err) MUST_CHECK;
/* The body of the answer, but for a stream. */
struct json format_answer(enum format format, struct arena *arena,
			  const struct operation *operation, const struct operation_result *result,
			  const struct copy_answer *source);
/* Runs the list page by page and sends each record as a line. False with *err where it fails; after
 * the first page (*has_begun) the reply is then broken off, so that it cannot be taken for whole.
 * `result` gets the sums of all pages. */
bool format_stream(const struct door *door, struct http_exchange *exchange,
		   struct operation *operation, const struct copy_wish *wish,
		   struct operation_result *result, bool *has_begun,
		   struct error *err) MUST_CHECK;

#endif
