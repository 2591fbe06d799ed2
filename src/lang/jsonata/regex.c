#define PCRE2_CODE_UNIT_WIDTH 8
#include "lang/jsonata/regex.h"

#include <pcre2.h>

#include "lang/jsonata/text.h"

struct regex {
	pcre2_code *code;
	struct str source;
	uint32_t group_count;
};

struct regex_next {
	const struct regex *regex;
	struct json text;
	struct regex_match match;
};

/* What pcre2 needs at run time, in the arena of the evaluation. */
struct match_memory {
	pcre2_general_context *general;
	pcre2_match_context *context;
	pcre2_match_data *data;
	uint32_t pairs;
};

/* --- JavaScript's pattern into PCRE2's ------------------------------------------------------ */

struct translation {
	struct str in;
	size_t at;
	char *out;
	size_t len;
	bool is_in_class;
	bool is_after_quantifier;
};

#define SPACES_BEYOND_ASCII                                                                        \
	"\\u00a0\\ufeff\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
enum { TRANSLATION_GROWTH = 128 }; /* at most that many bytes come of one */

static void put(struct translation *t, const char *text)
{
	size_t len = strlen(text);

	memcpy(t->out + t->len, text, len);
	t->len += len;
}

static void put_byte(struct translation *t, char c)
{
	t->out[t->len++] = c;
}

/* Letters that JavaScript gives no meaning stand for themselves; PCRE2 gives some one. */
static void translate_escape(struct translation *t)
{
	char c = t->at + 1 < t->in.len ? t->in.data[t->at + 1] : '\\';
	bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

	t->at++;
	if (c == 's' && t->is_in_class)
		put(t, "\\s" SPACES_BEYOND_ASCII);
	else if (c == 's')
		put(t, "[\\s" SPACES_BEYOND_ASCII "]");
	else if (c == 'S' && !t->is_in_class)
		put(t, "[^\\s" SPACES_BEYOND_ASCII "]");
	else if (is_letter && strchr("dDwWsSbBnrtvfcxuk", c) == NULL)
		put_byte(t, c);
	else {
		put_byte(t, '\\');
		put_byte(t, c);
	}
}

/* Groups that JavaScript has: (?: (?= (?! (?<= (?<! (?<name> */
static bool is_known_group(const struct translation *t)
{
	struct str rest = str_slice(t->in, t->at, t->in.len);

	if (str_starts_with(rest, STR("(*")))
		return false;
	if (!str_starts_with(rest, STR("(?")))
		return true;
	return rest.len > 2 && strchr(":=!<", rest.data[2]) != NULL;
}

static bool translate_byte(struct translation *t)
{
	char c = t->in.data[t->at];
	bool is_quantifier = false;

	if (c == '\\') {
		translate_escape(t);
	} else if (t->is_in_class) {
		t->is_in_class = c != ']';
		if (c == '[')
			put_byte(t, '\\');
		put_byte(t, c);
	} else {
		is_quantifier = c == '*' || c == '+' || c == '?' || c == '}';
		if ((c == '+' && t->is_after_quantifier) || (c == '(' && !is_known_group(t)))
			return false;
		t->is_in_class = c == '[';
		put_byte(t, c);
		if (c == '[' && t->at + 1 < t->in.len && t->in.data[t->at + 1] == '^') {
			put_byte(t, '^');
			t->at++;
		}
		/* The ? of (?: is no quantifier. */
		if (c == '(' && t->at + 1 < t->in.len && t->in.data[t->at + 1] == '?') {
			put_byte(t, '?');
			t->at++;
		}
	}
	t->is_after_quantifier = is_quantifier;
	t->at++;
	return true;
}

static bool translate(struct arena *arena, struct str pattern, struct str *out)
{
	struct translation t = {.in = pattern};

	t.out = arena_alloc(arena, pattern.len * TRANSLATION_GROWTH + 1);
	while (t.at < pattern.len)
		if (!translate_byte(&t))
			return false;
	*out = str_make(t.out, t.len);
	return true;
}

/* --- compiling ----------------------------------------------------------------------------- */

static void free_code(void *code)
{
	pcre2_code_free(code);
}

