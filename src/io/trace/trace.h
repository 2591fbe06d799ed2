/* Traces: spans of what is done for a request, told to an OpenTelemetry collector by OTLP over
 * HTTP, in JSON (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
 *
 * A span lives on the stack of the fiber that does what it tells of, and while it lives it is the
 * fiber's: spans begun further down, and in fibers that this one joins, are its children. Without a
 * tracer, or in a trace that is not sampled, a span is nothing and costs a look at a pointer.
 *
 * What is told is an allow-list: names and attributes come from the program, or are a route's
 * pattern, a connector, a resource, an id made here. No path, query, header or body is. */
#ifndef IO_TRACE_TRACE_H
#define IO_TRACE_TRACE_H

#include "io/http/http.h"

struct tracer_options {
	struct str endpoint; /* "http://127.0.0.1:4318": /v1/traces is added */
	/* "name=value,…", values percent-encoded: sent with each request; empty: none. */
	struct str headers;
	int64_t ratio_millionths; /* of traces that begin here; those of callers are as they say */
	struct str service;	  /* service.name; empty: "tenon" */
	const char *version;
	const struct clock *clock;
	const struct random *random;
	size_t queue_max;  /* spans that wait; more are dropped; 0: 4096 */
	int64_t pause_ms;  /* between two batches that are not full; 0: 1 s */
	int64_t finish_ms; /* for what is left at the end; 0: 5 s */
};
struct tracer;
/* Starts a thread that sends. ERROR_INVALID (field "otlp-endpoint" or "otlp-headers"). The endpoint
 * is the operator's choice: it may be any address. */
struct tracer *tracer_create(const struct tracer_options *options, struct error *err) MUST_CHECK;
/* Sends what waits, for no longer than finish_ms. No span may be there any more. NULL is
 * accepted. */
void tracer_destroy(struct tracer *tracer);

struct tracer_counts {
	uint64_t exported;
	uint64_t dropped; /* the queue was full */
	uint64_t refused; /* the collector did not take them */
	uint64_t queue_length;
};
/* NULL: all zero. */
void tracer_count(struct tracer *tracer, struct tracer_counts *counts);

enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER, SPAN_CLIENT, SPAN_PRODUCER, SPAN_CONSUMER };
enum { SPAN_ATTRIBUTES = 10, SPAN_NAME_BYTES = 96 };

struct span_attribute {
	const char *key;
	bool is_text;
	struct str text;
	int64_t number;
};

struct span {
	struct tracer *tracer; /* NULL: it is nothing */
	struct span *outer;
	unsigned char trace_id[16];
	unsigned char id[8];
	unsigned char parent_id[8];
	bool has_parent;
	bool is_of_caller; /* the parent is */
	bool is_failed;
	enum span_kind kind;
	int64_t began_ns;      /* monotonic */
	int64_t began_unix_ns;
	char name[SPAN_NAME_BYTES];
	size_t count;
	struct span_attribute attributes[SPAN_ATTRIBUTES];
};

/* A child of the fiber's span; nothing where it has none. */
void span_begin(struct span *span, enum span_kind kind, const char *name);
/* The same, but where the fiber has no span a trace begins, or goes on from the caller's
 * `traceparent` (https://www.w3.org/TR/trace-context/, level 2; one that is malformed is none) if
 * that is sampled. `tracer` may be NULL. */
void span_begin_trace(struct span *span, struct tracer *tracer, struct str traceparent,
		      enum span_kind kind, const char *name);
static inline bool span_is_on(const struct span *span)
{
	return span->tracer != NULL;
}
/* Cut where it is too long. */
void span_name(struct span *span, const char *format, ...) PRINTF_LIKE(2, 3);
/* Keys are literals; a text must live until the end. One that is empty, or past SPAN_ATTRIBUTES, is
 * left out. */
void span_text(struct span *span, const char *key, struct str text);
void span_number(struct span *span, const char *key, int64_t number);
/* error.type, and the status that goes with it. `type` as span_text(). */
void span_fail(struct span *span, struct str type);
/* In the fiber that began it, after those that began later. */
void span_end(struct span *span);
/* The same, but it is not told. */
void span_drop(struct span *span);

#endif
