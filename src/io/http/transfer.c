/* One call on one easy handle. What may be repeated, what a cut body is and what a caller may
 * put into a request is decided here. */
#include "io/http/transfer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>

#include "base/log.h"
#include "io/http/message.h"
#include "io/http/reach.h"

enum {
	URL_BYTES_MAX = 64 * 1024,
	REQUEST_HEAD_BYTES_MAX = 64 * 1024,
	UPLOAD_BUFFER_BYTES = 16 * 1024,
	CONNECT_TIMEOUT_MS = 10000,
};

/* Headers which frame the message are libcurl's own: two makers of them would disagree. */
static const char *const own_headers[] = {
	"host",
	"content-length",
	"transfer-encoding",
	"connection",
	"keep-alive",
	"upgrade",
	"te",
	"trailer",
	"expect",
	"proxy-connection",
	"accept-encoding",
};

#define SET(easy, option, value)                                                                   \
	do {                                                                                       \
		if (curl_easy_setopt((easy), (option), (value)) != CURLE_OK)                       \
			die("libcurl does not know " #option);                                     \
	} while (0)

/* --- what libcurl calls -------------------------------------------------------------------- */

/* The body's buffer begins with the length that was promised. A compressed body may be longer than
 * that and also shorter, so that the promise by itself is never too much. */
static void reserve(struct transfer *transfer)
{
	struct buffer *body = &transfer->body;
	curl_off_t promised = 0;

	transfer->is_reserved = true;
	curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &promised);
	if (promised > 0)
		buffer_room(body, (uint64_t)promised > body->bytes_max ? body->bytes_max
								       : (size_t)promised);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	size_t len = size * count;

	if (transfer->call != NULL)
		return call_take(transfer->call, str_make(bytes, len));
	if (!transfer->is_reserved)
		reserve(transfer);
	buffer_append(&transfer->body, str_make(bytes, len));
	/* Anything but len makes libcurl give up. */
	return transfer->body.is_over ? 0 : len;
}

static size_t give_body(char *bytes, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;

	return transfer->call == NULL ? 0 : call_give(transfer->call, bytes, size * count);
}

static bool is_blank(struct str line)
{
	return line.len == 0 || line.data[0] == '\r' || line.data[0] == '\n';
}

/* "HTTP/1.1 100 Continue" and its like announce another head. */
static bool is_interim(const struct transfer *transfer)
{
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	return status < 200;
}

/* Only the last head counts (a 100 may stand before it), and no trailer. */
static size_t take_head(char *bytes, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	struct str line = str_make(bytes, size * count);

	if (transfer->has_head)
		return line.len;
	if (str_starts_with(line, STR("HTTP/"))) {
		transfer->head.len = 0;
		transfer->is_in_head = true;
	} else if (is_blank(line)) {
		transfer->is_in_head = false;
		transfer->has_head = transfer->call != NULL && !is_interim(transfer);
		if (transfer->has_head)
			call_note_head(transfer->call);
	} else if (transfer->is_in_head) {
		buffer_append(&transfer->head, line);
	}
	return transfer->head.is_over ? 0 : line.len;
}

static bool may_repeat(enum http_method method)
{
	return method == HTTP_GET || method == HTTP_HEAD;
}

/* Called when a connection stands, before the request is written. libcurl repeats a request by
 * itself when a kept connection dies under it, even after the request was written: the peer may
 * have acted on it by then, so that only what is harmless may go out a second time. */
static int note_sending(void *context, char *peer, char *own, int peer_port, int own_port)
{
	struct transfer *transfer = context;

	(void)own, (void)own_port;
	if (transfer->is_sent && !may_repeat(transfer->request->method))
		return CURL_PREREQFUNC_ABORT;
	/* Another call, which was free to, may have opened the connection. */
	transfer->kept_out = reach_judge_peer(transfer->reach, transfer->request, peer, peer_port);
	if (transfer->kept_out != NULL)
		return CURL_PREREQFUNC_ABORT;
	transfer->is_sent = true;
	return CURL_PREREQFUNC_OK;
}

/* Only the operator is told which address it was. */
static void note_refusal(const struct transfer *transfer, const struct sockaddr *address)
{
	char text[INET6_ADDRSTRLEN] = "";
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (address->sa_family == AF_INET) {
		memcpy(&v4, address, sizeof v4);
		inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
	} else if (address->sa_family == AF_INET6) {
		memcpy(&v6, address, sizeof v6);
		inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
	}
	LOG(LOG_WARNING, "address_refused", LOG_C(address, text),
	    LOG_C(message, transfer->kept_out));
}

