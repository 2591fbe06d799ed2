#include "lang/jsonata/signature.h"

/* One bit per letter that the reference gives a value. */
enum symbol {
	SYMBOL_A = 1,
	SYMBOL_S = 2,
	SYMBOL_N = 4,
	SYMBOL_B = 8,
	SYMBOL_L = 16,
	SYMBOL_F = 32,
	SYMBOL_O = 64,
	SYMBOL_M = 128, /* missing */
	SYMBOL_JSON = SYMBOL_A | SYMBOL_S | SYMBOL_N | SYMBOL_B | SYMBOL_L | SYMBOL_O,
};

static inline uint16_t symbol_of(struct json value)
{
	static const uint8_t symbols[] = {
		[JSON_UNDEFINED] = SYMBOL_M, [JSON_NULL] = SYMBOL_L,
		[JSON_BOOL] = SYMBOL_B,	     [JSON_INT] = SYMBOL_N,
		[JSON_DOUBLE] = SYMBOL_N,    [JSON_NUMBER_TEXT] = SYMBOL_N,
		[JSON_STRING] = SYMBOL_S,    [JSON_ARRAY] = SYMBOL_A,
		[JSON_OBJECT] = SYMBOL_O,    [JSON_EXTENSION] = SYMBOL_F,
	};

	return symbols[value.type];
}

static uint16_t symbol_of_letter(char letter)
{
	switch (letter) {
	case 'a':
		return SYMBOL_A;
	case 's':
		return SYMBOL_S;
	case 'n':
		return SYMBOL_N;
	case 'b':
		return SYMBOL_B;
	case 'l':
		return SYMBOL_L;
	case 'f':
		return SYMBOL_F;
	case 'o':
		return SYMBOL_O;
	case 'm':
		return SYMBOL_M;
	default:
		return 0;
	}
}

/* --- parsing ------------------------------------------------------------------------------- */

struct reader {
	struct str text;
	uint32_t at;
	uint32_t count;
	struct parameter parameters[SIGNATURE_PARAMETERS_MAX];
	struct fault *fault;
};

static uint32_t find_closing(struct str text, uint32_t at, char open, char close)
{
	int depth = 1;

	while (++at < text.len) {
		if (text.data[at] == close && --depth == 0)
			return at;
		if (text.data[at] == open)
			depth++;
	}
	return (uint32_t)text.len;
}

static struct parameter *add_parameter(struct reader *reader, char type, uint16_t types)
{
	if (reader->count == SIGNATURE_PARAMETERS_MAX) {
		*reader->fault = (struct fault){.code = "U1002"};
		return NULL;
	}
	struct parameter *parameter = &reader->parameters[reader->count++];
	*parameter = (struct parameter){.type = type, .types = types};
	return parameter;
}

static bool read_choice(struct reader *reader)
{
	uint32_t end = find_closing(reader->text, reader->at, '(', ')');
	struct str choice = str_slice(reader->text, reader->at + 1, end);
	uint16_t types = SYMBOL_M;

	if (str_find_byte(choice, '<') >= 0) {
		*reader->fault = (struct fault){.code = "S0402", .value = json_string(choice)};
		return false;
	}
	for (size_t i = 0; i < choice.len; i++)
		types |= symbol_of_letter(choice.data[i]);
	reader->at = end;
	return add_parameter(reader, '(', types) != NULL;
}

static const char *type_name(char type)
{
	static const char *const names[] = {"s", "n", "b", "l", "o", "a", "f", "j", "x"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i][0] == type)
			return names[i];
	return "";
}

static bool read_subtype(struct reader *reader)
{
	struct parameter *last = reader->count == 0 ? NULL : &reader->parameters[reader->count - 1];

	if (last == NULL || (last->type != 'a' && last->type != 'f')) {
		*reader->fault = (struct fault){.code = "S0401"};
		if (last != NULL)
			reader->fault->value = json_string(str_from_c(type_name(last->type)));
		return false;
	}
	uint32_t end = find_closing(reader->text, reader->at, '<', '>');
	last->subtype = str_slice(reader->text, reader->at + 1, end);
	reader->at = end;
	return true;
}

static void read_mark(struct reader *reader, char mark)
{
	if (reader->count == 0)
		return;
	struct parameter *last = &reader->parameters[reader->count - 1];
	if (mark == '+') {
		last->is_repeated = true;
	} else {
		last->is_lazy = last->is_optional && mark == '?';
		last->is_optional = true;
		last->takes_context |= mark == '-';
	}
}

