/* One call on one account, whichever door it came through: plan, rate limit, HTTP with retries,
 * paging, mapping, envelope. Every door turns its input into a struct operation and prints what
 * comes back. */
#ifndef ATS_OPERATION_OPERATION_H
#define ATS_OPERATION_OPERATION_H

#include "ats/account/account.h"
#include "ats/connector/connector.h"
#include "ats/oauth/oauth.h"
#include "ats/override/override.h"
#include "io/trace/trace.h"

/* Shared by all workers: the rate limits and retry budgets of the accounts. */
struct limiters;
struct limiters *limiters_create(const struct clock *clock, const struct random *random);
void limiters_destroy(struct limiters *limiters);
/* The limits are those of all nodes together, which share the store. Before the first call. */
struct node;
void limiters_share(struct limiters *limiters, struct store *store, struct node *node);
/* What the other nodes should know of calls that have ended is told by fibers of the workers: how
 * many there are. After limiters_stop() none tries for long. */
size_t limiters_telling(const struct limiters *limiters);
void limiters_stop(struct limiters *limiters);

/* What operations need; one per worker, everything borrowed. */
struct operation_services {
	struct accounts *accounts;
	struct vault *vault;
	const struct connectors *connectors;
	const struct model *model;
	struct limiters *limiters;
	struct http_client *client; /* of the worker */
	const struct clock *clock;
	const struct random *random;
	/* Another base URL per connector ("http://127.0.0.1:9700" before the path of base_url's
	 * own): for sandboxes. NULL: as defined. The array goes with connectors->items. */
	const struct str *base_urls;
	/* Where the caller reaches this server ("https://ats.example.com"), for links to it; empty:
	 * a link is a path. */
	struct str public_url;
	struct str version; /* of the program: another may map otherwise; may be empty */
	struct operation_counts *counts; /* shared; for the metrics */
	struct overrides *overrides;	 /* NULL: there are none */
	struct tracer *tracer;		 /* NULL: nobody is told of what begins here */
	struct oauth *oauth;		 /* NULL: tokens are as they are, and not replaced */
};

/* Calls of one connector's ATS. */
struct connector_counts {
	_Atomic uint64_t calls;
	_Atomic uint64_t duration_us;
	_Atomic uint64_t rate_limited;	/* answered 429 */
	_Atomic uint64_t client_errors; /* answered 4xx else */
	_Atomic uint64_t server_errors; /* answered 5xx */
	_Atomic uint64_t no_answers;	/* no connection, cut off, too late */
};

/* Counted over the life of the process, shown by /metrics. */
struct operation_counts {
	_Atomic uint64_t operations;
	_Atomic uint64_t upstream_calls;
	_Atomic uint64_t upstream_retries;
	_Atomic uint64_t upstream_rate_limited;
	_Atomic uint64_t upstream_failures;
	_Atomic uint64_t limiter_waits;
	_Atomic uint64_t limiter_wait_us;
	struct connector_counts *of_connector; /* as connectors->items; NULL: not counted */
	_Atomic uint64_t mapping_misfits;
};

struct operation_filter {
	struct str name;
	struct str value;
};

enum operation_method {
	OPERATION_LIST,
	OPERATION_GET,
	OPERATION_DOWNLOAD, /* the file of one record, to the sink */
	OPERATION_WRITE,
	OPERATION_PROXY,  /* a native method of the connector */
	OPERATION_CUSTOM, /* any path of the ATS */
};

/* What the ATS is asked in its own terms. The filters of the operation are its query. */
struct operation_native {
	enum http_method verb; /* of the request */
	/* Proxy: the native method; empty: the one which the operation's id names, or else the one
	 * that the verb stands for. */
	struct str name;
	struct str path; /* custom: under the base URL, with its escapes */
	struct str body;
	struct http_source *source; /* NULL, or where the body comes from instead */
	struct str content_type;
};

/* A file that comes with a write, as a stream. */
struct operation_upload {
	struct http_source *source;
	bool has_slack; /* as that of a form's file (io/http) */
	/* What stands for the bytes in the request's body: nothing else can be equal to it. */
	struct str token;
};

/* What is known of a file before its bytes. */
struct operation_file {
	int status;
	struct str content_type; /* empty: not known */
	struct str disposition;
	struct str encoding;
	int64_t length; /* or HTTP_LENGTH_UNKNOWN */
};

/* Where the bytes of an answer go that is a file, as they come; no more than a small window of
 * them is in memory. NULL functions are not there to be called: a sink has both. */
