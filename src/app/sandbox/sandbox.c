#include "app/sandbox/sandbox.h"

#include <assert.h>

#include "app/sandbox/serve.h"
#include "base/log.h"

enum { CANDIDATES_DEFAULT = 200, STALL_MS_DEFAULT = 30000 };

/* --- waiting on purpose --------------------------------------------------------------------- */

static bool add_pause(struct sandbox *sandbox, struct pause *pause)
{
	pthread_mutex_lock(&sandbox->lock);
	bool may_wait = !sandbox->is_released;
	if (may_wait) {
		pause->next = sandbox->pauses;
		if (pause->next != NULL)
			pause->next->previous = pause;
		sandbox->pauses = pause;
	}
	pthread_mutex_unlock(&sandbox->lock);
	return may_wait;
}

static void remove_pause(struct sandbox *sandbox, struct pause *pause)
{
	pthread_mutex_lock(&sandbox->lock);
	if (pause->previous != NULL)
		pause->previous->next = pause->next;
	else
		sandbox->pauses = pause->next;
	if (pause->next != NULL)
		pause->next->previous = pause->previous;
	pthread_mutex_unlock(&sandbox->lock);
}

void pause_ms(struct sandbox *sandbox, int64_t ms)
{
	struct pause pause = {0};

	if (ms <= 0)
		return;
	loop_wait_init(&pause.wait);
	if (!add_pause(sandbox, &pause))
		return;
	(void)loop_wait(&pause.wait, loop_now_ns(loop_current()) + ms * 1000000);
	remove_pause(sandbox, &pause);
}

void sandbox_release(struct sandbox *sandbox)
{
	pthread_mutex_lock(&sandbox->lock);
	if (!sandbox->is_released)
		for (struct pause *pause = sandbox->pauses; pause != NULL; pause = pause->next)
			loop_wake(&pause->wait);
	sandbox->is_released = true;
	pthread_mutex_unlock(&sandbox->lock);
}

bool sandbox_is_released(struct sandbox *sandbox)
{
	pthread_mutex_lock(&sandbox->lock);
	bool is_released = sandbox->is_released;
	pthread_mutex_unlock(&sandbox->lock);
	return is_released;
}

/* --- requests ------------------------------------------------------------------------------- */

void set_base(struct sandbox *sandbox, const struct http_exchange *exchange)
{
	struct str host = http_exchange_header(exchange, "host");

	if (host.len == 0 || host.len > 255)
		return;
	for (size_t i = 0; i < host.len; i++)
		if (host.data[i] <= ' ' || host.data[i] == '"' || host.data[i] == '\\')
			return;
	company_set_base(&sandbox->company,
			 arena_format(exchange->arena, "http://%.*s", STR_ARGS(host)));
}

static void count_status(struct sandbox *sandbox, int status)
{
	sandbox->total++;
	if (status >= 0 && status < STATUS_MAX)
		sandbox->statuses[status]++;
}

static void handle(struct http_handler *handler, struct http_exchange *exchange)
{
	struct sandbox *sandbox = handler->context;

	if (str_starts_with(exchange->path, STR("/sandbox/"))) {
		answer_control(sandbox, exchange);
		return;
	}
	sandbox->active++;
	if (sandbox->active > sandbox->active_max)
		sandbox->active_max = sandbox->active;
	pause_ms(sandbox, sandbox->delay_ms);
	set_base(sandbox, exchange);
	answer_or_fail(sandbox, exchange);
	count_status(sandbox, exchange->status);
	sandbox->active--;
}

static void refuse(struct http_handler *handler, struct http_exchange *exchange,
		   const struct error *err)
{
	struct sandbox *sandbox = handler->context;

	answer_fixed(sandbox, exchange, ANSWER_REFUSED, err->message);
	count_status(sandbox, exchange->status);
}

/* --- options -------------------------------------------------------------------------------- */