static bool read_symbol(struct reader *reader, char letter)
{
	switch (letter) {
	case 's':
	case 'n':
	case 'b':
	case 'l':
	case 'o':
		return add_parameter(reader, letter,
				     (uint16_t)(symbol_of_letter(letter) | SYMBOL_M)) != NULL;
	case 'a':
	case 'x':
		return add_parameter(reader, letter, SYMBOL_JSON | SYMBOL_F | SYMBOL_M) != NULL;
	case 'f':
		return add_parameter(reader, letter, SYMBOL_F) != NULL;
	case 'j':
		return add_parameter(reader, letter, SYMBOL_JSON | SYMBOL_M) != NULL;
	case '-':
	case '?':
	case '+':
		read_mark(reader, letter);
		return true;
	case '(':
		return read_choice(reader);
	case '<':
		return read_subtype(reader);
	default:
		return true; /* as the reference does */
	}
}

/* The items of an array are looked at where the parameter says something of them. */
static uint16_t plain_types(const struct parameter *p)
{
	uint16_t symbols = p->type == 'a' ? SYMBOL_A | SYMBOL_M : p->types, plain = 0;

	if (p->is_repeated || p->is_lazy)
		return 0;
	if (p->type == 'a' && p->subtype.data != NULL)
		symbols &= (uint16_t)~SYMBOL_A;
	for (uint8_t type = JSON_UNDEFINED; type <= JSON_EXTENSION; type++)
		if ((symbol_of((struct json){.type = type}) & symbols) != 0)
			plain |= (uint16_t)(1 << type);
	return plain;
}

struct signature *jsonata_signature_parse(struct arena *arena, struct str text, struct fault *fault,
					  uint32_t *error_offset)
{
	struct reader reader = {.text = text, .at = 1, .fault = fault};
	struct signature *signature;
	size_t size;

	for (; reader.at < text.len && text.data[reader.at] != ':'; reader.at++) {
		if (!read_symbol(&reader, text.data[reader.at])) {
			*error_offset = reader.at;
			return NULL;
		}
	}
	size = reader.count * sizeof signature->parameters[0];
	signature = arena_zero(arena, sizeof *signature + size);
	signature->text = text;
	signature->count = reader.count;
	if (size > 0)
		memcpy(signature->parameters, reader.parameters, size);
	for (uint32_t i = 0; i < reader.count; i++) {
		struct parameter *p = &signature->parameters[i];
		signature->takes_context |= p->takes_context;
		p->plain = plain_types(p);
		if (!p->is_optional || p->takes_context)
			signature->least = i + 1;
	}
	return signature;
}

/* --- checking ------------------------------------------------------------------------------ */

struct match {
	const struct signature *signature;
	const struct json *arguments;
	uint32_t count;
	uint32_t taken[SIGNATURE_PARAMETERS_MAX]; /* arguments that each parameter took */
};

static bool fits(const struct match *match, uint32_t parameter, uint32_t argument)
{
	return argument < match->count && (match->signature->parameters[parameter].types &
					   symbol_of(match->arguments[argument])) != 0;
}

/* As the reference's regular expression matches: greedy, with backtracking. `is_whole` wants all
 * arguments taken; otherwise the first `until` parameters need only find theirs. */
static bool match_from(struct match *match, uint32_t parameter, uint32_t argument, uint32_t until,
		       bool is_whole)
{
	if (parameter == until)
		return !is_whole || argument == match->count;
	const struct parameter *p = &match->signature->parameters[parameter];
	uint32_t most = 0, least = p->is_optional ? 0 : 1;

	while ((p->is_repeated || most == 0) && fits(match, parameter, argument + most))
		most++;
	if (p->is_lazy) {
		for (uint32_t n = 0; n <= most; n++) {
			match->taken[parameter] = n;
			if (match_from(match, parameter + 1, argument + n, until, is_whole))
				return true;
		}
		return false;
	}
	for (uint32_t n = most + 1; n-- > least;) {
		match->taken[parameter] = n;
		if (match_from(match, parameter + 1, argument + n, until, is_whole))
			return true;
	}
	return false;
}

static bool report_mismatch(struct match *match, struct fault *fault)
{
	uint32_t good = 0;

	for (uint32_t until = 1; until <= match->signature->count; until++) {
		if (!match_from(match, 0, 0, until, false))
			break;
		good = 0;
		for (uint32_t i = 0; i < until; i++)
			good += match->taken[i];
	}
	*fault = (struct fault){.code = "T0410", .index = good + 1};
	if (good < match->count)
		fault->value = match->arguments[good];
	return false;
}

