/* Connectors: the definition of one ATS as data (connectors/<name>/), compiled at load into what
 * an operation needs, with every fault of a definition reported with file, line and what is
 * allowed. docs/connectors.md describes the files. All of it is immutable and shared. */
#ifndef ATS_CONNECTOR_CONNECTOR_H
#define ATS_CONNECTOR_CONNECTOR_H

#include "ats/model/model.h"
#include "io/http/http.h"
#include "lang/jsonata/jsonata.h"

/* "/candidates/{id}/notes": texts and names in turn. Names are looked up by whoever expands. */
struct template_part {
	bool is_name;
	struct str text;
};
struct template {
	const struct template_part *parts;
	size_t count;
};

/* A field which the one who links an account fills in. */
struct connector_field {
	struct str name;
	struct str label;
	struct str help;
	bool is_secret;
	bool is_required;
	struct str placeholder;
	struct str pattern;          /* as written */
	const struct jsonata *check; /* true when the text ($) fits the pattern; NULL: none */
};

/* --- credentials ---------------------------------------------------------------------------- */

#define CREDENTIAL_KIND_TABLE(ROW)                          \
	ROW(CREDENTIAL_API_KEY, "api_key")                  \
	ROW(CREDENTIAL_BASIC, "basic")                      \
	ROW(CREDENTIAL_OAUTH2, "oauth2")                    \
	ROW(CREDENTIAL_OAUTH2_CLIENT, "oauth2_client_credentials")
enum credential_kind {
#define ROW(code, name) code,
	CREDENTIAL_KIND_TABLE(ROW)
#undef ROW
};

/* Goes with every call: a header, or a parameter of the query. */
struct connector_header {
	struct str name;
	struct template value; /* names: credential fields, and access_token */
	bool is_basic;	       /* "Basic ", and the value in base64 */
};

/* How a token is got. The templates' names are fields of the context. */
struct connector_oauth {
	struct template authorize_url; /* none of client credentials */
	struct template token_url;
	struct str issuer;	    /* what `iss` of a callback must be; empty: not known */
	const struct str *scopes;
	size_t scope_count;
	struct str scope_separator;
	bool is_client_in_body; /* the client shows its secret in the body, not in a header */
	const struct http_field *authorize_params;
	size_t authorize_param_count;
	const struct http_field *token_params;
	size_t token_param_count;
};

/* One way to prove to an ATS that one may. */
struct connector_format {
	struct str name; /* of its kind */
	enum credential_kind kind;
	const struct connector_field *fields; /* what is filled in; tokens are not among them */
	size_t field_count;
	const struct connector_header *headers; /* the connector's own among them */
	size_t header_count;
	const struct connector_header *query;
	size_t query_count;
	struct connector_oauth oauth; /* of the two kinds of OAuth */
};
/* When no token of it is there yet: one is got at the first call. */
static inline int64_t connector_expires_ms(const struct connector_format *format)
{
	return format->kind == CREDENTIAL_OAUTH2_CLIENT ? 1 : 0;
}
/* Tokens are kept beside the fields, under these names. */
#define CONNECTOR_ACCESS_TOKEN "access_token"
#define CONNECTOR_REFRESH_TOKEN "refresh_token"
static inline bool connector_is_oauth(const struct connector_format *format)
{
	return format->kind == CREDENTIAL_OAUTH2 || format->kind == CREDENTIAL_OAUTH2_CLIENT;
}

struct connector_limits {
	int64_t requests;    /* within per_seconds; 0: no limit */
	int64_t per_seconds;
	bool is_window;      /* no stretch of per_seconds has more; else a bucket which refills */
	int64_t concurrent;  /* calls under way at once, per account */
};

enum page_style { PAGE_NONE, PAGE_OFFSET, PAGE_NUMBER, PAGE_CURSOR, PAGE_LINK };

struct connector_page {
	enum page_style style;
	struct str limit_name;    /* query parameter for the page size; empty: none */
	struct str position_name; /* query parameter: offset, page number, or cursor */
	int64_t size;             /* asked for when the caller does not say */
	int64_t size_max;
	int64_t first;            /* number of the first page (PAGE_NUMBER) */
	struct str cursor_path;   /* dotted path of the next cursor in the body (PAGE_CURSOR) */
	/* A stable order of the list, which lets tenon resume after the last record seen although
	 * records are created and deleted meanwhile. Empty order_by: none is promised. */
	struct str order_by;      /* member of a native record, compared as text */
	bool is_descending;
	int64_t overlap;          /* records read again before the resumed place (PAGE_OFFSET) */
};

