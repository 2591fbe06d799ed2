#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/cli/mcp_relay.h"
#include "app/server/server.h"
#include "base/log.h"
#include "io/http/http.h"
#include "lang/json/json.h"

enum {
	FLIGHTS_MAX = 64, /* messages under way; more wait in the pipe */
	ARENA_BYTES_MAX = 256 * 1024 * 1024,
	ANSWER_BYTES_MAX = 64 * 1024 * 1024,
	READ_BYTES = 65536,
	HEADERS_MAX = 8,
	HEADER_BYTES_MAX = 512,
	/* The server ends calls long before; this only ends what hangs. */
	CALL_SECONDS = 2 * 3600,
	VERSION_BYTES_MAX = 32,
	AGENT_BYTES_MAX = 128,
};

/* JSON-RPC's own numbers. */
enum { RPC_PARSE = -32700, RPC_REQUEST = -32600, RPC_INTERNAL = -32603 };

#define META_VERSION "io.modelcontextprotocol/protocolVersion"

/* A request that has not been answered. Lives on its fiber's stack. */
struct flight {
	struct json id;
	bool is_modern;
	bool is_cancelled;
	struct fiber *fiber;
	struct flight *next;
};

struct relay {
	const struct mcp_relay_options *options;
	struct loop *loop;
	struct http_client *client;
	struct flight *flights;
	struct loop_group group;
	sem_t room;
	bool is_broken; /* nobody reads what we write */
	/* What a client of an older revision says only once, in `initialize`. */
	char version[VERSION_BYTES_MAX];
	char agent[AGENT_BYTES_MAX];
};

/* A line of the input, or the end of it. */
struct line {
	struct relay *relay;
	char *text;
	size_t len;
	bool is_long; /* over MCP_LINE_BYTES_MAX: the text is not there */
};

/* One message on its way. */
struct passage {
	struct relay *relay;
	struct arena *arena;
	struct str text;
	struct json message;
	struct json id; /* undefined: it wants no answer */
	struct str method;
	struct str version; /* of a modern one; else empty */
	struct flight flight;
	bool is_answered;
};

/* --- standard output ------------------------------------------------------------------------ */

static void write_all(struct relay *relay, struct str bytes)
{
	while (bytes.len > 0 && !relay->is_broken) {
		ssize_t wrote = write(STDOUT_FILENO, bytes.data, bytes.len);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0) {
			relay->is_broken = true;
			loop_stop(relay->loop);
			return;
		}
		bytes = str_make(bytes.data + wrote, bytes.len - (size_t)wrote);
	}
}

static void write_line(struct passage *passage, struct json message)
{
	struct buffer line;

	buffer_init(&line, passage->arena, SIZE_MAX / 4);
	json_print(&line, message);
	/* A value that was read is printed as it stood there; between its values there may have
	 * been line ends, and nowhere else. */
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] == '\n' || line.data[i] == '\r')
			line.data[i] = ' ';
	buffer_append_byte(&line, '\n');
	write_all(passage->relay, buffer_str(&line));
}

static void write_error(struct passage *passage, int code, struct str message)
{
	struct json_member error[] = {
		json_member(STR("code"), json_int(code)),
		json_member(STR("message"), json_string(message)),
	};
	struct json_member members[3] = {json_member(STR("jsonrpc"), json_string_c("2.0"))};
	size_t count = 1;

	if (!json_is(passage->id, JSON_UNDEFINED))
		members[count++] = json_member(STR("id"), passage->id);
	members[count++] = json_member(STR("error"), json_object(error, 2));
	passage->is_answered = true;
	write_line(passage, json_object(members, count));
}

/* An error which the door could not give an id, as of one who may not call at all, is the answer
 * to this request all the same: without its id the client would wait on. */
static struct json with_id(struct passage *passage, struct json message)
{
	struct json_builder whole;