static const char *plural_of(struct str subtype)
{
	static const char *const plurals[] = {"aarrays",  "bbooleans", "ffunctions",
					      "nnumbers", "oobjects",  "sstrings"};

	for (size_t i = 0; subtype.len == 1 && i < sizeof plurals / sizeof plurals[0]; i++)
		if (plurals[i][0] == subtype.data[0])
			return plurals[i] + 1;
	return "";
}

/* `a<n>`: all items of the array have the type of the first letter. */
static bool has_items_of(struct json array, struct str subtype)
{
	uint16_t wanted = subtype.len == 0 ? 0 : symbol_of_letter(subtype.data[0]);

	for (uint32_t i = 0; i < array.count; i++)
		if (symbol_of(array.items[i]) != wanted)
			return false;
	return true;
}

/* An argument where an array is wanted: one that is none becomes an array of it. */
static bool take_array(const struct parameter *parameter, struct arena *arena, struct json argument,
		       uint32_t index, struct json *out, struct fault *fault)
{
	uint16_t symbol = symbol_of(argument);
	bool is_fit = true;

	*out = argument;
	if (symbol == SYMBOL_M) {
		*out = json_undefined();
		return true;
	}
	if (parameter->subtype.data != NULL) {
		if (symbol == SYMBOL_A)
			is_fit = has_items_of(argument, parameter->subtype);
		else
			is_fit = parameter->subtype.len == 1 &&
				 symbol_of_letter(parameter->subtype.data[0]) == symbol;
	}
	if (!is_fit) {
		*fault = (struct fault){.code = "T0412",
					.value = argument,
					.index = index + 1,
					.text = str_from_c(plural_of(parameter->subtype))};
		return false;
	}
	if (symbol != SYMBOL_A) {
		struct json *items = arena_alloc(arena, sizeof *items);
		items[0] = argument;
		*out = json_array(items, 1);
	}
	return true;
}

static bool take_context(const struct parameter *parameter, struct json context, uint32_t index,
			 struct json *out, struct fault *fault)
{
	if ((parameter->types & symbol_of(context)) == 0) {
		*fault = (struct fault){.code = "T0411", .value = context, .index = index + 1};
		return false;
	}
	*out = context;
	return true;
}

bool jsonata_signature_fits(const struct parameter *parameter, struct json argument)
{
	if ((parameter->plain >> argument.type & 1) != 0)
		return true;
	return parameter->type == 'a' && parameter->subtype.data != NULL &&
	       !parameter->is_repeated && !parameter->is_lazy && argument.type == JSON_ARRAY &&
	       has_items_of(argument, parameter->subtype);
}

bool jsonata_signature_is_plain(const struct signature *signature, const struct json *arguments,
				uint32_t count)
{
	if (count > signature->count || count < signature->least)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!jsonata_signature_is_fit(&signature->parameters[i], arguments[i]))
			return false;
	return true;
}

bool jsonata_signature_check(const struct signature *signature, struct arena *arena,
			     const struct json *arguments, uint32_t count, struct json context,
			     struct json *out, uint32_t *out_count, struct fault *fault)
{
	struct match match = {.signature = signature, .arguments = arguments, .count = count};
	uint32_t n = 0, argument = 0;

	if (jsonata_signature_is_plain(signature, arguments, count)) {
		if (count > 0)
			memcpy(out, arguments, count * sizeof *out);
		*out_count = count;
		return true;
	}
	if (!match_from(&match, 0, 0, signature->count, true))
		return report_mismatch(&match, fault);
	for (uint32_t i = 0; i < signature->count; i++) {
		const struct parameter *p = &signature->parameters[i];
		if (match.taken[i] == 0 && p->takes_context) {
			if (!take_context(p, context, argument, &out[n++], fault))
				return false;
		} else if (match.taken[i] == 0) {
			/* The reference steps over an argument here even when another
			 * parameter took it. */
			out[n++] = argument < count ? arguments[argument] : json_undefined();
			argument++;
		}
		for (uint32_t k = 0; k < match.taken[i]; k++, argument++) {
			struct json given =
				argument < count ? arguments[argument] : json_undefined();
			if (p->type != 'a')
				out[n++] = given;
			else if (!take_array(p, arena, given, argument, &out[n++], fault))
				return false;
		}
	}
	*out_count = n;
	return true;
}
