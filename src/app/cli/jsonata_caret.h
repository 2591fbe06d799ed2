/* A fault of an expression shown to people: its line, and a caret under the place. */
#ifndef APP_CLI_JSONATA_CARET_H
#define APP_CLI_JSONATA_CARET_H

#include "base/buffer.h"

/* `position` counts UTF-16 units; `token` (may be empty) ends there, as the reference counts, or
 * begins there. Appends two lines: a piece of the line of the expression, and the caret. */
void caret_show(struct buffer *out, struct str expression, size_t position, struct str token);

#endif
