/* The matcher of regular expressions: JavaScript's semantics by backtracking, over an explicit
 * stack in the arena, so that neither the C stack nor a hostile expression sets the limit. */
#include "lang/jsonata/regex.h"
#include "lang/jsonata/regex_program.h"
#include "lang/jsonata/text.h"

enum {
	ENTRIES_FIRST = 16,
	SLOTS_FIRST = 8,
	ENTRIES_MAX = 256 * 1024,
	TRIES_OF_UNIT = 64, /* a long text may cost more, but no more than in proportion */
	TRIES_OF_STEP = 1,  /* of the evaluation */
	UNITS_OF_STEP = 32, /* in search of where a match may begin */
	UNITS_OF_TRY = 8,   /* units that a run takes at the price of one try */
};

enum entry_kind {
	ENTRY_CHOICE, /* go on with instruction a at b */
	ENTRY_RUN,    /* give back a unit of run a: from c, not beyond b */
	ENTRY_FEW,    /* let run a take one more at b; it has c */
	ENTRY_UNDO,   /* slot a was b */
};

struct entry {
	uint32_t kind;
	uint32_t a;
	uint32_t b;
	uint32_t c;
};

/* Kept from match to match of one evaluation. Most need no more than there is at first. */
struct match_memory {
	struct entry *entries;
	uint32_t capacity;
	uint32_t *slots;
	uint32_t slot_capacity;
	uint32_t first_slots[SLOTS_FIRST];
	struct entry first_entries[ENTRIES_FIRST];
};

struct run {
	struct evaluation *e;
	const struct regex *regex;
	struct match_memory *memory;
	const char *text;
	uint32_t len;
	uint32_t top;
	uint32_t *slots;
	uint32_t pc;
	uint32_t at;
	uint32_t tries_left;
	bool is_over; /* past a budget */
};

/* --- units --------------------------------------------------------------------------------- */

static inline uint32_t unit_size(const char *text)
{
	unsigned char c = (unsigned char)*text;

	return c < 0x80 ? 1 : c < 0xe0 ? 2 : 3;
}

static inline uint32_t unit_at(const struct run *r, uint32_t at, uint32_t *size)
{
	unsigned char c = (unsigned char)r->text[at];

	if (c < 0x80) {
		*size = 1;
		return c;
	}
	*size = unit_size(r->text + at);
	return jsonata_point(r->text + at, *size);
}

/* Where the unit before `at` begins. */
static inline uint32_t place_before(const struct run *r, uint32_t at)
{
	uint32_t start = at - 1;

	while (start > 0 && ((unsigned char)r->text[start] & 0xc0) == 0x80)
		start--;
	return start;
}

static inline uint32_t unit_before(const struct run *r, uint32_t at, uint32_t *size)
{
	uint32_t start = place_before(r, at);

	*size = at - start;
	return jsonata_point(r->text + start, *size);
}

static bool is_line_end(uint32_t unit)
{
	return unit == '\n' || unit == '\r' || unit == 0x2028 || unit == 0x2029;
}

static bool is_word(uint32_t unit)
{
	return (unit >= '0' && unit <= '9') || (unit >= 'a' && unit <= 'z') ||
	       (unit >= 'A' && unit <= 'Z') || unit == '_';
}

static bool has_unit(const struct regex_set *set, uint32_t unit)
{
	uint32_t low = 0, high = set->count;

	if (unit < 256)
		return (set->low[unit >> 3] >> (unit & 7) & 1) != 0;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (unit < set->pairs[2 * middle])
			high = middle;
		else if (unit > set->pairs[2 * middle + 1])
			low = middle + 1;
		else
			return true;
	}
	return false;
}

bool jsonata_regex_takes(const struct regex *regex, const struct instruction *i, uint32_t unit)
{
	if (i->op == REGEX_ANY)
		return !is_line_end(unit);
	if (regex->ignores_case)
		unit = jsonata_canonical_unit(unit);
	if (i->op == REGEX_CHAR)
		return unit == i->a;
	const struct regex_set *set = regex->sets[i->a];
	return has_unit(set, unit) != set->is_inverted;
}