struct operation_sink {
	/* Once, before the first byte; nothing can be tried again after it. */
	void (*begin)(struct operation_sink *sink, const struct operation_file *file);
	bool (*write)(struct operation_sink *sink, struct str bytes, struct error *err);
	bool wants_no_bytes; /* only to know of them */
	bool has_begun;
};

/* What became of a call of a write in an earlier attempt at the same write. */
enum journal_state {
	JOURNAL_NONE,	 /* it was not sent */
	JOURNAL_DONE,	 /* it was done, and *result is what it answered */
	JOURNAL_UNKNOWN, /* it was sent at *sent_ms, and what it did is not known */
};

/* Keeps what a write did, so that it can be taken up again after a crash or a lost answer without
 * doing anything twice. Calls are numbered from 0 in the order in which the same body always makes
 * them. NULL functions are not there to be called: a journal has all three. */
struct operation_journal {
	enum journal_state (*find)(struct operation_journal *journal, size_t number,
				   struct arena *arena, struct json *result, int64_t *sent_ms);
	/* Durable before it returns true; false with *err: the call must not be sent. */
	bool (*begin)(struct operation_journal *journal, size_t number, int64_t now_ms,
		      struct error *err);
	/* `result` undefined: it was certainly not done. */
	bool (*end)(struct operation_journal *journal, size_t number, struct json result,
		    struct error *err);
};

/* Who wants only so much of a list: asked for each record in turn, before it is taken. False ends
 * the page before it, and next_cursor goes on with it; but the first is always taken. */
struct operation_budget {
	bool (*has_room)(struct operation_budget *budget, struct json record);
};

/* Told while an operation runs: native calls that were answered so far, and records. In the
 * operation's fiber; it may write to the caller. */
struct operation_progress {
	void (*told)(struct operation_progress *progress, uint32_t calls, size_t records);
};

/* Who knows answers of the ATS again, so that they need not be mapped. A page is then made of one
 * answer, and asked about where that says all that the records are made of
 * (operation_result.answer). */
struct operation_memory {
	/* True when the list's page need not be made, for it would be the one that was made of the
	 * same answer; *next_cursor is the one of that. In the operation's fiber. */
	bool (*knows)(struct operation_memory *memory, struct arena *arena, struct str answer,
		      struct str *next_cursor);
};

/* A field by which a list is sorted. */
struct operation_sort {
	struct str path;
	bool is_descending;
};

enum {
	OPERATION_LIMIT_MAX = 1000,
	OPERATION_SORTS_MAX = 4,
};

struct operation {
	const struct account *account;
	struct str resource; /* of the unified model; of a proxy the connector's own */
	enum operation_method method;
	struct str id; /* get, writes of one record, and proxies */
	const struct operation_native *native; /* proxy and custom */
	struct operation_sink *sink; /* download, proxy and custom; NULL: files are held whole */
	/* Writes: "create", "update", "delete", or a custom method; the request's body, an object,
	 * or undefined where there was none. */
	struct str write;
	struct json body;
	const struct operation_upload *upload; /* NULL: no file comes with it */
	bool dry_run; /* writes, of a proxy too: tell what would be sent, and send nothing */
	bool is_traced;				/* the result tells the native calls */
	bool is_raw; /* the ATS's own pages are wanted: no filter may be applied to them here */
	struct operation_journal *journal;	/* NULL: nothing is kept */
	const struct operation_filter *filters; /* names as the caller wrote them */
	size_t filter_count;
	int64_t limit;     /* 1 to OPERATION_LIMIT_MAX */
	struct str cursor; /* empty: from the start */
	bool expand;       /* fetch what a partial list lacks, record by record */
	bool remote_data;  /* each record carries the ATS's own */
	/* Of reads: names of fields and dotted paths, parted by commas; empty: all, and none. */
	struct str fields;
	struct str exclude_fields;
	struct str key_by; /* list: path of what the records are keyed by; empty: they are a list */
	/* List: the order of the records; of those that are equal by one the next decides. */
	struct operation_sort sorts[OPERATION_SORTS_MAX];
	size_t sort_count;
	/* Of reads: query parameters for the ATS's own calls, as they are. */
	const struct operation_filter *remote_query;
	size_t remote_query_count;
	/* Of unified methods: in place of the overrides which the account has; NULL: by these. */
	const struct overriding *overriding;
	struct operation_budget *budget;     /* lists, unified or proxied; NULL: the limit alone */
	struct operation_progress *progress; /* NULL: nobody wants to know */
	struct operation_memory *memory;     /* lists; NULL: all is mapped */
	/* Nobody waits for it: all others go first, and while there are any it takes at most this
	 * share of the account's rate limit. */
	bool is_background;
	int64_t share_percent;
	int64_t deadline_ns;
};

