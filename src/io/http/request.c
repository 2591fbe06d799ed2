/* A request as it comes in, judged by the limits before anything of it is believed. */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>

#include "io/http/connection.h"
#include "io/http/message.h"

enum {
	/* A promised length takes memory only as bytes come. */
	BODY_FIRST = 64 * 1024,
	/* Of a body that is refused so many times the limit is read all the same: a caller who is
	 * still sending when the connection closes may never see why. */
	REFUSED_FACTOR = 16,
	HEADERS_MAX = 100,
	HEADER_OVERHEAD = 4, /* ": " and the line's end */
};

static void set_fault(struct connection *connection, int status, enum error_code code,
		      const char *field, const char *message)
{
	connection->fault_status = status;
	connection->must_close = true;
	error_set_field(&connection->fault, code, field, NULL, "%s", message);
}

static void set_size_fault(struct connection *connection, size_t bytes_max)
{
	set_fault(connection, 413, ERROR_LIMIT, "body", "");
	error_set_field(&connection->fault, ERROR_LIMIT, "body", NULL,
			"the body is too large: at most %zu bytes are taken", bytes_max);
}

/* --- the first line ------------------------------------------------------------------------ */

static void make_request_id(struct connection *connection)
{
	static const char digits[] = "0123456789abcdef";
	struct http_server *server = connection->server;

	if (server->random_left < 8) {
		random_fill(loop_random(server->loop), server->random, sizeof server->random);
		server->random_left = sizeof server->random;
	}
	for (size_t i = 0; i < 16; i += 2) {
		unsigned char byte = server->random[--server->random_left];

		connection->request_id[i] = digits[byte >> 4];
		connection->request_id[i + 1] = digits[byte & 15];
	}
	connection->exchange.request_id = str_make(connection->request_id, 16);
}

static void name_peer(struct connection *connection)
{
	const union MHD_ConnectionInfo *info;

	if (connection->server->is_local) {
		connection->exchange.peer = STR("local");
		return;
	}
	if (connection->peer[0] == '\0') {
		info = MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
		const struct sockaddr *address = info == NULL ? NULL : info->client_addr;
		const void *bytes = NULL;

		if (address != NULL && address->sa_family == AF_INET)
			bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
		else if (address != NULL && address->sa_family == AF_INET6)
			bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
		if (bytes != NULL)
			inet_ntop(address->sa_family, bytes, connection->peer,
				  sizeof connection->peer);
	}
	connection->exchange.peer = str_from_c(connection->peer);
}

/* "http://host/path" is the form for proxies, which every server has to understand. */
static struct str without_host(struct str target)
{
	ptrdiff_t slash;

	if (!str_starts_with(target, STR("http://")) && !str_starts_with(target, STR("https://")))
		return target;
	struct str rest = str_slice(target, (size_t)str_find(target, STR("://")) + 3, target.len);
	slash = str_find_byte(rest, '/');
	return slash < 0 ? STR("/") : str_slice(rest, (size_t)slash, rest.len);
}

static bool has_odd_byte(struct str target)
{
	for (size_t i = 0; i < target.len; i++) {
		unsigned char byte = (unsigned char)target.data[i];

		if (byte <= ' ' || byte >= 0x7f)
			return true;
	}
	return false;
}

static void read_target(struct connection *connection, struct str target)
{
	struct http_exchange *exchange = &connection->exchange;

	connection->target_len = target.len;
	if (target.len > connection->server->limits->url_bytes_max) {
		set_fault(connection, 414, ERROR_LIMIT, "url", "the URL is too long");
		return;
	}
	if (has_odd_byte(target)) {
		set_fault(connection, 400, ERROR_INVALID, "url",
			  "the URL has a byte that must be percent-encoded");
		return;
	}
	connection->query = without_host(arena_str(&connection->arena, target));
	exchange->path = str_cut(&connection->query, '?');
}