enum native_type { NATIVE_TEXT, NATIVE_INTEGER, NATIVE_NUMBER, NATIVE_BOOLEAN, NATIVE_DATE_TIME };

struct native_parameter {
	struct str name;
	enum native_type type;
	bool is_required;
	struct str describe;
};

struct native_method {
	struct str resource;  /* "candidates" */
	struct str name;      /* "list" */
	enum http_method verb;
	struct template path; /* names: path parameters, then context fields */
	struct connector_page page;
	struct str items;     /* dotted path of the list in the body; empty: the body itself */
	struct str item;      /* dotted path of the record (no list) */
	bool is_list;
	const struct native_parameter *query;
	size_t query_count;
	const struct model_field *body; /* members of the request's body; none: it has no body */
	size_t body_count;
	bool is_form; /* the body is multipart/form-data: nested members are named a[b] */
	/* Sent twice it does what it does once: it may be tried again when a connection broke. */
	bool is_repeatable;
	bool is_destructive; /* it takes away or replaces what was there */
	struct str describe;
	struct str tool; /* its name as a tool (ats/tool); empty: the usual one */
};

/* A word that stands for several native resources. */
struct connector_tag {
	struct str name;
	const struct str *resources;
	size_t resource_count;
};

/* Where an argument of a native call comes from: a filter of the operation (or "id"), passed
 * through an expression where there is one ($ is the filter's text). The loader sees to it that
 * each path parameter of the method has its argument, and that its filter is "id" or one of the
 * alternative's `when`. */
struct call_argument {
	struct str name; /* path parameter or query parameter of the native method */
	bool is_path;
	struct str filter;       /* empty: constant */
	struct json constant;
	const struct jsonata *value; /* NULL: the text as it is */
	const char *origin; /* whose override this is: `value` with the filters as its $; NULL: of
			     * nobody, the connector says it */
};

struct unified_map_entry {
	size_t field; /* index into the model resource's fields */
	const struct jsonata *expression;
	const char *origin; /* "the account's override"; NULL: the connector's own */
};
/* An override of something within a field: its value is put there after all entries. */
struct unified_map_part {
	size_t field;
	struct str path; /* dotted, below the field; of custom_fields an item's id or name */
	const struct jsonata *expression;
	const char *origin;
};
/* Variables of mapping expressions, in this order: $record (the native record from which `each`
 * took this one; else the same as $), $context (of the account), $query (the operation's
 * filters by name), $body (the whole response; of a write the request's body), and of writes
 * besides $id (the record's id, from the path or the body), $result (what the first call
 * answered), $sent (the body that a call sent) and $since (when, as RFC 3339, less a minute for
 * the difference of clocks) and $steps (what the reads of the write gave, by name). Native
 * functions:
 *   $reference(type, id)  the sideloaded or looked-up record; nothing when there is none, or when
 *                         jsonata_context.native_context (a struct reference_index) is NULL
 *   $plain_text(html)     an HTML text without its tags, entities resolved
 *   $clean_html(html)     the same HTML with nothing in it but formatting and links
 * Every expression of a connector knows all of them; those that are not mappings simply find
 * nothing in variables that are JSON_UNDEFINED. */
extern const struct str connector_variables[];
enum {
	CONNECTOR_VARIABLE_RECORD,
	CONNECTOR_VARIABLE_CONTEXT,
	CONNECTOR_VARIABLE_QUERY,
	CONNECTOR_VARIABLE_BODY,
	CONNECTOR_VARIABLE_ID,
	CONNECTOR_VARIABLE_RESULT,
	CONNECTOR_VARIABLE_SENT,
	CONNECTOR_VARIABLE_SINCE,
	CONNECTOR_VARIABLE_STEPS,
	CONNECTOR_VARIABLES
};
extern const struct jsonata_native connector_natives[];
extern const size_t connector_native_count;

struct unified_map {
	struct str name; /* "map", or another name of the file */
	const struct unified_map_entry *entries;
	size_t count;
	bool is_pure;	    /* as of a call */
	bool is_overridden; /* some entry has an origin, or there are parts */
	const struct unified_map_part *parts;
	size_t part_count;
};

/* A call which gives all of a record that a list tells only a part of. */
struct unified_detail {
	const struct native_method *method; /* NULL: the list tells all that is wanted */
	const struct detail_argument {
		struct str name;             /* path parameter */
		const struct jsonata *value; /* listed record -> its value */
	} *arguments;
	size_t argument_count;
};

