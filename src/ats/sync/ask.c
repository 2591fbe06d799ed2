/* Asking the ATS for a run: how often it is tried, and what ends it. */
#include "ats/sync/flight.h"

enum {
	TRIES_MAX = 6, /* of one page, each of them with the tries of its calls */
	BACKOFF_MS = 1000,
	BACKOFF_MAX_MS = 30000,
	ASK_MS = 120000,     /* for one page */
	TOLD_WAIT_MS = 2000, /* a wait for the rate limit that is worth telling */
};

/* --- looking around -------------------------------------------------------------------------- */

static enum flight_end look_at_job(struct sync_flight *flight)
{
	struct sync_job job;
	struct arena arena;
	struct error err;
	enum flight_end end = FLIGHT_DONE;

	flight->claim->is_nudged = false;
	arena_init(&arena, SYNC_RUN_BYTES_MAX);
	if (!sync_job_show(flight->syncs, &arena, flight->job.environment_id, flight->job.id, &job,
			   &err)) {
		if (err.code == ERROR_NOT_FOUND)
			end = FLIGHT_GONE;
	} else if (job.fence != flight->run.fence) {
		end = FLIGHT_GONE;
	} else if (job.state != SYNC_ACTIVE) {
		end = job.state == SYNC_PAUSED ? FLIGHT_LEFT : FLIGHT_STOPPED;
	} else {
		flight->job.share_percent = job.share_percent;
		flight->job.window = job.window;
		flight->job.interval_ms = job.interval_ms;
		flight->job.full_interval_ms = job.full_interval_ms;
		flight->job.details_ms = job.details_ms;
	}
	arena_finish(&arena);
	return end;
}

enum flight_end flight_look(struct sync_flight *flight)
{
	int64_t opens_ms;

	if (flight->runner->is_stopping || loop_is_interrupted())
		return FLIGHT_LEFT;
	if (!sync_claim_holds(flight->syncs, flight->claim))
		return FLIGHT_GONE;
	if (flight->claim->is_nudged) {
		enum flight_end end = look_at_job(flight);

		if (end != FLIGHT_DONE)
			return end;
	}
	return sync_window_is_open(&flight->job.window, sync_now_ms(flight->syncs), &opens_ms)
		       ? FLIGHT_DONE
		       : FLIGHT_LEFT;
}

/* --- asking ---------------------------------------------------------------------------------- */

static bool is_passing(const struct error *err)
{
	return err->code == ERROR_UPSTREAM || err->code == ERROR_TIMEOUT ||
	       err->code == ERROR_UNAVAILABLE || err->code == ERROR_OUTCOME_UNKNOWN;
}

static int64_t find_wait(struct sync_flight *flight, int tries)
{
	int64_t most = BACKOFF_MAX_MS;

	if (flight->err.code == ERROR_RATE_LIMITED)
		return flight->err.retry_after_ms > 0 ? flight->err.retry_after_ms : BACKOFF_MS;
	if (tries < 5)
		most = BACKOFF_MS << tries;
	most = most / 2 + (int64_t)random_below(flight->services->random, (uint64_t)most / 2 + 1);
	return flight->err.retry_after_ms > most ? flight->err.retry_after_ms : most;
}

/* What the ATS says of how long to wait is obeyed to the end; who looks sees why it takes long. */
static enum flight_end wait_ms(struct sync_flight *flight, int64_t ms)
{
	struct loop *loop = flight->runner->loop;
	int64_t end_ns = clock_monotonic_ns(flight->services->clock) + ms * 1000000;
	bool is_told = ms >= TOLD_WAIT_MS && flight->err.code == ERROR_RATE_LIMITED;
	enum flight_end end = FLIGHT_DONE;

	if (is_told) {
		flight->run.status = STR("rate_limited");
		if (!flight_checkpoint(flight, &end))
			return end;
	}
	while (end == FLIGHT_DONE && clock_monotonic_ns(loop_clock(loop)) < end_ns) {
		sync_claim_wait(flight->syncs, flight->claim, end_ns);
		end = flight_look(flight);
	}
	flight->run.wait_ms += ms;
	if (is_told)
		flight->run.status = STR("running");
	return end;
}

static void add_costs(struct sync_flight *flight, const struct operation_result *result)
{
	flight->run.calls += result->calls;
	flight->run.retries += result->retries;
	flight->run.wait_ms += result->wait_ns / 1000000;
}

enum flight_end flight_ask(struct sync_flight *flight, struct arena *arena,
			   const struct operation *operation, struct operation_result *result,
			   int64_t *read_ms)
{
	struct operation asked = *operation;

	asked.is_background = true;
	asked.share_percent = flight->job.share_percent;
	for (int tries = 0;;) {
		enum flight_end end = flight_look(flight);

		if (end != FLIGHT_DONE)
			return end;
		asked.deadline_ns = clock_monotonic_ns(flight->services->clock) +
				    (int64_t)ASK_MS * 1000000;
		*read_ms = sync_now_ms(flight->syncs);
		bool ok = operation_run(flight->services, arena, &asked, result, &flight->err);
		add_costs(flight, result);
		if (ok)
			return FLIGHT_DONE;
		end = flight_look(flight);
		if (end != FLIGHT_DONE)
			return end;
		flight->remote = arena_str(&flight->arena, str_slice(result->remote_body, 0, 2000));
		if (flight->err.code != ERROR_RATE_LIMITED &&
		    (!is_passing(&flight->err) || ++tries == TRIES_MAX))
			return FLIGHT_FAILED;
		arena_finish(arena);
		end = wait_ms(flight, find_wait(flight, tries));
		if (end != FLIGHT_DONE)
			return end;
	}
}
