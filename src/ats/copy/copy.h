/* The local copy: the records of integrated accounts as the unified API gives them, kept in the
 * store. Records, tombstones and the events that tell of them are written in one transaction, and
 * with them whatever the caller must keep in step (a cursor, a run's counts). A record that is read
 * again as it was writes nothing. This room owns the tables copy, record,
 * record_text and record_text_due.
 *
 * What was read later wins: no record is replaced by one that was read from the ATS before it. */
#ifndef ATS_COPY_COPY_H
#define ATS_COPY_COPY_H

#include "ats/event/event.h"
#include "ats/operation/operation.h"

struct copies;
/* Everything borrowed. Shared by all workers. */
struct copies *copies_create(struct store *store, const struct model *model,
			     const struct clock *clock);
/* NULL is accepted. */
void copies_destroy(struct copies *copies);

/* Records that this process has written, or has found to be as they are. */
struct copies_counts {
	_Atomic uint64_t created, updated, deleted, unchanged;
};
const struct copies_counts *copies_counts(const struct copies *copies);

/* Whose records they are. */
struct copy_place {
	struct str environment_id;
	struct str account_id;
	struct str resource; /* of the unified model */
};

/* What is remembered of how new a copy is does not hold any more: this process has changed it, or
 * has heard of its change. NULL: of all. */
void copies_forget(struct copies *copies, const struct copy_place *place);

/* Records of which `is_erased` says so are not taken into the copy. Set before other threads use
 * the copies. */
void copies_leave_out(struct copies *copies,
		      bool (*is_erased)(void *context, const struct copy_place *place,
					struct json record),
		      void *context);

struct copy_counts {
	int64_t created; /* re-created ones among them */
	int64_t updated;
	int64_t deleted;
	int64_t unchanged;
	int64_t stale; /* read before what the copy has */
};

/* What a write is about to do. */
struct copy_told {
	const int64_t *numbers; /* of the records given, as copy_put() gives them */
	size_t count;
	const struct copy_counts *counts;
	/* copy_put(): how the records stand afterwards (copy_read_stand()), and their ids, as a
	 * JSON array; empty where the copy has something newer than what was given. */
	struct str stand;
	struct str ids;
	size_t id_count;
};

/* What must be kept in step with records, where it is made of their numbers: they are known just
 * before the commit. Asked once for each try at the write, of which the last is done; no statement,
 * and nothing is written if no record has changed. False: nothing is done, and copy_put() fails
 * with *err. */
struct copy_companion {
	bool (*tell)(struct copy_companion *companion, struct arena *arena,
		     const struct copy_told *told, const struct store_statement **more,
		     size_t *more_count, struct error *err);
};

struct copy_write {
	struct copy_place place;
	int64_t read_ms; /* Unix time at which the ATS was asked, before the answer */
	bool is_silent;	 /* writes no events, and counts no versions: for a first load */
	bool gives_way;  /* nobody waits for it: others of the loop have their turn in between */
	/* Go with it in one transaction: done or not done as it is. */
	const struct store_statement *more;
	size_t more_count;
	struct copy_companion *companion; /* NULL: none */
	/* Of records which were fetched whole after a partial list: what that list told of each, to
	 * know it again by (copy_find_changed()). NULL: no list did. */
	const struct json *listed;
	/* Per field of the resource: partial records tell it otherwise than whole ones
	 * (operation_result.is_rough); NULL: none. What a whole one told of it stays until a
	 * partial one tells it otherwise than the partial one before. */
	const bool *is_rough;
	/* copy_remove(): an id that the copy does not have is noted as gone, too, so that what was
	 * read before does not bring it in. Nobody is told of it or sees it, and after a day it is
	 * forgotten (ats/retention). For those who are told of few. */
	bool notes_absent;
};

/* Records as a list or a get gave them. numbers[i], unless NULL, gets the number of record i in
 * its copy: 1, 2, 3 …, never given twice, dense enough to be a bit of a bitmap.
 * Records without an id, or of an erased person, are left out (number 0); of those with the same id
 * the last counts. A partial record leaves what it lacks as the copy has it. remote_data is not
 * kept. ERROR_CONFLICT only for `more`: races for a record are settled here. ERROR_NOT_FOUND: the
 * account is gone. */
bool copy_put(struct copies *copies, struct arena *arena, const struct copy_write *write,
	      const struct json *records, size_t count, bool is_partial, int64_t *numbers,
	      struct copy_counts *counts, struct error *err) MUST_CHECK;

/* How these records stand: a text that is another one once somebody has written any of them, were
 * it with what it was before. numbers[i] gets the number of record i; 0: it is not there. `ids`: a
 * JSON array of `count` texts. */