	if (json_is(json_get_c(message, "error"), JSON_UNDEFINED) ||
	    json_is(passage->id, JSON_UNDEFINED) ||
	    !(json_is(json_get_c(message, "id"), JSON_UNDEFINED) ||
	      json_is(json_get_c(message, "id"), JSON_NULL)))
		return message;
	json_builder_init(&whole, passage->arena);
	json_builder_set(&whole, STR("jsonrpc"), json_string_c("2.0"));
	json_builder_set(&whole, STR("id"), passage->id);
	json_builder_set(&whole, STR("error"), json_get_c(message, "error"));
	return json_builder_object(&whole);
}

/* --- what the client said once -------------------------------------------------------------- */

static void keep(char *kept, size_t size, struct str text)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len && len + 1 < size; i++)
		if (text.data[i] > 0x20 && text.data[i] < 0x7f)
			kept[len++] = text.data[i];
	kept[len] = '\0';
}

static void note_client(struct passage *passage)
{
	struct json client = json_get_path(passage->message, STR("params.clientInfo"));

	keep(passage->relay->agent, sizeof passage->relay->agent,
	     arena_format(passage->arena, "%.*s/%.*s", STR_ARGS(json_get_str(client, "name")),
			  STR_ARGS(json_get_str(client, "version"))));
}

/* --- answers -------------------------------------------------------------------------------- */

/* These get no answer, whatever the server thinks of them. */
static bool is_notification(const struct passage *passage)
{
	return passage->method.len > 0 &&
	       json_is(json_get_c(passage->message, "id"), JSON_UNDEFINED);
}

static void pass_answer(struct passage *passage, struct str text)
{
	struct relay *relay = passage->relay;
	struct json message;
	struct error err;

	if (passage->flight.is_cancelled)
		return;
	if (!json_parse(passage->arena, text, &json_limits_default, &message, &err) ||
	    json_is(json_get_c(message, "jsonrpc"), JSON_UNDEFINED)) {
		LOG(LOG_WARNING, "mcp_answer_unread", LOG_N(bytes, (int64_t)text.len));
		return;
	}
	if (str_equal_c(passage->method, "initialize") && passage->version.len == 0)
		keep(relay->version, sizeof relay->version,
		     json_get_str(json_get_c(message, "result"), "protocolVersion"));
	if (is_notification(passage)) {
		LOG(LOG_WARNING, "mcp_notification_refused", LOG_S(error, text));
		return;
	}
	if (json_is(json_get_c(message, "method"), JSON_UNDEFINED))
		passage->is_answered = true;
	write_line(passage, with_id(passage, message));
}

/* An event stream: what stands in the data lines of one event is one message. */
struct events {
	struct passage *passage;
	struct buffer line;
	struct buffer data;
};

static void take_event_line(struct events *events)
{
	struct str line = buffer_str(&events->line);

	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0 && events->data.len > 0) {
		pass_answer(events->passage,
			    arena_str(events->passage->arena, buffer_str(&events->data)));
		events->data.len = 0;
	} else if (str_starts_with(line, STR("data:"))) {
		buffer_append(&events->data, str_slice(line, 5, line.len));
		buffer_append_byte(&events->data, '\n');
	}
	events->line.len = 0;
}

static void take_event_bytes(struct events *events, struct str bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		if (bytes.data[i] == '\n')
			take_event_line(events);
		else
			buffer_append_byte(&events->line, bytes.data[i]);
}

static bool read_events(struct passage *passage, struct http_call *call, struct error *err)
{
	struct events events = {.passage = passage};
	char *bytes = arena_alloc(passage->arena, READ_BYTES);
	ssize_t got;

	buffer_init(&events.line, passage->arena, ANSWER_BYTES_MAX);
	buffer_init(&events.data, passage->arena, ANSWER_BYTES_MAX);
	while ((got = http_client_read(call, bytes, READ_BYTES, err)) > 0)
		take_event_bytes(&events, str_make(bytes, (size_t)got));
	return got == 0;
}

