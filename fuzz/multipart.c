/* Input: one byte for the size of pieces, then a body of multipart/form-data with the boundary B.
 * Whatever the bytes are and however they are cut, the same parts come out, or the same fault. */
#include <assert.h>

#include "io/http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct seen {
	struct buffer text;
	size_t open;
};

static bool begin(void *context, const struct http_part *part, struct error *err)
{
	struct seen *seen = context;

	(void)err;
	assert(seen->open == 0 && part->name.data != NULL && part->content_type.len > 0);
	seen->open = 1;
	buffer_append(&seen->text, part->name);
	buffer_append_byte(&seen->text, part->is_file ? 'f' : '-');
	buffer_append(&seen->text, part->filename);
	buffer_append(&seen->text, part->content_type);
	return true;
}

static bool take(void *context, struct str bytes, struct error *err)
{
	struct seen *seen = context;

	(void)err;
	assert(seen->open == 1 && bytes.len > 0);
	buffer_append(&seen->text, bytes);
	return true;
}

static bool end(void *context, struct error *err)
{
	struct seen *seen = context;

	(void)err;
	assert(seen->open == 1);
	seen->open = 0;
	buffer_append_byte(&seen->text, '\n');
	return true;
}

static bool read_in_pieces(struct arena *arena, struct str body, size_t piece, struct seen *seen,
			   struct error *err)
{
	struct http_part_handler handler = {begin, take, end, seen};
	struct multipart *multipart = multipart_create(
		arena, STR("multipart/form-data; boundary=B"), &handler, err);

	assert(multipart != NULL);
	buffer_init(&seen->text, arena, SIZE_MAX);
	seen->open = 0;
	for (size_t at = 0; at < body.len; at += piece)
		if (!multipart_feed(multipart, str_slice(body, at, at + piece), err))
			return false;
	return multipart_finish(multipart, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct seen whole, pieces;
	struct error first, second;
	struct arena arena;

	if (len < 1 || len > 64 * 1024)
		return 0;
	struct str body = str_make((const char *)data + 1, len - 1);
	arena_init(&arena, SIZE_MAX);
	bool ok = read_in_pieces(&arena, body, body.len + 1, &whole, &first);
	bool also = read_in_pieces(&arena, body, 1u + data[0] % 64, &pieces, &second);
	assert(ok == also);
	assert(ok || str_equal_c(str_from_c(first.message), second.message));
	assert(str_equal(buffer_str(&whole.text), buffer_str(&pieces.text)));
	arena_finish(&arena);
	return 0;
}