bool copy_read_stand(struct copies *copies, struct arena *arena, const struct copy_place *place,
		     struct str ids, size_t count, struct str *stand, int64_t *numbers,
		     struct error *err) MUST_CHECK;

/* What would have been put is as it is: counted like that. */
void copy_note_unchanged(struct copies *copies, int64_t count);

/* The ATS says that these are gone: tombstones, and record:deleted. Those not in the copy (but see
 * notes_absent), and those read later than write->read_ms, are left alone. Errors as of
 * copy_put(). */
bool copy_remove(struct copies *copies, struct arena *arena, const struct copy_write *write,
		 const struct str *ids, size_t count, struct copy_counts *counts,
		 struct error *err) MUST_CHECK;

/* Which of a partial list's records have to be fetched whole: those that are not as the list told
 * them when they were last put with `listed`, or are not whole. numbers[i], unless NULL, gets the
 * number of record i; 0: it is not there. is_rough as in copy_write. */
bool copy_find_changed(struct copies *copies, struct arena *arena, const struct copy_place *place,
		       const bool *is_rough, const struct json *listed, size_t count,
		       bool *is_changed, int64_t *numbers, struct error *err) MUST_CHECK;

/* Living records with a number past `after` that the bitmap (bit number % 8 of byte number / 8)
 * does not have, which were read before read_ms: in the order of numbers, at most `limit`. */
struct copy_missing {
	int64_t number;
	struct str id;
	int64_t missing_ms; /* when an earlier sweep missed it for the first time; 0: none did */
};
bool copy_find_missing(struct copies *copies, struct arena *arena, const struct copy_place *place,
		       const unsigned char *bitmap, size_t bitmap_bytes, int64_t after,
		       int64_t read_ms, size_t limit, struct copy_missing **list, size_t *count,
		       struct error *err) MUST_CHECK;
/* Living records which have this text at the dotted path of their body (through objects only), and
 * were read before read_ms. */
bool copy_find_by(struct copies *copies, struct arena *arena, const struct copy_place *place,
		  struct str path, struct str value, int64_t after, int64_t read_ms, size_t limit,
		  struct copy_missing **list, size_t *count, struct error *err) MUST_CHECK;
/* The statement that notes that a sweep missed this record; at_ms 0: it is there after all. (A
 * copy_put() of it notes that, too.) */
struct store_statement copy_note_missing(struct arena *arena, const struct copy_place *place,
					 int64_t number, int64_t at_ms);

/* The statement that says how far the copy can be trusted; 0 leaves a time as it is. */
struct store_statement copy_note_state(struct arena *arena, const struct copy_place *place,
				       int64_t whole_ms, int64_t swept_ms);

/* The statement that forgets the copy, with all its records and without a word. */
struct store_statement copy_drop(struct arena *arena, const struct copy_place *place);

struct copy_state {
	bool is_there;
	int64_t whole_ms;
	int64_t swept_ms;
	int64_t record_count; /* alive */
	int64_t updated_max_ms; /* the latest updated_at that the ATS has given; 0: none */
};
bool copy_read_state(struct copies *copies, struct arena *arena, const struct copy_place *place,
		     struct copy_state *state, struct error *err) MUST_CHECK;

struct copy_record {
	int64_t number;
	struct str id;
	struct str body; /* JSON text */
	bool is_partial;
	int64_t version;
	int64_t read_ms;
	int64_t changed_ms;
	int64_t deleted_ms;
};
/* One record, alive or not; ERROR_NOT_FOUND. */
bool copy_get(struct copies *copies, struct arena *arena, const struct copy_place *place,
	      struct str id, struct copy_record *record, struct error *err) MUST_CHECK;
/* In the order of their numbers from after `after` on, at most `limit` (1 to 1000); deleted ones
 * with `with_deleted` only. */
bool copy_walk(struct copies *copies, struct arena *arena, const struct copy_place *place,
	       int64_t after, size_t limit, bool with_deleted, struct copy_record **list,
	       size_t *count, struct error *err) MUST_CHECK;

/* Takes in the words of up to `limit` records of the copy that cannot be searched for yet. */
bool copy_take_some_texts(struct copies *copies, const struct copy_place *place, int64_t limit,
			  bool *is_end, struct error *err) MUST_CHECK;
/* All of them. A search does it as well, and waits; so whoever has written much takes some after
 * some afterwards. ERROR_TIMEOUT past the deadline: a part is done. */
bool copy_take_texts(struct copies *copies, const struct copy_place *place, int64_t deadline_ns,
		     struct error *err) MUST_CHECK;

/* The words of records whose rows are gone (of an account that was deleted, of an erased person)
 * are taken out of the index, so that nothing of them is in the file. */
bool copies_forget_texts(struct copies *copies, struct error *err) MUST_CHECK;