static inline bool is_unit_of(const struct run *r, const struct instruction *i, uint32_t unit)
{
	return unit < 0x80 ? regex_takes_ascii(i, (unsigned char)unit)
			   : jsonata_regex_takes(r->regex, i, unit);
}

/* The next unit in a direction; false at the end of the text. */
static inline bool next_unit(struct run *r, bool is_backward, uint32_t *unit)
{
	uint32_t size;

	if (r->at == (is_backward ? 0 : r->len))
		return false;
	if (is_backward) {
		*unit = unit_before(r, r->at, &size);
		r->at -= size;
	} else {
		*unit = unit_at(r, r->at, &size);
		r->at += size;
	}
	return true;
}

/* Takes one unit in the direction of the instruction. */
static inline bool take_unit(struct run *r, const struct instruction *i)
{
	uint32_t unit;

	return next_unit(r, i->is_backward, &unit) && is_unit_of(r, i, unit);
}

/* As many units of ASCII as come next, at most `most`. */
static inline uint32_t take_ascii(struct run *r, const struct instruction *i, uint32_t most)
{
	uint32_t left = r->len - r->at, count = 0;
	const char *text = r->text + r->at;

	if (i->is_backward)
		return 0;
	if (most > left)
		most = left;
	while (count < most && (unsigned char)text[count] < 0x80 &&
	       regex_takes_ascii(i, (unsigned char)text[count]))
		count++;
	r->at += count;
	return count;
}

static bool is_at_line_start(const struct run *r)
{
	uint32_t size;

	return r->at == 0 || is_line_end(unit_before(r, r->at, &size));
}

static bool is_at_line_end(const struct run *r)
{
	uint32_t size;

	return r->at == r->len || is_line_end(unit_at(r, r->at, &size));
}

static bool is_at_edge(const struct run *r)
{
	uint32_t size;
	bool before = r->at > 0 && is_word(unit_before(r, r->at, &size));
	bool behind = r->at < r->len && is_word(unit_at(r, r->at, &size));

	return before != behind;
}

/* --- the stack ----------------------------------------------------------------------------- */

static bool grow(struct run *r)
{
	struct match_memory *memory = r->memory;
	uint32_t capacity = memory->capacity * 2;
	struct entry *entries = NULL;

	if (capacity <= ENTRIES_MAX)
		entries = jsonata_take(r->e, capacity * sizeof *entries);
	if (entries == NULL) {
		r->is_over = true;
		return false;
	}
	if (r->top > 0)
		memcpy(entries, memory->entries, r->top * sizeof *entries);
	memory->entries = entries;
	memory->capacity = capacity;
	return true;
}

static inline bool push(struct run *r, enum entry_kind kind, uint32_t a, uint32_t b, uint32_t c)
{
	if (r->top == r->memory->capacity && !grow(r))
		return false;
	r->memory->entries[r->top++] = (struct entry){kind, a, b, c};
	return true;
}

static inline bool set_slot(struct run *r, uint32_t slot, uint32_t value)
{
	if (!push(r, ENTRY_UNDO, slot, r->slots[slot], 0))
		return false;
	r->slots[slot] = value;
	return true;
}

static uint32_t step_back(const struct run *r, uint32_t at, bool is_backward)
{
	return is_backward ? at + unit_size(r->text + at) : place_before(r, at);
}

/* One unit fewer for a run that took many, or more where a letter that must follow tells so. */
static void shorten_run(struct run *r, struct entry *entry)
{
	const struct instruction *unit = &r->regex->code[entry->a + 1], *next = unit + 1;
	bool has_letter = next->op == REGEX_CHAR && next->a < 0x80 && !r->regex->ignores_case &&
			  !unit->is_backward && !next->is_backward;

	do
		entry->c = step_back(r, entry->c, unit->is_backward);
	while (has_letter && entry->c != entry->b && r->text[entry->c] != (char)next->a);
	r->at = entry->c;
	r->pc = entry->a + 2;
	if (entry->c == entry->b)
		r->top--;
}

