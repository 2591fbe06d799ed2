/* What the files of this room share: one operation under way, from its plan to its records.
 * Private to this room. */
#ifndef ATS_OPERATION_RUN_H
#define ATS_OPERATION_RUN_H

#include "ats/operation/filter.h"
#include "ats/operation/limiter.h"
#include "ats/operation/operation.h"

enum {
	URL_BYTES_MAX = 16 * 1024,
	PAGE_CALLS_MAX = 20,  /* native pages that one operation reads */
	SIFT_CALLS_MAX = 200, /* records that it fetches whole, only to apply a filter to them */
	SORT_CALLS_MAX = 50,  /* native pages that it reads to sort a list */
	SORT_RECORDS_MAX = 20000,
};

struct run {
	const struct operation_services *services;
	const struct operation *operation;
	const struct account *account;
	const struct connector *connector; /* with the account's overrides in it */
	const struct connector *base;	   /* as its files have it */
	const struct connector_format *format; /* of the account's credential */
	bool is_kept; /* over records that somebody keeps; the plan is empty then */
	struct toll *toll;		     /* NULL: nothing is overridden */
	struct operation_preview *preview;   /* NULL: nobody wants to know */
	struct connector_counts *counts; /* of the connector; NULL: nobody counts */
	struct str base_url;    /* the override of the connector's; empty: none */
	struct json credential; /* not stored yet (validation); undefined: the store has it */
	struct limiter *limiter;
	struct arena *arena;
	struct arena *home; /* the operation's own; a search has another one for each page */
	struct operation_result *result;
	int64_t deadline_ns;
	int64_t page_calls; /* left */
	int64_t sift_calls; /* left */
	int64_t token_version; /* of the token that the last try showed */
	int renewals;	       /* how often one was replaced because it was refused */
	bool is_status_told; /* the account's status was set to what the ATS showed */
	const struct native_method *native; /* of a proxied list: what its cursors are good for */
	const struct unified_resource *resource;
	const struct unified_alternative *plan;
	struct run_filter *filters;
	size_t filter_count;
	const struct unified_sort *asked_sort; /* the ATS sorts; NULL: nobody, or tenon */
	const struct selection *selection; /* of the fields; NULL: all of them */
	const bool *is_wanted;		   /* per field: it must be mapped; NULL: all of them */
	bool gives_remote;		   /* remote_data is in the records */
	const struct operation_file *file; /* what the record tells of its file; NULL: no record */
	struct json query;       /* the same as an object, for mappings */
	bool lacks_fields;       /* what was listed so far: `expand` is worth its calls */
	struct place *notes;	 /* before each record of a list which has a budget (budget.c) */
	size_t note_count;
	const struct json *sorted; /* the page's records, whole, where tenon sorted them */
	struct json *lookups;    /* per lookup of the plan: its pages' records; see lookup.c */
};

/* Holds the account's limiter; run_finish() lets it go. ERROR_NOT_FOUND (field "connector"). */
bool run_init(struct run *run, const struct operation_services *services, struct arena *arena,
	      const struct account *account, struct operation_result *result, int64_t deadline_ns,
	      struct error *err) MUST_CHECK;
void run_finish(struct run *run);
/* An expression of the connector over a whole body; false when it fails. */
bool run_evaluate(const struct run *run, const struct jsonata *expression, struct json body,
		  struct json *value) MUST_CHECK;

/* --- override.c ------------------------------------------------------------------------------ */

/* What the overrides of one operation have taken together. */
struct toll {
	uint64_t steps;
	bool has_failed; /* one went past its budget: the operation ends with `err` */
	struct error err;
};

/* Puts the connector as the account has it in place of the plain one. */
bool run_override(struct run *run, struct error *err) MUST_CHECK;
/* Then nothing more is to be asked or mapped. */
bool run_is_overdrawn(const struct run *run);

/* One evaluation of an override. */
struct toll_call {
	const struct jsonata *expression;
	const char *origin;
	struct str resource;
	struct str field;
};
/* False with *fault; when it was a budget, also with the toll's error. */
bool toll_take(struct toll *toll, const struct toll_call *call,
	       const struct jsonata_context *context, struct json input, struct json *value,
	       struct jsonata_error *fault) MUST_CHECK;

/* run->preview->record mapped without the ATS. */
bool preview_given(struct run *run, struct error *err) MUST_CHECK;

/* --- plan.c ---------------------------------------------------------------------------------- */

/* Finds resource, method and alternative, and checks the filters. Fills resource, plan, filters
 * and query of the run. */
bool plan_make(struct run *run, struct error *err) MUST_CHECK;
/* The first part of it: fills resource. */
bool plan_resource(struct run *run, struct error *err) MUST_CHECK;
/* Adds to the run's filters those which `expand` of the alternative takes from a record; they
 * replace equal ones. False when the record lacks one. */
