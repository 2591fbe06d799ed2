/* A made-up ATS behind the table of the HTTP client, without a network: an in-memory list of
 * pots served in every way of paging, with faults by script and changes between calls. */
#ifndef TESTS_UNIT_ATS_KILN_H
#define TESTS_UNIT_ATS_KILN_H

#include "io/http/http.h"
#include "lang/json/json.h"

enum { POTS_MAX = 4096, FAULTS_MAX = 64 };

struct pot {
	int64_t id;
	int64_t created; /* seconds; the list is kept newest first, then by falling id */
	int handles;
	bool is_lost; /* listed, but 404 by its id */
	char name[32]; /* empty: its id */
	int64_t size;
	int stamps;
};

/* What one call gets instead of its answer. */
struct fault {
	enum http_outcome outcome; /* HTTP_COMPLETE: the status, or a spoilt body */
	int status;                /* 0: the right answer */
	const char *retry_after;
	const char *type;          /* another content type */
	const char *body;          /* another body */
	size_t cut;                /* so many bytes are missing at the end */
	int64_t takes_ms;
	bool stalls; /* until the deadline of the try */
	bool is_applied; /* of a write: it was done although its answer is lost */
};

struct kiln {
	struct http_client client;
	const struct clock *clock;
	struct pot pots[POTS_MAX];
	size_t count;
	struct fault faults[FAULTS_MAX]; /* by call, from the first on */
	size_t fault_count;
	/* When not NULL: the fault of any call past the script. */
	struct fault (*next_fault)(struct kiln *kiln);
	void (*before_call)(struct kiln *kiln);
	void *context;
	bool hides_ids;
	bool shuffles_ties; /* equal keys come in another order each time */
	bool forbids_shelves;
	const char *shelf; /* whose name goes with the lists; NULL: none does */
	const char *foreign_link; /* instead of the next page's */
	struct http_header told[3]; /* headers of every answer, besides */
	size_t told_count;
	struct random_seeded seeded;
	/* What was seen. */
	size_t calls;
	size_t shelf_calls;
	size_t under_way;
	size_t under_way_most;
	int64_t limit_most;
	char last_url[2048];
	char last_authorization[256];
	char authorization_after[256]; /* the same bytes, when the call was over */
	const char *authorization_at;
	size_t authorization_len;
	int64_t last_deadline_ms; /* from the call's beginning */
	enum http_method last_method;
	char last_body[4096];
	char last_type[128];
	size_t creations;
	size_t stampings;
	int64_t call_ms[256]; /* when each came */
};

static inline int compare_pots(const void *a, const void *b)
{
	const struct pot *left = a, *right = b;

	if (left->created != right->created)
		return left->created > right->created ? -1 : 1;
	return left->id > right->id ? -1 : left->id < right->id;
}

static inline void kiln_sort(struct kiln *kiln)
{
	qsort(kiln->pots, kiln->count, sizeof *kiln->pots, compare_pots);
}

static inline void kiln_add(struct kiln *kiln, int64_t id, int64_t created, int handles)
{
	kiln->pots[kiln->count++] = (struct pot){.id = id, .created = created, .handles = handles};
	kiln_sort(kiln);
}

static inline void kiln_remove(struct kiln *kiln, size_t index)
{
	memmove(kiln->pots + index, kiln->pots + index + 1,
		(kiln->count - index - 1) * sizeof *kiln->pots);
	kiln->count--;
}

/* `count` pots with ids from 1, one a minute, two handles each. */
static inline void kiln_fill(struct kiln *kiln, int count)
{
	kiln->count = 0;
	for (int i = 1; i <= count; i++)
		kiln->pots[kiln->count++] =
			(struct pot){.id = i, .created = 60 * i, .handles = 2};
	kiln_sort(kiln);
}

/* --- answers --------------------------------------------------------------------------------- */

static void print_pot(struct buffer *out, const struct kiln *kiln, const struct pot *pot,
		      bool is_detail)
{
	buffer_append_c(out, "{");
	if (!kiln->hides_ids)
		buffer_append_format(out, "\"id\":%lld,", (long long)pot->id);
	if (pot->name[0] != 0)
		buffer_append_format(out, "\"name\":\"%s\",", pot->name);
	else
		buffer_append_format(out, "\"name\":\"%lld\",", (long long)pot->id);
	buffer_append_format(out, "\"shelf\":\"s%lld\",\"shelf_id\":%lld,",
			     (long long)pot->id % 3, (long long)pot->id % 3);
	buffer_append_format(out, "\"created_at\":\"2026-01-%02lldT%02lld:%02lld:%02lldZ\"",
			     (long long)(pot->created / 86400 + 1),
			     (long long)(pot->created / 3600 % 24),
			     (long long)(pot->created / 60 % 60), (long long)(pot->created % 60));
	if (is_detail)
		buffer_append_format(out, ",\"size\":%lld,\"stamps\":%d,\"lids\":[{\"lid\":true}]",
				     pot->size > 0 ? (long long)pot->size : 7LL, pot->stamps);
	buffer_append_c(out, ",\"handles\":[");
	for (int i = 0; i < pot->handles; i++)
		buffer_append_format(out, "%s{\"n\":%d,\"material\":\"%s\"}", i > 0 ? "," : "", i,
				     i % 2 == 0 ? "clay" : "wire");
	buffer_append_c(out, "]}");
}

