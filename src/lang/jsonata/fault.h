/* Faults as the reference reports them: codes, inserts, and the sentences made of both. */
#ifndef LANG_JSONATA_FAULT_H
#define LANG_JSONATA_FAULT_H

#include "lang/jsonata/value.h"

/* Set in a position that is not in the expression's own text, and is counted already. */
#define POSITION_ELSEWHERE 0x80000000u

/* What is known of a fault before its sentence is written. Positions are byte offsets in the
 * expression until the door turns them into the reference's UTF-16 offsets. */
struct fault {
	const char *code; /* NULL: none yet */
	uint32_t position;
	bool has_position;
	struct json token; /* JSON_UNDEFINED: none */
	struct json value;
	struct json value2; /* second value of T2007, T2009; exponent of D3061 */
	uint32_t index;	    /* of the argument, from 1 */
	struct str text;    /* message of $error and $assert; name of a function or type */
};

/* Writes the sentence and the door's struct. `text` is the expression. */
void jsonata_fault_report(const struct fault *fault, struct str text, struct arena *arena,
			  struct jsonata_error *error);
/* Offset in UTF-16 units of a byte offset. */
size_t jsonata_utf16_offset(struct str text, size_t at);

#endif