void request_begin(struct connection *connection, struct str target)
{
	struct http_server *server = connection->server;
	struct http_exchange *exchange = &connection->exchange;

	connection_move(connection, CONNECTION_READING);
	connection->has_head = false;
	connection->must_close = server->is_quiet;
	connection->fault_status = 0;
	connection->surplus = 0;
	connection->is_gone = false;
	connection->ends_with_caller = false;
	connection->has_left = false;
	connection->has_waited = false;
	connection->fiber = NULL;
	connection->in = (struct inflow){.is_on = false};
	connection->out = (struct outflow){.is_on = false};
	connection->query = (struct str){NULL, 0};
	arena_init(&connection->arena, server->limits->arena_bytes_max);
	buffer_init(&connection->body, &connection->arena, server->limits->body_bytes_max);
	*exchange = (struct http_exchange){
		.arena = &connection->arena,
		.method = HTTP_METHODS,
		.is_local = server->is_local,
		.started_ns = clock_monotonic_ns(loop_clock(server->loop)),
		.status = 200,
		.content_type = STR("application/json"),
		.connection = connection,
	};
	make_request_id(connection);
	name_peer(connection);
	read_target(connection, target);
}

/* --- the headers --------------------------------------------------------------------------- */

struct head_reader {
	struct connection *connection;
	struct http_header *headers;
	size_t count;
	size_t bytes;
	size_t length_count;
	size_t encoding_count;
	struct str length;
	struct str encoding;
};

static struct str to_lower(struct arena *arena, struct str name)
{
	char *lower = arena_alloc(arena, name.len);

	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	return str_make(lower, name.len);
}

/* The value stays where libmicrohttpd has it, which lives as long as the request. */
static void add_header(struct head_reader *reader, struct str name, struct str value)
{
	struct http_header header = {to_lower(&reader->connection->arena, name), str_trim(value)};

	if (str_equal(header.name, STR("content-length"))) {
		reader->length_count++;
		reader->length = header.value;
	} else if (str_equal(header.name, STR("transfer-encoding"))) {
		reader->encoding_count++;
		reader->encoding = header.value;
	}
	reader->headers[reader->count++] = header;
}

static bool has_odd_value(struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char byte = (unsigned char)value.data[i];

		if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
			return true;
	}
	return false;
}

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name,
				   size_t name_len, const char *value, size_t value_len)
{
	struct head_reader *reader = context;
	struct connection *connection = reader->connection;

	(void)kind;
	reader->bytes += name_len + value_len + HEADER_OVERHEAD;
	if (reader->count >= HEADERS_MAX ||
	    reader->bytes > connection->server->limits->headers_bytes_max) {
		set_fault(connection, 431, ERROR_LIMIT, "headers", "the headers are too large");
		return MHD_NO;
	}
	if (!http_is_token(str_make(name, name_len)) || has_odd_value(str_make(value, value_len))) {
		set_fault(connection, 400, ERROR_INVALID, "headers", "a header is malformed");
		return MHD_NO;
	}
	add_header(reader, str_make(name, name_len), str_make(value, value_len));
	return MHD_YES;
}

/* Two ways to say where a body ends are how requests are smuggled past a proxy. */
static void check_framing(struct head_reader *reader)
{
	struct connection *connection = reader->connection;
	int64_t length = 0;

	if (reader->length_count > 1 || (reader->length_count > 0 && reader->encoding_count > 0))
		set_fault(connection, 400, ERROR_INVALID, "content-length",
			  "the request says more than once how long its body is");
	else if (reader->encoding_count > 1 ||
		 (reader->encoding_count > 0 &&
		  !str_equal_nocase(reader->encoding, STR("chunked"))))
		set_fault(connection, 400, ERROR_INVALID, "transfer-encoding",
			  "of transfer encodings only chunked is understood");
	else if (reader->length_count > 0 && (!str_to_int64(reader->length, &length) || length < 0))
		set_fault(connection, 400, ERROR_INVALID, "content-length",
			  "the length of the body is not a number");
	else
		connection->exchange.body_length =
			reader->encoding_count > 0 ? HTTP_LENGTH_UNKNOWN : length;
}

