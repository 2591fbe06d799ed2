/* Answers which somebody knows from before. A page of a list follows from what it was asked for,
 * what the ATS answered and what maps it: where all of these are as they were, so is the page. */
#include <sodium.h>

#include "ats/operation/list.h"

enum { DIGEST_BYTES = crypto_shorthash_siphashx24_BYTES };

/* Only a list which is asked for as it is, and is made of nothing but its own answers. */
bool memory_wants(const struct run *run)
{
	const struct unified_alternative *plan = run->plan;
	const struct unified_call *call = &plan->calls[0];

	return run->operation->memory != NULL && plan->call_count == 1 && call->is_pure &&
	       call->detail.method == NULL && plan->lookup_count == 0 &&
	       plan->maybe_absent_when == NULL && run->connector == run->base &&
	       run->selection == NULL && !run->operation->expand && !run->gives_remote;
}

/* Not against those who would make two answers that look the same: what they could hide is a change
 * of their own. */
static void add(struct buffer *digests, struct str bytes)
{
	static const unsigned char key[crypto_shorthash_siphashx24_KEYBYTES];
	unsigned char digest[DIGEST_BYTES];

	crypto_shorthash_siphashx24(digest, (const unsigned char *)bytes.data, bytes.len, key);
	buffer_append(digests, str_make((const char *)digest, sizeof digest));
}

/* What the answer is to, and what will be made of it. */
static void add_question(struct buffer *digests, const struct listing *listing)
{
	const struct run *run = listing->run;
	const struct operation_services *services = run->services;
	struct buffer text;

	buffer_init(&text, run->arena, SIZE_MAX);
	buffer_append_format(&text, "%.*s %llx %zu %zu %.*s\n", STR_ARGS(services->version),
			     (unsigned long long)run->resource->digest,
			     (size_t)(run->plan - run->resource->list.alternatives),
			     listing->limit, STR_ARGS(services->public_url));
	json_print(&text, run->account->context);
	json_print(&text, run->query);
	place_pack(&text, &listing->place);
	add(digests, buffer_str(&text));
}

/* False when the answer's texts are not to be had. */
static bool add_answer(struct buffer *digests, const struct run *run, const struct window *window)
{
	struct str records = json_source(window->records);
	struct str path = run->connector->references_path;

	if (records.data == NULL)
		return false;
	add(digests, records);
	if (path.len > 0)
		add(digests, json_source(json_get_path(window->body, path)));
	add(digests, window->next);
	buffer_append_format(digests, "%lld %d", (long long)window->start, window->is_last);
	return true;
}

bool memory_knows(struct listing *listing, const struct window *window)
{
	struct run *run = listing->run;
	struct operation_memory *memory = run->operation->memory;
	struct operation_result *result = run->result;
	struct buffer digests;

	if (!listing->is_one_answer)
		return false;
	buffer_init(&digests, run->arena, SIZE_MAX);
	add_question(&digests, listing);
	if (!add_answer(&digests, run, window))
		return false;
	size_t len = digests.len;
	add(&digests, buffer_str(&digests));
	result->answer = str_slice(buffer_str(&digests), len, digests.len);
	result->is_known = memory->knows(memory, run->arena, result->answer, &result->next_cursor);
	return result->is_known;
}