/* One unit more for a run that took few. */
static bool lengthen_run(struct run *r, struct entry *entry)
{
	const struct instruction *run = &r->regex->code[entry->a];

	r->at = entry->b;
	r->pc = entry->a + 2;
	if (!take_unit(r, run + 1)) {
		r->top--;
		return false;
	}
	entry->b = r->at;
	if (++entry->c == run->c)
		r->top--;
	return true;
}

/* Back to the last choice; false when there is none. */
static bool backtrack(struct run *r)
{
	while (r->top > 0 && !r->is_over) {
		struct entry *entry = &r->memory->entries[r->top - 1];
		if (entry->kind == ENTRY_UNDO) {
			r->slots[entry->a] = entry->b;
			r->top--;
			continue;
		}
		if (r->tries_left-- == 0) {
			r->is_over = true;
			return false;
		}
		if (entry->kind == ENTRY_RUN) {
			shorten_run(r, entry);
			return true;
		}
		if (entry->kind == ENTRY_FEW) {
			if (lengthen_run(r, entry))
				return true;
			continue;
		}
		r->pc = entry->a;
		r->at = entry->b;
		r->top--;
		return true;
	}
	return false;
}

/* --- instructions: false to backtrack ------------------------------------------------------ */

/* Whether giving back units of a run is of no use: the letter behind it is none of them. */
static bool is_final(const struct run *r, const struct instruction *run)
{
	return run[2].op == REGEX_CHAR && run[2].is_backward == run[1].is_backward &&
	       !is_unit_of(r, run + 1, run[2].a);
}

static bool charge(struct run *r, uint32_t tries)
{
	if (tries > r->tries_left)
		r->is_over = true;
	else
		r->tries_left -= tries;
	return !r->is_over;
}

static bool step_run(struct run *r, const struct instruction *i)
{
	uint32_t count = 0, least, pc = r->pc;

	for (; count < i->b; count++)
		if (!take_unit(r, i + 1))
			return charge(r, count / UNITS_OF_TRY) && false;
	least = r->at;
	for (;;) {
		count += take_ascii(r, i + 1, i->c - count);
		uint32_t before = r->at;
		if (count == i->c)
			break;
		if (!take_unit(r, i + 1)) {
			r->at = before;
			break;
		}
		count++;
	}
	r->pc += 2;
	if (!charge(r, count / UNITS_OF_TRY))
		return false;
	return r->at == least || is_final(r, i) || push(r, ENTRY_RUN, pc, least, r->at);
}

static bool step_run_few(struct run *r, const struct instruction *i)
{
	for (uint32_t count = 0; count < i->b; count++)
		if (!take_unit(r, i + 1))
			return false;
	r->pc += 2;
	return i->b == i->c || push(r, ENTRY_FEW, r->pc - 2, r->at, i->b);
}

static bool step_loop(struct run *r, const struct instruction *i)
{
	uint32_t count = r->slots[i[1].c];

	if (count < i->b) {
		r->pc++;
		return true;
	}
	if (count >= i->c) {
		r->pc += i->a;
		return true;
	}
	if (i->op == REGEX_LOOP) {
		r->pc++;
		return push(r, ENTRY_CHOICE, r->pc - 1 + i->a, r->at, 0);
	}
	r->pc += i->a;
	return push(r, ENTRY_CHOICE, r->pc - i->a + 1, r->at, 0);
}

static bool step_loop_body(struct run *r, const struct instruction *i)
{
	if (!set_slot(r, i->c, r->slots[i->c] + 1) || !set_slot(r, i->c + 1, r->at))
		return false;
	for (uint32_t slot = i->a; slot < i->b; slot++)
		if (r->slots[slot] != REGEX_NONE && !set_slot(r, slot, REGEX_NONE))
			return false;
	r->pc++;
	return true;
}

/* A turn beyond those that must be which took nothing is no turn. */
static bool step_loop_next(struct run *r, const struct instruction *i)
{
	const struct instruction *loop = i - i->a;
	uint32_t reg = loop[1].c;

	if (r->slots[reg] > loop->b && r->slots[reg + 1] == r->at)
		return false;
	r->pc -= i->a;
	return true;
}

static bool step_look(struct run *r, const struct instruction *i)
{
	if (!set_slot(r, i->c + 1, r->at) || !set_slot(r, i->c, 0))
		return false;
	r->slots[i->c] = r->top;
	r->pc++;
	return i->op == REGEX_LOOK || push(r, ENTRY_CHOICE, r->pc - 1 + i->a, r->at, 0);
}