bool plan_refine(struct run *run, const struct unified_alternative *alternative,
		 struct json record) MUST_CHECK;
/* The alternative of `method` whose `when` filters the run has, whatever else it was given: for
 * fetching one by one what a list found. NULL when there is none. */
const struct unified_alternative *plan_find_get(const struct run *run);
/* The text of one of the run's filters, or of its id when `name` is "id"; false: not given. */
bool plan_filter(const struct run *run, struct str name, struct str *value);
/* Finds resource and write; refuses what the ATS, or the model, does not have. */
bool plan_write(struct run *run, const struct unified_write **write, struct error *err) MUST_CHECK;

/* --- secrets.c ------------------------------------------------------------------------------- */

enum { SECRET_HEADERS_MAX = 16 };

/* The headers of one try, and its URL where that has a credential in it. */
struct secret_headers {
	struct http_header items[SECRET_HEADERS_MAX];
	size_t count;
	char *bytes; /* of their values, in the arena */
	size_t bytes_len;
	size_t bytes_max;
	struct str url;
};

struct native_call;
/* Makes them of the account's credential; *url gets what of it belongs there. */
bool secrets_open(const struct run *run, const struct native_call *call, struct str *url,
		  struct secret_headers *headers, struct error *err) MUST_CHECK;
/* Also when that failed. */
void secrets_wipe(struct secret_headers *headers);
/* Errors are shown and logged: what an ATS repeats of the credential is taken out. */
void secrets_blot(const struct run *run, struct http_response *response);

/* --- native.c -------------------------------------------------------------------------------- */

/* What a success of the ATS may bring. */
enum native_answer {
	ANSWER_JSON,
	ANSWER_FILE, /* or bytes of another kind, but no page for people */
	ANSWER_ANY,
	ANSWER_BYTES, /* whatever it is, it is the file that was asked for */
};

/* One native call, ready to be sent but for its paging. */
struct native_call {
	const struct native_method *method;
	struct http_field *path; /* its parameters */
	size_t path_count;
	struct http_field *query;
	size_t query_count;
	struct str under; /* a path below the base URL, instead of the method's own */
	struct str link; /* the whole URL (or one relative to the base) instead of all that */
	enum native_answer answer;
	bool is_page;	 /* for the trace */
	struct str body; /* data NULL: none */
	struct http_source *source; /* NULL, or a resend.c's where the body comes from instead */
	struct str content_type;
	/* The link is no call of the ATS: it gets no credential, and the account's rate limit and
	 * status have nothing to do with it. */
	bool is_elsewhere;
	struct operation_sink *sink; /* NULL, or where the answer goes when it is a file */
};

struct native_reply {
	struct json body; /* undefined where the answer is no JSON and need not be */
	int status;
	struct str bytes;
	struct str content_type;
	struct str link_header; /* may be empty */
	struct str location; /* of a redirect, with ANSWER_BYTES; may be empty */
	/* The call failed in a way that leaves open whether it was done. */
	bool is_outcome_unknown;
};

/* The call which a plan makes, its arguments taken from the run's filters and id. ERROR_INVALID
 * names a filter whose value this ATS cannot take. */
bool native_prepare(const struct run *run, const struct unified_call *unified,
		    struct native_call *call, struct error *err) MUST_CHECK;
/* The operation's remote_query, of which nothing may be what the call says already. */
bool native_add_remote(const struct run *run, struct native_call *call,
		       struct error *err) MUST_CHECK;
void native_add_query(const struct run *run, struct native_call *call, struct str name,
		      struct str value);
void native_add_path(const struct run *run, struct native_call *call, struct str name,
		     struct str value);
/* The URL that native_try() calls. */
bool native_url(const struct run *run, const struct native_call *call, struct str *url,
		struct error *err) MUST_CHECK;
/* NULL when the text is of the type that the method declares for the query parameter, or declares
 * none; else what is allowed. */
const char *native_check_type(const struct native_method *method, struct str name,
			      struct str text);
/* May the text stand in a path as one part of it? */
bool native_is_path_part(struct str value);
/* The call's path behind the base URL, for people. */
bool native_path(const struct run *run, const struct native_call *call,
		 struct str *path) MUST_CHECK;
/* A call as a dry run shows it; body undefined: none. */
struct json native_describe(const struct run *run, const struct native_call *call,
			    struct json body);
/* What a write answers that is only to be shown: calls, and names of what it lacks. */
struct json native_dry_run(const struct run *run, struct json calls, struct json missing);
/* One try: no limiter, no retry. The credential is opened for it, and wiped right after. As
 * http_client_send(); what the reply repeats of the credential is blotted out when its status is
 * an error's. *file: the answer is a file for the call's sink, still to be read and closed. */
