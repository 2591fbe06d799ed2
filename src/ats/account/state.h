/* What is told when an account changes: the rows of events that go with the account's own. Private
 * to the account room. */
#ifndef ATS_ACCOUNT_STATE_H
#define ATS_ACCOUNT_STATE_H

#include "ats/account/accounts.h"

/* Each appends to `statements` and tells how many, at most 2. They borrow from the account. */
size_t state_created(struct arena *arena, const struct account *account,
		     struct store_statement *statements);
size_t state_changed(struct arena *arena, const struct account *account, const char *type,
		     struct store_statement *statements);
/* `account` has the new status. */
size_t state_moved(struct arena *arena, const struct account *account, enum account_status from,
		   struct json last_error, struct store_statement *statements);
struct store_statement state_deleted(struct accounts *accounts, struct arena *arena,
				     struct str environment_id, struct str id);

#endif
