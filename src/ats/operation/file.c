/* Answers that are files: passed on piece by piece, in a small window of memory. */
#include "ats/operation/run.h"

enum { PIECE_BYTES = 32 * 1024 };

static bool has_type(const struct http_response *response, struct str part)
{
	return str_find(http_response_header(response, "content-type"), part) >= 0;
}

/* JSON is read, and what is no success is looked at. */
bool file_is_one(const struct native_call *call, const struct http_response *response)
{
	if (response->status < 200 || response->status >= 300 || response->status == 204)
		return false;
	if (call->answer == ANSWER_BYTES)
		return true;
	return http_response_header(response, "content-type").len > 0 &&
	       !has_type(response, STR("json")) &&
	       (call->answer == ANSWER_ANY || !has_type(response, STR("text/html")));
}

/* A store of files often knows no more of a type than that it is bytes. */
static bool is_vague(struct str type)
{
	return type.len == 0 || str_starts_with(type, STR("application/octet-stream")) ||
	       str_starts_with(type, STR("binary/octet-stream"));
}

/* What the record says of its name counts more than what the place says where it is kept. */
static struct operation_file describe(const struct run *run, const struct http_response *response)
{
	struct operation_file file = {
		.status = response->status,
		.content_type = http_response_header(response, "content-type"),
		.disposition = http_response_header(response, "content-disposition"),
		.encoding = http_response_header(response, "content-encoding"),
		.length = response->body_length,
	};

	if (run->file == NULL)
		return file;
	file.status = 200;
	if (is_vague(file.content_type) && run->file->content_type.len > 0)
		file.content_type = run->file->content_type;
	if (run->file->disposition.len > 0)
		file.disposition = run->file->disposition;
	return file;
}

bool file_pass(const struct run *run, struct operation_sink *sink,
	       const struct http_response *response, struct http_call *call, struct error *err)
{
	struct operation_file file = describe(run, response);
	char *piece = arena_alloc(run->arena, PIECE_BYTES);
	ssize_t got = 0;
	bool ok = true;

	sink->begin(sink, &file);
	sink->has_begun = true;
	while (ok && !sink->wants_no_bytes) {
		got = http_client_read(call, piece, PIECE_BYTES, err);
		if (got <= 0)
			break;
		ok = sink->write(sink, str_make(piece, (size_t)got), err);
	}
	http_client_close(call);
	return ok && got >= 0;
}

bool file_keep(const struct run *run, struct http_response *response, struct http_call *call,
	       size_t bytes_max, struct error *err)
{
	struct buffer body;
	ssize_t got = 1;

	buffer_init(&body, run->arena, bytes_max + PIECE_BYTES);
	if (response->body_length > 0 && (uint64_t)response->body_length < bytes_max)
		buffer_room(&body, (size_t)response->body_length + 1);
	while (got > 0) {
		size_t max = body.capacity > body.len ? body.capacity - body.len : PIECE_BYTES;
		char *room = buffer_room(&body, max);

		if (room == NULL)
			break;
		got = http_client_read(call, room, max, err);
		body.len += got > 0 ? (size_t)got : 0;
	}
	http_client_close(call);
	response->body = buffer_str(&body);
	if (got == 0)
		return true;
	if (got > 0)
		error_set(err, ERROR_LIMIT, "the ATS answered with more than %zu bytes", bytes_max);
	response->outcome = err->code == ERROR_LIMIT	 ? HTTP_TOO_LARGE
			    : err->code == ERROR_TIMEOUT ? HTTP_TIMED_OUT
							 : HTTP_BROKEN;
	return false;
}
