/* Calls that a client calls off. In the modern era closing the connection is how; in the older one
 * a notification names the request, which says little of who sends it: so it ends a read only, and
 * only where there is no other that it could mean. */
#include <stdlib.h>

#include "base/fiber.h"
#include "front/mcp/parts.h"

void mcp_running_begin(struct mcp_running *running, struct mcp_request *request, bool is_read)
{
	struct mcp_door *mcp = request->door->mcp;

	*running = (struct mcp_running){
		.request = request,
		.loop = loop_current(),
		.fiber = fiber_current(),
		.is_read = is_read,
	};
	if (request->is_modern) {
		http_exchange_end_with_caller(request->exchange);
		return;
	}
	pthread_mutex_lock(&mcp->lock);
	running->number = ++mcp->last_number;
	running->next = mcp->running;
	mcp->running = running;
	pthread_mutex_unlock(&mcp->lock);
}

void mcp_running_end(struct mcp_running *running)
{
	struct mcp_door *mcp = running->request->door->mcp;
	struct mcp_running **at = &mcp->running;

	if (running->number == 0)
		return;
	pthread_mutex_lock(&mcp->lock);
	while (*at != running)
		at = &(*at)->next;
	*at = running->next;
	pthread_mutex_unlock(&mcp->lock);
}

static bool is_meant(const struct mcp_running *running, const struct mcp_request *by,
		     struct json id)
{
	const struct mcp_request *request = running->request;
	const struct mcp_server *server = &request->caller.held->server;
	const struct mcp_server *own = &by->caller.held->server;

	return json_equal(request->id, id) && str_equal(server->id, own->id) &&
	       str_equal(server->account_id, own->account_id) &&
	       str_equal(server->environment_id, own->environment_id) &&
	       str_equal(request->caller.subject, by->caller.subject) &&
	       str_equal(request->exchange->peer, by->exchange->peer);
}

struct cancellation {
	struct mcp_door *mcp;
	uint64_t number;
};

/* On the loop of the call, which cannot end meanwhile. */
static void interrupt(void *context)
{
	struct cancellation *cancellation = context;
	struct mcp_door *mcp = cancellation->mcp;
	struct mcp_running *running;

	pthread_mutex_lock(&mcp->lock);
	running = mcp->running;
	while (running != NULL && running->number != cancellation->number)
		running = running->next;
	pthread_mutex_unlock(&mcp->lock);
	if (running != NULL)
		loop_interrupt(running->loop, running->fiber);
	free(cancellation);
}

void mcp_cancel(struct mcp_request *request)
{
	struct mcp_door *mcp = request->door->mcp;
	struct json id = json_get_c(request->params, "requestId");
	struct cancellation *cancellation;
	struct loop *loop = NULL;
	uint64_t number = 0;
	size_t count = 0;

	if (request->caller.is_fixture)
		return;
	pthread_mutex_lock(&mcp->lock);
	for (struct mcp_running *at = mcp->running; at != NULL; at = at->next) {
		if (!is_meant(at, request, id))
			continue;
		count++;
		number = at->is_read ? at->number : 0;
		loop = at->loop;
	}
	pthread_mutex_unlock(&mcp->lock);
	if (count != 1 || number == 0)
		return;
	cancellation = malloc(sizeof *cancellation);
	if (cancellation == NULL)
		die("out of memory");
	*cancellation = (struct cancellation){mcp, number};
	loop_post(loop, interrupt, cancellation);
}
