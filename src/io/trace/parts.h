/* Private to this room. */
#ifndef IO_TRACE_PARTS_H
#define IO_TRACE_PARTS_H

#include <pthread.h>

#include "io/trace/trace.h"

/* A span that has ended, as JSON. */
struct told {
	struct told *next;
	size_t len;
	char bytes[];
};

struct tracer {
	struct tracer_options options;
	struct arena arena;
	struct str url;
	struct str resource; /* JSON: the body up to the first span */
	struct http_header headers[16];
	size_t header_count;
	struct str origin;
	struct http_reach reach;
	pthread_t thread;
	struct loop *loop;
	struct http_client *client;
	pthread_mutex_t lock; /* of what follows */
	struct told *first, **last;
	size_t length;
	struct loop_wait *waiting; /* the sender, for spans */
	bool is_stopping;
	int64_t stop_ns; /* then nothing more is sent */
	/* The sender's own. */
	bool is_failing;
	_Atomic uint64_t exported, dropped, refused;
};

/* Queues it, or drops it. */
void tracer_tell(struct tracer *tracer, struct told *told);
/* Fills in what the options say: URL, headers, resource. */
bool tracer_configure(struct tracer *tracer, struct error *err) MUST_CHECK;
/* The sender's fiber. */
void tracer_send_all(void *context);

#endif
