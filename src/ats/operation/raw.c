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

static bool refuse_unknown(const struct run *run, struct error *err)
{
	struct error why = *err;

	error_set(err, ERROR_OUTCOME_UNKNOWN,
		  "whether %.*s did this is not known: %s; it is not sent again",
		  STR_ARGS(run->connector->label), why.message);
	err->remote_status = why.remote_status;
	return false;
}

/* What an earlier attempt did counts. *is_settled: nothing is to be sent. */
static bool take_up(struct run *run, const struct native_call *call, bool *is_settled,
		    struct error *err)
{
	struct operation_journal *journal = run->operation->journal;
	struct json answer;
	int64_t sent_ms, status;

	*is_settled = false;
	if (journal == NULL)
		return true;
	switch (journal->find(journal, 0, run->arena, &answer, &sent_ms)) {
	case JOURNAL_NONE:
		return true;
	case JOURNAL_UNKNOWN:
		if (call->method->is_repeatable)
			return true;
		error_set(err, ERROR_UPSTREAM, "an earlier attempt was cut off");
		return refuse_unknown(run, err);
	case JOURNAL_DONE:
		break;
	}
	if (!json_to_int64(json_get_c(answer, "status"), &status))
		return error_set(err, ERROR_INTERNAL, "the journal of this write cannot be read");
	keep_answer(run, (int)status, json_get_str(answer, "body"), json_get_str(answer, "type"));
	*is_settled = true;
	return true;
}

/* `result` undefined: it was certainly not done. */
static bool note_end(struct run *run, struct json result, struct error *err)
{
	struct operation_journal *journal = run->operation->journal;

	return journal == NULL || journal->end(journal, 0, result, err);
}

static bool note_begin(struct run *run, struct error *err)
{
	struct operation_journal *journal = run->operation->journal;

	return journal == NULL ||
	       journal->begin(journal, 0, clock_unix_ms(run->services->clock), err);
}

/* --- sending --------------------------------------------------------------------------------- */

static bool send_write(struct run *run, struct native_call *call, struct error *err)
{
	struct native_reply reply;
	struct error ignored;

	/* What is to be answered again must be kept. */
	if (run->operation->journal != NULL)
		call->sink = NULL;
	if (!note_begin(run, err))
		return false;
	if (native_send(run, call, &reply, err)) {
		keep_answer(run, reply.status, reply.bytes, reply.content_type);
		return note_end(run, describe_answer(run), err);
	}
	/* Gone already is what a delete that was sent twice wants. */
	if (call->method->verb == HTTP_DELETE && err->code == ERROR_NOT_FOUND &&
	    reply.is_outcome_unknown) {
		run->result->remote_status = 0;
		keep_answer(run, 204, (struct str){NULL, 0}, (struct str){NULL, 0});
		return note_end(run, describe_answer(run), err);
	}
	if (reply.is_outcome_unknown)
		return refuse_unknown(run, err);
	note_end(run, json_undefined(), &ignored);
	return false;
}

bool raw_send(struct run *run, struct native_call *call, struct error *err)
{
	struct native_reply reply;
	bool is_settled;

	assert(call->answer != ANSWER_JSON);
	call->sink = run->operation->sink;
	if (!is_read(call->method))
		return take_up(run, call, &is_settled, err) &&
		       (is_settled || send_write(run, call, err));
	if (!native_send(run, call, &reply, err))
		return false;
	keep_answer(run, reply.status, reply.bytes, reply.content_type);
	return true;
}