static void print_pots(struct buffer *out, const struct kiln *kiln, const struct pot *pots,
		       size_t from, size_t to, size_t count)
{
	buffer_append_c(out, "{\"pots\":[");
	for (size_t i = from; i < to && i < count; i++) {
		if (i > from)
			buffer_append_c(out, ",");
		print_pot(out, kiln, &pots[i], false);
	}
	buffer_append_c(out, "]");
}

static int64_t field(const struct http_field *fields, size_t count, const char *name,
		     int64_t otherwise)
{
	int64_t number;

	for (size_t i = 0; i < count; i++)
		if (str_equal_c(fields[i].name, name) && str_to_int64(fields[i].value, &number))
			return number;
	return otherwise;
}

/* The list as this call sees it. */
static struct pot *see_list(struct kiln *kiln, struct arena *arena)
{
	struct pot *pots = arena_array(arena, kiln->count + 1, sizeof *pots);

	memcpy(pots, kiln->pots, kiln->count * sizeof *pots);
	for (size_t i = 0; kiln->shuffles_ties && i + 1 < kiln->count; i++) {
		size_t end = i + 1;

		while (end < kiln->count && pots[end].created == pots[i].created)
			end++;
		size_t other = i + random_seeded_next(&kiln->seeded) % (end - i);
		struct pot pot = pots[i];
		pots[i] = pots[other];
		pots[other] = pot;
	}
	return pots;
}

static size_t find_pot(const struct kiln *kiln, int64_t id)
{
	size_t at = 0;

	while (at < kiln->count && kiln->pots[at].id != id)
		at++;
	return at;
}

static void answer_by_token(struct buffer *out, struct kiln *kiln, const struct pot *pots,
			    int64_t after, int64_t limit, struct http_response *response, bool is_link)
{
	size_t from = 0;

	while (after > 0 && from < kiln->count && pots[from].id >= after)
		from++;
	print_pots(out, kiln, pots, from, from + (size_t)limit, kiln->count);
	bool has_more = from + (size_t)limit < kiln->count;
	long long last = has_more ? (long long)pots[from + (size_t)limit - 1].id : 0;
	if (is_link && has_more && kiln->foreign_link != NULL) {
		response->headers[response->header_count++] = (struct http_header){
			STR("link"),
			arena_format(out->arena, "<%s>; rel=\"next\"", kiln->foreign_link)};
	} else if (is_link && has_more) {
		struct http_header *header = &response->headers[response->header_count++];

		*header = (struct http_header){
			STR("link"),
			arena_format(out->arena,
				     "</c/acme/whole>; rel=\"first\", "
				     "</c/acme/link?limit=%lld&after=%lld>; rel=\"next\"",
				     (long long)limit, last)};
	} else if (!is_link && has_more) {
		buffer_append_format(out, ",\"meta\":{\"next\":\"%lld\"}", last);
	} else {
		buffer_append_c(out, ",\"meta\":{\"next\":null}");
	}
}

static int answer_detail(struct buffer *out, struct kiln *kiln, struct str path)
{
	int64_t id = 0;

	if (!str_to_int64(str_slice(path, strlen("/pots/"), path.len), &id))
		id = 0;
	size_t at = find_pot(kiln, id);
	if (at == kiln->count || kiln->pots[at].is_lost) {
		buffer_append_c(out, "{\"error\":[\"Not found\"]}");
		return 404;
	}
	buffer_append_c(out, "{\"pot\":");
	print_pot(out, kiln, &kiln->pots[at], true);
	buffer_append_c(out, ",\"references\":[{\"type\":\"Shelf\",\"id\":1,\"name\":\"top\"}]}");
	return 200;
}

static int answer_shelves(struct buffer *out, struct kiln *kiln)
{
	kiln->shelf_calls++;
	if (kiln->forbids_shelves) {
		buffer_append_c(out, "{\"error\":[\"Forbidden\"]}");
		return 403;
	}
	buffer_append_c(out, "{\"shelves\":[{\"id\":1,\"name\":\"top\"},{\"id\":\"2\",\"name\":\"low\"}]}");
	return 200;
}

