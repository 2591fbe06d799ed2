/* What sandbox.yaml says, read and compiled: collections, views of their records, routes, texts
 * of errors. Immutable once read. */
#ifndef APP_SANDBOX_DEFINITION_H
#define APP_SANDBOX_DEFINITION_H

#include "app/sandbox/sandbox.h"
#include "lang/jsonata/jsonata.h"
#include "lang/yaml/yaml.h"

/* What an expression can name with a dollar sign. */
#define VARIABLE_TABLE(ROW)                                                                \
	ROW(VARIABLE_DATA, "data")     /* the data files, by their names */                \
	ROW(VARIABLE_SHAPE, "shape")   /* of the answers */                                \
	ROW(VARIABLE_COMPANY, "company")                                                   \
	ROW(VARIABLE_CANDIDATES, "candidates") /* how many were asked for */               \
	ROW(VARIABLE_BASE, "base")     /* "http://HOST"; in views only */                  \
	ROW(VARIABLE_ID, "id")         /* of the record */                                 \
	ROW(VARIABLE_INDEX, "index")   /* of the record in its collection, from 0 */       \
	ROW(VARIABLE_NTH, "nth")       /* of the record among its parent's, from 0 */      \
	ROW(VARIABLE_SIZE, "size")     /* how many records the collection began with */    \
	ROW(VARIABLE_PARENT, "parent") /* the parent record as it was made */              \
	ROW(VARIABLE_VALUE, "value")   /* of the parameter, in a filter */                 \
	ROW(VARIABLE_RECORD, "record") /* the record that the path names, in a route */    \
	ROW(VARIABLE_QUERY, "query")   /* the query, in a route */                         \
	ROW(VARIABLE_PARTS, "parts")   /* what stood at each {name} of the path */         \
	ROW(VARIABLE_TOTAL, "total")   /* how many records a list has on all pages */      \
	ROW(VARIABLE_OWNER, "owner")   /* id of the record that the token belongs to */    \
	ROW(VARIABLE_SET, "set")       /* what a write gives a new record, in `new` */     \
	ROW(VARIABLE_BODY, "body")     /* the request's, read, in a write */               \
	ROW(VARIABLE_FETCHED, "fetched") /* the file that `fetch` brought */               \
	ROW(VARIABLE_LET, "let")       /* the values of `let` */                           \
	ROW(VARIABLE_ITEM, "item")     /* one of a step's `for` */                         \
	ROW(VARIABLE_DONE, "done")     /* what the steps before made and changed */        \
	ROW(VARIABLE_NOTICE, "notice") /* number, at, attempt and value, in a webhook's body */

enum variable {
#define ROW(variable, name) variable,
	VARIABLE_TABLE(ROW)
#undef ROW
		VARIABLES
};

enum expression_kind { EXPRESSION_NONE, EXPRESSION_CONSTANT, EXPRESSION_MEMBER, EXPRESSION_CODE };

/* A value of the definition: a constant (what YAML reads as no text), the name of a member of
 * the input, or JSONata. */
struct expression {
	enum expression_kind kind;
	uint32_t line;
	struct json constant;
	struct str text;
	uint32_t member_hash;
	const struct jsonata *code;
};

struct field {
	struct str name;
	uint32_t name_hash;
	struct expression value;
	const struct expression *fresh; /* of a made field: its value in a record that a write
					 * creates; NULL: as in the others */
	bool is_working; /* name begins with "_": for the fields after it, not kept */
	bool is_hiding;  /* in a view: a made field has this name, and is what others see */
};

struct field_table {
	struct field *items;
	size_t count;
};

/* One way to show a record. */
struct view {
	struct str name;
	size_t number;            /* in its collection */
	struct field_table fields; /* those of the view which it extends come first */
	bool is_sorted;           /* keys in the order of the alphabet */
	bool is_volatile;         /* looks at other records too: any change makes it stale */
	bool is_alone;            /* looks at none but what hangs on the record */
	struct expression references; /* "collection/id" texts, nested as they like */
};

struct collection_definition {
	struct str name;
	size_t number;
	const struct collection_definition *parent; /* or NULL */
	size_t child_number;          /* among the children of its parent */
	size_t child_count;
	struct expression count;      /* with a parent: for each of its records */
	int64_t first_id;
	int64_t id_step;              /* 1: without gaps */
	bool shifts;                  /* page_shift works on it */
	bool is_shared;               /* others' views show it: stale when it changes */
	struct field_table made;
	struct field_table touch;     /* fields that change with it, and with what hangs on it */
	struct view *views;
	size_t view_count;
};

enum parameter_type {
	PARAMETER_TEXT, PARAMETER_FLAG, PARAMETER_INTEGER, PARAMETER_LIST, PARAMETER_INTEGERS,
	PARAMETER_TIME, PARAMETER_TYPES
};

