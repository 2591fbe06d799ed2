/* The true rate limit: as a bucket that fills, or by windows. */
#include <stdlib.h>

#include "app/sandbox/serve.h"

static const int64_t SECOND_NS = 1000000000;

void rate_init(struct rate *rate, const struct sandbox_options *options)
{
	*rate = (struct rate){
		.requests = options->rate_requests,
		.seconds = options->rate_seconds > 0 ? options->rate_seconds : 1,
		.window = options->rate_window,
		.tokens = (double)options->rate_requests,
	};
	if (rate->window != SANDBOX_SLIDING)
		return;
	rate->taken_ns = calloc((size_t)rate->requests + 1, sizeof *rate->taken_ns);
	if (rate->taken_ns == NULL)
		die("out of memory for a rate limit");
}

void rate_finish(struct rate *rate)
{
	free(rate->taken_ns);
}

/* These tell when there will be room: now, or how long from now. */

static int64_t take_token(struct rate *rate, int64_t now_ns)
{
	double per_ns = (double)rate->requests / (double)(rate->seconds * SECOND_NS);

	rate->tokens += (double)(now_ns - rate->filled_ns) * per_ns;
	if (rate->tokens > (double)rate->requests)
		rate->tokens = (double)rate->requests;
	rate->filled_ns = now_ns;
	if (rate->tokens < 1)
		return (int64_t)((1 - rate->tokens) / per_ns) + 1;
	rate->tokens -= 1;
	return 0;
}

static int64_t take_of_window(const struct rate *rate, int64_t now_ns)
{
	int64_t length_ns = rate->seconds * SECOND_NS;

	if (rate->passed[rate->number % RATE_WINDOWS] < rate->requests)
		return 0;
	return length_ns - (now_ns - rate->begun_ns) % length_ns;
}

static int64_t take_of_any_window(struct rate *rate, int64_t now_ns)
{
	int64_t *oldest = &rate->taken_ns[rate->total % rate->requests];
	int64_t ready_ns = *oldest + rate->seconds * SECOND_NS;

	if (rate->total >= rate->requests && ready_ns > now_ns)
		return ready_ns - now_ns;
	*oldest = now_ns;
	return 0;
}

/* Windows begin with the first request. Those that are over are remembered, the last of them. */
static void find_window(struct rate *rate, int64_t now_ns)
{
	if (!rate->has_begun)
		rate->begun_ns = rate->filled_ns = now_ns;
	rate->has_begun = true;
	int64_t number = (now_ns - rate->begun_ns) / (rate->seconds * SECOND_NS);
	int64_t from = number - rate->number > RATE_WINDOWS ? number - RATE_WINDOWS : rate->number;

	for (int64_t i = from + 1; i <= number; i++)
		rate->passed[i % RATE_WINDOWS] = 0;
	rate->number = number;
}

int64_t rate_take_ns(struct rate *rate, int64_t now_ns)
{
	int64_t wait_ns = 0;

	if (rate->requests == 0)
		return 0;
	find_window(rate, now_ns);
	if (rate->window == SANDBOX_FIXED)
		wait_ns = take_of_window(rate, now_ns);
	else if (rate->window == SANDBOX_SLIDING)
		wait_ns = take_of_any_window(rate, now_ns);
	else
		wait_ns = take_token(rate, now_ns);
	if (wait_ns > 0)
		return wait_ns;
	rate->total++;
	rate->passed[rate->number % RATE_WINDOWS]++;
	return 0;
}

struct json rate_windows(const struct rate *rate, struct arena *arena)
{
	int64_t count = rate->number < RATE_WINDOWS - 1 ? rate->number + 1 : RATE_WINDOWS;
	struct json *passed = arena_array(arena, RATE_WINDOWS, sizeof *passed);

	if (!rate->has_begun)
		count = 0;
	for (int64_t i = 0; i < count; i++)
		passed[i] = json_int(
			rate->passed[(rate->number - count + 1 + i) % RATE_WINDOWS]);
	return json_array(passed, (size_t)count);
}