/* Whole or as a stream; only now is it clear how much may come. */
static void choose_body(struct connection *connection)
{
	struct http_exchange *exchange = &connection->exchange;
	struct http_handler *handler = connection->server->handler;
	int64_t length = exchange->body_length;
	size_t stream_max = 0;

	if (length == 0)
		return;
	if (handler->stream_max != NULL)
		stream_max = handler->stream_max(handler, exchange);
	size_t bytes_max = stream_max > 0 ? stream_max : connection->server->limits->body_bytes_max;
	if (length > 0 && (uint64_t)length > bytes_max) {
		set_size_fault(connection, bytes_max);
		return;
	}
	exchange->is_stream = connection->in.is_on = stream_max > 0;
	connection->in.bytes_max = stream_max;
	connection->in.is_expected =
		str_equal_nocase(http_exchange_header(exchange, "expect"), STR("100-continue"));
	if (stream_max == 0 && length > 0)
		buffer_room(&connection->body,
			    length < BODY_FIRST ? (size_t)length : (size_t)BODY_FIRST);
}

static void read_query(struct connection *connection)
{
	struct http_exchange *exchange = &connection->exchange;
	struct http_field *fields;

	if (url_parse_query(&connection->arena, connection->query,
			    connection->server->limits->fields_max, &fields, &exchange->query_count,
			    &connection->fault)) {
		exchange->query = fields;
		return;
	}
	exchange->query_count = 0;
	connection->fault_status = connection->fault.code == ERROR_LIMIT ? 414 : 400;
	connection->must_close = true;
}

void request_read_head(struct connection *connection, const char *method)
{
	struct http_exchange *exchange = &connection->exchange;
	struct head_reader reader = {.connection = connection, .bytes = connection->target_len};
	int count = MHD_get_connection_values(connection->mhd, MHD_HEADER_KIND, NULL, NULL);
	size_t room = count < 0 ? 0 : count > HEADERS_MAX ? HEADERS_MAX : (size_t)count;

	connection->has_head = true;
	exchange->method_name = str_from_c(method);
	exchange->method = http_method_from(exchange->method_name);
	reader.headers = arena_array(&connection->arena, room, sizeof *reader.headers);
	MHD_get_connection_values_n(connection->mhd, MHD_HEADER_KIND, take_header, &reader);
	exchange->headers = reader.headers;
	exchange->header_count = reader.count;
	if (connection->fault_status == 0)
		check_framing(&reader);
	if (connection->fault_status == 0)
		read_query(connection);
	if (connection->fault_status == 0)
		choose_body(connection);
}

void request_keep_head(struct connection *connection)
{
	struct http_exchange *exchange = &connection->exchange;
	struct http_header *headers = (struct http_header *)(uintptr_t)exchange->headers;

	exchange->method_name = arena_str(&connection->arena, exchange->method_name);
	for (size_t i = 0; i < exchange->header_count; i++)
		headers[i].value = arena_str(&connection->arena, headers[i].value);
}

/* --- the body ------------------------------------------------------------------------------ */

static size_t refused_max(const struct connection *connection)
{
	return REFUSED_FACTOR * connection->server->limits->body_bytes_max;
}

bool request_is_swallowed(const struct connection *connection)
{
	const struct http_exchange *exchange = &connection->exchange;

	return connection->fault_status == 413 &&
	       (uint64_t)exchange->body_length <= refused_max(connection) &&
	       http_exchange_header(exchange, "expect").len == 0;
}

bool request_read_body(struct connection *connection, struct str bytes)
{
	size_t limit = connection->server->limits->body_bytes_max;

	if (connection->fault_status == 0) {
		buffer_append(&connection->body, bytes);
		if (!connection->body.is_over)
			return true;
		set_size_fault(connection, limit);
	}
	/* A reply can be given only after the body. */
	connection->surplus += bytes.len;
	return connection->surplus <= refused_max(connection);
}