bool sandbox_parse_fault(struct str text, struct sandbox_options *options, struct error *err)
{
	struct str rest = text, name = str_cut(&rest, ':');
	enum sandbox_fault kind;
	char number[32], *end;

	if (!fault_from_name(name, &kind, err))
		return false;
	snprintf(number, sizeof number, "%.*s", STR_ARGS(rest));
	double probability = strtod(number, &end);
	if (rest.len == 0 || rest.len >= sizeof number || *end != '\0' ||
	    !(probability >= 0 && probability <= 1))
		return error_set_field(err, ERROR_INVALID, "fault", "KIND:PROBABILITY, from 0 to 1",
				       "%.*s: the probability must be a number from 0 to 1",
				       STR_ARGS(text));
	options->faults[kind] = probability;
	return true;
}

bool sandbox_parse_rate_limit(struct str text, struct sandbox_options *options, struct error *err)
{
	struct str rest = text, requests = str_cut(&rest, '/');
	int64_t seconds = 1;

	if (!str_to_int64(requests, &options->rate_requests) || options->rate_requests < 1 ||
	    options->rate_requests > 1000000 ||
	    (rest.data != NULL && !str_to_int64(rest, &seconds)) || seconds < 1 || seconds > 86400)
		return error_set_field(err, ERROR_INVALID, "rate-limit", "REQUESTS/SECONDS",
				       "%.*s is no rate limit; such as 100/60: so many requests in "
				       "so many seconds", STR_ARGS(text));
	options->rate_seconds = seconds;
	return true;
}