/* In SQL: the words of the record of a number (?2) in an environment (?1) go out of the index. */
#define COPY_DROP_WORDS                                                                            \
	STORE_TEXTS("DELETE FROM record_text WHERE rowid = (SELECT number FROM record"             \
		    " WHERE environment_id = ?1 AND number = ?2)",                                 \
		    "DELETE FROM record_text WHERE environment_id = ?1 AND rowid = ?2")

/* Merges the parts of the index, some pages at a time, so that what was deleted of it is gone. */
bool copy_merge_texts(struct store *store, struct error *err) MUST_CHECK;

/* --- answering from it ----------------------------------------------------------------------- */

struct copy_answer {
	bool is_from_copy;
	int64_t age_ms; /* of what is answered: how long ago it was certainly so */
	bool has_total;
	int64_t total; /* how many records the filters leave */
};
struct copy_wish {
	int64_t max_age_ms; /* older than this it goes live, and refreshes the copy; 0: live */
	bool has_age;	    /* max_age_ms is what the caller has said */
	struct str search;  /* words; data NULL: none. Only of the copy. */
	bool wants_total;   /* only of the copy */
	bool wants_deleted; /* tombstones too, with deleted_at; only of the copy */
};
/* A caller's max_age, in seconds. ERROR_INVALID names it. */
bool copy_wish_read_age(struct copy_wish *wish, struct str seconds, struct error *err) MUST_CHECK;
/* Once all of it is read: what only the copy can do is taken however old that is, unless the
 * caller has said. */
void copy_wish_settle(struct copy_wish *wish);
/* As operation_run() of a list or get, but from the copy where that is fresh enough: the same
 * filters, order, fields, envelope; a cursor goes on where it came from. Such records have no
 * remote_data; an operation that wants it, or what the copy cannot tell otherwise, goes live.
 * ERROR_INVALID names what only the copy can do where there is none that is fresh enough, or which
 * cannot do it together with the rest. */
bool copy_answer(struct copies *copies, const struct operation_services *services,
		 struct arena *arena, const struct operation *operation,
		 const struct copy_wish *wish, struct operation_result *result,
		 struct copy_answer *answer, struct error *err) MUST_CHECK;

/* --- for those who analyse ------------------------------------------------------------------- */

/* The SQL views of the model's resources and of the lists in them (docs/analysis.md), for
 * store_open(); in the arena. ERROR_INVALID: two columns or views would have one name. */
bool copy_views(struct arena *arena, const struct model *model, bool for_postgresql,
		struct store_view **views, size_t *count, struct error *err) MUST_CHECK;
/* "activities" gives "activity". */
struct str copy_singular(struct arena *arena, struct str plural);

/* A column of a table of records. */
struct copy_column {
	struct str name; /* "current_stage_name" */
	struct str path; /* "current_stage.name" */
	struct str describe;
	struct str root; /* the record's field in which it is */
	const struct model_field *field;
};

/* A copy's records from one to the next, ordered by account and id, so that one can go on after
 * the last that was seen. */
struct copy_export {
	struct str environment_id;
	struct str account_id; /* empty: of all accounts */
	const struct model_resource *resource;
	int64_t since_ms; /* only what changed in the copy then or later; 0: all */
	bool with_deleted;
	struct buffer after_account; /* the last one; empty at the start */
	struct buffer after_id;
	bool is_account_done;
};
struct copy_export_row {
	struct str account_id;
	struct str id;
	struct str body;
	bool is_deleted;
};
/* In the export's arena. */
void copy_export_init(struct copy_export *export, struct arena *arena);
/* The next ones, of up to `limit` that are looked at: maybe none before the end. */
bool copy_export_next(struct store *store, struct arena *arena, struct copy_export *export,
		      size_t limit, struct copy_export_row **rows, size_t *count, bool *is_end,
		      struct error *err) MUST_CHECK;
/* About how many there are in all that live. */
bool copy_export_count(struct store *store, struct arena *arena, const struct copy_export *export,
		       int64_t *count, struct error *err) MUST_CHECK;

/* As lines of text. `fields` are names of the resource's own; none: all of them. */
struct copy_lines {
	struct arena *arena;
	const struct copy_column *columns; /* of CSV */
	size_t column_count;
	const struct str *fields;
	size_t field_count;
	bool is_csv;
	bool with_deleted;
};
void copy_lines_init(struct copy_lines *lines, struct arena *arena,
		     const struct model_resource *resource, bool is_csv);
/* The head of a CSV file; nothing of NDJSON. */
void copy_lines_begin(const struct copy_lines *lines, struct buffer *out);
bool copy_lines_add(const struct copy_lines *lines, struct arena *arena,
		    const struct copy_export_row *row, struct buffer *out,
		    struct error *err) MUST_CHECK;

#endif
