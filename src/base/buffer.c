#include "base/buffer.h"

#include <assert.h>
#include <stdio.h>

void buffer_init(struct buffer *buffer, struct arena *arena, size_t bytes_max)
{
	*buffer = (struct buffer){.arena = arena, .bytes_max = bytes_max};
}

char *buffer_room(struct buffer *buffer, size_t more)
{
	size_t wanted;

	if (more <= buffer->capacity - buffer->len)
		return buffer->data + buffer->len;
	if (__builtin_add_overflow(buffer->len, more, &wanted) || wanted > buffer->bytes_max) {
		buffer->is_over = true;
		return NULL;
	}
	size_t capacity = buffer->capacity < 256 ? 256 : buffer->capacity * 2;
	if (capacity < wanted)
		capacity = wanted;
	if (capacity > buffer->bytes_max)
		capacity = buffer->bytes_max;
	/* One byte more than is counted, for the NUL that printf writes. */
	buffer->data = arena_grow(buffer->arena, buffer->data,
				  buffer->capacity == 0 ? 0 : buffer->capacity + 1, capacity + 1);
	buffer->capacity = capacity;
	return buffer->data + buffer->len;
}

void buffer_append(struct buffer *buffer, struct str s)
{
	char *at = s.len == 0 ? NULL : buffer_room(buffer, s.len);

	if (at == NULL)
		return;
	memcpy(at, s.data, s.len);
	buffer->len += s.len;
}

void buffer_append_c(struct buffer *buffer, const char *text)
{
	buffer_append(buffer, str_from_c(text));
}

void buffer_append_byte(struct buffer *buffer, char byte)
{
	buffer_append(buffer, str_make(&byte, 1));
}

void buffer_append_int(struct buffer *buffer, int64_t number)
{
	char digits[24];
	size_t at = sizeof digits;
	uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do {
		digits[--at] = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (number < 0)
		digits[--at] = '-';
	buffer_append(buffer, str_make(digits + at, sizeof digits - at));
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
	va_list arguments, again;

	va_start(arguments, format);
	va_copy(again, arguments);
	int len = vsnprintf(NULL, 0, format, arguments);
	assert(len >= 0);
	char *at = len == 0 ? NULL : buffer_room(buffer, (size_t)len);
	if (at != NULL) {
		vsnprintf(at, (size_t)len + 1, format, again);
		buffer->len += (size_t)len;
	}
	va_end(again);
	va_end(arguments);
}

bool buffer_check(const struct buffer *buffer, const char *what, struct error *err)
{
	if (!buffer->is_over)
		return true;
	return error_set(err, ERROR_LIMIT, "%s is larger than %zu bytes", what, buffer->bytes_max);
}