bool native_try(const struct run *run, const struct native_call *call, int64_t deadline_ns,
		struct http_response *response, struct http_call **file,
		struct error *err) MUST_CHECK;
/* Does the address, or path, lead to where all calls of the account go? */
bool native_is_own(const struct run *run, struct str address, bool *is_own,
		   struct error *err) MUST_CHECK;
/* The call for all of a listed record. ERROR_UPSTREAM when the record does not tell by what to ask
 * for it. */
bool native_prepare_detail(const struct run *run, const struct unified_detail *detail,
			   struct json record, struct native_call *call,
			   struct error *err) MUST_CHECK;
/* The text of a text, number or boolean; false for anything else. */
bool native_text(struct arena *arena, struct json value, struct str *text);

/* --- retry.c --------------------------------------------------------------------------------- */

/* The call with rate limit, retries and the account's status kept; errors as in operation.h. */
bool native_send(struct run *run, const struct native_call *call, struct native_reply *reply,
		 struct error *err) MUST_CHECK;

/* Turns why a call failed into ERROR_OUTCOME_UNKNOWN: it may have been done. `may_end`: to ask
 * for the same again may bring it to its end. False. */
bool native_refuse_unknown(const struct run *run, bool may_end, struct error *err);

/* Notes what came of a call in the operation's journal, where there is one; `result` undefined: it
 * was certainly not done. That it cannot be noted does not undo the call. */
void journal_end(const struct run *run, size_t number, struct json result);

/* --- resend.c -------------------------------------------------------------------------------- */

/* A source which can be begun anew as long as little of it was read. */
struct http_source *resend_create(struct arena *arena, struct http_source *inner);
/* False: too much was read, and it cannot be sent again. */
bool resend_rewind(struct http_source *source) MUST_CHECK;

/* --- file.c ---------------------------------------------------------------------------------- */

/* Whether this success is a file, to be passed on as it comes. */
bool file_is_one(const struct native_call *call, const struct http_response *response);
/* All of the call's body to the sink; closes the call. */
bool file_pass(const struct run *run, struct operation_sink *sink,
	       const struct http_response *response, struct http_call *call,
	       struct error *err) MUST_CHECK;
/* All of the call's body into the response; closes the call. */
bool file_keep(const struct run *run, struct http_response *response, struct http_call *call,
	       size_t bytes_max, struct error *err) MUST_CHECK;

/* --- download.c ------------------------------------------------------------------------------ */

/* The file of the record that run->operation->id names, to the sink. */
bool download_run(struct run *run, struct error *err) MUST_CHECK;
/* Where this server gives the file of a record whose id is known; its other fields tell the
 * filters. Undefined when the resource has no files. */
struct json download_link(const struct run *run, struct str id, const struct json *mapped);

/* --- remote.c -------------------------------------------------------------------------------- */

/* Turns an error of the ATS into ours, with its own text. `body` may be undefined. True when it
 * says that calls come too fast. */
bool remote_error(const struct run *run, const struct http_response *response, struct json body,
		  struct error *err);
/* Keeps it in the result, with what else it tells. */
void remote_note(const struct run *run, const struct http_response *response, struct json body);

/* --- lookup.c -------------------------------------------------------------------------------- */

/* Fetches the side lists of the plan that this body needs, once per operation, and adds them to
 * the index. */
bool lookup_fill(struct run *run, struct json body, struct reference_index *index,
		 struct error *err) MUST_CHECK;

/* Adds what another call took to the account of the whole. */
void operation_result_add(struct operation_result *sum, const struct operation_result *one);

/* --- write.c, reads.c, body.c, search.c ------------------------------------------------------ */

/* A write under way. */
struct write {
	struct run *run;
	const struct unified_write *plan;
	struct json body;   /* checked */
	struct json remote; /* remote_data of the body: goes over the first call's own body */
	struct json variables[CONNECTOR_VARIABLES];
	size_t number; /* of the next call */
	bool is_upload_sent; /* the file that came with the request */
	bool has_written; /* the first call that writes was made, or told in a dry run */
	bool is_dry;
	struct json_builder calls;   /* of a dry run */
	struct json_builder missing; /* paths of required fields that are not there; dry run */
};

/* run->operation->write; the answer goes to result->item. */
bool write_run(struct run *run, struct error *err) MUST_CHECK;
/* An expression with the write's variables; ERROR_INVALID names `field` where it fails. */
bool write_evaluate(struct write *write, const struct jsonata *expression, struct json input,
		    struct str field, struct json *value, struct error *err) MUST_CHECK;
