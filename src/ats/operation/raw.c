/* A call whose answer goes to the caller as it came. A write is noted in the journal before and
 * after, as those of the unified model are; nothing is known of what it makes, so one whose
 * outcome is not known is never sent again unless doing it twice does it once. */
#include <assert.h>

#include "ats/operation/run.h"

static bool is_read(const struct native_method *method)
{
	return method->verb == HTTP_GET || method->verb == HTTP_HEAD;
}

static void keep_answer(struct run *run, int status, struct str body, struct str content_type)
{
	run->result->status = status;
	run->result->body = body;
	run->result->content_type = content_type;
}

/* --- the journal ----------------------------------------------------------------------------- */

static struct json describe_answer(struct run *run)
{
	const struct operation_result *result = run->result;
	struct json_builder members;

	json_builder_init(&members, run->arena);
	json_builder_set(&members, STR("status"), json_int(result->status));
	json_builder_set(&members, STR("type"), json_string(result->content_type));
	json_builder_set(&members, STR("body"), json_string(result->body));
	return json_builder_object(&members);
}

/* What an earlier attempt did counts. *is_settled: nothing is to be sent; *is_again: it may have
 * been done. */
static bool take_up(struct run *run, const struct native_call *call, bool *is_settled,
		    bool *is_again, struct error *err)
{
	struct operation_journal *journal = run->operation->journal;
	struct json answer;
	int64_t sent_ms, status;

	*is_settled = false;
	*is_again = false;
	if (journal == NULL)
		return true;
	switch (journal->find(journal, 0, run->arena, &answer, &sent_ms)) {
	case JOURNAL_NONE:
		return true;
	case JOURNAL_UNKNOWN:
		*is_again = call->method->is_repeatable;
		if (*is_again)
			return true;
		error_set(err, ERROR_UPSTREAM, "an earlier attempt was cut off");
		return native_refuse_unknown(run, call->method->is_repeatable, err);
	case JOURNAL_DONE:
		break;
	}
	if (!json_to_int64(json_get_c(answer, "status"), &status))
		return error_set(err, ERROR_INTERNAL, "the journal of this write cannot be read");
	keep_answer(run, (int)status, json_get_str(answer, "body"), json_get_str(answer, "type"));
	*is_settled = true;
	return true;
}

static bool note_begin(struct run *run, struct error *err)
{
	struct operation_journal *journal = run->operation->journal;

	return journal == NULL ||
	       journal->begin(journal, 0, clock_unix_ms(run->services->clock), err);
}

/* --- sending --------------------------------------------------------------------------------- */

static bool send_write(struct run *run, struct native_call *call, bool is_again, struct error *err)
{
	struct native_reply reply;

	/* What is to be answered again must be kept. */
	if (run->operation->journal != NULL)
		call->sink = NULL;
	if (!note_begin(run, err))
		return false;
	if (native_send(run, call, &reply, err)) {
		keep_answer(run, reply.status, reply.bytes, reply.content_type);
		journal_end(run, 0, describe_answer(run));
		return true;
	}
	/* A refusal now tells nothing of what an earlier attempt did. */
	reply.is_outcome_unknown = reply.is_outcome_unknown || is_again;
	/* Gone already is what a delete that was sent twice wants. */
	if (call->method->verb == HTTP_DELETE && err->code == ERROR_NOT_FOUND &&
	    reply.is_outcome_unknown) {
		run->result->remote_status = 0;
		keep_answer(run, 204, (struct str){NULL, 0}, (struct str){NULL, 0});
		journal_end(run, 0, describe_answer(run));
		return true;
	}
	if (reply.is_outcome_unknown)
		return native_refuse_unknown(run, call->method->is_repeatable, err);
	journal_end(run, 0, json_undefined());
	return false;
}

bool raw_send(struct run *run, struct native_call *call, struct error *err)
{
	struct native_reply reply;
	bool is_settled, is_again;

	assert(call->answer != ANSWER_JSON);
	call->sink = run->operation->sink;
	if (!is_read(call->method))
		return take_up(run, call, &is_settled, &is_again, err) &&
		       (is_settled || send_write(run, call, is_again, err));
	if (!native_send(run, call, &reply, err))
		return false;
	keep_answer(run, reply.status, reply.bytes, reply.content_type);
	return true;
}
