/* JavaScript's regular expressions (without the flag u, with the grammar that browsers need, annex
 * B of ECMA-262) read into a program. */
#include "lang/jsonata/regex.h"
#include "lang/jsonata/regex_program.h"
#include "lang/jsonata/regex_sets.h"
#include "lang/jsonata/text.h"

enum {
	DEPTH_MAX = 100, /* groups in groups */
	PATTERN_MAX = 32 * 1024,
	GROUPS_MAX = 1000,
};

struct name {
	const uint16_t *text;
	uint32_t len;
	uint32_t group;
};

struct compiler {
	struct arena *arena;   /* of what stays */
	struct arena *scratch; /* of what does not */
	const uint16_t *in;
	uint32_t len;
	uint32_t at;
	bool ignores_case;
	bool is_multiline;
	bool is_backward;
	uint32_t depth;
	uint32_t groups;      /* opened so far */
	uint32_t group_total; /* in all of the pattern */
	uint32_t registers;
	struct instruction *code;
	uint32_t count;
	uint32_t capacity;
	const struct regex_set **sets;
	uint32_t set_count;
	uint32_t set_capacity;
	uint32_t *terms; /* where those of the open sequences begin */
	uint32_t term_count;
	uint32_t term_capacity;
	struct name *names;
	uint32_t name_count;
};

static bool parse_alternatives(struct compiler *c);

/* --- growing ------------------------------------------------------------------------------- */

static void *grow(struct arena *arena, void *items, uint32_t count, uint32_t *capacity, size_t size)
{
	if (count < *capacity)
		return items;
	*capacity = *capacity == 0 ? 16 : *capacity * 2;
	void *more = arena_array(arena, *capacity, size);
	if (count > 0)
		memcpy(more, items, count * size);
	return more;
}

static struct instruction *emit(struct compiler *c, enum regex_op op, uint32_t a)
{
	c->code = grow(c->scratch, c->code, c->count, &c->capacity, sizeof *c->code);
	c->code[c->count] =
		(struct instruction){.op = (uint8_t)op, .is_backward = c->is_backward, .a = a};
	return &c->code[c->count++];
}

static struct instruction *insert(struct compiler *c, uint32_t at, enum regex_op op, uint32_t a)
{
	struct instruction made = *emit(c, op, a);

	memmove(c->code + at + 1, c->code + at, (c->count - at - 1) * sizeof *c->code);
	c->code[at] = made;
	return &c->code[at];
}

static void push_term(struct compiler *c)
{
	c->terms = grow(c->scratch, c->terms, c->term_count, &c->term_capacity, sizeof *c->terms);
	c->terms[c->term_count++] = c->count;
}

/* --- sets ---------------------------------------------------------------------------------- */

static void emit_set(struct compiler *c, struct regex_ranges *r, bool is_inverted)
{
	const struct regex_set *set = jsonata_ranges_set(r, c->arena, c->ignores_case, is_inverted);

	c->sets = grow(c->scratch, c->sets, c->set_count, &c->set_capacity, sizeof *c->sets);
	c->sets[c->set_count] = set;
	emit(c, REGEX_SET, c->set_count++);
}

static void emit_unit(struct compiler *c, uint32_t unit)
{
	emit(c, REGEX_CHAR, c->ignores_case ? jsonata_canonical_unit(unit) : unit);
}

/* --- reading ------------------------------------------------------------------------------- */

/* The unit at an offset; beyond the end one that is none. */
static uint32_t peek(const struct compiler *c, uint32_t offset)
{
	return c->at + offset < c->len ? c->in[c->at + offset] : 0x10000;
}

static bool skip(struct compiler *c, uint32_t unit)
{
	if (peek(c, 0) != unit)
		return false;
	c->at++;
	return true;
}

static bool is_digit(uint32_t unit)
{
	return unit >= '0' && unit <= '9';
}

static bool is_letter(uint32_t unit)
{
	return unit < 0x80 && (unit | 0x20) >= 'a' && (unit | 0x20) <= 'z';
}

static int hex_of(uint32_t unit)
{
	if (is_digit(unit))
		return (int)unit - '0';
	unit |= 0x20;
	return unit >= 'a' && unit <= 'f' ? (int)unit - 'a' + 10 : -1;
}

/* Exactly `digits` hexadecimal ones, else the letter in front of them stands for itself. */
static uint32_t read_hex(struct compiler *c, uint32_t digits, uint32_t letter)
{
	uint32_t value = 0;

	for (uint32_t i = 0; i < digits; i++) {
		int digit = hex_of(peek(c, i));
		if (digit < 0)
			return letter;
		value = value << 4 | (uint32_t)digit;
	}
	c->at += digits;
	return value;
}

