/* Spans, and how they are printed. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/trace/parts.h"
#include "lang/json/json.h"

enum { TOLD_BYTES_MAX = 64 * 1024, TRACEPARENT_BYTES = 55 };

/* --- the caller's trace ---------------------------------------------------------------------- */

static bool read_hex(struct str text, unsigned char *bytes, size_t count)
{
	static const char digits[] = "0123456789abcdef";
	bool is_zero = true;

	for (size_t i = 0; i < count; i++) {
		const char *high = memchr(digits, text.data[2 * i], 16);
		const char *low = memchr(digits, text.data[2 * i + 1], 16);
		if (high == NULL || low == NULL)
			return false;
		bytes[i] = (unsigned char)((high - digits) << 4 | (low - digits));
		is_zero = is_zero && bytes[i] == 0;
	}
	return count == 1 || !is_zero;
}

/* 00-<trace id>-<parent id>-<flags>; a later version may have more behind it. */
static bool read_parent(struct str text, struct span *span, bool *is_sampled)
{
	unsigned char version, flags;

	if (text.len < TRACEPARENT_BYTES || text.data[2] != '-' || text.data[35] != '-' ||
	    text.data[52] != '-' || !read_hex(text, &version, 1) || version == 0xff ||
	    !read_hex(str_slice(text, 3, 35), span->trace_id, 16) ||
	    !read_hex(str_slice(text, 36, 52), span->parent_id, 8) ||
	    !read_hex(str_slice(text, 53, 55), &flags, 1))
		return false;
	if (text.len > TRACEPARENT_BYTES && (version == 0 || text.data[TRACEPARENT_BYTES] != '-'))
		return false;
	*is_sampled = flags & 1;
	return true;
}

/* --- begin ----------------------------------------------------------------------------------- */

static void set_out(struct span *span, struct tracer *tracer, enum span_kind kind, const char *name)
{
	span->tracer = tracer;
	span->kind = kind;
	span->count = 0;
	span->is_failed = false;
	random_fill(tracer->options.random, span->id, sizeof span->id);
	span->began_ns = clock_monotonic_ns(tracer->options.clock);
	span->began_unix_ns = tracer->options.clock->unix_ns(tracer->options.clock->context);
	span_name(span, "%s", name);
	span->outer = loop_context();
	loop_set_context(span);
}

void span_begin(struct span *span, enum span_kind kind, const char *name)
{
	const struct span *outer = loop_context();

	span->tracer = NULL;
	if (outer == NULL)
		return;
	memcpy(span->trace_id, outer->trace_id, sizeof span->trace_id);
	memcpy(span->parent_id, outer->id, sizeof span->parent_id);
	span->has_parent = true;
	span->is_of_caller = false;
	set_out(span, outer->tracer, kind, name);
}

static bool is_drawn(const struct tracer *tracer)
{
	return (int64_t)random_below(tracer->options.random, 1000000) <
	       tracer->options.ratio_millionths;
}

void span_begin_trace(struct span *span, struct tracer *tracer, struct str traceparent,
		      enum span_kind kind, const char *name)
{
	bool is_sampled;

	span->tracer = NULL;
	if (tracer == NULL)
		return;
	if (loop_context() != NULL) {
		span_begin(span, SPAN_INTERNAL, name);
		return;
	}
	span->has_parent = span->is_of_caller = read_parent(traceparent, span, &is_sampled);
	if (!span->has_parent) {
		random_fill(tracer->options.random, span->trace_id, sizeof span->trace_id);
		is_sampled = is_drawn(tracer);
	}
	if (is_sampled)
		set_out(span, tracer, kind, name);
}

/* --- what it tells --------------------------------------------------------------------------- */

void span_name(struct span *span, const char *format, ...)
{
	va_list arguments;

	if (!span_is_on(span))
		return;
	va_start(arguments, format);
	vsnprintf(span->name, sizeof span->name, format, arguments);
	va_end(arguments);
}

static void add(struct span *span, const struct span_attribute *attribute)
{
	if (span_is_on(span) && span->count < SPAN_ATTRIBUTES)
		span->attributes[span->count++] = *attribute;
}

void span_text(struct span *span, const char *key, struct str text)
{
	if (text.len > 0)
		add(span, &(struct span_attribute){.key = key, .is_text = true, .text = text});
}

void span_number(struct span *span, const char *key, int64_t number)
{
	add(span, &(struct span_attribute){.key = key, .number = number});
}

void span_fail(struct span *span, struct str type)
{
	if (!span_is_on(span))
		return;
	span->is_failed = true;
	span_text(span, "error.type", type);
}

/* --- end ------------------------------------------------------------------------------------- */

static void put_hex(struct buffer *out, const char *name, const unsigned char *bytes, size_t count)
{
	buffer_append_format(out, ",\"%s\":\"", name);
	for (size_t i = 0; i < count; i++)
		buffer_append_format(out, "%02x", bytes[i]);
	buffer_append_c(out, "\"");
}

static void put_attributes(struct buffer *out, const struct span *span)
{
	buffer_append_c(out, ",\"attributes\":[");
	for (size_t i = 0; i < span->count; i++) {
		const struct span_attribute *attribute = &span->attributes[i];
		buffer_append_format(out, "%s{\"key\":\"%s\",\"value\":{", i == 0 ? "" : ",",
				     attribute->key);
		if (attribute->is_text) {
			buffer_append_c(out, "\"stringValue\":");
			json_print(out, json_string(attribute->text));
		} else {
			buffer_append_format(out, "\"intValue\":\"%lld\"",
					     (long long)attribute->number);
		}
		buffer_append_c(out, "}}");
	}
	buffer_append_c(out, "]");
}

/* Of the message Span. Bits of its flags: sampled, and where the parent is. */
static void put_span(struct buffer *out, const struct span *span)
{
	int64_t took_ns = clock_monotonic_ns(span->tracer->options.clock) - span->began_ns;

	buffer_append_c(out, "{\"name\":");
	json_print(out, json_string_c(span->name));
	put_hex(out, "traceId", span->trace_id, sizeof span->trace_id);
	put_hex(out, "spanId", span->id, sizeof span->id);
	if (span->has_parent)
		put_hex(out, "parentSpanId", span->parent_id, sizeof span->parent_id);
	buffer_append_format(out,
			     ",\"flags\":%d,\"kind\":%d,\"startTimeUnixNano\":\"%lld\","
			     "\"endTimeUnixNano\":\"%lld\"",
			     span->is_of_caller ? 0x301 : 0x101, (int)span->kind,
			     (long long)span->began_unix_ns,
			     (long long)(span->began_unix_ns + (took_ns < 0 ? 0 : took_ns)));
	put_attributes(out, span);
	buffer_append_c(out, span->is_failed ? ",\"status\":{\"code\":2}}" : "}");
}

void span_drop(struct span *span)
{
	if (!span_is_on(span))
		return;
	loop_set_context(span->outer);
	span->tracer = NULL;
}

void span_end(struct span *span)
{
	struct arena arena;
	struct buffer out;

	if (!span_is_on(span))
		return;
	arena_init(&arena, 4 * TOLD_BYTES_MAX);
	buffer_init(&out, &arena, TOLD_BYTES_MAX);
	put_span(&out, span);
	struct str text = buffer_str(&out);
	struct told *told = malloc(sizeof *told + text.len);
	if (told == NULL)
		die("out of memory for a span");
	told->len = text.len;
	memcpy(told->bytes, text.data, text.len);
	arena_finish(&arena);
	tracer_tell(span->tracer, told);
	span_drop(span);
}