static int answer(struct kiln *kiln, struct arena *arena, struct str path,
		  const struct http_field *fields, size_t count, struct http_response *response,
		  struct buffer *out)
{
	const struct pot *pots = see_list(kiln, arena);
	int64_t asked = field(fields, count, "limit", field(fields, count, "per_page", 0));
	int64_t limit = asked > 0 ? asked : 100;
	int64_t offset = field(fields, count, "offset", 0);

	if (asked > kiln->limit_most)
		kiln->limit_most = asked;
	if (str_starts_with(path, STR("/pots/")))
		return answer_detail(out, kiln, path);
	if (str_equal(path, STR("/shelves")))
		return answer_shelves(out, kiln);
	if (str_equal(path, STR("/me"))) {
		buffer_append_c(out, "{\"me\":{\"id\":1}}");
		return 200;
	}
	if (str_equal(path, STR("/number")))
		offset = (field(fields, count, "page", 1) - 1) * limit;
	if (str_equal(path, STR("/whole")))
		limit = POTS_MAX;
	if (str_equal(path, STR("/cursor")))
		answer_by_token(out, kiln, pots, field(fields, count, "cursor", 0), limit,
				response, false);
	else if (str_equal(path, STR("/link")))
		answer_by_token(out, kiln, pots, field(fields, count, "after", 0), limit, response,
				true);
	else
		print_pots(out, kiln, pots, (size_t)offset, (size_t)(offset + limit), kiln->count);
	if (kiln->shelf == NULL)
		buffer_append_c(out, ",\"references\":[]}");
	else
		buffer_append_format(out, ",\"references\":[{\"type\":\"Shelf\",\"id\":1,\"name\":\"%s\"}]}",
				     kiln->shelf);
	return 200;
}

/* --- writes ---------------------------------------------------------------------------------- */

static inline void change_pot(struct pot *pot, struct json given)
{
	struct str name = json_get_str(given, "name");

	if (name.len > 0)
		snprintf(pot->name, sizeof pot->name, "%.*s", STR_ARGS(name));
	if (!json_to_int64(json_get_c(given, "size"), &pot->size))
		pot->size = pot->size > 0 ? pot->size : 0;
}

/* POST /pots, PATCH and DELETE /pots/{id}, POST /pots/{id}/stamps */
static inline int write_pot(struct kiln *kiln, enum http_method method, struct str path,
			    struct json body, struct buffer *out)
{
	struct str rest = str_slice(path, strlen("/pots/"), path.len);
	struct str id_text = str_cut(&rest, '/');
	int64_t id = 0;
	size_t at;

	if (method == HTTP_POST && str_equal(path, STR("/pots"))) {
		id = 1000 + (int64_t)++kiln->creations;
		kiln_add(kiln, id, 60 * id, 0);
	} else if (!str_to_int64(id_text, &id)) {
		id = 0;
	}
	at = find_pot(kiln, id);
	if (at == kiln->count) {
		buffer_append_c(out, "{\"error\":[\"Not found\"]}");
		return 404;
	}
	change_pot(&kiln->pots[at], json_get_c(body, "pot"));
	if (str_equal(rest, STR("stamps"))) {
		kiln->pots[at].stamps++;
		kiln->stampings++;
	}
	buffer_append_c(out, "{\"pot\":");
	print_pot(out, kiln, &kiln->pots[at], true);
	buffer_append_c(out, "}");
	if (method == HTTP_DELETE)
		kiln_remove(kiln, at);
	return method == HTTP_POST ? 201 : 200;
}

static inline int answer_write(struct kiln *kiln, const struct http_request *request,
			       struct str path, struct buffer *out)
{
	struct json body = json_undefined();
	struct error err;

	if (request->body.len > 0 && str_starts_with(request->body, STR("{")) &&
	    !json_parse(out->arena, request->body, &json_limits_default, &body, &err))
		die("a bad body: %s", err.message);
	return write_pot(kiln, request->method, path, body, out);
}

/* --- one call -------------------------------------------------------------------------------- */