static uint32_t read_octal(struct compiler *c)
{
	uint32_t value = 0;

	for (int i = 0; i < 3 && peek(c, 0) >= '0' && peek(c, 0) <= '7'; i++) {
		if (value * 8 + (peek(c, 0) - '0') > 0xff)
			break;
		value = value * 8 + (c->in[c->at++] - '0');
	}
	return value;
}

/* \cA; where no letter follows the backslash is one, and the c is read again. */
static uint32_t read_control(struct compiler *c, bool is_in_class)
{
	uint32_t next = peek(c, 0);

	if (is_letter(next) || (is_in_class && (is_digit(next) || next == '_'))) {
		c->at++;
		return next % 32;
	}
	c->at--;
	return '\\';
}

/* What a backslash and more stands for, where it is one unit; c->at is behind the backslash. */
static bool read_escape(struct compiler *c, bool is_in_class, uint32_t *unit)
{
	static const char letters[] = "tnvfr", units[] = "\t\n\v\f\r";
	const char *found;

	if (c->at == c->len)
		return false;
	uint32_t letter = c->in[c->at];
	if (letter >= '0' && letter <= '7') {
		*unit = read_octal(c);
		return true;
	}
	c->at++;
	if (letter == 'c')
		*unit = read_control(c, is_in_class);
	else if (letter == 'x' || letter == 'u')
		*unit = read_hex(c, letter == 'x' ? 2 : 4, letter);
	else if (letter != 0 && letter < 0x80 && (found = strchr(letters, (int)letter)) != NULL)
		*unit = (uint32_t)units[found - letters];
	else
		*unit = letter;
	return letter != 'k' || c->name_count == 0;
}

/* --- classes ------------------------------------------------------------------------------- */

static bool is_set_escape(uint32_t letter)
{
	return letter < 0x80 && letter != 0 && strchr("dDsSwW", (int)letter) != NULL;
}

/* One member of a class: a unit, or a set that is added at once. */
static bool read_member(struct compiler *c, struct regex_ranges *r, uint32_t *unit, bool *is_set)
{
	*is_set = false;
	*unit = c->in[c->at++];
	if (*unit != '\\')
		return true;
	if (is_set_escape(peek(c, 0))) {
		*is_set = true;
		jsonata_ranges_add_escape(r, c->in[c->at++]);
		return true;
	}
	if (skip(c, 'b')) {
		*unit = '\b';
		return true;
	}
	return read_escape(c, true, unit);
}

/* Where one end of what looks like a range is a set, the hyphen is a member. */
static bool read_range(struct compiler *c, struct regex_ranges *r)
{
	uint32_t first, last;
	bool is_first_set, is_last_set;

	if (!read_member(c, r, &first, &is_first_set))
		return false;
	if (peek(c, 0) != '-' || peek(c, 1) == ']' || peek(c, 1) > 0xffff) {
		if (!is_first_set)
			jsonata_ranges_add(r, first, first);
		return true;
	}
	c->at++;
	if (!read_member(c, r, &last, &is_last_set))
		return false;
	if (!is_first_set && !is_last_set) {
		if (first <= last)
			jsonata_ranges_add(r, first, last);
		return first <= last;
	}
	jsonata_ranges_add(r, '-', '-');
	if (!is_first_set)
		jsonata_ranges_add(r, first, first);
	if (!is_last_set)
		jsonata_ranges_add(r, last, last);
	return true;
}

static bool parse_class(struct compiler *c)
{
	struct regex_ranges ranges = {.arena = c->scratch};
	bool is_inverted = skip(c, '^');

	while (c->at < c->len && peek(c, 0) != ']')
		if (!read_range(c, &ranges))
			return false;
	if (!skip(c, ']'))
		return false;
	emit_set(c, &ranges, is_inverted);
	return true;
}

/* --- names --------------------------------------------------------------------------------- */

/* The name up to >, c->at is behind <. */
static bool read_name(struct compiler *c, struct name *name)
{
	*name = (struct name){.text = c->in + c->at};
	for (; peek(c, 0) != '>'; c->at++, name->len++) {
		uint32_t unit = peek(c, 0);
		bool is_start = is_letter(unit) || unit == '$' || unit == '_' ||
				(unit >= 0x80 && unit <= 0xffff);
		if (!is_start && (name->len == 0 || !is_digit(unit)))
			return false;
	}
	c->at++;
	return name->len > 0;
}