bool sandbox_parse_window(struct str text, struct sandbox_options *options, struct error *err)
{
	static const char *const names[] = {"bucket", "fixed", "sliding"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (str_equal_c(text, names[i])) {
			options->rate_window = (enum sandbox_window)i;
			return true;
		}
	return error_set_field(err, ERROR_INVALID, "rate-window", "bucket, fixed, sliding",
			       "there is no rate limit by %.*s", STR_ARGS(text));
}

bool sandbox_parse_life(struct str text, struct sandbox_options *options, struct error *err)
{
	struct str rest = text, changes = str_cut(&rest, '/');
	int64_t seconds = 1;

	if (!str_to_int64(changes, &options->life_changes) || options->life_changes < 1 ||
	    options->life_changes > 1000000 ||
	    (rest.data != NULL && !str_to_int64(rest, &seconds)) || seconds < 1 || seconds > 86400)
		return error_set_field(err, ERROR_INVALID, "life", "CHANGES/SECONDS",
				       "%.*s is no pace; such as 10/1: so many changes in so many "
				       "seconds", STR_ARGS(text));
	options->life_seconds = seconds;
	return true;
}

static bool check_options(const struct sandbox_options *options, struct error *err)
{
	if (options->candidates > SANDBOX_CANDIDATES_MAX)
		return error_set_field(err, ERROR_INVALID, "candidates", "1 to 1000000",
				       "%zu candidates are too many", options->candidates);
	if (options->delay_ms < 0 || options->stall_ms < 0 || options->rate_requests < 0)
		return error_set_field(err, ERROR_INVALID, "delay", "0 or more",
				       "times and rates cannot be negative");
	for (size_t i = 0; i < SANDBOX_FAULTS; i++)
		if (!(options->faults[i] >= 0 && options->faults[i] <= 1))
			return error_set_field(err, ERROR_INVALID, "fault", "0 to 1",
					       "the probability of %s is not from 0 to 1",
					       fault_name((enum sandbox_fault)i));
	for (size_t i = 0; i < options->company.len; i++)
		if (options->company.data[i] == '/' || options->company.data[i] <= ' ')
			return error_set_field(err, ERROR_INVALID, "company", "one part of a path",
					       "a company's id has no slashes and no blanks");
	return true;
}

/* --- life ----------------------------------------------------------------------------------- */

static void take_options(struct sandbox *sandbox, const struct sandbox_options *options)
{
	const struct definition *definition = sandbox->definition;
	struct arena *arena = &sandbox->arena;

	sandbox->company_id = arena_str(arena, options->company.len > 0 ? options->company
									: definition->company_id);
	sandbox->token = arena_str(arena, options->token.len > 0 ? options->token
								 : definition->token);
	sandbox->base_path = arena_format(arena, "%.*s%.*s", STR_ARGS(definition->base_prefix),
					  STR_ARGS(sandbox->company_id));
	sandbox->clock = options->clock;
	sandbox->delay_ms = options->delay_ms;
	sandbox->stall_ms = options->stall_ms > 0 ? options->stall_ms : STALL_MS_DEFAULT;
	faults_init(&sandbox->faults, options);
	rate_init(&sandbox->rate, options);
	life_init(sandbox, options);
}

/* The id in the records' links is the one in the path. */
static struct json company_with_id(struct sandbox *sandbox)
{
	struct json company = sandbox->definition->company;
	struct json_builder members;
	int64_t id;

	json_builder_init(&members, &sandbox->arena);
	json_builder_set(&members, STR("id"), str_to_int64(sandbox->company_id, &id)
						      ? json_int(id)
						      : json_string(sandbox->company_id));
	for (uint32_t i = 0; i < company.count; i++) {
		struct str key = json_name(&company.members[i]);
		if (!str_equal_c(key, "id"))
			json_builder_set(&members, key, company.members[i].value);
	}
	return json_builder_object(&members);
}

static bool set_up(struct sandbox *sandbox, const struct sandbox_options *options,
		   struct error *err)
{
	struct definition *definition = definition_read(&sandbox->arena, options->disk,
							options->folder, options->shape, err);

	if (definition == NULL)
		return false;
	sandbox->definition = definition;
	take_options(sandbox, options);
	definition->company = company_with_id(sandbox);
	return answer_make_router(sandbox, err) && webhook_init(sandbox, options, err) &&
	       company_init(&sandbox->company, definition, options, err);
}

struct sandbox *sandbox_create(const struct sandbox_options *given, struct error *err)
{
	struct sandbox_options options = *given;

	assert(options.folder != NULL);
	if (options.candidates == 0)
		options.candidates = CANDIDATES_DEFAULT;
	if (options.clock == NULL)
		options.clock = clock_system();
	if (options.disk == NULL)
		options.disk = disk_system();
	if (!check_options(&options, err))
		return NULL;
	struct sandbox *sandbox = calloc(1, sizeof *sandbox);
	if (sandbox == NULL)
		die("out of memory");
	arena_init(&sandbox->arena, SIZE_MAX);
	pthread_mutex_init(&sandbox->lock, NULL);
	selections_init(&sandbox->selections);
	sandbox->handler = (struct http_handler){handle, refuse, sandbox};
	if (set_up(sandbox, &options, err))
		return sandbox;
	sandbox_destroy(sandbox);
	return NULL;
}

void sandbox_destroy(struct sandbox *sandbox)
{
	if (sandbox == NULL)
		return;
	assert(sandbox->active == 0);
	selections_finish(&sandbox->selections);
	uploads_finish(&sandbox->uploads);
	rate_finish(&sandbox->rate);
	webhook_finish(&sandbox->webhook);
	if (sandbox->company.definition != NULL)
		company_finish(&sandbox->company);
	arena_finish(&sandbox->arena);
	pthread_mutex_destroy(&sandbox->lock);
	free(sandbox);
}

struct http_handler *sandbox_handler(struct sandbox *sandbox)
{
	return &sandbox->handler;
}

struct str sandbox_link(struct sandbox *sandbox)
{
	struct str rest = sandbox->definition->link;
	struct buffer text;

	buffer_init(&text, &sandbox->arena, 65536);
	while (rest.len > 0) {
		if (str_starts_with(rest, STR("{company}"))) {
			buffer_append(&text, sandbox->company_id);
			rest = str_slice(rest, strlen("{company}"), rest.len);
		} else if (str_starts_with(rest, STR("{token}"))) {
			buffer_append(&text, sandbox->token);
			rest = str_slice(rest, strlen("{token}"), rest.len);
		} else {
			buffer_append_byte(&text, rest.data[0]);
			rest = str_slice(rest, 1, rest.len);
		}
	}
	return buffer_str(&text);
}

struct str sandbox_base_path(const struct sandbox *sandbox)
{
	return sandbox->base_path;
}

struct str sandbox_token(const struct sandbox *sandbox)
{
	return sandbox->token;
}
