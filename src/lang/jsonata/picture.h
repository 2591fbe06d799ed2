/* Pictures: how XPath (F&O 3.1) describes the text of integers, dates and numbers. */
#ifndef LANG_JSONATA_PICTURE_H
#define LANG_JSONATA_PICTURE_H

#include "lang/jsonata/evaluate.h"

enum picture_primary {
	PICTURE_DECIMAL,
	PICTURE_LETTERS,
	PICTURE_ROMAN,
	PICTURE_WORDS,
	PICTURE_SEQUENCE, /* none that we know */
};

enum picture_case { PICTURE_LOWER, PICTURE_UPPER, PICTURE_TITLE };

struct picture_separator {
	uint32_t position; /* digits to its right */
	uint32_t character;
};

struct integer_picture {
	enum picture_primary primary;
	enum picture_case letter_case;
	bool is_ordinal;
	uint32_t zero; /* code point of the digit 0 */
	int64_t mandatory_digits;
	int64_t optional_digits;
	uint32_t regular;		      /* digits of a group; 0: `separators` as they are */
	struct picture_separator *separators; /* the rightmost first */
	uint32_t separator_count;
	int64_t parse_width; /* digits that a date picture reads; -1: any number */
	struct str token;
};

/* False with D3131. */
bool jsonata_integer_picture(struct arena *arena, struct str picture, struct integer_picture *out,
			     struct fault *fault);
/* Appends; false with D3130 or past a budget. */
bool jsonata_format_integer(struct evaluation *e, double value,
			    const struct integer_picture *picture, struct buffer *out);
/* NaN for what is no number. */
double jsonata_parse_integer(struct str text, const struct integer_picture *picture);
/* Words that a number in words may have, as alternatives of a regular expression. */
extern const char jsonata_number_words[];

/* --- dates --------------------------------------------------------------------------------- */

enum date_names { NAMES_NONE, NAMES_LOWER, NAMES_UPPER, NAMES_TITLE };

struct date_part {
	uint32_t component; /* a unit; 0: a literal */
	struct str literal;
	enum date_names names;
	bool has_integer;
	bool is_traditional; /* the modifier t: Z for no offset */
	double width_max;    /* INFINITY: none; NAN: one that is no number */
	double year_modulus; /* 0: all digits of the year */
	struct integer_picture integer;
};

struct date_picture {
	struct str text;
	struct date_part *parts;
	uint32_t count;
	struct regex *matcher; /* of $toMillis; NULL until it is asked for */
};

/* NULL with D3131, D3132, D3135. */
struct date_picture *jsonata_date_picture(struct arena *arena, struct str picture,
					  struct fault *fault);
/* A moment, taken apart once. */
struct date {
	double ms; /* since 1970, UTC; NaN: beyond the calendar, all else is then 0 */
	int32_t year;
	int32_t month; /* from 0 */
	int32_t day;
	int32_t week_day; /* 1 Monday … 7 Sunday */
	int32_t of_day;	  /* ms */
};
/* Whether a component is one of these letters, and how it is told in a fault. */
bool jsonata_is_component(uint32_t component, const char *letters);
struct json jsonata_component_text(struct arena *arena, uint32_t component);
struct date jsonata_date(double ms);
/* One component as a number; NaN where it is none. */
double jsonata_date_component(const struct date *date, uint32_t component);
/* JavaScript's Date.UTC: any of the values may be out of its range; month counts from 0. */
double jsonata_utc(double year, double month, double day, double ms);
extern const char *const jsonata_month_names[12];
extern const char *const jsonata_day_names[8]; /* 1: Monday */

/* What can be known at compile time of a call with a constant picture; NULL when nothing. */
const void *jsonata_prepare(struct arena *arena, const struct builtin *builtin, struct str picture);

#endif