static bool read_body(struct passage *passage, struct http_call *call, int status,
		      struct error *err)
{
	struct buffer body;
	ssize_t got;
	char *room;

	buffer_init(&body, passage->arena, ANSWER_BYTES_MAX);
	for (;;) {
		room = buffer_room(&body, READ_BYTES);
		if (room == NULL)
			return buffer_check(&body, "the server's answer", err);
		got = http_client_read(call, room, READ_BYTES, err);
		if (got <= 0)
			break;
		body.len += (size_t)got;
	}
	if (got < 0)
		return false;
	if (body.len > 0)
		pass_answer(passage, buffer_str(&body));
	if (!passage->is_answered && status >= 400)
		return error_set(err, ERROR_UPSTREAM, "the server answered %d", status);
	return true;
}

/* --- requests ------------------------------------------------------------------------------- */

/* Header values are visible ASCII; what is not goes as the specification has it, in base64. */
static struct str header_value(struct arena *arena, struct str text)
{
	bool is_plain = text.len > 0 && !str_starts_with(text, STR("=?"));

	for (size_t i = 0; i < text.len; i++)
		is_plain = is_plain && text.data[i] > 0x20 && text.data[i] < 0x7f;
	if (is_plain || text.len > HEADER_BYTES_MAX)
		return text;
	char *coded = arena_alloc(
		arena, sodium_base64_ENCODED_LEN(text.len, sodium_base64_VARIANT_ORIGINAL));
	sodium_bin2base64(
		coded, sodium_base64_ENCODED_LEN(text.len, sodium_base64_VARIANT_ORIGINAL),
		(const unsigned char *)text.data, text.len, sodium_base64_VARIANT_ORIGINAL);
	return arena_format(arena, "=?base64?%s?=", coded);
}

static size_t make_headers(const struct passage *passage, struct http_header *headers)
{
	const struct relay *relay = passage->relay;
	struct str name = json_get_str(json_get_c(passage->message, "params"), "name");
	size_t count = 0;

	headers[count++] = (struct http_header){STR("Content-Type"), STR("application/json")};
	headers[count++] =
		(struct http_header){STR("Accept"), STR("application/json, text/event-stream")};
	if (relay->options->token.len > 0)
		headers[count++] = (struct http_header){
			STR("Authorization"), arena_format(passage->arena, "Bearer %.*s",
							   STR_ARGS(relay->options->token))};
	if (relay->agent[0] != '\0')
		headers[count++] =
			(struct http_header){STR("User-Agent"), str_from_c(relay->agent)};
	if (passage->version.len == 0 && relay->version[0] != '\0')
		headers[count++] = (struct http_header){STR("MCP-Protocol-Version"),
							str_from_c(relay->version)};
	if (passage->version.len == 0)
		return count;
	headers[count++] = (struct http_header){STR("MCP-Protocol-Version"), passage->version};
	if (passage->method.len > 0)
		headers[count++] = (struct http_header){
			STR("Mcp-Method"), header_value(passage->arena, passage->method)};
	if (name.len > 0)
		headers[count++] =
			(struct http_header){STR("Mcp-Name"), header_value(passage->arena, name)};
	return count;
}

static bool send(struct passage *passage, struct error *err)
{
	struct relay *relay = passage->relay;
	struct http_header headers[HEADERS_MAX];
	struct http_response response = {0};
	const struct http_request request = {
		.method = HTTP_POST,
		.url = relay->options->url,
		.headers = headers,
		.header_count = make_headers(passage, headers),
		.body = passage->text,
		.has_body = true,
		.deadline_ns = loop_now_ns(relay->loop) + (int64_t)CALL_SECONDS * 1000000000,
		.idle_timeout_ms = (int64_t)CALL_SECONDS * 1000,
	};
	struct http_call *call =
		http_client_open(relay->client, passage->arena, &request, &response, err);

	if (call == NULL)
		return false;
	bool ok = str_starts_with(http_response_header(&response, "content-type"),
				  STR("text/event-stream"))
			  ? read_events(passage, call, err)
			  : read_body(passage, call, response.status, err);
	http_client_close(call);
	return ok;
}

