/* What the files of this room share. Private to it. */
#ifndef ATS_COPY_PARTS_H
#define ATS_COPY_PARTS_H

#include "ats/copy/copy.h"
#include "base/cache.h"

enum {
	COPY_HASH_BYTES = 16,
	COPY_ROUGH_BYTES = 8, /* behind it, of rough fields alone */
	COPY_TRIES_MAX = 100, /* at one write; each that fails was won by somebody else */
};

struct copies {
	struct store *store;
	const struct model *model;
	const struct clock *clock;
	bool (*is_erased)(void *context, const struct copy_place *place, struct json record);
	void *erased_context;
	struct copies_counts counts;
	struct cache remembered; /* how new copies are, by their places: recall.c */
};
/* What a write has done. */
void copy_count(struct copies *copies, const struct copy_counts *counts);

/* --- copy.c ---------------------------------------------------------------------------------- */

/* The row of a copy. */
struct copy_row {
	int64_t number; /* 0: there is none */
	int64_t last_number;
	struct copy_state state;
};
bool copy_find_row(struct copies *copies, struct arena *arena, const struct copy_place *place,
		   struct copy_row *row, struct error *err) MUST_CHECK;
/* Makes it where there is none. ERROR_NOT_FOUND: the account is gone. */
bool copy_make_row(struct copies *copies, struct arena *arena, const struct copy_place *place,
		   struct copy_row *row, struct error *err) MUST_CHECK;

/* A record's number in the store. */
static inline int64_t copy_number(int64_t copy, int64_t number)
{
	return copy << 32 | number;
}
static inline int64_t copy_own_number(int64_t number)
{
	return number & UINT32_MAX;
}

/* In SQL: rows j of key and number, of the list of numbers that ?1 is. As a table of its own, for
 * below a guard (db/postgresql/0020_tenancy.sql) PostgreSQL looks up what is a number already, and
 * reads all records where it would have to make it one. */
#define COPY_NUMBERS                                                                               \
	"WITH j AS MATERIALIZED (SELECT key, CAST(value AS BIGINT) AS number FROM json_each(?1)) "
/* The columns of these j, and of the environment's records r that have the numbers. PostgreSQL
 * looks for each by itself: left to join them it reads all of the environment's where these are
 * few on the average. */
#define COPY_NUMBERED(columns, environment, more)                                                  \
	STORE_TEXTS(COPY_NUMBERS "SELECT " columns " FROM j CROSS JOIN record r"                   \
				 " WHERE r.number = j.number AND r.environment_id = " environment  \
				 more,                                                             \
		    COPY_NUMBERS "SELECT " columns " FROM j CROSS JOIN LATERAL"                    \
				 " (SELECT * FROM record WHERE environment_id = " environment      \
				 " AND number = j.number LIMIT 1) r WHERE true" more)

/* In SQL: among which numbers the records r of a copy are. It follows from r.copy; PostgreSQL,
 * whose partitions go by numbers, looks into one of them then. */
#define COPY_SPAN(copy) " AND r.number > " copy " << 32 AND r.number < (" copy " + 1) << 32"

/* Records that are shown have a deleted_ms from 0 up to this. */
static inline int64_t copy_deleted_max(bool with_deleted)
{
	return with_deleted ? INT64_MAX : 0;
}

/* --- recall.c -------------------------------------------------------------------------------- */

void copy_recall_init(struct copies *copies);
void copy_recall_finish(struct copies *copies);
/* As copy_find_row(), but for last_number, record_count and updated_max_ms, and from memory where
 * that holds (*is_recalled). */
bool copy_recall_row(struct copies *copies, struct arena *arena, const struct copy_place *place,
		     struct copy_row *row, bool *is_recalled, struct error *err) MUST_CHECK;

/* --- change.c -------------------------------------------------------------------------------- */

/* What is known of a record before it is written. */
struct copy_known {
	int64_t number; /* in the store; 0: it is not there */
	int64_t version;
	int64_t read_ms;
	bool is_partial;
	int64_t missing_ms;
	int64_t deleted_ms;
	struct str hash;
	struct str list_hash;
};
/* Of each id, in the same order. `copy`: the place's number. `ids`: a JSON array of `count` texts
 * (copy_ids()). */
bool copy_find_known(struct copies *copies, struct arena *arena, const struct copy_place *place,
		     int64_t copy, struct str ids, size_t count, struct copy_known *known,
		     struct error *err) MUST_CHECK;