static const struct name *find_name(const struct compiler *c, const struct name *name)
{
	for (uint32_t i = 0; i < c->name_count; i++)
		if (c->names[i].len == name->len &&
		    memcmp(c->names[i].text, name->text, name->len * sizeof *name->text) == 0)
			return &c->names[i];
	return NULL;
}

/* Counts the groups and gathers their names, which may be meant before they come. */
static bool survey(struct compiler *c)
{
	bool is_in_class = false;
	uint32_t capacity = 0;
	struct name name;

	while (c->at < c->len) {
		uint32_t unit = c->in[c->at++];
		if (unit == '\\')
			c->at++;
		else if (unit == '[' || unit == ']')
			is_in_class = unit == '[';
		if (unit != '(' || is_in_class)
			continue;
		bool is_named = peek(c, 0) == '?' && peek(c, 1) == '<' && peek(c, 2) != '=' &&
				peek(c, 2) != '!';
		if (peek(c, 0) == '?' && !is_named)
			continue;
		if (++c->group_total > GROUPS_MAX)
			return false;
		if (!is_named)
			continue;
		c->at += 2;
		if (!read_name(c, &name) || find_name(c, &name) != NULL)
			return false;
		name.group = c->group_total;
		c->names = grow(c->scratch, c->names, c->name_count, &capacity, sizeof name);
		c->names[c->name_count++] = name;
	}
	c->at = 0;
	return true;
}

/* --- terms --------------------------------------------------------------------------------- */

static bool parse_named_reference(struct compiler *c)
{
	struct name name;
	const struct name *found;

	c->at++;
	if (!skip(c, '<') || !read_name(c, &name) || (found = find_name(c, &name)) == NULL)
		return false;
	emit(c, REGEX_BACKREFERENCE, found->group);
	return true;
}

/* \1 to the number of groups; any other number is an octal one, or its first digit. */
static bool parse_reference(struct compiler *c)
{
	uint32_t value = 0, digits = 0;

	for (; is_digit(peek(c, digits)) && value <= GROUPS_MAX; digits++)
		value = value * 10 + (peek(c, digits) - '0');
	if (value > c->group_total)
		return false;
	c->at += digits;
	emit(c, REGEX_BACKREFERENCE, value);
	return true;
}

static bool parse_escape(struct compiler *c)
{
	struct regex_ranges ranges = {.arena = c->scratch};
	uint32_t letter = peek(c, 0), unit;

	if (is_set_escape(letter)) {
		c->at++;
		jsonata_ranges_add_escape(&ranges, letter);
		emit_set(c, &ranges, false);
		return true;
	}
	if (letter == 'k' && c->name_count > 0)
		return parse_named_reference(c);
	if (letter >= '1' && letter <= '9' && parse_reference(c))
		return true;
	if (!read_escape(c, false, &unit))
		return false;
	emit_unit(c, unit);
	return true;
}

static bool parse_body(struct compiler *c)
{
	if (++c->depth > DEPTH_MAX || !parse_alternatives(c) || !skip(c, ')'))
		return false;
	c->depth--;
	return true;
}

static bool parse_capture(struct compiler *c)
{
	uint32_t group = ++c->groups;

	emit(c, REGEX_SAVE, 2 * group + c->is_backward);
	if (!parse_body(c))
		return false;
	emit(c, REGEX_SAVE, 2 * group + !c->is_backward);
	return true;
}

static bool parse_look(struct compiler *c, bool is_behind, bool is_not)
{
	bool outer = c->is_backward;
	uint32_t start = c->count, reg = c->registers;

	c->registers += 2;
	emit(c, is_not ? REGEX_LOOK_NOT : REGEX_LOOK, 0)->c = reg;
	c->is_backward = is_behind;
	if (!parse_body(c))
		return false;
	c->is_backward = outer;
	emit(c, is_not ? REGEX_LOOK_NOT_END : REGEX_LOOK_END, 0)->c = reg;
	c->code[start].a = c->count - start;
	return true;
}

/* c->at is behind the parenthesis. *can_repeat: lookbehinds cannot. */
static bool parse_group(struct compiler *c, bool *can_repeat)
{
	struct name name;

	if (!skip(c, '?'))
		return parse_capture(c);
	if (skip(c, ':'))
		return parse_body(c);
	if (peek(c, 0) == '=' || peek(c, 0) == '!')
		return parse_look(c, false, c->in[c->at++] == '!');
	if (!skip(c, '<'))
		return false;
	if (peek(c, 0) == '=' || peek(c, 0) == '!') {
		*can_repeat = false;
		return parse_look(c, true, c->in[c->at++] == '!');
	}
	return read_name(c, &name) && parse_capture(c);
}