/* An ATS's own account of how much it may be called, whatever it calls its headers. Numbers as
 * texts; empty: not said. */
struct rate_limit {
	struct str limit; /* "110", or with its window, "110;w=10" */
	struct str remaining;
	struct str reset; /* seconds from now on */
};

/* One try of a native call. */
struct operation_trace {
	enum http_method verb;
	struct str url;	  /* without credentials, which travel in headers */
	int status;	  /* 0: no answer */
	struct json body; /* undefined: none, or none that is JSON */
	bool is_page;	  /* of the list, or the record, that was asked for */
	size_t bytes;
	int64_t duration_ns;
};

enum { OPERATION_TRACE_MAX = 200 };

/* What an ATS's error tells besides. Members are undefined where it tells nothing of the kind. */
struct remote_insight {
	struct json headers;        /* object: those that are worth telling */
	struct json missing_fields; /* array: what it wants and did not get, by its own names */
	struct json missing_rights; /* array, may be empty: the credential lacks a right */
};

struct operation_result {
	struct json items;      /* list: array of records */
	struct json keyed;	/* list with key_by: the same by their keys; else undefined */
	struct json item;	/* get; a write: the record, {"id"} of a delete; a dry run */
	struct str next_cursor; /* empty: the end */
	/* Of a list with a memory: by which its page is known again, 16 bytes; empty where it was
	 * made of what may be otherwise the next time. */
	struct str answer;
	bool is_known; /* to the memory: there are no items */
	bool is_partial;
	/* Per field of the resource: where records are partial, it is told otherwise than where
	 * they are whole; NULL: none. */
	const bool *is_rough;
	/* Proxy (but for a list and a dry run) and custom: the ATS's answer as it came, unless
	 * the sink has it; status 0: none. */
	int status;
	struct str body;
	struct str content_type; /* empty: the ATS did not say */
	/* What the ATS last said of its own rate limit. */
	struct rate_limit rate_limit;
	/* Where the time went, and what it took. */
	int64_t upstream_ns; /* waiting for the ATS */
	int64_t wait_ns;     /* for the account's rate limit, and between tries */
	uint32_t calls;
	uint32_t retries;
	/* The native method of a proxy, once it is known which. */
	const struct native_method *native;
	uint32_t further_pages; /* native ones after the first of each native list */
	size_t streamed; /* records of pages that went out before this one */
	/* Of a traced operation, the first OPERATION_TRACE_MAX. */
	struct operation_trace *trace;
	size_t trace_count;
	/* The ATS's own error, where one came. */
	int remote_status; /* 0: none */
	struct str remote_body;
	struct remote_insight remote_insight;
};

/* In a fiber. Everything in *result lives in the arena; the ATS's own error is in it also when the
 * operation fails.
 *
 * When it fails after its sink has begun, what the sink got is not the whole.
 *
 * A list may be shorter than the limit and still have a next_cursor: when the native calls, the
 * time or the memory that one operation may take were used up, and with operation.memory after each
 * of the ATS's own pages. It never passes the limit. One that
 * is sorted here is read whole for each page; ERROR_LIMIT when it is too long for that.
 *
 * Errors: ERROR_INVALID (bad filter, cursor, limit: the field is named; or the ATS refused the
 * request, 400 and 422), ERROR_NOT_SUPPORTED (allowed: what this ATS has), ERROR_NOT_FOUND,
 * ERROR_UNAUTHORIZED (the ATS refused the credential; the account now needs_reauth),
 * ERROR_OUTCOME_UNKNOWN (a write may have been done, and reading could not tell),
 * ERROR_FORBIDDEN, ERROR_CONFLICT, ERROR_RATE_LIMITED (with retry_after_ms), ERROR_UPSTREAM,
 * ERROR_TIMEOUT, ERROR_LIMIT (also for an override that takes more than it may: its field is
 * named). err->remote_status is set when the ATS said so. */
bool operation_run(const struct operation_services *services, struct arena *arena,
		   const struct operation *operation, struct operation_result *result,
		   struct error *err) MUST_CHECK;

