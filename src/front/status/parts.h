/* Private to this room. */
#ifndef FRONT_STATUS_PARTS_H
#define FRONT_STATUS_PARTS_H

#include "ats/sync/sync.h"
#include "ats/webhook/webhook.h"
#include "front/status/status.h"

typedef void status_handler(void *context, struct http_exchange *exchange,
			    const struct http_match *match);
status_handler status_metrics, status_report;

enum { STATUS_ACCOUNTS = 5 }; /* as enum account_status */

struct tally {
	size_t accounts[STATUS_ACCOUNTS];
	struct sync_tally sync;
	struct webhook_tally webhooks;
};
/* Of an environment, or (empty) of all. */
bool tally_read(const struct door *door, struct str environment_id, struct tally *tally,
		struct error *err) MUST_CHECK;
/* Of all; one that is a little old, where counting takes long: no more than a tenth of the time is
 * spent on it. */
bool tally_recent(const struct door *door, struct tally *tally, struct error *err) MUST_CHECK;

#endif
