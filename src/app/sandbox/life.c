/* What happens by itself: people apply, are moved, hired, merged, and go. Which change it is and
 * whom it meets is drawn from the seed; it is carried out as a write that came for one of the
 * routes. */
#include "app/sandbox/serve.h"
#include "base/log.h"

enum {
	TRIES_MAX = 1000,
	/* After a pause that took too long, so many at once and no more. */
	CATCH_UP_MAX = 100,
	CHANGE_BYTES_MAX = 256 * 1024 * 1024,
};

void life_init(struct sandbox *sandbox, const struct sandbox_options *options)
{
	struct life *life = &sandbox->life;

	*life = (struct life){.changes = options->life_changes,
			      .seconds = options->life_seconds > 0 ? options->life_seconds : 1,
			      .scope = {.hash = hash_text(STR("life"))}};
	life->counts = arena_zero(&sandbox->arena,
				  sandbox->definition->change_count * sizeof *life->counts);
}

/* --- one change ----------------------------------------------------------------------------- */

static const struct change *draw_change(const struct sandbox *sandbox)
{
	const struct definition *definition = sandbox->definition;
	uint64_t draw = company_draw(&sandbox->company, STR("change"));
	int64_t at = (int64_t)(draw % (uint64_t)definition->change_weight);
	size_t i = 0;

	while (at >= definition->changes[i].weight)
		at -= definition->changes[i++].weight;
	return &definition->changes[i];
}

/* A number or a text, as it stands in a path. */
static struct str part_text(struct arena *arena, struct json value)
{
	if (json_is(value, JSON_STRING))
		return json_str(value);
	if (json_is(value, JSON_INT))
		return arena_format(arena, "%lld", (long long)value.integer);
	return STR("");
}

static bool perform(struct request *drawn, const struct change_call *call, bool *is_done,
		    struct error *err)
{
	struct http_exchange exchange = {.arena = drawn->exchange->arena, .status = 200};
	struct request request = {.sandbox = drawn->sandbox, .exchange = &exchange,
				  .route = call->route};
	struct json value;

	exchange.method = call->route->method;
	for (size_t i = 0; i < call->parts.count; i++) {
		if (!request_evaluate(drawn, NULL, &call->parts.items[i].value, &value, err))
			return false;
		request.match.parts[i] = part_text(exchange.arena, value);
	}
	if (!request_evaluate(drawn, NULL, &call->body, &request.body, err) ||
	    !request_perform(&request, err))
		return false;
	*is_done |= !request.is_answered;
	return true;
}

/* Nothing is done when `when` is not true, or the ATS refuses all of it. */
static bool try_change(struct sandbox *sandbox, const struct change *change, struct arena *arena,
		       bool *is_done, struct error *err)
{
	struct http_exchange exchange = {.arena = arena};
	struct route_definition no_route = {0};
	struct request drawn = {.sandbox = sandbox, .exchange = &exchange, .route = &no_route};
	bool is_so;

	request_set_variables(&drawn);
	if (!request_let(&drawn, &change->let, err) ||
	    !request_when(&drawn, &change->when, &is_so, err))
		return false;
	for (size_t i = 0; is_so && i < change->call_count; i++) {
		bool is_called;
		if (!request_when(&drawn, &change->calls[i].when, &is_called, err) ||
		    (is_called && !perform(&drawn, &change->calls[i], is_done, err)))
			return false;
	}
	return true;
}

static bool try_once(struct sandbox *sandbox, const struct change **change, bool *is_done,
		     struct error *err)
{
	struct company *company = &sandbox->company;
	struct arena arena;

	arena_init(&arena, CHANGE_BYTES_MAX);
	struct scope back = company_enter(
		company, (struct scope){&sandbox->life.scope, NULL, sandbox->life.tries++});
	*change = draw_change(sandbox);
	bool ok = try_change(sandbox, *change, &arena, is_done, err);
	company_leave(company, back);
	arena_finish(&arena);
	return ok;
}

bool life_step(struct sandbox *sandbox, struct touched *touched, const struct change **change,
	       struct error *err)
{
	bool is_done = false, ok = sandbox->definition->change_count > 0 ||
				   error_set(err, ERROR_INVALID,
					     "sandbox.yaml says nothing of life");

	sandbox->company.touched = touched;
	for (size_t i = 0; i < TRIES_MAX && ok && !is_done; i++)
		ok = try_once(sandbox, change, &is_done, err);
	sandbox->company.touched = NULL;
	if (!is_done)
		*change = NULL;
	if (!ok || !is_done)
		return ok;
	sandbox->life.counts[*change - sandbox->definition->changes]++;
	sandbox->life.total++;
	return true;
}

/* --- one after the other -------------------------------------------------------------------- */

static bool is_over(struct sandbox *sandbox, uint64_t run)
{
	return sandbox_is_released(sandbox) || sandbox->life.run != run;
}

/* When change number `count` of this run is due, from its start. */
static int64_t due_ns(const struct life *life, int64_t count)
{
	return (int64_t)((double)count * (double)life->seconds * 1e9 / (double)life->changes);
}

static bool change_what_is_due(struct sandbox *sandbox, int64_t elapsed_ns, int64_t *done)
{
	for (size_t i = 0; i < CATCH_UP_MAX && due_ns(&sandbox->life, *done + 1) <= elapsed_ns;
	     i++) {
		const struct change *change;
		struct error err;
		if (!life_step(sandbox, NULL, &change, &err)) {
			LOG(LOG_ERROR, "sandbox", LOG_C(message, err.message));
			return false;
		}
		++*done;
	}
	return true;
}

static void live(void *context)
{
	struct sandbox *sandbox = context;
	struct loop *loop = loop_current();
	int64_t start = loop_now_ns(loop), done = 0;
	uint64_t run = sandbox->life.run;

	while (!is_over(sandbox, run)) {
		int64_t wait_ns = due_ns(&sandbox->life, done + 1) - (loop_now_ns(loop) - start);
		pause_ms(sandbox, wait_ns > 1000000 ? wait_ns / 1000000 : 1);
		if (is_over(sandbox, run) ||
		    !change_what_is_due(sandbox, loop_now_ns(loop) - start, &done))
			return;
	}
}

void life_go_on(struct sandbox *sandbox, struct loop *loop, int64_t changes, int64_t seconds)
{
	struct life *life = &sandbox->life;

	life->run++;
	life->changes = changes;
	life->seconds = seconds;
	if (changes > 0 && sandbox->definition->change_count > 0)
		loop_spawn(loop, live, sandbox);
}

static void begin(void *context)
{
	struct sandbox *sandbox = context;

	life_go_on(sandbox, loop_current(), sandbox->life.changes, sandbox->life.seconds);
}

void sandbox_start(struct sandbox *sandbox, struct loop *loop)
{
	loop_post(loop, begin, sandbox);
}