/* One native call that feeds a unified method. */
struct unified_call {
	const struct native_method *method;
	const struct call_argument *arguments;
	size_t argument_count;
	struct unified_detail detail;
	const struct jsonata *each; /* native record -> the records in it; NULL: itself */
	const struct unified_map *map;
	bool is_optional; /* refused by the ATS it gives nothing, and the reply is partial */
	/* Its records follow from the native ones, what they refer to, the account's context and
	 * the filters alone: no clock, no chance, nothing else of the body. */
	bool is_pure;
};

/* A side list which $reference() may need: fetched once per operation when `when` ($ = the body)
 * is true, and its records found under `type` by their member `key`. */
struct unified_lookup {
	struct str type;
	const struct native_method *method;
	const struct call_argument *arguments;
	size_t argument_count;
	const struct jsonata *each; /* native record -> the records in it; NULL: itself */
	struct str key;             /* "id", if the file says nothing else */
	const struct jsonata *when; /* NULL: always */
};

/* A filter whose value is what stands at a path of the record. */
struct unified_path {
	struct str filter;
	struct str path;
};

/* An order in which the ATS itself gives its list. */
struct unified_sort {
	struct str path; /* of the unified record */
	bool is_descending;
	const struct http_field *query; /* what asks for it; none: the list comes so */
	size_t query_count;
};

/* One way to answer a method. Of the alternatives all of whose `when` filters are given, the first
 * whose calls take every filter given is used; else the first to whose records tenon can apply the
 * rest; else the first for which it must fetch the records whole. The calls follow one another. */
struct unified_alternative {
	const struct str *when;
	size_t when_count;
	const struct unified_call *calls;
	size_t call_count;
	const struct str *matches; /* filters to apply although the calls take them */
	size_t match_count;
	/* Paths of the record that are null in all of these for want of something, though the ATS
	 * may know: no filter can be applied to what begins so. */
	const struct str *unknowns;
	size_t unknown_count;
	const struct unified_sort *sorts;
	size_t sort_count;
	const struct unified_lookup *lookups;
	size_t lookup_count;
	/* Filters by which a get finds a record of this alternative again, with all its fields. */
	const struct unified_path *expands;
	size_t expand_count;
	const bool *is_absent; /* per field of the model resource (remote_x goes with its x); NULL:
				* nothing is missing */
	bool is_partial;
	/* A list which some accounts give with fewer members: where maybe_absent_when ($ = the
	 * body) is true, is_maybe_absent holds instead of is_absent, which it includes. */
	const struct jsonata *maybe_absent_when; /* NULL: never */
	const bool *is_maybe_absent;
	/* get only: the record is looked for among all that the calls list, at most so many native
	 * calls; 0: the call itself gives the one record. */
	int64_t find_calls_max;
};

struct unified_method {
	const struct unified_alternative *alternatives;
	size_t count; /* 0: the ATS cannot do it */
};

/* --- writes --------------------------------------------------------------------------------- */

/* A value of a native request, made of the unified one: an expression, a constant, or members. */
struct write_value {
	struct str name;		  /* the parameter or member that it becomes */
	bool is_path;			  /* a path parameter; else of the query or the body */
	const struct jsonata *expression; /* NULL: constant or members */
	struct json constant;
	const struct write_value *members;
	size_t member_count;
	/* What of the unified body it is made of first: named when the ATS cannot take it. */
	struct str field;
	const char *origin; /* as of a map's entry */
	bool is_field; /* it is that field, or something in it, and nothing else */
};

/* How to find out whether a call which broke was done: the one record in a list for which
 * `match` is true is what it made. */
struct write_search {
	const struct native_method *method;
	const struct write_value *arguments;
	size_t argument_count;
	const struct jsonata *each; /* listed record -> the records in it; NULL: itself */
	const struct jsonata *match;
};

/* What must hold before a call is made; where it does not, the write is refused. */
struct write_check {
	const struct jsonata *unless; /* $ as in the call's body */
	struct str field;
	struct str message;
};

/* One native call of a write, or one for each of the items that `each` gives. */
struct write_step {
	/* NULL: the record itself is read, by `record`; or nothing is called, only checked */
	const struct native_method *method;
	/* What the step reads is the member of this name in $steps; empty: the step writes. */
	struct str as;
	const struct write_value *record; /* arguments of the resource's get: id, and filters */
	size_t record_count;
	const struct jsonata *take; /* what was read -> what is kept of it; NULL: all */
	const struct write_check *checks;
	size_t check_count;
	const struct jsonata *when; /* $ = the request's body: is it made? NULL: always */
	const struct jsonata *each; /* $ = the request's body; NULL: one call, for the body */
	const struct write_value *arguments;
	size_t argument_count;
	const struct write_value *body;
	size_t body_count;
	const struct write_search *search; /* NULL: what a broken call did cannot be found out */
};