static void answer_failure(struct passage *passage, const struct error *err)
{
	if (passage->flight.is_cancelled || passage->is_answered)
		return;
	if (json_is(passage->id, JSON_UNDEFINED))
		LOG(LOG_WARNING, "mcp_message_lost", LOG_C(error, err->message));
	else
		write_error(passage, RPC_INTERNAL, str_from_c(err->message));
}

static void carry(struct passage *passage)
{
	struct relay *relay = passage->relay;
	struct flight *flight = &passage->flight;
	struct flight **place = &relay->flights;
	struct error err = {0};

	*flight = (struct flight){.id = passage->id,
				  .is_modern = passage->version.len > 0,
				  .fiber = fiber_current(),
				  .next = relay->flights};
	relay->flights = flight;
	bool ok = send(passage, &err);
	while (*place != flight)
		place = &(*place)->next;
	*place = flight->next;
	if (!ok)
		answer_failure(passage, &err);
	else if (!passage->is_answered && !flight->is_cancelled &&
		 !json_is(passage->id, JSON_UNDEFINED))
		write_error(passage, RPC_INTERNAL, STR("the server gave no answer"));
}

/* A cancelled request gets no answer. Those of today's revision end with their connection; of
 * older ones the server is told, as it does not take a closed connection for that. True when the
 * message need not go on. */
static bool cancel(struct passage *passage)
{
	struct json id = json_get_path(passage->message, STR("params.requestId"));
	struct flight *flight = passage->relay->flights;

	if (!str_equal_c(passage->method, "notifications/cancelled"))
		return false;
	while (flight != NULL &&
	       (json_is(flight->id, JSON_UNDEFINED) || !json_equal(flight->id, id)))
		flight = flight->next;
	if (flight == NULL)
		return passage->version.len > 0;
	flight->is_cancelled = true;
	if (flight->is_modern)
		loop_interrupt(passage->relay->loop, flight->fiber);
	return flight->is_modern;
}

static void pass_message(struct passage *passage)
{
	struct json message = passage->message;

	passage->method = json_get_str(message, "method");
	if (json_is(json_get_c(message, "id"), JSON_STRING) ||
	    json_is_number(json_get_c(message, "id")))
		passage->id = json_get_c(message, "id");
	passage->version =
		json_get_str(json_get_c(json_get_c(message, "params"), "_meta"), META_VERSION);
	if (str_equal_c(passage->method, "initialize"))
		note_client(passage);
	if (!cancel(passage))
		carry(passage);
}

/* --- standard input ------------------------------------------------------------------------- */

static void run_line(void *context)
{
	struct line *line = context;
	struct relay *relay = line->relay;
	struct arena arena;
	struct error err;

	arena_init(&arena, ARENA_BYTES_MAX);
	struct passage passage = {
		.relay = relay, .arena = &arena, .text = str_make(line->text, line->len)};
	loop_group_add(&relay->group);
	if (line->is_long)
		write_error(&passage, RPC_REQUEST, STR("a message is at most 4 MiB long"));
	else if (!json_parse(&arena, passage.text, &json_limits_default, &passage.message, &err))
		write_error(&passage, RPC_PARSE, str_from_c(err.message));
	else
		pass_message(&passage);
	arena_finish(&arena);
	free(line->text);
	free(line);
	sem_post(&relay->room);
	loop_group_done(&relay->group);
}

static void run_end(void *context)
{
	struct relay *relay = context;

	loop_group_join(&relay->group);
	loop_stop(relay->loop);
}