static uint32_t read_count(struct compiler *c, uint32_t *at)
{
	uint32_t value = 0;

	for (; *at < c->len && is_digit(c->in[*at]); ++*at)
		value = value >= 100000000 ? REGEX_NONE - 1 : value * 10 + (c->in[*at] - '0');
	return value;
}

/* {n} {n,} {n,m}: false, with nothing read, for what is none. */
static bool read_braces(struct compiler *c, uint32_t *min, uint32_t *max)
{
	uint32_t at = c->at + 1, start = at;

	*min = *max = read_count(c, &at);
	if (at == start)
		return false;
	if (at < c->len && c->in[at] == ',') {
		start = ++at;
		*max = read_count(c, &at);
		if (at == start)
			*max = REGEX_NONE;
	}
	if (at >= c->len || c->in[at] != '}')
		return false;
	c->at = at + 1;
	return true;
}

static bool read_quantifier(struct compiler *c, uint32_t *min, uint32_t *max)
{
	uint32_t unit = peek(c, 0);

	if (unit == '{')
		return read_braces(c, min, max);
	if (unit != '*' && unit != '+' && unit != '?')
		return false;
	c->at++;
	*min = unit == '+';
	*max = unit == '?' ? 1 : REGEX_NONE;
	return true;
}

/* Makes the instructions since `start` a repetition. */
static void repeat(struct compiler *c, uint32_t start, uint32_t groups_before, uint32_t min,
		   uint32_t max, bool is_few)
{
	struct instruction *made;
	uint32_t reg = c->registers;

	if (c->count == start + 1 && c->code[start].op <= REGEX_SET) {
		made = insert(c, start, is_few ? REGEX_RUN_FEW : REGEX_RUN, 0);
		made->b = min;
		made->c = max;
		return;
	}
	c->registers += 2;
	made = insert(c, start, REGEX_LOOP_BODY, 2 * groups_before + 2);
	made->b = 2 * c->groups + 2;
	made->c = reg;
	made = insert(c, start, is_few ? REGEX_LOOP_FEW : REGEX_LOOP, c->count - start + 2);
	made->b = min;
	made->c = max;
	insert(c, start, REGEX_LOOP_START, 0)->c = reg;
	emit(c, REGEX_LOOP_NEXT, c->count - start - 1);
}

static bool parse_quantifier(struct compiler *c, uint32_t start, uint32_t groups_before)
{
	uint32_t min, max;

	if (!read_quantifier(c, &min, &max))
		return true;
	bool is_few = skip(c, '?');
	if (min > max)
		return false;
	if (max == 0)
		c->count = start;
	else if (min != 1 || max != 1)
		repeat(c, start, groups_before, min, max, is_few);
	return true;
}

/* ^ $ \b \B: what holds at a place. */
static bool parse_assertion(struct compiler *c)
{
	uint32_t unit = peek(c, 0), next = peek(c, 1);

	if (unit == '^')
		emit(c, c->is_multiline ? REGEX_LINE_START : REGEX_TEXT_START, 0);
	else if (unit == '$')
		emit(c, c->is_multiline ? REGEX_LINE_END : REGEX_TEXT_END, 0);
	else if (unit == '\\' && (next == 'b' || next == 'B'))
		emit(c, next == 'b' ? REGEX_WORD_EDGE : REGEX_NO_WORD_EDGE, 0);
	else
		return false;
	c->at += unit == '\\' ? 2 : 1;
	return true;
}

static bool parse_atom(struct compiler *c, bool *can_repeat)
{
	uint32_t min, max, unit = c->in[c->at];

	if (unit == '*' || unit == '+' || unit == '?' ||
	    (unit == '{' && read_braces(c, &min, &max)))
		return false;
	c->at++;
	switch (unit) {
	case '(':
		return parse_group(c, can_repeat);
	case '[':
		return parse_class(c);
	case '\\':
		return parse_escape(c);
	case '.':
		emit(c, REGEX_ANY, 0);
		return true;
	default:
		emit_unit(c, unit);
		return true;
	}
}

static bool parse_term(struct compiler *c)
{
	uint32_t start = c->count, groups_before = c->groups;
	bool can_repeat = true;

	if (parse_assertion(c))
		return true;
	if (!parse_atom(c, &can_repeat))
		return false;
	return !can_repeat || parse_quantifier(c, start, groups_before);
}

/* In a lookbehind the last term comes first. */
static void reverse_terms(struct compiler *c, const uint32_t *terms, uint32_t count)
{
	uint32_t start = terms[0], end = c->count, at = 0;
	struct instruction *copy = arena_array(c->scratch, end - start + 1, sizeof *copy);

	for (uint32_t i = count; i-- > 0; end = terms[i]) {
		memcpy(copy + at, c->code + terms[i], (end - terms[i]) * sizeof *copy);
		at += end - terms[i];
	}
	memcpy(c->code + start, copy, at * sizeof *copy);
}