struct filter {
	const char *parameter; /* repeated ones: "stage_ids[]" is the same as "stage_ids" */
	enum parameter_type type;
	struct expression where;
};

struct sort_key {
	struct str name;
	struct expression value;
	bool is_descending;
};

struct sorting {
	const char *parameter; /* NULL: the list is not sorted by wish */
	const char *order_parameter; /* "asc" or "desc"; may be NULL */
	const struct sort_key *initial; /* NULL: as the collection has it */
	struct sort_key *keys;
	size_t key_count;
};

/* A list of conditions as JSON in one parameter; see search.c. */
struct search {
	const char *parameter; /* NULL: none */
	const char *counts_parameter; /* repeated: facets whose values are to be counted */
	struct field_table facets;
};

struct paging {
	bool is_on;
	const char *limit;
	const char *offset; /* may be NULL */
	const char *page;   /* may be NULL */
	size_t initial;     /* 0: all */
	size_t max;         /* 0: no limit */
	bool is_error_over; /* past max: the error "page_limit"; else max is taken */
};

#define ANSWER_TABLE(ROW)                                                                       \
	ROW(ANSWER_NO_TOKEN, "no_token") ROW(ANSWER_BAD_TOKEN, "bad_token")                     \
	ROW(ANSWER_FORBIDDEN, "forbidden") ROW(ANSWER_NOT_FOUND, "not_found")                   \
	ROW(ANSWER_RATE_LIMITED, "rate_limited") ROW(ANSWER_SERVER_ERROR, "server_error")       \
	ROW(ANSWER_PAGE_LIMIT, "page_limit") ROW(ANSWER_REFUSED, "refused")                     \
	ROW(ANSWER_INVALID, "invalid")

/* Fixed replies; "{message}" in a body is replaced, in `invalid` also {messages} and {fields}. */
enum answer_kind {
#define ROW(kind, name) kind,
	ANSWER_TABLE(ROW)
#undef ROW
		ANSWERS
};

/* --- writes: see steps.c -------------------------------------------------------------------- */

/* What must hold before anything is written. All rules that give ANSWER_INVALID are looked at,
 * so that one answer names all that is wrong. */
struct rule {
	struct expression unless; /* when this is not true */
	enum answer_kind answer;
	const char *field;        /* of ANSWER_INVALID */
	const char *message;
};

enum step_kind { STEP_CREATE, STEP_UPDATE, STEP_DELETE, STEP_KINDS };

struct step {
	enum step_kind kind;
	uint32_t line;
	const struct collection_definition *collection; /* NULL: that of the path's record */
	struct expression when;  /* unless it is there and not true */
	struct expression each;  /* `for`: once for each item */
	struct expression id;    /* of what is changed; the path's record */
	struct expression under; /* id of the parent */
	struct field_table set;
	struct str *unset;
	size_t unset_count;
};

/* Of a write, for those who listen: the body of a webhook is made of its value. */
struct notice_definition {
	struct expression when;
	struct expression each; /* `for`: once for each item */
	struct expression value;
};

struct write {
	bool is_on;
	struct expression fetch; /* an address; what is there becomes $fetched */
	struct field_table let;
	struct rule *rules;
	size_t rule_count;
	struct step *steps;
	size_t step_count;
	struct notice_definition *notices;
	size_t notice_count;
};

/* How webhooks are sent: see webhook.c. */
struct webhook_definition {
	const char *header;     /* which carries the signature */
	const char *user_agent;
	struct str test;        /* the body of the call that tries an address */
	struct expression body; /* of a notice */
	int64_t *retry_s;       /* how long after each failure it is tried again */
	size_t retry_count;
};

enum { ROUTE_PART_MAX = HTTP_ROUTE_PARTS, ROUTE_CHOICES = 6 };

/* The collections in which a part of the path finds its record: the first that has the id. */
struct choices {
	const struct collection_definition *items[ROUTE_CHOICES];
	size_t count;
};

struct route_definition {
	enum http_method method;
	const char *pattern;
	uint32_t line;
	const char *parts[ROUTE_PART_MAX];
	size_t part_count;
	/* At most one of these; with none, `answer` alone makes the reply. */
	const struct collection_definition *list;
	struct choices get; /* named by the last part, or … */
	bool creates_what_it_gets; /* … created by the steps */
	struct choices record; /* named by the first part; 404 when missing */
	struct expression answer;
	int status; /* of a good answer; 200 */
	struct str envelope;
	struct expression view; /* a name, or an expression that gives one */
	struct expression where;
	bool is_newest_first;
	bool has_references;
	struct expression references; /* of an answer */
	const char *deleted; /* flag that lists what was deleted */
	struct filter *filters;
	size_t filter_count;
	struct sorting sorting;
	struct search search;
	struct paging paging;
	struct field_table extra; /* more members of the envelope */
	struct write write;
};