static pcre2_code *compile(struct str pattern, bool ignores_case, bool is_multiline)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	uint32_t options = PCRE2_UTF | PCRE2_ALT_BSUX | PCRE2_ALLOW_EMPTY_CLASS |
			   PCRE2_MATCH_UNSET_BACKREF | PCRE2_DOLLAR_ENDONLY |
			   PCRE2_NEVER_BACKSLASH_C;
	int code = 0;
	size_t offset = 0;

	if (context == NULL)
		die("out of memory: a regular expression");
	pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
	pcre2_set_compile_extra_options(context, PCRE2_EXTRA_ALT_BSUX);
	pcre2_set_parens_nest_limit(context, 60);
	if (ignores_case)
		options |= PCRE2_CASELESS;
	if (is_multiline)
		options |= PCRE2_MULTILINE;
	pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern.data, pattern.len, options, &code,
					     &offset, context);
	pcre2_compile_context_free(context);
	return compiled;
}

struct regex *jsonata_regex_compile(struct arena *arena, struct str pattern, bool ignores_case,
				    bool is_multiline, struct fault *fault)
{
	struct regex *regex = arena_zero(arena, sizeof *regex);
	struct arena scratch;
	struct str translated;

	arena_init(&scratch, SIZE_MAX);
	if (translate(&scratch, pattern, &translated))
		regex->code = compile(translated, ignores_case, is_multiline);
	arena_finish(&scratch);
	if (regex->code == NULL) {
		*fault = (struct fault){.code = "S0303", .value = json_string(pattern)};
		return NULL;
	}
	arena_on_finish(arena, free_code, regex->code);
	pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* without it: the interpreter */
	pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &regex->group_count);
	regex->source = pattern;
	return regex;
}

/* --- matching ------------------------------------------------------------------------------ */

static void *take(size_t size, void *evaluation)
{
	return jsonata_take(evaluation, size);
}

static void give_back(void *memory, void *evaluation)
{
	(void)memory, (void)evaluation; /* the arena frees it */
}

static struct match_memory *match_memory(struct evaluation *e, const struct regex *regex)
{
	struct match_memory *memory = e->match_memory;
	uint32_t pairs = regex->group_count + 1;

	if (memory == NULL) {
		memory = jsonata_take(e, sizeof *memory);
		if (memory == NULL)
			return NULL;
		*memory = (struct match_memory){0};
		memory->general = pcre2_general_context_create(take, give_back, e);
		if (memory->general == NULL)
			return NULL;
		memory->context = pcre2_match_context_create(memory->general);
		if (memory->context == NULL)
			return NULL;
		pcre2_set_match_limit(memory->context, e->limits->regex_matches_max);
		pcre2_set_heap_limit(memory->context, 4096); /* KiB */
		e->match_memory = memory;
	}
	if (memory->pairs < pairs) {
		memory->data = pcre2_match_data_create(pairs, memory->general);
		memory->pairs = memory->data == NULL ? 0 : pairs;
	}
	return memory->data == NULL ? NULL : memory;
}

/* PCRE2 wants sound UTF-8; for a match, lone surrogates are as good as U+FFFD. */
static struct json mend(struct evaluation *e, struct json text)
{
	char *copy = jsonata_take_text(e, text.count);

	if (copy == NULL)
		return value_failed();
	memcpy(copy, text.text, text.count);
	for (uint32_t i = 0; i + 2 < text.count; i++)
		if ((unsigned char)copy[i] == 0xed && (unsigned char)copy[i + 1] >= 0xa0)
			memcpy(copy + i, "\xef\xbf\xbd", 3);
	text.text = copy;
	return text;
}

static int run_match(struct match_memory *memory, const struct regex *regex, struct json text,
		     size_t offset)
{
	const char *subject = text.count == 0 ? "" : text.text;
	uint32_t options = (text.flags & JSON_ASCII) != 0 ? PCRE2_NO_UTF_CHECK : 0;
	int result = pcre2_match(regex->code, (PCRE2_SPTR)subject, text.count, offset, options,
				 memory->data, memory->context);

	if (result == PCRE2_ERROR_JIT_STACKLIMIT)
		result = pcre2_match(regex->code, (PCRE2_SPTR)subject, text.count, offset,
				     options | PCRE2_NO_JIT, memory->data, memory->context);
	return result;
}