struct unified_write {
	const struct model_method *model;
	const bool *is_taken; /* per field of the model's body: this ATS has a place for it */
	const struct write_step *steps;
	size_t step_count;
	/* Of what was written the answer is made: by the get of the resource with these arguments
	 * (one is the id), or, where there are none, of the first step's answer by `map`. */
	const struct write_value *answer;
	size_t answer_count;
	const struct unified_map *map; /* NULL: the answer is the id alone */
};

/* Where the ATS has the file that a record is. */
struct unified_download {
	const struct jsonata *address; /* native record -> its present address; NULL: no files */
	const struct unified_path *filters; /* for the get, and where the record tells them */
	size_t filter_count;
};

/* How a copy of it is kept fresh. */
struct unified_sync {
	/* The list is given only under each record of another resource, whose id this filter takes;
	 * both empty: as a whole. */
	struct str each;
	struct str parent;
	struct str since; /* filter that finds new records, where none finds changed ones */
	/* Per field of the model resource: partial lists tell it otherwise than get; NULL: none. */
	const bool *is_rough;
};

struct unified_resource {
	const struct model_resource *model;
	const struct unified_map *maps; /* what calls and writes refer to */
	size_t map_count;
	struct unified_download download;
	struct unified_method list;
	struct unified_method get;
	const struct unified_write *writes;
	size_t write_count;
	struct unified_sync sync;
	uint64_t digest; /* of all files that say how it is mapped: the model's among them */
};

/* --- linking -------------------------------------------------------------------------------- */

/* What the link page tells of one way to give a credential. */
struct connector_guide {
	struct str format; /* "api_key" */
	struct str label;  /* empty: none */
	struct str help;
	struct str picture; /* a file of link/, as "token.svg"; empty: none */
	struct str url;
};

/* What an ATS's answer to the probe means, in the words that the link page knows. */
struct connector_reason {
	const char *reason;
	const struct jsonata *when; /* $ = {"status", "body"} */
};

struct connector;
/* Of a context the members which the connector asks for; what else there is is the software
 * company's own. */
struct json connector_asked_context(struct arena *arena, const struct connector *connector,
				    struct json context);

/* The words of link.reasons, ended by NULL. */
extern const char *const connector_reasons[];

enum connector_choice_type { FORM_SINGLE_SELECT, FORM_MULTI_SELECT, FORM_TEXT, FORM_BOOLEAN };
extern const char *const connector_choice_types[]; /* their names, ended by NULL */

/* A question which is asked once the account is linked; the answer goes into its context. */
struct connector_choice {
	struct str name;
	struct str label;
	struct str help;
	enum connector_choice_type type;
	bool is_required;
	/* Where the options come from: a unified list of the account; empty: there are none. */
	struct str resource;
	struct str value_path; /* of a record */
	struct str label_path;
	/* Filters of that list, whose values are the answers of other fields. */
	const struct connector_depends {
		struct str filter;
		struct str field;
	} *depends;
	size_t depend_count;
	uint32_t line;
};

struct connector_link {
	struct str logo; /* a file of link/; empty: none */
	const struct str *languages; /* "nl": link/nl.json has the page's texts in it */
	size_t language_count;
	const struct connector_guide *guides;
	size_t guide_count;
	const struct connector_reason *reasons;
	size_t reason_count;
	const struct connector_choice *choices; /* the form of `post_connect` */
	size_t choice_count;
};

/* What is asked once an account is linked: a call that needs nothing, and what its answer gives to
 * the account's context. */
struct connector_install {
	const struct native_method *method; /* NULL: nothing is asked */
	const struct connector_install_member {
		struct str name;
		const struct jsonata *value; /* $ = the record of the answer */
	} *members;
	size_t member_count;
};

/* How a notification of the ATS shows that it comes from there. */
enum connector_proof {
	CONNECTOR_PROOF_HMAC_SHA256, /* of the body, under the secret */
	CONNECTOR_PROOF_TOKEN,	     /* the secret itself */
	CONNECTOR_PROOF_NONE,	     /* nothing does: whoever knows the address is believed */
};
extern const char *const connector_proofs[]; /* their names, ended by NULL */

/* The ATS's own notifications: $ of its expressions is the body. */
struct connector_webhooks {
	bool is_there; /* the ATS has some */
	struct str help; /* where in the ATS the address is entered */
	enum connector_proof proof;
	struct str header; /* that has the proof */
	bool is_base64;	   /* else in hex */
	struct str prefix; /* of the header's value: "sha256=" */
	const struct jsonata *test;  /* true: it only tries the address, unsigned; NULL: none */
	const struct jsonata *id;    /* the same when it is sent again; NULL: the body is */
	const struct jsonata *event; /* what it calls what happened, for people; NULL: nothing */
	const struct jsonata *hints; /* [{resource, id} or {resource, filter: {name: value}}] */
};

