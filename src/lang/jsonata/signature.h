/* Signatures of functions, <s-n?:s>: parsed once, checked at each call. */
#ifndef LANG_JSONATA_SIGNATURE_H
#define LANG_JSONATA_SIGNATURE_H

#include "lang/jsonata/fault.h"

enum { SIGNATURE_PARAMETERS_MAX = 16 };

struct parameter {
	uint16_t plain; /* 1 << enum json_type: what may be passed on without a closer look */
	uint16_t types; /* set of enum symbol */
	char type;	/* 's' 'n' 'b' 'l' 'o' 'a' 'f' 'j' 'x', '(' for a choice */
	bool is_optional;
	bool is_repeated;
	bool takes_context;
	bool is_lazy;	    /* `-?`: optional twice over, tried as missing first */
	struct str subtype; /* data NULL: none */
};

struct signature {
	struct str text;
	uint32_t count;
	uint32_t least;	    /* arguments, when nothing shall stand in for the missing ones */
	bool takes_context; /* some parameter does */
	struct parameter parameters[];
};

/* NULL with the fault's code (S0401, S0402) and the offset of the mistake. */
struct signature *jsonata_signature_parse(struct arena *arena, struct str text, struct fault *fault,
					  uint32_t *error_offset);

/* Checks the arguments and puts what the function shall get into `out` (room for
 * jsonata_signature_room()). False with the fault filled: T0410, T0411, T0412. */
bool jsonata_signature_check(const struct signature *signature, struct arena *arena,
			     const struct json *arguments, uint32_t count, struct json context,
			     struct json *out, uint32_t *out_count, struct fault *fault) MUST_CHECK;
/* Whether the argument fits its parameter as it is. */
bool jsonata_signature_fits(const struct parameter *parameter, struct json argument);
static inline bool jsonata_signature_is_fit(const struct parameter *parameter, struct json argument)
{
	return (parameter->plain >> argument.type & 1) != 0 ||
	       jsonata_signature_fits(parameter, argument);
}
/* Whether all of them do, and none is missing that the context could stand in for: then the
 * arguments may be passed unchecked. */
bool jsonata_signature_is_plain(const struct signature *signature, const struct json *arguments,
				uint32_t count);
static inline uint32_t jsonata_signature_room(const struct signature *signature, uint32_t count)
{
	return signature->count + count;
}

#endif