/* A unified record that somebody keeps. */
struct operation_kept {
	int64_t number;	    /* their order; from 1 */
	struct json record; /* undefined: it is there no more */
	bool is_partial;
};
/* Who keeps records of one resource of one account. */
struct operation_keeper {
	/* Those past `after` in their order, at most `limit`; fewer only at the end. */
	bool (*walk)(struct operation_keeper *keeper, struct arena *arena, int64_t after,
		     size_t limit, struct operation_kept **list, size_t *count, struct error *err);
	/* By their numbers, in the order of these. */
	bool (*fetch)(struct operation_keeper *keeper, struct arena *arena, const int64_t *numbers,
		      size_t count, struct operation_kept *list, struct error *err);
	/* ERROR_NOT_FOUND. */
	bool (*find)(struct operation_keeper *keeper, struct arena *arena, struct str id,
		     struct operation_kept *kept, struct error *err);
	bool wants_total; /* of a list */
	int64_t known;	  /* how many there are, filters aside; -1: not known */
	int64_t total;	  /* set: how many the filters leave */
};
/* As operation_run() of a list or get, but over these records: the ATS is not asked for anything.
 * Its cursors are good for it alone, and are known by operation_is_kept_cursor().
 * ERROR_NOT_SUPPORTED: what is asked for cannot be told of these records (the field is named). */
bool operation_run_kept(const struct operation_services *services, struct arena *arena,
			const struct operation *operation, struct operation_keeper *keeper,
			struct operation_result *result, struct error *err) MUST_CHECK;
bool operation_is_kept_cursor(struct str cursor);

/* The native method that a proxy's operation means; NULL: there is none. */
const struct native_method *operation_native(const struct operation_services *services,
					     const struct operation *operation);

/* What other overrides would make of one record. */
struct operation_preview {
	const struct overriding *draft;
	struct str table;   /* of a given record: its field table; empty: the method's first */
	struct json record; /* the ATS's own: given, or undefined and then what was got */
	struct json before; /* with the overrides that the account has */
	struct json after;  /* with the drafts */
	struct json errors; /* of these: [{"field", "layer", "code", "message", "position", "token"}] */
};
/* As operation_run() of a list or get. With a record given nothing is asked of the ATS, so that
 * $reference() finds nothing; else the operation is a get. */
bool operation_preview(const struct operation_services *services, struct arena *arena,
		       const struct operation *operation, struct operation_preview *preview,
		       struct operation_result *result, struct error *err) MUST_CHECK;

/* Who applies a filter, at best of all ways to answer the method, from worst to best. */
enum operation_filtering {
	FILTERING_NOT,	    /* it is refused by name */
	FILTERING_EXPANDED, /* tenon, which must fetch each record for it */
	FILTERING_CHECKED,  /* tenon, over the records of the ATS's list */
	FILTERING_ASKED,    /* the ATS */
};
/* `method`: the resource's list or get. */
enum operation_filtering operation_filtering(const struct unified_resource *resource,
					     const struct unified_method *method,
					     const struct model_filter *filter);

/* Checks an account's context alone against its connector's fields. */
bool operation_check_context(const struct operation_services *services, struct arena *arena,
			     const struct account *account, struct error *err) MUST_CHECK;

/* Checks an account's context and credential against its connector's fields (field named in the
 * error), and with its probe against the ATS. The account need not be stored yet. A probe which
 * the ATS answers with 401, 403 or 404 is an ERROR_INVALID too, of the field to look at first.
 * *result tells the times, and the ATS's own error. */
bool operation_validate(const struct operation_services *services, struct arena *arena,
			const struct account *account, struct json credential, int64_t deadline_ns,
			struct operation_result *result, struct error *err) MUST_CHECK;

/* Tries the credential that a stored account has, and moves the account to what came of it: active
 * (and then as operation_install()), needs_reauth or validation_error. *account is as it is then.
 * Nothing is done where it is active already. */
bool operation_check_again(const struct operation_services *services, struct arena *arena,
			   struct account *account, int64_t deadline_ns,
			   struct error *err) MUST_CHECK;

/* Of an active account that was linked just now: the connector's `post_install`, where it has one.
 * What it gives is in the stored account's context, and in *account, afterwards; when it fails the
 * account has post_install_error, and the reason is logged. It is linked all the same. */
void operation_install(const struct operation_services *services, struct arena *arena,
		       struct account *account, int64_t deadline_ns);

#endif