/* Asked with the address itself: a name may lead elsewhere from one moment to the next. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *transfer = context;

	(void)purpose;
	transfer->kept_out = reach_judge(transfer->reach, transfer->request, &address->addr);
	if (transfer->kept_out == NULL)
		return multi_open_socket(transfer->multis, address);
	note_refusal(transfer, &address->addr);
	return CURL_SOCKET_BAD;
}

/* --- the handle ---------------------------------------------------------------------------- */

static void set_callbacks(struct transfer *transfer)
{
	CURL *easy = transfer->easy;

	SET(easy, CURLOPT_PRIVATE, transfer);
	SET(easy, CURLOPT_WRITEFUNCTION, take_body);
	SET(easy, CURLOPT_WRITEDATA, transfer);
	SET(easy, CURLOPT_READFUNCTION, give_body);
	SET(easy, CURLOPT_READDATA, transfer);
	SET(easy, CURLOPT_HEADERFUNCTION, take_head);
	SET(easy, CURLOPT_HEADERDATA, transfer);
	SET(easy, CURLOPT_PREREQFUNCTION, note_sending);
	SET(easy, CURLOPT_PREREQDATA, transfer);
	SET(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(easy, CURLOPT_OPENSOCKETDATA, transfer);
}

static void set_constants(CURL *easy, const struct http_client_options *options)
{
	int64_t connect_ms = options->connect_timeout_ms;

	SET(easy, CURLOPT_NOSIGNAL, 1L);
	SET(easy, CURLOPT_NOPROGRESS, 1L);
	SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
	SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(easy, CURLOPT_PROXY, "");
	SET(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	SET(easy, CURLOPT_PATH_AS_IS, 1L);
	SET(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	SET(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER_BYTES);
	SET(easy, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(connect_ms > 0 ? connect_ms : CONNECT_TIMEOUT_MS));
	if (options->user_agent != NULL)
		SET(easy, CURLOPT_USERAGENT, options->user_agent);
	if (options->unix_socket != NULL)
		SET(easy, CURLOPT_UNIX_SOCKET_PATH, options->unix_socket);
}

struct transfer *transfer_create(const struct http_client_options *options)
{
	struct transfer *transfer = calloc(1, sizeof *transfer);

	if (transfer == NULL || (transfer->easy = curl_easy_init()) == NULL)
		die("out of memory for a call");
	transfer->reach = options->reach;
	set_constants(transfer->easy, options);
	set_callbacks(transfer);
	return transfer;
}

void transfer_destroy(struct transfer *transfer)
{
	curl_easy_cleanup(transfer->easy);
	free(transfer);
}

/* --- the request --------------------------------------------------------------------------- */

static bool refuse(struct error *err, const char *field, const char *what)
{
	return error_set_field(err, ERROR_INVALID, field, NULL, "%s %s", field, what);
}

struct str transfer_host(struct str url)
{
	ptrdiff_t scheme = str_find(url, STR("://"));
	size_t from = scheme < 0 ? 0 : (size_t)scheme + 3;
	size_t to = from;

	while (to < url.len && strchr("/?#", url.data[to]) == NULL)
		to++;
	return str_slice(url, from, to);
}

static bool check_url(struct str url, struct error *err)
{
	if (!str_starts_with(url, STR("http://")) && !str_starts_with(url, STR("https://")))
		return refuse(err, "url", "must begin with http:// or https://");
	if (url.len > URL_BYTES_MAX)
		return refuse(err, "url", "is longer than 64 KiB");
	for (size_t i = 0; i < url.len; i++) {
		unsigned char byte = (unsigned char)url.data[i];

		/* A bare '#' would cut off what follows it without a word. */
		if (byte <= ' ' || byte >= 0x7f || byte == '#')
			return refuse(err, "url", "has a byte that must be percent-encoded");
	}
	struct str host = transfer_host(url);
	if (host.len == 0)
		return refuse(err, "url", "has no host");
	if (str_find_byte(host, '@') >= 0)
		return refuse(err, "url", "must not carry a user name");
	return true;
}

static bool is_own(struct str name)
{
	for (size_t i = 0; i < sizeof own_headers / sizeof *own_headers; i++) {
		if (str_equal_nocase(name, str_from_c(own_headers[i])))
			return true;
	}
	return false;
}

static bool check_header(const struct http_header *header, struct error *err)
{
	char field[64];

	if (!http_is_token(header->name))
		return refuse(err, "header", "has a name that is not a token");
	snprintf(field, sizeof field, "header %.*s",
		 (int)(header->name.len < 40 ? header->name.len : 40), header->name.data);
	if (http_has_control_byte(header->value))
		return refuse(err, field, "has a control byte in its value");
	if (is_own(header->name))
		return refuse(err, field, "is set by the client itself");
	return true;
}

/* "Name;" is how libcurl is told of a header with an empty value. */
static char *format_line(struct arena *arena, const struct http_header *header)
{
	struct str value = str_trim(header->value);

	if (value.len == 0)
		return (char *)arena_format(arena, "%.*s;", STR_ARGS(header->name)).data;
	return (char *)arena_format(arena, "%.*s: %.*s", STR_ARGS(header->name), STR_ARGS(value))
		.data;
}

static void add_line(struct transfer *transfer, char *line)
{
	struct curl_slist *item = arena_alloc(transfer->arena, sizeof *item);

	*item = (struct curl_slist){line, transfer->header_lines};
	transfer->header_lines = item;
}

static bool set_headers(struct transfer *transfer, struct error *err)
{
	const struct http_request *request = transfer->request;
	bool has_type = false;
	size_t bytes = 0;

	/* Backwards, as each is put before the others. */
	for (size_t i = request->header_count; i-- > 0;) {
		const struct http_header *header = &request->headers[i];

		if (!check_header(header, err))
			return false;
		bytes += header->name.len + header->value.len + 4;
		if (bytes > REQUEST_HEAD_BYTES_MAX)
			return refuse(err, "headers", "are longer than 64 KiB");
		has_type = has_type || str_equal_nocase(header->name, STR("content-type"));
		add_line(transfer, format_line(transfer->arena, header));
	}
	/* libcurl would call every body a form, and wait for a 100 before a large one. */
	if (!has_type)
		add_line(transfer, arena_c(transfer->arena, STR("Content-Type:")));
	add_line(transfer, arena_c(transfer->arena, STR("Expect:")));
	SET(transfer->easy, CURLOPT_HTTPHEADER, transfer->header_lines);
	return true;
}

static void set_method(CURL *easy, const struct http_request *request)
{
	const struct http_source *source = request->source;
	bool has_body = request->has_body || request->body.len > 0 || source != NULL;

	SET(easy, CURLOPT_CUSTOMREQUEST, NULL);
	if (request->method == HTTP_HEAD) {
		SET(easy, CURLOPT_NOBODY, 1L);
		return;
	}
	SET(easy, CURLOPT_HTTPGET, 1L);
	if (has_body || request->method == HTTP_POST || request->method == HTTP_PUT ||
	    request->method == HTTP_PATCH) {
		SET(easy, CURLOPT_POST, 1L);
		SET(easy, CURLOPT_POSTFIELDSIZE_LARGE,
		    source == NULL ? (curl_off_t)request->body.len : (curl_off_t)source->length);
		SET(easy, CURLOPT_POSTFIELDS,
		    source != NULL	     ? NULL
		    : request->body.len == 0 ? ""
					     : request->body.data);
	}
	SET(easy, CURLOPT_CUSTOMREQUEST, http_method_name(request->method));
}

static long left_ms(int64_t deadline_ns, int64_t now_ns)
{
	if (deadline_ns == INT64_MAX)
		return 0; /* none, to libcurl */
	if (deadline_ns <= now_ns)
		return 1;
	int64_t ms = (deadline_ns - now_ns - 1) / 1000000 + 1;
	return ms > INT32_MAX ? INT32_MAX : (long)ms;
}

static void start_fresh(struct transfer *transfer, struct arena *arena,
			const struct http_request *request)
{
	transfer->arena = arena;
	transfer->request = request;
	transfer->header_lines = NULL;
	transfer->is_in_head = false;
	transfer->has_head = false;
	transfer->is_reserved = false;
	transfer->is_sent = false;
	transfer->kept_out = NULL;
	transfer->result = CURLE_OK;
	buffer_init(&transfer->head, arena, TRANSFER_HEAD_BYTES_MAX);
	buffer_init(&transfer->body, arena, request->response_bytes_max);
}

bool transfer_begin(struct transfer *transfer, struct arena *arena,
		    const struct http_request *request, int64_t now_ns, long buffer_bytes,
		    struct error *err)
{
	CURL *easy = transfer->easy;

	start_fresh(transfer, arena, request);
	if (request->method >= HTTP_METHODS)
		return refuse(err, "method", "is not one that can be sent");
	if (request->method == HTTP_HEAD && (request->body.len > 0 || request->source != NULL))
		return refuse(err, "body", "cannot go with HEAD");
	if (!check_url(request->url, err) || !set_headers(transfer, err))
		return false;
	if (request->to_public_only && !str_starts_with(request->url, STR("https://")))
		return refuse(err, "url", "must begin with https://");
	/* libcurl copies the URL. */
	if (curl_easy_setopt(easy, CURLOPT_URL, arena_c(arena, request->url)) != CURLE_OK)
		return refuse(err, "url", "is not a URL");
	set_method(easy, request);
	/* The times of a call, and of what is sent once, are watched by its fiber. */
	bool is_watched = transfer->call != NULL || request->is_sent_once;
	SET(easy, CURLOPT_TIMEOUT_MS, is_watched ? 0 : left_ms(request->deadline_ns, now_ns));
	SET(easy, CURLOPT_FRESH_CONNECT,
	    request->source != NULL || request->to_public_only || request->is_sent_once ? 1L : 0L);
	bool is_plain = transfer->call != NULL && !request->takes_coding;
	if (transfer->is_plain != is_plain) {
		transfer->is_plain = is_plain;
		SET(easy, CURLOPT_ACCEPT_ENCODING, transfer->is_plain ? NULL : "gzip");
	}
	/* After a call that got no connection, as of a bad URL, libcurl holds on to the old buffer
	 * and refuses another size: that one does, too. */
	if (transfer->buffer_bytes != buffer_bytes &&
	    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, buffer_bytes) == CURLE_OK)
		transfer->buffer_bytes = buffer_bytes;
	return true;
}

void transfer_end(struct transfer *transfer)
{
	SET(transfer->easy, CURLOPT_HTTPHEADER, NULL);
	SET(transfer->easy, CURLOPT_POSTFIELDS, NULL);
	for (struct curl_slist *line = transfer->header_lines; line != NULL; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	transfer->header_lines = NULL;
	transfer->request = NULL;
	transfer->arena = NULL;
	transfer->call = NULL;
}

/* --- the response -------------------------------------------------------------------------- */

static size_t count_lines(struct str head)
{
	size_t count = 0;

	for (size_t i = 0; i < head.len; i++)
		count += head.data[i] == '\n';
	return count + 1;
}

/* In place: names to lower case, tabs to blanks. False for a control byte that has no place in a
 * header; whoever hands the value on can rely on that. */
static bool clean_line(char *bytes, size_t name_len, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\t')
			bytes[i] = ' ';
		else if (i < name_len && bytes[i] >= 'A' && bytes[i] <= 'Z')
			bytes[i] = (char)(bytes[i] | 0x20);
	}
	return !http_has_control_byte(str_make(bytes, len));
}

static bool read_headers(struct transfer *transfer, struct http_response *response)
{
	struct str rest = buffer_str(&transfer->head);

	response->headers =
		arena_array(transfer->arena, count_lines(rest), sizeof *response->headers);
	while (rest.len > 0) {
		struct str line = str_trim(str_cut(&rest, '\n'));
		ptrdiff_t colon = str_find_byte(line, ':');

		if (line.len == 0)
			continue;
		if (colon <= 0)
			return false;
		if (!clean_line((char *)line.data, (size_t)colon, line.len))
			return false;
		response->headers[response->header_count++] = (struct http_header){
			str_trim(str_slice(line, 0, (size_t)colon)),
			str_trim(str_slice(line, (size_t)colon + 1, line.len)),
		};
	}
	return true;
}

static enum http_outcome judge(const struct transfer *transfer, int64_t now_ns)
{
	/* libcurl takes a head that was cut off between two lines for a whole one. */
	if (transfer->result == CURLE_OK)
		return transfer->is_in_head ? HTTP_BROKEN : HTTP_COMPLETE;
	if (transfer->head.is_over || transfer->body.is_over)
		return HTTP_TOO_LARGE;
	/* Without a connection and before the deadline it was the time to connect that ran out. */
	if (transfer->result == CURLE_OPERATION_TIMEDOUT)
		return transfer->is_sent || now_ns >= transfer->request->deadline_ns
			       ? HTTP_TIMED_OUT
			       : HTTP_NOT_SENT;
	if (transfer->is_sent)
		return HTTP_BROKEN;
	if (transfer->kept_out != NULL)
		return HTTP_REFUSED;
	if (transfer->result == CURLE_URL_MALFORMAT ||
	    transfer->result == CURLE_UNSUPPORTED_PROTOCOL)
		return HTTP_REFUSED;
	return HTTP_NOT_SENT;
}

static bool explain_refusal(const struct transfer *transfer, struct str host, struct error *err)
{
	if (transfer->request->to_public_only)
		return error_set(err, ERROR_FORBIDDEN,
				 "%.*s leads to %s; what others link to is fetched from public "
				 "addresses only",
				 STR_ARGS(host), transfer->kept_out);
	return error_set(err, ERROR_FORBIDDEN,
			 "%.*s leads to %s; whoever runs this server has to allow that "
			 "(--allow-address, --allow-http)",
			 STR_ARGS(host), transfer->kept_out);
}

static bool explain(const struct transfer *transfer, enum http_outcome outcome, struct error *err)
{
	struct str host = transfer_host(transfer->request->url);
	const char *reason = transfer->result == CURLE_OK ? "the headers were cut off"
							  : curl_easy_strerror(transfer->result);

	if (transfer->result == CURLE_OPERATION_TIMEDOUT && loop_is_interrupted())
		return error_set(err, ERROR_TIMEOUT, "the call to %.*s was given up",
				 STR_ARGS(host));
	switch (outcome) {
	case HTTP_TOO_LARGE:
		return error_set(err, ERROR_LIMIT, "%.*s answered with more than %zu bytes",
				 STR_ARGS(host),
				 transfer->head.is_over ? (size_t)TRANSFER_HEAD_BYTES_MAX
							: transfer->body.bytes_max);
	case HTTP_TIMED_OUT:
		return error_set(err, ERROR_TIMEOUT, "%.*s did not answer in time", STR_ARGS(host));
	case HTTP_REFUSED:
		if (transfer->kept_out != NULL)
			return explain_refusal(transfer, host, err);
		return error_set_field(err, ERROR_INVALID, "url", NULL, "%.*s: %s", STR_ARGS(host),
				       reason);
	case HTTP_NOT_SENT:
		return error_set(err, ERROR_UPSTREAM, "%.*s cannot be reached: %s", STR_ARGS(host),
				 reason);
	default:
		return error_set(err, ERROR_UPSTREAM, "%.*s broke off: %s", STR_ARGS(host), reason);
	}
}

bool transfer_judge(const struct transfer *transfer, int64_t now_ns, enum http_outcome *outcome,
		    struct error *err)
{
	*outcome = judge(transfer, now_ns);
	return *outcome == HTTP_COMPLETE || explain(transfer, *outcome, err);
}

bool transfer_read_head(struct transfer *transfer, struct http_response *response,
			struct error *err)
{
	curl_off_t length = HTTP_LENGTH_UNKNOWN;
	long status = 0;

	response->outcome = HTTP_COMPLETE;
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	response->status = (int)status;
	response->body_length = length;
	if (read_headers(transfer, response)) {
		/* What is undone has another length. */
		if (!transfer->is_plain &&
		    http_response_header(response, "content-encoding").len > 0)
			response->body_length = HTTP_LENGTH_UNKNOWN;
		return true;
	}
	response->outcome = HTTP_BROKEN;
	response->header_count = 0;
	return error_set(err, ERROR_UPSTREAM, "%.*s answered with a malformed header",
			 STR_ARGS(transfer_host(transfer->request->url)));
}

bool transfer_conclude(struct transfer *transfer, int64_t now_ns, struct http_response *response,
		       struct error *err)
{
	if (!transfer_judge(transfer, now_ns, &response->outcome, err))
		return false;
	response->body = buffer_str(&transfer->body);
	return transfer_read_head(transfer, response, err);
}