int jsonata_regex_match(struct evaluation *e, const struct regex *regex, struct json text,
			size_t offset, struct regex_match *match)
{
	struct match_memory *memory = match_memory(e, regex);

	if (memory == NULL || !jsonata_spend_many(e, 1 + (uint32_t)(text.count - offset) / 256)) {
		jsonata_fail(e, "D1013", json_undefined());
		return -1;
	}
	int result = run_match(memory, regex, text, offset);
	if (result <= PCRE2_ERROR_UTF8_ERR1 && result >= PCRE2_ERROR_UTF8_ERR21) {
		text = mend(e, text);
		if (value_is_failed(text))
			return -1;
		result = run_match(memory, regex, text, offset);
	}
	if (result == PCRE2_ERROR_NOMATCH)
		return 0;
	if (result < 0) {
		jsonata_fail(e, "D1014", json_string(regex->source));
		return -1;
	}
	const size_t *vector = pcre2_get_ovector_pointer(memory->data);
	*match = (struct regex_match){.start = vector[0],
				      .end = vector[1],
				      .group_count = regex->group_count,
				      .groups = vector + 2};
	return 1;
}

int jsonata_regex_match_next(struct evaluation *e, const struct regex *regex, struct json text,
			     struct regex_match *match)
{
	if (match->end >= text.count)
		return 0;
	int found = jsonata_regex_match(e, regex, text, match->end, match);

	if (found == 1 && match->start == match->end) {
		jsonata_fail(e, "D1004", json_string(regex->source));
		return -1;
	}
	return found;
}

/* --- as functions -------------------------------------------------------------------------- */

struct json jsonata_regex_describe(struct evaluation *e, const struct regex *regex,
				   struct json text, const struct regex_match *match)
{
	struct json *groups = jsonata_take_items(e, match->group_count);
	struct json_member *members = groups == NULL ? NULL : jsonata_take(e, 5 * sizeof *members);
	struct regex_next *next = members == NULL ? NULL : jsonata_take(e, sizeof *next);

	if (next == NULL)
		return value_failed();
	for (uint32_t i = 0; i < match->group_count; i++)
		groups[i] = jsonata_regex_group(text, match, i);
	*next = (struct regex_next){.regex = regex, .text = text, .match = *match};
	struct json found = jsonata_text_part(text, match->start, match->end);
	int64_t start = (int64_t)jsonata_units(jsonata_text_part(text, 0, match->start));
	int64_t end = start + (int64_t)jsonata_units(found);
	members[0] = json_member(STR("match"), found);
	members[1] = json_member(STR("start"), json_int(start));
	members[2] = json_member(STR("end"), json_int(end));
	members[3] = json_member(STR("groups"), json_array(groups, match->group_count));
	members[4] = json_member(STR("next"), value_function(FUNCTION_NEXT, next));
	return json_object(members, 5);
}

struct json jsonata_regex_apply(struct evaluation *e, const struct regex *regex, struct json text)
{
	struct regex_match match;

	/* JavaScript matches against the text it makes of whatever it gets. */
	if (value_is_undefined(text) || text.type == JSON_OBJECT)
		text = json_string_c(text.type == JSON_OBJECT ? "[object Object]" : "undefined");
	text = jsonata_to_text(e, text, false);
	if (value_is_failed(text))
		return text;
	int found = jsonata_regex_match(e, regex, text, 0, &match);

	if (found < 0)
		return value_failed();
	return found == 0 ? json_undefined() : jsonata_regex_describe(e, regex, text, &match);
}

struct json jsonata_regex_next(struct evaluation *e, const void *pointer)
{
	const struct regex_next *next = pointer;
	struct regex_match match = next->match;
	int found = jsonata_regex_match_next(e, next->regex, next->text, &match);

	if (found < 0)
		return value_failed();
	return found == 0 ? json_undefined()
			  : jsonata_regex_describe(e, next->regex, next->text, &match);
}

struct json jsonata_regex_group(struct json text, const struct regex_match *match, uint32_t i)
{
	size_t start = match->groups[2 * i], end = match->groups[2 * i + 1];

	if (start == PCRE2_UNSET || end == PCRE2_UNSET)
		return json_undefined();
	return jsonata_text_part(text, start, end);
}

struct json jsonata_run_regex(struct evaluation *e, const struct node *node, struct json input,
			      struct frame *frame)
{
	(void)e, (void)input, (void)frame;
	return value_function(FUNCTION_REGEX, node->regex);
}
