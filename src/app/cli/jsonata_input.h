/* JSON texts one after another from a file or a pipe: a line each (NDJSON), pretty-printed, or with
 * nothing between them. Only the text at hand is in memory. */
#ifndef APP_CLI_JSONATA_INPUT_H
#define APP_CLI_JSONATA_INPUT_H

#include "base/error.h"

struct input {
	int file;
	const char *name;
	void (*before_wait)(void); /* called before each read, which may wait */
	char *bytes;
	size_t capacity;
	size_t start; /* of what was not handed out yet */
	size_t len;
	bool is_at_end;
	uint64_t line; /* of the text that input_next() gave, from 1 */
	uint64_t lines_passed;
};

/* NULL or "-" is standard input. */
bool input_open(struct input *input, const char *path, void (*before_wait)(void),
		struct error *err) MUST_CHECK;
/* The next text, which is good until the next call; false at the end (err->code ERROR_NONE) or for
 * what cannot be read. Whether it is sound JSON the parser tells. */
bool input_next(struct input *input, struct str *text, struct error *err) MUST_CHECK;
/* The next line instead, without its end. A longer one than `max` bytes ends the reading. */
bool input_next_line(struct input *input, size_t max, struct str *line,
		     struct error *err) MUST_CHECK;
void input_close(struct input *input);

#endif