static bool parse_terms(struct compiler *c)
{
	uint32_t base = c->term_count;

	while (c->at < c->len && peek(c, 0) != '|' && peek(c, 0) != ')') {
		push_term(c);
		if (!parse_term(c))
			return false;
	}
	if (c->is_backward && c->term_count > base + 1)
		reverse_terms(c, c->terms + base, c->term_count - base);
	c->term_count = base;
	return true;
}

static bool parse_alternatives(struct compiler *c)
{
	uint32_t last_jump = REGEX_NONE;

	for (;;) {
		uint32_t start = c->count;
		if (!parse_terms(c))
			return false;
		if (!skip(c, '|'))
			break;
		insert(c, start, REGEX_SPLIT, c->count - start + 2);
		/* Each jump to the end leads to the one before until the end is known. */
		emit(c, REGEX_JUMP, last_jump);
		last_jump = c->count - 1;
	}
	while (last_jump != REGEX_NONE) {
		struct instruction *jump = &c->code[last_jump];
		uint32_t before = jump->a;
		jump->a = c->count - last_jump;
		last_jump = before;
	}
	return true;
}

/* --- the program --------------------------------------------------------------------------- */

static void read_units(struct compiler *c, struct str pattern)
{
	uint16_t *units = arena_array(c->scratch, pattern.len + 1, sizeof *units);
	size_t size;

	for (size_t at = 0; at < pattern.len; at += size) {
		size = jsonata_point_size(pattern.data + at, pattern.len - at);
		uint32_t point = jsonata_point(pattern.data + at, size);
		if (point >= 0x10000) {
			units[c->len++] = (uint16_t)(0xd7c0 + (point >> 10));
			point = 0xdc00 | (point & 0x3ff);
		}
		units[c->len++] = (uint16_t)point;
	}
	c->in = units;
}

/* The slots of repetitions come behind those of the groups. */
static void place_registers(struct compiler *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		struct instruction *x = &c->code[i];
		if (x->op >= REGEX_LOOP_START && x->op <= REGEX_LOOK_NOT_END &&
		    x->op != REGEX_LOOP && x->op != REGEX_LOOP_FEW)
			x->c += 2 * c->group_total + 2;
	}
}

static const struct instruction *find_lead(const struct instruction *code)
{
	while (code->op == REGEX_SAVE)
		code++;
	if (code->op == REGEX_RUN || code->op == REGEX_RUN_FEW)
		return code->b > 0 ? code + 1 : NULL;
	return code->op <= REGEX_SET ? code : NULL;
}

/* What is asked for each byte of a text is answered once. */
static void note_ascii(const struct regex *regex, struct instruction *code, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		for (unsigned unit = 0; code[i].op <= REGEX_SET && unit < 128; unit++)
			if (jsonata_regex_takes(regex, &code[i], unit))
				code[i].ascii[unit >> 6] |= (uint64_t)1 << (unit & 63);
}

static void finish(struct compiler *c, struct regex *out)
{
	struct instruction *code;

	emit(c, REGEX_MATCH, 0);
	place_registers(c);
	code = arena_array(c->arena, c->count, sizeof *code);
	memcpy(code, c->code, c->count * sizeof *code);
	out->sets = arena_array(c->arena, c->set_count + 1, sizeof *out->sets);
	if (c->set_count > 0)
		memcpy((void *)(uintptr_t)out->sets, c->sets, c->set_count * sizeof *out->sets);
	out->code = code;
	out->group_count = c->group_total;
	out->slot_count = 2 * c->group_total + 2 + c->registers;
	out->ignores_case = c->ignores_case;
	out->lead = find_lead(code);
	note_ascii(out, code, c->count);
}

bool jsonata_regex_program(struct arena *arena, struct str pattern, bool is_multiline,
			   struct regex *out)
{
	struct arena scratch;
	struct compiler c = {.arena = arena,
			     .scratch = &scratch,
			     .ignores_case = out->ignores_case,
			     .is_multiline = is_multiline};
	bool is_sound = pattern.len <= PATTERN_MAX;

	arena_init(&scratch, SIZE_MAX);
	if (is_sound) {
		read_units(&c, pattern);
		is_sound = survey(&c) && parse_alternatives(&c) && c.at == c.len;
	}
	if (is_sound)
		finish(&c, out);
	arena_finish(&scratch);
	return is_sound;
}