/* --- life: see change.c --------------------------------------------------------------------- */

/* A write as somebody who uses the ATS makes it, by one of the routes. */
struct change_call {
	const struct route_definition *route;
	uint32_t line;
	struct expression when;   /* unless it is there and not true */
	struct field_table parts; /* of the path, in its order */
	struct expression body;
};

/* One kind of thing that happens by itself in a sandbox that lives. */
struct change {
	struct str name;
	int64_t weight;          /* how often, beside the others */
	struct field_table let;
	struct expression when;  /* where it is not true, there is nothing to do it to */
	struct change_call *calls;
	size_t call_count;
};

struct answer {
	int status;
	struct str body;
	struct http_header *headers;
	size_t header_count;
};

/* What stands behind /files/…/NAME.EXTENSION */
struct file_kind {
	struct str extension;
	struct str content_type;
	struct str bytes;
};

struct definition {
	struct arena *arena;
	struct str name;          /* of the file, for messages */
	int64_t now_us;           /* the moment at which the company was made, since 1970 */
	struct str base_prefix;   /* "/c/": what stands before the company's id */
	struct str company_id;
	struct str company_slug;
	struct json company;
	struct str token;
	const struct collection_definition *owner; /* its first record has the token; or NULL */
	struct str link;          /* JSON with {company} and {token}: how one links to it */
	struct str header;        /* which carries the token, in lower case */
	struct str header_prefix; /* "Bearer " */
	struct str shape;         /* the one that is served */
	struct json data;
	struct file_kind *files;
	size_t file_count;
	struct answer answers[ANSWERS];
	struct collection_definition *collections;
	size_t collection_count;
	struct route_definition *routes;
	size_t route_count;
	struct webhook_definition webhook;
	struct change *changes;
	size_t change_count;
	int64_t change_weight; /* of all together */
};

/* Everything lives in the arena. `shape` may be empty: the first that there is. NULL with
 * ERROR_INVALID naming file, line and what is allowed. */
struct definition *definition_read(struct arena *arena, const struct disk *disk,
				   const char *folder, struct str shape,
				   struct error *err) MUST_CHECK;
const struct collection_definition *definition_collection(const struct definition *definition,
							   struct str name);
const struct view *collection_view(const struct collection_definition *collection,
				   struct str name);

/* For routes.c and steps.c: the parts of the reader which all need. */
struct reader {
	struct arena *arena;
	const struct disk *disk;
	const char *folder;
	struct definition *definition;
	struct error *err;
};
/* Each returns false with *err set to "FILE:LINE: …". */
bool reader_fail(struct reader *reader, uint32_t line, const char *format, ...) PRINTF_LIKE(3, 4);
/* Every key of the mapping must be in `allowed` (blank-separated). */
bool reader_check_keys(struct reader *reader, const struct yaml_node *mapping, const char *what,
		       const char *allowed);
bool reader_expression(struct reader *reader, const struct yaml_node *node,
		       struct expression *out);
bool reader_fields(struct reader *reader, const struct yaml_node *node, struct field_table *out);
/* Optional texts: *out stays as it is when the key is missing. */
bool reader_text(struct reader *reader, const struct yaml_node *mapping, const char *key,
		 struct str *out);
bool reader_c(struct reader *reader, const struct yaml_node *mapping, const char *key,
	      const char **out);
bool reader_integer(struct reader *reader, const struct yaml_node *mapping, const char *key,
		    int64_t min, int64_t max, int64_t *out);
/* The same, where a mapping gives a number for each shape instead. */
bool reader_integer_by_shape(struct reader *reader, const struct yaml_node *mapping,
			     const char *key, int64_t min, int64_t max, int64_t *out);
bool reader_flag(struct reader *reader, const struct yaml_node *mapping, const char *key,
		 bool *out);
bool reader_routes(struct reader *reader, const struct yaml_node *node);
bool reader_optional(struct reader *reader, const struct yaml_node *mapping, const char *key,
		     struct expression *out);
bool reader_collection(struct reader *reader, const struct yaml_node *node, const char *key,
		       const struct collection_definition **out);
const struct field *find_field(const struct field_table *table, struct str name);
/* steps.c: of a route that is no GET. */
bool reader_write(struct reader *reader, const struct yaml_node *node,
		  struct route_definition *route);

/* notice.c: whom a write is told to, and how webhooks are sent. */
bool reader_notices(struct reader *reader, const struct yaml_node *node, struct write *write);
bool reader_webhook(struct reader *reader, const struct yaml_node *node);
/* change.c: what happens by itself; after the routes. */
bool reader_changes(struct reader *reader, const struct yaml_node *node);

/* natives.c: the functions which expressions may call besides JSONata's own. */
extern const struct jsonata_native natives[];
extern const size_t native_count;

#endif