static void note_request(struct kiln *kiln, const struct http_request *request)
{
	snprintf(kiln->last_url, sizeof kiln->last_url, "%.*s", STR_ARGS(request->url));
	kiln->last_method = request->method;
	kiln->last_deadline_ms =
		(request->deadline_ns - clock_monotonic_ns(kiln->clock)) / 1000000;
	snprintf(kiln->last_body, sizeof kiln->last_body, "%.*s", STR_ARGS(request->body));
	for (size_t i = 0; i < request->header_count; i++)
		if (str_equal(request->headers[i].name, STR("Content-Type")))
			snprintf(kiln->last_type, sizeof kiln->last_type, "%.*s",
				 STR_ARGS(request->headers[i].value));
	for (size_t i = 0; i < request->header_count; i++) {
		if (!str_equal(request->headers[i].name, STR("Authorization")))
			continue;
		kiln->authorization_at = request->headers[i].value.data;
		kiln->authorization_len = request->headers[i].value.len;
		snprintf(kiln->last_authorization, sizeof kiln->last_authorization, "%.*s",
			 STR_ARGS(request->headers[i].value));
	}
	if (kiln->calls < 256)
		kiln->call_ms[kiln->calls] = clock_monotonic_ms(kiln->clock);
}

static void answer_request(struct kiln *kiln, struct arena *arena,
			   const struct http_request *request, const struct fault *fault,
			   struct http_response *response)
{
	struct str rest = request->url;
	struct http_field *fields = NULL;
	struct buffer out;
	struct error err;
	size_t count = 0;

	ptrdiff_t at = str_find(rest, STR("/c/acme"));
	rest = at < 0 ? STR("/unknown") : str_slice(rest, (size_t)at + strlen("/c/acme"), rest.len);
	struct str path = str_cut(&rest, '?');
	if (rest.len > 0 && !url_parse_query(arena, rest, 100, &fields, &count, &err))
		die("a bad query: %s", err.message);
	buffer_init(&out, arena, 1 << 24);
	if (request->method == HTTP_GET || !str_starts_with(path, STR("/pots")))
		response->status = answer(kiln, arena, path, fields, count, response, &out);
	else if (fault->status == 0 || fault->is_applied)
		response->status = answer_write(kiln, request, path, &out);
	response->body = buffer_str(&out);
	if (fault->status != 0) {
		response->status = fault->status;
		response->body = STR("{\"error\":[\"Scripted\"]}");
	}
	if (fault->body != NULL)
		response->body = str_from_c(fault->body);
	response->body.len -= fault->cut;
}

static struct fault find_fault(struct kiln *kiln)
{
	if (kiln->calls < kiln->fault_count)
		return kiln->faults[kiln->calls];
	return kiln->next_fault == NULL ? (struct fault){0} : kiln->next_fault(kiln);
}

static bool fail_call(const struct fault *fault, struct http_response *response, struct error *err)
{
	response->outcome = fault->outcome;
	return error_set(err, fault->outcome == HTTP_TIMED_OUT ? ERROR_TIMEOUT : ERROR_UPSTREAM,
			 "api.kiln.example: scripted");
}

static bool send_to_kiln(struct http_client *client, struct arena *arena,
			 const struct http_request *request, struct http_response *response,
			 struct error *err)
{
	struct kiln *kiln = (struct kiln *)client;

	if (kiln->before_call != NULL)
		kiln->before_call(kiln);
	note_request(kiln, request);
	struct fault fault = find_fault(kiln);
	kiln->calls++;
	*response = (struct http_response){.headers = arena_array(arena, 8, sizeof(struct http_header))};
	if (++kiln->under_way > kiln->under_way_most)
		kiln->under_way_most = kiln->under_way;
	if (fault.stalls)
		loop_sleep_ms(kiln->last_deadline_ms);
	else if (fault.takes_ms > 0)
		loop_sleep_ms(fault.takes_ms);
	kiln->under_way--;
	if (fault.stalls)
		fault.outcome = HTTP_TIMED_OUT;
	if (fault.outcome != HTTP_COMPLETE) {
		struct http_response lost = {.headers = response->headers};

		if (fault.is_applied)
			answer_request(kiln, arena, request, &fault, &lost);
		return fail_call(&fault, response, err);
	}
	response->headers[response->header_count++] = (struct http_header){
		STR("content-type"), str_from_c(fault.type == NULL ? "application/json; charset=utf-8"
								   : fault.type)};
	for (size_t i = 0; i < kiln->told_count; i++)
		response->headers[response->header_count++] = kiln->told[i];
	if (fault.retry_after != NULL)
		response->headers[response->header_count++] =
			(struct http_header){STR("retry-after"), str_from_c(fault.retry_after)};
	answer_request(kiln, arena, request, &fault, response);
	return true;
}

static inline void kiln_init(struct kiln *kiln, const struct clock *clock)
{
	*kiln = (struct kiln){.client = {.send = send_to_kiln}, .clock = clock,
			      .seeded = {.state = 1}};
}

#endif