/* The same for a value of a native request, which an override may make. */
bool write_make(struct write *write, const struct write_value *source, struct json input,
		struct json *value, struct error *err) MUST_CHECK;
/* Is this a dry run past the point where what is to be read, or checked, is known? */
bool write_is_blind(const struct write *write);
/* A step that reads: what it gives becomes a member of $steps. */
bool write_read(struct write *write, const struct write_step *step, struct json input,
		struct error *err) MUST_CHECK;
/* The record which a get with these arguments gives, by the connector with overrides or without. */
bool write_read_record(struct write *write, const struct connector *connector,
		       const struct write_value *values, size_t count,
		       struct operation_result *result, struct error *err) MUST_CHECK;
/* Path and query of a call. `input` is its $. */
bool write_arguments(struct write *write, const struct write_value *values, size_t count,
		     struct json input, struct native_call *call, struct error *err) MUST_CHECK;
/* The body of a step's call as a value; undefined where the method has none. */
bool body_make(struct write *write, const struct write_step *step, struct json input,
	       struct json *body, struct error *err) MUST_CHECK;
/* Spells it as the method wants: JSON, or a form. */
bool body_spell(struct write *write, const struct write_step *step, struct json body,
		struct native_call *call, struct error *err) MUST_CHECK;
/* Looks whether the ATS has what the call was to make. *found is undefined when it has not, or
 * when that cannot be told; *is_certain tells which. */
bool search_made(struct write *write, const struct write_step *step, struct json input,
		 struct json sent, int64_t sent_ms, struct json *found, bool *is_certain,
		 struct error *err) MUST_CHECK;

/* --- proxy.c, custom.c, raw.c, rate.c -------------------------------------------------------- */

bool proxy_run(struct run *run, struct error *err) MUST_CHECK;
bool custom_run(struct run *run, struct error *err) MUST_CHECK;
/* Sends the call, and leaves the ATS's answer in the result as it came. A write is journalled;
 * ERROR_OUTCOME_UNKNOWN when it may have been done. An answer that is a file goes to the
 * operation's sink. */
bool raw_send(struct run *run, struct native_call *call, struct error *err) MUST_CHECK;
/* Notes what the response tells of the ATS's rate limit, under any of the usual names. */
void rate_note(struct run *run, const struct http_response *response);

/* What every operation begins with. */
bool run_check(const struct operation *operation, struct error *err) MUST_CHECK;

/* Names parted by commas, as many as go into an error's `allowed`. */
struct name_list {
	char text[sizeof((struct error *)0)->allowed];
	size_t len;
};
void name_list_add(struct name_list *names, struct str name);

/* --- select.c -------------------------------------------------------------------------------- */

/* Reads fields, exclude_fields and key_by of a read whose plan is made; names which the model does
 * not have are refused. */
bool select_make(struct run *run, struct error *err) MUST_CHECK;
/* ERROR_INVALID, named after `parameter`, unless the path leads to one text, number or word of each
 * record, not of a list in it. */
bool select_check_single(const struct run *run, const char *parameter, struct str path,
			 struct error *err) MUST_CHECK;
/* Is one of these fields to be given? */
bool select_lacks(const struct run *run, const bool *is_absent);
/* Does the record lack one of them? */
bool select_lacks_of(const struct run *run, struct json record);
/* Leaves of the result's records what was asked for. */
bool select_records(struct run *run, struct error *err) MUST_CHECK;

/* --- sort.c ---------------------------------------------------------------------------------- */

/* Settles who sorts a list whose plan is made. ERROR_INVALID names a field by which nobody can. */
bool sort_plan(struct run *run, struct error *err) MUST_CHECK;
/* tenon does, and reads the whole list for it. */
bool sort_is_here(const struct run *run);
/* What asks the ATS for the order, if it is to sort. */
void sort_ask(const struct run *run, struct native_call *call);

/* --- list.c, get.c, expand.c ----------------------------------------------------------------- */

bool list_run(struct run *run, struct error *err) MUST_CHECK;
/* run->operation->id by run->plan, which is a get's; the record goes to result->item. */
bool get_run(struct run *run, struct error *err) MUST_CHECK;
/* Replaces each record of result->items by what get gives for its id. */
bool expand_run(struct run *run, struct error *err) MUST_CHECK;
enum expanded {
	EXPANDED_NOT,	 /* nothing tells how to get it */
	EXPANDED_GONE,	 /* deleted meanwhile */
	EXPANDED_PARTLY, /* not even a get tells all */
	EXPANDED_WHOLE,
};
/* The same of some records: what became of each is told; those that are not had stay as they are.
 */
bool expand_items(struct run *run, struct json *items, enum expanded *told, size_t count,
		  struct error *err) MUST_CHECK;

#endif
