#include "ats/sync/parts.h"

#include <assert.h>
#include <stdlib.h>

struct syncs *syncs_create(const struct sync_options *options)
{
	struct syncs *syncs = calloc(1, sizeof *syncs);

	if (syncs == NULL)
		die("out of memory for sync jobs");
	syncs->options = *options;
	pthread_mutex_init(&syncs->lock, NULL);
	return syncs;
}

void syncs_destroy(struct syncs *syncs)
{
	if (syncs == NULL)
		return;
	pthread_mutex_destroy(&syncs->lock);
	free(syncs);
}

/* --- claims ---------------------------------------------------------------------------------- */

bool sync_claim_take(struct syncs *syncs, struct sync_claim *claim, size_t account_max)
{
	size_t of_account = 0;
	bool is_free = true;

	pthread_mutex_lock(&syncs->lock);
	for (const struct sync_claim *at = syncs->claims; at != NULL; at = at->next) {
		of_account += str_equal(at->account_id, claim->account_id);
		is_free = is_free && !str_equal(at->key, claim->key);
	}
	is_free = is_free && of_account < account_max;
	if (is_free) {
		claim->next = syncs->claims;
		syncs->claims = claim;
	}
	pthread_mutex_unlock(&syncs->lock);
	return is_free;
}

void sync_claim_drop(struct syncs *syncs, struct sync_claim *claim)
{
	struct sync_claim **at = &syncs->claims;

	pthread_mutex_lock(&syncs->lock);
	while (*at != claim)
		at = &(*at)->next;
	*at = claim->next;
	pthread_mutex_unlock(&syncs->lock);
}

struct sync_waiter {
	struct loop_wait wait;
	struct sync_waiter *next;
};

void sync_claim_wait(struct syncs *syncs, struct sync_claim *claim, int64_t deadline_ns)
{
	struct sync_waiter waiter;
	struct sync_waiter **at;

	loop_wait_init(&waiter.wait);
	pthread_mutex_lock(&syncs->lock);
	if (claim->is_nudged) {
		pthread_mutex_unlock(&syncs->lock);
		return;
	}
	waiter.next = claim->waiters;
	claim->waiters = &waiter;
	pthread_mutex_unlock(&syncs->lock);
	(void)loop_wait(&waiter.wait, deadline_ns);
	pthread_mutex_lock(&syncs->lock);
	for (at = &claim->waiters; *at != NULL && *at != &waiter;)
		at = &(*at)->next;
	if (*at != NULL)
		*at = waiter.next;
	pthread_mutex_unlock(&syncs->lock);
}

static void ring(struct syncs *syncs)
{
	syncs->rings++;
	for (struct sync_runner *runner = syncs->runners; runner != NULL; runner = runner->next) {
		if (runner->wait != NULL)
			loop_wake(runner->wait);
		runner->wait = NULL;
	}
}

void sync_ring(struct syncs *syncs)
{
	pthread_mutex_lock(&syncs->lock);
	ring(syncs);
	pthread_mutex_unlock(&syncs->lock);
}

void sync_nudge(struct syncs *syncs, struct str job_id)
{
	pthread_mutex_lock(&syncs->lock);
	for (struct sync_claim *claim = syncs->claims; claim != NULL; claim = claim->next) {
		if (job_id.len > 0 && !str_equal(claim->key, job_id))
			continue;
		claim->is_nudged = true;
		while (claim->waiters != NULL) {
			struct sync_waiter *waiter = claim->waiters;

			claim->waiters = waiter->next;
			loop_wake(&waiter->wait);
		}
	}
	ring(syncs);
	pthread_mutex_unlock(&syncs->lock);
}

/* --- fibers ---------------------------------------------------------------------------------- */

void sync_task_begin(struct sync_task *task, struct sync_runner *runner)
{
	*task = (struct sync_task){
		.runner = runner, .fiber = fiber_current(), .next = runner->tasks};
	runner->tasks = task;
	if (runner->is_stopping)
		loop_interrupt(runner->loop, task->fiber);
}

void sync_task_end(struct sync_task *task)
{
	struct sync_task **at = &task->runner->tasks;

	while (*at != task)
		at = &(*at)->next;
	*at = task->next;
	assert(task->runner->active > 0);
	task->runner->active--;
}
