/* What the files of this room share. Private to it. */
#ifndef ATS_NODE_PARTS_H
#define ATS_NODE_PARTS_H

#include <pthread.h>

#include "ats/node/node.h"

struct node {
	struct node_options options;
	pthread_mutex_t lock; /* over `term` and `is_ending`; the thread alone changes them */
	pthread_cond_t wake;
	pthread_t thread;
	bool has_thread;
	bool is_ending;
	struct node_term term;
	_Atomic int64_t number; /* of the term */
	_Atomic int64_t until_ns;
	_Atomic int64_t slot;
};

#endif