/* The body is not tried again, but what its groups matched stays until further back. */
static bool step_look_end(struct run *r, const struct instruction *i)
{
	struct entry *entries = r->memory->entries;
	uint32_t kept = r->slots[i->c];

	for (uint32_t k = kept; k < r->top; k++)
		if (entries[k].kind == ENTRY_UNDO)
			entries[kept++] = entries[k];
	r->top = kept;
	r->at = r->slots[i->c + 1];
	r->pc++;
	return true;
}

static bool step_look_not_end(struct run *r, const struct instruction *i)
{
	uint32_t height = r->slots[i->c];

	while (r->top > height) {
		struct entry *entry = &r->memory->entries[--r->top];
		if (entry->kind == ENTRY_UNDO)
			r->slots[entry->a] = entry->b;
	}
	return false;
}

static bool is_same_unit(const struct run *r, uint32_t a, uint32_t b)
{
	return a == b ||
	       (r->regex->ignores_case && jsonata_canonical_unit(a) == jsonata_canonical_unit(b));
}

static bool step_backreference(struct run *r, const struct instruction *i)
{
	uint32_t start = r->slots[2 * i->a], end = r->slots[2 * i->a + 1];
	uint32_t size, wanted, found;

	r->pc++;
	if (start == REGEX_NONE || end == REGEX_NONE)
		return true;
	if (!charge(r, (end - start) / UNITS_OF_TRY))
		return false;
	while (start < end) {
		wanted = i->is_backward ? unit_before(r, end, &size) : unit_at(r, start, &size);
		if (i->is_backward)
			end -= size;
		else
			start += size;
		if (!next_unit(r, i->is_backward, &found) || !is_same_unit(r, wanted, found))
			return false;
	}
	return true;
}

static bool step_assertion(struct run *r, const struct instruction *i)
{
	r->pc++;
	switch (i->op) {
	case REGEX_TEXT_START:
		return r->at == 0;
	case REGEX_TEXT_END:
		return r->at == r->len;
	case REGEX_LINE_START:
		return is_at_line_start(r);
	case REGEX_LINE_END:
		return is_at_line_end(r);
	case REGEX_WORD_EDGE:
		return is_at_edge(r);
	default:
		return !is_at_edge(r);
	}
}

static bool step(struct run *r, const struct instruction *i)
{
	switch (i->op) {
	case REGEX_CHAR:
	case REGEX_ANY:
	case REGEX_SET:
		r->pc++;
		return take_unit(r, i);
	case REGEX_BACKREFERENCE:
		return step_backreference(r, i);
	case REGEX_SPLIT:
		r->pc++;
		return push(r, ENTRY_CHOICE, r->pc - 1 + i->a, r->at, 0);
	case REGEX_JUMP:
		r->pc += i->a;
		return true;
	case REGEX_SAVE:
		r->pc++;
		return set_slot(r, i->a, r->at);
	case REGEX_RUN:
		return step_run(r, i);
	case REGEX_RUN_FEW:
		return step_run_few(r, i);
	case REGEX_LOOP_START:
		r->pc++;
		return set_slot(r, i->c, 0);
	case REGEX_LOOP:
	case REGEX_LOOP_FEW:
		return step_loop(r, i);
	case REGEX_LOOP_BODY:
		return step_loop_body(r, i);
	case REGEX_LOOP_NEXT:
		return step_loop_next(r, i);
	case REGEX_LOOK:
	case REGEX_LOOK_NOT:
		return step_look(r, i);
	case REGEX_LOOK_END:
		return step_look_end(r, i);
	case REGEX_LOOK_NOT_END:
		return step_look_not_end(r, i);
	default:
		return step_assertion(r, i);
	}
}

/* --- searching ----------------------------------------------------------------------------- */