struct str copy_ids(struct arena *arena, const struct str *ids, size_t count);
/* Of all that is known of records, in their order. */
struct str copy_stand(struct arena *arena, const struct copy_known *known, size_t count);
/* The bodies of the environment's records, by their numbers in the store; undefined where there is
 * none. */
bool copy_find_bodies(struct copies *copies, struct arena *arena, struct str environment_id,
		      const int64_t *numbers, size_t count, struct json *bodies,
		      struct error *err) MUST_CHECK;

/* By which records are known again. Not against those who would make two that look the same: what
 * they could hide is a change of their own. */
struct copy_hasher {
	struct arena *arena;
	const struct model_resource *resource;
	const bool *is_rough; /* as of a copy_write */
	unsigned char key[COPY_HASH_BYTES];
	const struct model_field **volatiles;
	size_t volatile_count;
	struct buffer body; /* of the record that was hashed last */
};
void copy_hasher_init(struct copy_hasher *hasher, struct arena *arena,
		      const struct model_resource *resource, const struct copy_place *place,
		      const bool *is_rough);
/* Without what changes by itself. */
struct str copy_hash(struct copy_hasher *hasher, struct json record);
/* Without remote_data, as it is kept. */
struct str copy_body(struct arena *arena, struct json record);
/* By which what a list tells of a record is known again: the record's hash, and behind it that of
 * its rough fields, where there are such. */
struct str copy_list_hash(struct copy_hasher *hasher, struct json record, struct str hash);
/* Does a list tell the rough fields as one did before? Of what is not known it is taken to. */
bool copy_is_as_rough(struct str list_hash, struct str before);
/* What a partial record tells over what was known. `is_kept`, unless NULL: these fields stay. */
struct json copy_merge(struct arena *arena, const struct model_resource *resource,
		       struct json before, struct json partial, const bool *is_kept);
/* The names of the fields that differ, as arrays. */
struct copy_differences {
	struct json changed;
	struct json learned; /* it was not known before, or not as well */
};
/* `was_partial`: what `before` lacks was not known; and what differs of the fields `is_better`,
 * unless NULL, was not known as well. */
struct copy_differences copy_compare(struct arena *arena, const struct model_resource *resource,
				     struct json before, struct json after, bool was_partial,
				     const bool *is_better);
/* A moment of the record in milliseconds; 0: it tells none. */
int64_t copy_moment(struct json record, const char *field);

/* The statements of one write. */
struct copy_batch {
	struct copies *copies;
	struct arena *arena;
	const struct copy_write *write;
	int64_t now_ms;
	struct copy_row row;
	int64_t alive; /* how many more there are afterwards */
	int64_t given; /* numbers */
	int64_t updated_max_ms;
	int64_t *texts; /* numbers in the store of records whose text is new */
	size_t text_count;
	struct store_statement *statements;
	size_t count;
	size_t capacity;
	struct copy_counts counts;
};
void copy_batch_begin(struct copy_batch *batch, struct copies *copies, struct arena *arena,
		      const struct copy_write *write, const struct copy_row *row);
/* One that changes one row, or undoes the whole. */
void copy_batch_add(struct copy_batch *batch, const char *sql, const struct store_value *values,
		    size_t count);

/* The record of this number in the store has other words now. */
void copy_batch_add_text(struct copy_batch *batch, int64_t number);

/* A record that changes, and what is to be told of it. */
struct copy_change {
	const char *type; /* "record:created" */
	struct str id;
	int64_t version; /* of the record, afterwards */
	struct copy_differences differences;
	struct json before; /* undefined: it was not there, or deleted */
	struct json after; /* of a deleted one the last that was known */
	bool is_deleted;
};
/* Its events, and those that the model says it means; none of a silent write. */
void copy_batch_tell(struct copy_batch *batch, const struct copy_change *change);
/* Adds what keeps the copy's row in step, and the caller's statements; does the write, if there is
 * anything to be written. */
bool copy_batch_commit(struct copy_batch *batch, const struct copy_told *told,
		       struct error *err) MUST_CHECK;

/* Of what a record is about a candidate, which the rows have beside it. */
#define COPY_CANDIDATE_PATH "candidate.id"

/* --- text.c ---------------------------------------------------------------------------------- */

/* What the words become for the index; data NULL: there is nothing to be searched for in them. */
struct str copy_text_query(struct arena *arena, struct str words);

#endif