/* What a member of the ATS's own records, at any depth, tells of people. */
struct connector_personal {
	struct str name;
	enum model_pii kind;
};

struct connector {
	struct str name;
	struct str label;
	struct template base_url; /* names: context fields */
	const struct connector_field *context;
	size_t context_count;
	const struct connector_format *formats; /* at least one; the first is the usual one */
	size_t format_count;
	struct connector_limits limits;
	struct connector_link link;
	const struct native_method *probe; /* a cheap call which proves a credential */
	struct connector_install install;
	struct connector_webhooks webhooks;
	const struct connector_personal *personal;
	size_t personal_count;
	struct str references_path; /* where sideloaded records stand in a body; empty: nowhere */
	struct str reference_type;  /* their member which tells the type */
	/* Of the body of an error; NULL: none. */
	const struct jsonata *error_message;  /* a text for people */
	const struct jsonata *missing_fields; /* of 400 and 422: names, or nothing */
	const struct jsonata *missing_rights; /* of 403: names, or nothing */
	const struct jsonata *rate_limited;   /* true: calls come too fast, whatever the status */
	const struct native_method *methods;
	size_t method_count;
	const struct connector_tag *tags;
	size_t tag_count;
	const struct unified_resource *resources;
	size_t resource_count;
	uint64_t digest; /* of connector.yaml */
};

/* Loads connectors/<name>/ into the arena. Every fault goes to *faults as a line
 * "<folder>/connector.yaml:12: …"; NULL then. Unified resources are read from
 * <folder>/<name of the model>/<resource>.yaml. */
const struct connector *connector_load(struct arena *arena, const struct disk *disk,
				       const char *folder, const struct model *model,
				       struct buffer *faults) MUST_CHECK;
const struct native_method *connector_find_method(const struct connector *connector,
						  struct str resource, struct str name);
const struct unified_resource *connector_find_resource(const struct connector *connector,
						       struct str resource);

/* NULL when the ATS cannot do it. */
const struct unified_write *connector_find_write(const struct unified_resource *resource,
						 struct str name);

/* All connectors of a folder, by name. */
struct connectors {
	const struct connector **items;
	size_t count;
};
bool connectors_load(struct arena *arena, const struct disk *disk, const char *folder,
		     const struct model *model, struct connectors *out,
		     struct buffer *faults) MUST_CHECK;
/* ERROR_NOT_FOUND (field "connector", allowed: the names). */
const struct connector *connectors_find(const struct connectors *connectors, struct str name,
					struct error *err) MUST_CHECK;

/* The format of that name; empty: the first. ERROR_INVALID (field "authentication_method",
 * allowed: what there is). */
const struct connector_format *connector_find_format(const struct connector *connector,
						     struct str name, struct error *err) MUST_CHECK;

/* Is it a field of the context, which fills a place in a path by itself? */
bool connector_has_context(const struct connector *connector, struct str name);
/* Is it how the method's list is paged? Where a list is to go on is for its cursor to say. */
bool native_is_paging(const struct native_method *method, struct str name);
/* Does some way to list the resource leave fields out that single records have? */
bool unified_has_partial_list(const struct unified_resource *resource);

/* An HTML text without its tags, as $plain_text() gives it; one without a tag stays as it is, with
 * its lines. */
struct str connector_plain_text(struct arena *arena, struct str text);

/* What $reference() looks into: records by type and id, built once per page. */
struct reference_index;
struct reference_index *reference_index_create(struct arena *arena);
/* Adds the records of an array; `type` empty: each record's own member `type_member` tells. They
 * are found by their id. */
void reference_index_add(struct reference_index *index, struct json records, struct str type,
			 struct str type_member);
/* The same, found by another member. */
void reference_index_add_by(struct reference_index *index, struct json records, struct str type,
			    struct str key);
/* JSON_UNDEFINED when there is none. `id` is a number or a text; 12 and "12" are the same. */
struct json reference_index_find(const struct reference_index *index, struct str type,
				 struct json id);

/* Expands a template: each name is looked up in `lookup` (false: it has none, which is an
 * ERROR_INTERNAL); when `encode`, values are percent-encoded. */
bool template_expand(const struct template *template, struct buffer *out, bool encode,
		     bool (*lookup)(void *context, struct str name, struct str *value),
		     void *context, struct error *err) MUST_CHECK;

#endif