static bool match_at(struct run *r, uint32_t start)
{
	const struct instruction *i;

	r->top = 0;
	r->pc = 0;
	r->at = start;
	for (uint32_t slot = 2; slot < r->regex->slot_count; slot++)
		r->slots[slot] = REGEX_NONE;
	while ((i = &r->regex->code[r->pc])->op != REGEX_MATCH)
		if (!step(r, i) && !backtrack(r))
			return false;
	r->slots[0] = start;
	r->slots[1] = r->at;
	return true;
}

/* The next place at which a match may begin; past the end when there is none. */
static uint32_t find_lead(const struct run *r, uint32_t at)
{
	const struct instruction *lead = r->regex->lead;
	uint32_t size, unit;

	if (lead->op == REGEX_CHAR && !r->regex->ignores_case && lead->a < 0x80) {
		const char *found =
			at < r->len ? memchr(r->text + at, (int)lead->a, r->len - at) : NULL;
		return found == NULL ? r->len + 1 : (uint32_t)(found - r->text);
	}
	for (; at < r->len; at += size) {
		unit = unit_at(r, at, &size);
		if (is_unit_of(r, lead, unit))
			return at;
	}
	return r->len + 1;
}

static bool make_room(struct run *r)
{
	struct match_memory *memory = r->e->match_memory;

	if (memory == NULL) {
		memory = jsonata_take(r->e, sizeof *memory);
		if (memory == NULL)
			return false;
		memory->entries = memory->first_entries;
		memory->capacity = ENTRIES_FIRST;
		memory->slots = memory->first_slots;
		memory->slot_capacity = SLOTS_FIRST;
		r->e->match_memory = memory;
	}
	if (memory->slot_capacity < r->regex->slot_count) {
		memory->slots = jsonata_take(r->e, r->regex->slot_count * sizeof *memory->slots);
		memory->slot_capacity = memory->slots == NULL ? 0 : r->regex->slot_count;
	}
	r->memory = memory;
	r->slots = memory->slots;
	return r->slots != NULL;
}

/* The tries that the steps of the evaluation still pay for. */
static uint64_t tries_of_steps(const struct evaluation *e)
{
	int64_t steps = e->fuel +
			(int64_t)(e->steps_left < INT64_MAX / 64 ? e->steps_left : INT64_MAX / 64);

	return steps > 0 ? (uint64_t)steps * TRIES_OF_STEP : 0;
}

static uint32_t within_steps(const struct evaluation *e, uint32_t tries)
{
	uint64_t most = tries_of_steps(e);

	return most < tries ? (uint32_t)most : tries;
}

/* 1 when found, 0 when not, -1 past the tries. */
static int search(struct run *r, uint32_t from, bool is_anchored)
{
	for (uint32_t at = from; at <= r->len && (at == 0 || !is_anchored);) {
		if (r->regex->lead != NULL && (at = find_lead(r, at)) > r->len)
			break;
		if (match_at(r, at))
			return 1;
		if (r->is_over)
			return -1;
		at += at < r->len ? unit_size(r->text + at) : 1;
	}
	return 0;
}

int jsonata_regex_run(struct evaluation *e, const struct regex *regex, struct str text,
		      uint32_t from, uint32_t **slots)
{
	struct run r = {.e = e,
			.regex = regex,
			.text = text.data,
			.len = (uint32_t)text.len,
			.tries_left = e->limits->regex_matches_max};
	bool is_anchored = regex->code[0].op == REGEX_TEXT_START;

	if (!make_room(&r))
		return -1;
	if (text.len < UINT32_MAX / 2 / TRIES_OF_UNIT)
		r.tries_left += (uint32_t)text.len *
				(r.tries_left < TRIES_OF_UNIT ? r.tries_left : TRIES_OF_UNIT);
	uint32_t tries = r.tries_left = within_steps(e, r.tries_left);
	int found = search(&r, from, is_anchored);

	size_t passed = (found == 1 ? r.slots[0] : r.len) - from;
	jsonata_charge(e, (tries - r.tries_left) / TRIES_OF_STEP + passed / UNITS_OF_STEP);
	*slots = r.slots;
	if (found < 0 && tries_of_steps(e) > 0)
		jsonata_fail(e, "D1014", json_string(regex->source));
	else if (found < 0 && jsonata_spend(e))
		jsonata_fail(e, "U1001", json_undefined());
	return found;
}
