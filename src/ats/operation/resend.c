/* A body that comes as a stream, and may have to be sent again: what was read first is kept, as
 * long as it is little. A request that never reached its peer had at most one piece of it read. */
#include "ats/operation/run.h"

enum { KEPT_BYTES = 64 * 1024 };

struct resend {
	struct http_source base;
	struct http_source *inner;
	char *kept;
	size_t len; /* of what is kept */
	size_t at;
	bool is_past; /* more was read than is kept */
};

static ssize_t read_again(struct resend *resend, void *bytes, size_t max)
{
	size_t len = resend->len - resend->at < max ? resend->len - resend->at : max;

	memcpy(bytes, resend->kept + resend->at, len);
	resend->at += len;
	return (ssize_t)len;
}

static ssize_t read_on(void *context, void *bytes, size_t max, struct error *err)
{
	struct resend *resend = context;

	if (resend->at < resend->len)
		return read_again(resend, bytes, max);
	ssize_t got = resend->inner->read(resend->inner->context, bytes, max, err);

	if (got <= 0 || resend->is_past)
		return got;
	resend->is_past = (size_t)got > KEPT_BYTES - resend->len;
	if (resend->is_past)
		return got;
	memcpy(resend->kept + resend->len, bytes, (size_t)got);
	resend->len += (size_t)got;
	resend->at = resend->len;
	return got;
}

struct http_source *resend_create(struct arena *arena, struct http_source *inner)
{
	struct resend *resend = arena_zero(arena, sizeof *resend);

	resend->base = (struct http_source){read_on, resend, inner->length};
	resend->inner = inner;
	resend->kept = arena_alloc(arena, KEPT_BYTES);
	return &resend->base;
}

bool resend_rewind(struct http_source *source)
{
	struct resend *resend = source->context;

	if (resend->is_past)
		return false;
	resend->at = 0;
	return true;
}
