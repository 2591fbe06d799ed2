/* Callers that leave while their request is carried out. libmicrohttpd does not look at a
 * connection that it was told to leave alone; for a handler that asked for it the loop does. */
#include <sys/epoll.h>

#include "base/log.h"
#include "io/http/connection.h"

static void leave(struct loop_watch *watch, uint32_t events)
{
	struct connection *connection = watch->context;
	struct outflow *out = &connection->out;

	caller_forget(connection);
	/* What is shut from this side has an end, too. */
	if (connection->is_cut && (events & (EPOLLHUP | EPOLLERR)) == 0)
		return;
	connection->has_left = true;
	/* The bytes are the writer's, which goes on now. */
	if (out->writer != NULL) {
		out->is_broken = true;
		out->piece = (struct str){NULL, 0};
		loop_wake(out->writer);
		out->writer = NULL;
	}
	loop_interrupt(connection->server->loop, connection->fiber);
}

void caller_watch(struct connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct error err;

	if (!connection->ends_with_caller || connection->is_watched || connection->is_gone ||
	    connection->has_left)
		return;
	connection->caller = (struct loop_watch){info->connect_fd, leave, connection};
	connection->is_watched = loop_watch_add(connection->server->loop, &connection->caller,
						EPOLLRDHUP, &err);
	if (!connection->is_watched)
		LOG(LOG_WARNING, "caller_not_watched", LOG_C(message, err.message));
}

void caller_forget(struct connection *connection)
{
	if (connection->is_watched)
		loop_watch_remove(connection->server->loop, &connection->caller);
	connection->is_watched = false;
}

void http_exchange_end_with_caller(struct http_exchange *exchange)
{
	struct connection *connection = exchange->connection;

	if (connection == NULL)
		return;
	connection->ends_with_caller = true;
	if (connection->is_gone)
		loop_interrupt(connection->server->loop, connection->fiber);
	else if (connection->has_waited)
		caller_watch(connection);
}

bool http_exchange_is_gone(const struct http_exchange *exchange)
{
	const struct connection *connection = exchange->connection;

	return connection != NULL && (connection->is_gone || connection->has_left);
}
