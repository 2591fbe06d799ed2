/* Private to this room. */
#ifndef ATS_ERASURE_PARTS_H
#define ATS_ERASURE_PARTS_H

#include <pthread.h>

#include "ats/erasure/erasure.h"
#include "base/map.h"

/* All tables of the store, by name. `has_texts`: texts of records lie in it, and are looked
 * through; the others hold none. A new table is told here (tests/unit/ats/test_erasure.c). */
struct erasure_table {
	const char *name;
	bool has_texts;
};
extern const struct erasure_table erasure_tables[];
extern const size_t erasure_table_count;

struct erased_digest {
	unsigned char bytes[VAULT_DIGEST_BYTES];
};

struct erasures {
	struct erasures_options options;
	struct erasure_link *links; /* of each resource of the model, in its order */
	struct arena arena;
	pthread_rwlock_t lock;
	struct erased_digest *digests; /* sorted; under the lock */
	size_t count;
	uint64_t loads_begun, load_kept; /* numbers; under the lock */
};

/* --- person.c -------------------------------------------------------------------------------- */

/* The fields of a resource which refer to one record each, and of which resource that is. */
struct erasure_link {
	const struct model_resource *resource;
	struct {
		const struct model_field *field;
		const struct model_resource *target;
	} items[32];
	size_t count;
};
void erasure_links_init(struct erasures *erasures);
const struct erasure_link *erasure_link_of(const struct erasures *erasures, struct str resource);

/* What is looked for. */
struct person {
	struct erasures *erasures;
	struct arena *arena; /* lives as long as the search */
	struct str environment_id;
	struct str account_id;
	struct map gone; /* "resource\0id" of each record that is the person's */
	struct str *ids; /* of the candidate */
	size_t id_count;
	struct str *needles; /* e-mail addresses and names: in texts */
	size_t needle_count;
};
enum { PERSON_IDS_MAX = 100, PERSON_NEEDLES_MAX = 200 };
void person_init(struct person *person, struct erasures *erasures, struct arena *arena,
		 const struct account *account);
void person_finish(struct person *person);
/* Whether it was not known yet. */
bool person_add_record(struct person *person, struct str resource, struct str id);
bool person_has_record(const struct person *person, struct str resource, struct str id);
/* Takes the names and addresses of a candidate's record. */
void person_learn(struct person *person, struct json candidate);
/* Whether a record is the person's: it is known to be, or refers to one that is. */
bool person_owns(const struct person *person, struct str resource, struct str id,
		 struct json record);
/* Whether a text has an address or a name of the person. */
bool person_is_told(const struct person *person, struct str text);
/* The value without what it tells of the person; *is_changed is set when that is something. */
struct json person_redact(const struct person *person, struct arena *arena, struct json value,
			  bool *is_changed);

/* --- digests.c ------------------------------------------------------------------------------- */

struct erased_digest erasure_digest(struct erasures *erasures, struct str environment_id,
				    struct str account_id, struct str resource, struct str id);

/* --- places.c -------------------------------------------------------------------------------- */

/* Looks through the copy once for what is the person's; *is_changed: there was more. */
bool erasure_search(struct person *person, bool *is_changed, struct error *err) MUST_CHECK;
/* Goes through everything once; *is_changed: something was still there. */
bool erasure_pass(struct person *person, const struct erasure *erasure,
		  struct erasure_counts *counts, bool *is_changed, struct error *err) MUST_CHECK;
bool erasure_tidy(struct erasures *erasures, struct error *err) MUST_CHECK;
/* The candidates of that address. */
bool erasure_find_email(struct person *person, struct str email, struct error *err) MUST_CHECK;

#endif