static void post_line(struct relay *relay, const char *text, size_t len, bool is_long)
{
	struct line *line = calloc(1, sizeof *line);

	if (line == NULL || (len > 0 && (line->text = malloc(len)) == NULL))
		die("out of memory");
	*line = (struct line){relay, line->text, len, is_long};
	if (len > 0)
		memcpy(line->text, text, len);
	while (sem_wait(&relay->room) != 0)
		;
	loop_post(relay->loop, run_line, line);
}

/* What was read so far of a line; it grows to the longest one there may be. */
struct input {
	char *text;
	size_t len;
	bool is_long;
};

static void end_line(struct relay *relay, struct input *input)
{
	size_t len = input->len;

	while (len > 0 && memchr(" \t\r", input->text[len - 1], 3) != NULL)
		len--;
	if (input->is_long)
		post_line(relay, NULL, 0, true);
	else if (len > 0)
		post_line(relay, input->text, len, false);
	input->len = 0;
	input->is_long = false;
}

static void take_bytes(struct relay *relay, struct input *input, struct str bytes)
{
	while (bytes.len > 0) {
		const char *end = memchr(bytes.data, '\n', bytes.len);
		size_t len = end == NULL ? bytes.len : (size_t)(end - bytes.data);

		if (input->len + len > MCP_LINE_BYTES_MAX)
			input->is_long = true;
		else
			memcpy(input->text + input->len, bytes.data, len);
		input->len = input->is_long ? 0 : input->len + len;
		if (end == NULL)
			return;
		end_line(relay, input);
		bytes = str_slice(bytes, len + 1, bytes.len);
	}
}

/* A thread, as standard input may be a file, which no loop can watch. */
static void *read_input(void *context)
{
	struct relay *relay = context;
	struct input input = {.text = malloc(MCP_LINE_BYTES_MAX)};
	char *bytes = malloc(READ_BYTES);
	ssize_t got;

	if (input.text == NULL || bytes == NULL)
		die("out of memory");
	while ((got = read(STDIN_FILENO, bytes, READ_BYTES)) > 0 || (got < 0 && errno == EINTR))
		if (got > 0)
			take_bytes(relay, &input, str_make(bytes, (size_t)got));
	end_line(relay, &input);
	free(input.text);
	free(bytes);
	loop_post(relay->loop, run_end, relay);
	return NULL;
}

static void relay_destroy(struct relay *relay)
{
	http_client_destroy(relay->client);
	loop_destroy(relay->loop);
	sem_destroy(&relay->room);
	free(relay);
}

static struct relay *relay_create(const struct mcp_relay_options *options, struct error *err)
{
	const struct http_client_options client = {.unix_socket = options->unix_socket,
						   .user_agent = "tenon-mcp/" TENON_VERSION};
	struct relay *relay = calloc(1, sizeof *relay);

	if (relay == NULL)
		die("out of memory");
	relay->options = options;
	sem_init(&relay->room, 0, FLIGHTS_MAX);
	relay->loop = loop_create(clock_system(), random_system(), err);
	if (relay->loop != NULL)
		relay->client = http_client_create(relay->loop, &client, err);
	if (relay->client != NULL)
		return relay;
	relay_destroy(relay);
	return NULL;
}

bool mcp_relay_run(const struct mcp_relay_options *options, struct error *err)
{
	struct relay *relay = relay_create(options, err);
	pthread_t reader;

	if (relay == NULL)
		return false;
	if (pthread_create(&reader, NULL, read_input, relay) != 0) {
		relay_destroy(relay);
		return error_set(err, ERROR_UNAVAILABLE, "no thread is to be had");
	}
	loop_run(relay->loop);
	/* The reader still waits for input, and calls for answers: the process's end is theirs. */
	if (relay->is_broken)
		return error_set(err, ERROR_UNAVAILABLE, "nobody reads standard output");
	pthread_join(reader, NULL);
	relay_destroy(relay);
	return true;
}
