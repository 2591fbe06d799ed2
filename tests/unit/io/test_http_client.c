/* The client against peers that break the rules: each end of a call is told apart. */
#include "http_testing.h"

struct script {
	struct stage *stage;
	struct http_request request;
	struct http_response response;
	struct error err;
	bool ok;
};

static void send_it(void *context)
{
	struct script *script = context;

	script->ok = http_client_send(script->stage->client, &script->stage->arena,
				      &script->request, &script->response, &script->err);
}

static struct script call(struct stage *stage, struct http_request request)
{
	struct script script = {.stage = stage, .request = request};

	loop_spawn(stage->loop, send_it, &script);
	assert_true(loop_drain(stage->loop, PATIENCE_MS));
	assert_int_equal(script.ok, script.response.outcome == HTTP_COMPLETE);
	return script;
}

/* One call to a peer that answers each connection with one of `replies`. */
static struct script call_peer(struct stage *stage, struct peer *peer, enum http_method method,
			       const char *const *replies, size_t count)
{
	struct http_request request = {
		.method = method, .deadline_ns = soon(), .response_bytes_max = 1024 * 1024};

	peer->replies = replies;
	peer->reply_count = count;
	request.url = peer_start(peer, &stage->arena);
	struct script script = call(stage, request);
	peer_finish(peer);
	return script;
}

static int open_stage(void **state)
{
	struct stage *stage = calloc(1, sizeof *stage);

	stage_open(stage);
	*state = stage;
	return 0;
}

static int close_stage(void **state)
{
	stage_close(*state);
	free(*state);
	return 0;
}

/* --- whole responses ----------------------------------------------------------------------- */

static void odd_but_whole_responses_are_complete(void **state)
{
	static const struct {
		const char *reply;
		int status;
		const char *body;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi"},
		{"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", 200, "hi"},
		{"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end"},
		{"HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, ""},
		{"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
		 302, ""},
		{"HTTP/1.1 100 Continue\r\nX-A: no\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
		 "2\r\n\r\nhi",
		 200, "hi"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n "
		 "ho\r\n0\r\nX-A: "
		 "trailer\r\n\r\n",
		 200, "hi ho"},
		{"HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n", 599, ""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct peer peer = {0};
		struct script script = call_peer(*state, &peer, HTTP_GET, &cases[i].reply, 1);

		assert_int_equal(script.response.outcome, HTTP_COMPLETE);
		assert_int_equal(script.response.status, cases[i].status);
		assert_true(str_equal_c(script.response.body, cases[i].body));
		/* Neither of an earlier head nor of a trailer. */
		assert_int_equal(http_response_header(&script.response, "x-a").len, 0);
	}
}

static void headers_are_lowered_and_cleaned(void **state)
{
	static const char *const reply = "HTTP/1.1 200 OK\r\nX-OnE:  a b\tc \r\nSet-Cookie: a\r\n"
					 "Set-Cookie: b\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n";
	struct peer peer = {0};
	struct script script = call_peer(*state, &peer, HTTP_GET, &reply, 1);

	assert_int_equal(script.response.header_count, 5);
	assert_true(str_equal_c(script.response.headers[0].name, "x-one"));
	assert_true(str_equal_c(script.response.headers[0].value, "a b c"));
	assert_true(str_equal_c(script.response.headers[2].value, "b"));
	assert_int_equal(script.response.headers[3].value.len, 0);
}

/* --- broken ones --------------------------------------------------------------------------- */

static void cut_and_garbled_responses_are_broken(void **state)
{
	static const char *const cases[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nonly",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Le",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n",
		"HTTP/1.1 200 OK\r\nX-Bell: a\ab\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 20\r\nContent-Encoding: gzip\r\n\r\nthis is "
		"not gzipped!",
		"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
		"<html>what</html>",
		"",
		NULL, /* a reset after the request was read */
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct peer peer = {0};
		struct script script = call_peer(*state, &peer, HTTP_POST, &cases[i], 1);

		assert_int_equal(script.response.outcome, HTTP_BROKEN);
		assert_int_equal(script.err.code, ERROR_UPSTREAM);
		assert_int_equal(peer.connections, 1);
		assert_non_null(strstr(script.err.message, "127.0.0.1:"));
		assert_null(strstr(script.err.message, "/path"));
		assert_int_equal(script.response.header_count, 0);
		assert_int_equal(script.response.body.len, 0);
	}
}

static void a_reset_amid_the_body_is_broken(void **state)
{
	static const char *const cases[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nonly",
		"HTTP/1.0 200 OK\r\n\r\nuntil the",
	};

	for (size_t i = 0; i < 2; i++) {
		struct peer peer = {.resets = true};
		struct script script = call_peer(*state, &peer, HTTP_GET, &cases[i], 1);

		assert_int_equal(script.response.outcome, HTTP_BROKEN);
	}
}

static void what_cannot_be_reached_was_not_sent(void **state)
{
	struct stage *stage = *state;
	struct peer peer = {.reply_count = 0};
	struct http_request request = {
		.method = HTTP_POST, .deadline_ns = soon(), .response_bytes_max = 100};

	/* A port where nobody listens any more. */
	request.url = peer_start(&peer, &stage->arena);
	peer_finish(&peer);
	struct script script = call(stage, request);
	assert_int_equal(script.response.outcome, HTTP_NOT_SENT);
	assert_int_equal(script.err.code, ERROR_UPSTREAM);
	/* A name that cannot exist (RFC 6761). */
	request.url = STR("http://nobody.invalid/");
	script = call(stage, request);
	assert_int_equal(script.response.outcome, HTTP_NOT_SENT);
}

static void a_peer_without_tls_was_not_sent_anything(void **state)
{
	struct stage *stage = *state;
	const char *const reply = "this is not TLS";
	struct peer peer = {.replies = &reply, .reply_count = 1};
	struct http_request request = {
		.method = HTTP_GET, .deadline_ns = soon(), .response_bytes_max = 100};
	struct str url = peer_start(&peer, &stage->arena);

	request.url =
		arena_format(&stage->arena, "https%.*s", STR_ARGS(str_slice(url, 4, url.len)));
	/* The peer waits for the end of a head that never comes: the hello is not one. */
	shutdown(peer.listener, SHUT_RDWR);
	struct script script = call(stage, request);
	assert_int_equal(script.response.outcome, HTTP_NOT_SENT);
	peer_finish(&peer);
}

static void a_silent_peer_times_out(void **state)
{
	struct stage *stage = *state;
	static const char *const cases[] = {
		"",
		"HTTP/1.1 200 OK\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nonly",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct peer peer = {.replies = &cases[i], .reply_count = 1, .stays = true};
		struct http_request request = {
			.method = HTTP_GET,
			.url = peer_start(&peer, &stage->arena),
			.deadline_ns = clock_monotonic_ns(clock_system()) + 50 * 1000000,
			.response_bytes_max = 100,
		};
		struct script script = call(stage, request);

		assert_int_equal(script.response.outcome, HTTP_TIMED_OUT);
		assert_int_equal(script.err.code, ERROR_TIMEOUT);
		assert_true(clock_monotonic_ns(clock_system()) >= request.deadline_ns);
		peer_finish(&peer);
	}
}

struct stop {
	struct peer peer;
	int64_t deadline_ns;
};

/* As if the whole process were stopped, until the answer is there and the deadline is past. */
static void stand_still(void *context)
{
	struct stop *stop = context;

	while (stop->peer.heard == 0)
		loop_sleep_ms(1);
	stop->peer.is_held = false;
	while (stop->peer.answered == 0 ||
	       clock_monotonic_ns(clock_system()) <= stop->deadline_ns)
		poll(NULL, 0, 1);
}

/* What is sent once is good for one answer: one that came while nobody could look is read. */
static void an_answer_that_came_during_a_stop_is_read(void **state)
{
	static const char *const reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct stage *stage = *state;
	struct stop stop = {
		.peer = {.replies = &reply, .reply_count = 1, .is_held = true},
		.deadline_ns = clock_monotonic_ns(clock_system()) + (int64_t)2 * SECOND_NS,
	};
	struct http_request request = {
		.method = HTTP_POST,
		.url = peer_start(&stop.peer, &stage->arena),
		.deadline_ns = stop.deadline_ns,
		.is_sent_once = true,
		.response_bytes_max = 100,
	};

	loop_spawn(stage->loop, stand_still, &stop);
	struct script script = call(stage, request);
	assert_int_equal(script.response.outcome, HTTP_COMPLETE);
	assert_int_equal(script.response.status, 200);
	peer_finish(&stop.peer);
}

static void what_is_sent_once_times_out_as_well(void **state)
{
	static const char *const reply = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nonly";
	struct stage *stage = *state;
	struct peer peer = {.replies = &reply, .reply_count = 1, .stays = true};
	struct http_request request = {
		.method = HTTP_POST,
		.url = peer_start(&peer, &stage->arena),
		.deadline_ns = clock_monotonic_ns(clock_system()) + 50 * 1000000,
		.is_sent_once = true,
		.response_bytes_max = 100,
	};

	assert_int_equal(call(stage, request).response.outcome, HTTP_TIMED_OUT);
	peer_finish(&peer);
}

static void a_deadline_that_is_past_times_out(void **state)
{
	struct stage *stage = *state;
	struct peer peer = {.reply_count = 0};
	struct http_request request = {.url = peer_start(&peer, &stage->arena),
				       .response_bytes_max = 100};

	struct script script = call(stage, request);
	assert_int_equal(script.response.outcome, HTTP_TIMED_OUT);
	peer_finish(&peer);
}

/* --- limits -------------------------------------------------------------------------------- */

static void a_body_at_the_limit_passes_and_one_past_it_does_not(void **state)
{
	struct stage *stage = *state;
	static const char *const framings[] = {
		"Content-Length: 10\r\n\r\n0123456789",
		"Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n",
		"Connection: close\r\n\r\n0123456789"};

	for (size_t i = 0; i < 6; i++) {
		const char *reply =
			arena_format(&stage->arena, "HTTP/1.1 200 OK\r\n%s", framings[i / 2]).data;
		struct peer peer = {.replies = &reply, .reply_count = 1};
		struct http_request request = {.url = peer_start(&peer, &stage->arena),
					       .deadline_ns = soon(),
					       .response_bytes_max = i % 2 == 0 ? 10 : 9};
		struct script script = call(stage, request);

		peer_finish(&peer);
		if (i % 2 == 0) {
			assert_int_equal(script.response.outcome, HTTP_COMPLETE);
			assert_true(str_equal_c(script.response.body, "0123456789"));
		} else {
			assert_int_equal(script.response.outcome, HTTP_TOO_LARGE);
			assert_int_equal(script.err.code, ERROR_LIMIT);
		}
	}
}

static void a_head_without_end_is_too_large(void **state)
{
	struct stage *stage = *state;
	struct buffer head;
	struct peer peer = {0};

	buffer_init(&head, &stage->arena, 1024 * 1024);
	buffer_append_c(&head, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 3000; i++)
		buffer_append_format(
			&head, "X-Filler-%d: 0123456789012345678901234567890123456789\r\n", i);
	buffer_append(&head, str_make("\r\n", 3));
	const char *reply = head.data;
	struct script script = call_peer(stage, &peer, HTTP_GET, &reply, 1);
	assert_int_equal(script.response.outcome, HTTP_TOO_LARGE);
}

/* 100 MiB of zeros in 100 KiB, made by a tool and cut to what is needed: here a stored gzip of
 * repeated blocks is built by hand, so that no file is wanted. */
static struct str make_bomb(struct arena *arena, size_t copies)
{
	/* Each fixed-Huffman block of "a literal 0, then matches of 258 zeros" is written bit by
	 * bit. */
	struct buffer out;
	static const unsigned char start[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
	uint32_t bits = 0;
	int held = 0;

	buffer_init(&out, arena, 16 * 1024 * 1024);
	buffer_append(&out, str_make((const char *)start, sizeof start));
#define PUT(value, count)                                                                          \
	do {                                                                                       \
		bits |= (uint32_t)(value) << held;                                                 \
		held += (count);                                                                   \
		while (held >= 8) {                                                                \
			buffer_append_byte(&out, (char)(bits & 0xff));                             \
			bits >>= 8;                                                                \
			held -= 8;                                                                 \
		}                                                                                  \
	} while (0)
	PUT(1, 1);    /* last block */
	PUT(1, 2);    /* fixed codes */
	PUT(0x0c, 8); /* literal 0: 00110000, most significant bit first */
	for (size_t i = 0; i < copies; i++) {
		PUT(0xa3, 8); /* length 258: code 285 is 11000101 */
		PUT(0, 5);    /* distance 1 */
	}
	PUT(0, 7); /* end of block */
	PUT(0, 7); /* to a whole byte */
#undef PUT
	return buffer_str(&out);
}

static void reply_with_bomb(struct http_handler *handler, struct http_exchange *exchange)
{
	struct stage *stage = handler->context;

	exchange->reply = make_bomb(exchange->arena, *(size_t *)stage->extra);
	http_exchange_set_header(exchange, "Content-Encoding", STR("gzip"));
}

static void a_compressed_body_is_measured_unpacked(void **state)
{
	struct stage *stage = *state;
	size_t copies = 400000; /* 100 MB out of 650 KB */

	stage->extra = &copies;
	stage_serve(stage, reply_with_bomb);
	struct http_request request = stage_request(stage, HTTP_GET, "/");
	request.response_bytes_max = 2 * 1024 * 1024;
	struct script script = call(stage, request);
	assert_int_equal(script.response.outcome, HTTP_TOO_LARGE);
	assert_true(stage->arena.bytes < 16 * 1024 * 1024);
}

static void reply_compressed(struct http_handler *handler, struct http_exchange *exchange)
{
	/* printf 'hello hello hello' | gzip -n */
	static const unsigned char packed[] = {
		0x1f, 0x8b, 8,	  0,	0,    0,    0,	  0,	0,    3,    0xcb, 0x48, 0xcd, 0xc9,
		0xc9, 0x57, 0xc8, 0x40, 0x90, 0x00, 0x80, 0x88, 0xf9, 0xe5, 0x11, 0,	0,    0};

	(void)handler;
	exchange->reply = str_make((const char *)packed, sizeof packed);
	http_exchange_set_header(exchange, "Content-Encoding", STR("gzip"));
}

static void a_compressed_body_is_unpacked(void **state)
{
	struct stage *stage = *state;

	stage_serve(stage, reply_compressed);
	struct http_request request = stage_request(stage, HTTP_GET, "/");
	request.response_bytes_max = 17;
	struct script script = call(stage, request);
	assert_int_equal(script.response.outcome, HTTP_COMPLETE);
	assert_true(str_equal_c(script.response.body, "hello hello hello"));
}

/* --- requests that are not sent ------------------------------------------------------------ */

static void unfit_requests_are_refused(void **state)
{
	static const struct {
		const char *url;
		const char *name;
		const char *value;
		const char *field;
	} cases[] = {
		{"ftp://127.0.0.1/", "X-A", "b", "url"},
		{"file:///etc/passwd", "X-A", "b", "url"},
		{"127.0.0.1/", "X-A", "b", "url"},
		{"http://", "X-A", "b", "url"},
		{"http:///path", "X-A", "b", "url"},
		{"http://user:secret@127.0.0.1/", "X-A", "b", "url"},
		{"http://127.0.0.1/a b", "X-A", "b", "url"},
		{"http://127.0.0.1/a\r\nX: y", "X-A", "b", "url"},
		{"http://127.0.0.1/a#b", "X-A", "b", "url"},
		{"http://127.0.0.1/\xc3\xa4", "X-A", "b", "url"},
		{"http://127.0.0.1:99999/", "X-A", "b", "url"},
		{"http://127.0.0.1/", "X-A", "b\r\nX-B: c", "header X-A"},
		{"http://127.0.0.1/", "X-A", "b\nc", "header X-A"},
		{"http://127.0.0.1/", "X A", "b", "header"},
		{"http://127.0.0.1/", "X-A:", "b", "header"},
		{"http://127.0.0.1/", "", "b", "header"},
		{"http://127.0.0.1/", "hOsT", "b", "header hOsT"},
		{"http://127.0.0.1/", "Content-Length", "5", "header Content-Length"},
		{"http://127.0.0.1/", "Transfer-Encoding", "chunked", "header Transfer-Encoding"},
		{"http://127.0.0.1/", "Connection", "close", "header Connection"},
		{"http://127.0.0.1/", "Expect", "100-continue", "header Expect"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct http_header header = {str_from_c(cases[i].name), str_from_c(cases[i].value)};
		struct http_request request = {.url = str_from_c(cases[i].url),
					       .headers = &header,
					       .header_count = 1,
					       .deadline_ns = soon(),
					       .response_bytes_max = 100};
		struct script script = call(*state, request);

		assert_int_equal(script.response.outcome, HTTP_REFUSED);
		assert_int_equal(script.err.code, ERROR_INVALID);
		assert_string_equal(script.err.field, cases[i].field);
		assert_null(strstr(script.err.message, "secret"));
	}
	struct http_header nul = {STR("X-A"), STR("a\0b")};
	struct http_request request = {.url = STR("http://127.0.0.1/"),
				       .headers = &nul,
				       .header_count = 1,
				       .deadline_ns = soon()};
	assert_int_equal(call(*state, request).response.outcome, HTTP_REFUSED);
	request = (struct http_request){.url = STR("http://127.0.0.1/"), .method = HTTP_METHODS};
	assert_int_equal(call(*state, request).response.outcome, HTTP_REFUSED);
	request = (struct http_request){
		.url = STR("http://127.0.0.1/"), .method = HTTP_HEAD, .body = STR("x")};
	assert_int_equal(call(*state, request).response.outcome, HTTP_REFUSED);
}

/* --- kept connections that die ------------------------------------------------------------- */

/* Answers one request on a connection and resets it when the next one has been read. A second
 * connection is answered in full. */
static void *answer_then_reset(void *context)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst";
	struct peer *peer = context;
	int fd = accept(peer->listener, NULL, NULL);

	peer->connections++;
	peer_read_head(peer, fd);
	send(fd, reply, strlen(reply), MSG_NOSIGNAL);
	peer_read_head(peer, fd);
	reset_on_close(fd);
	close(fd);
	fd = accept(peer->listener, NULL, NULL);
	if (fd < 0)
		return NULL;
	peer->connections++;
	peer_read_head(peer, fd);
	send(fd, reply, strlen(reply), MSG_NOSIGNAL);
	close(fd);
	return NULL;
}

static struct str start_resetting(struct peer *peer, struct arena *arena)
{
	struct str url = peer_start(peer, arena); /* its own thread ends at once */

	pthread_join(peer->thread, NULL);
	assert_int_equal(pthread_create(&peer->thread, NULL, answer_then_reset, peer), 0);
	return url;
}

static void what_may_have_been_acted_on_is_not_repeated(void **state)
{
	struct stage *stage = *state;
	struct peer peer = {0};
	struct http_request request = {.method = HTTP_POST,
				       .deadline_ns = soon(),
				       .body = STR("{}"),
				       .response_bytes_max = 100};

	request.url = start_resetting(&peer, &stage->arena);
	assert_int_equal(call(stage, request).response.outcome, HTTP_COMPLETE);
	assert_int_equal(call(stage, request).response.outcome, HTTP_BROKEN);
	peer_finish(&peer);
	/* A second connection may stand, but no third request was written. */
	size_t posts = 0;
	for (char *at = peer.seen; (at = strstr(at, "POST /path")) != NULL; at++)
		posts++;
	assert_int_equal(posts, 2);
}

static void what_only_reads_is_repeated_once(void **state)
{
	struct stage *stage = *state;
	struct peer peer = {0};
	struct http_request request = {
		.method = HTTP_GET, .deadline_ns = soon(), .response_bytes_max = 100};

	request.url = start_resetting(&peer, &stage->arena);
	assert_int_equal(call(stage, request).response.outcome, HTTP_COMPLETE);
	assert_int_equal(call(stage, request).response.outcome, HTTP_COMPLETE);
	peer_finish(&peer);
	assert_int_equal(peer.connections, 2);
}

/* Closed while it was idle: noticed before anything is written, so that even a POST goes out on a
 * new connection. */
static void a_connection_closed_in_idleness_is_replaced(void **state)
{
	struct stage *stage = *state;
	static const char *const replies[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst",
		"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond",
	};
	struct peer peer = {.replies = replies, .reply_count = 1};
	struct http_request request = {.method = HTTP_POST,
				       .deadline_ns = soon(),
				       .body = STR("{}"),
				       .response_bytes_max = 100};

	request.url = peer_start(&peer, &stage->arena);
	assert_int_equal(call(stage, request).response.outcome, HTTP_COMPLETE);
	/* The first connection is closed once that thread has ended. */
	pthread_join(peer.thread, NULL);
	peer.replies = replies + 1;
	assert_int_equal(pthread_create(&peer.thread, NULL, peer_serve, &peer), 0);
	struct script script = call(stage, request);
	assert_int_equal(script.response.outcome, HTTP_COMPLETE);
	assert_true(str_equal_c(script.response.body, "second"));
	peer_finish(&peer);
	assert_int_equal(peer.connections, 2);
}

/* Answers ten requests on one connection. */
static void *answer_ten(void *context)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
	struct peer *peer = context;
	int fd = accept(peer->listener, NULL, NULL);

	peer->connections++;
	for (int i = 0; i < 10; i++) {
		peer_read_head(peer, fd);
		send(fd, reply, strlen(reply), MSG_NOSIGNAL);
	}
	close(fd);
	return NULL;
}

static void a_connection_is_kept_for_the_next_call(void **state)
{
	struct stage *stage = *state;
	struct peer peer = {0};
	struct http_request request = {
		.method = HTTP_GET, .deadline_ns = soon(), .response_bytes_max = 100};

	request.url = peer_start(&peer, &stage->arena);
	pthread_join(peer.thread, NULL);
	assert_int_equal(pthread_create(&peer.thread, NULL, answer_ten, &peer), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(call(stage, request).response.outcome, HTTP_COMPLETE);
	peer_finish(&peer);
	assert_int_equal(peer.connections, 1);
}

/* A listener whose queue is full: the kernel does not answer one more that knocks. */
static int make_deaf_listener(struct stage *stage, struct str *url, int fillers[8])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	for (size_t i = 0; i < 8; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fillers[i], (struct sockaddr *)&address, len);
	}
	*url = arena_format(&stage->arena, "http://127.0.0.1:%u/", ntohs(address.sin_port));
	return fd;
}

/* libcurl does not tell that it closes a socket which never was connected; the next one gets its
 * number. */
static void after_a_connect_that_timed_out_the_next_call_works(void **state)
{
	static const char *const reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	struct stage *stage = *state;
	int fillers[8];
	struct str url;
	int fd = make_deaf_listener(stage, &url, fillers);

	for (int i = 0; i < 3; i++) {
		struct http_request request = {
			.url = url, .response_bytes_max = 100,
			.deadline_ns = clock_monotonic_ns(clock_system()) + 20 * 1000000};
		assert_int_not_equal(call(stage, request).response.outcome, HTTP_COMPLETE);
		struct peer peer = {.replies = &reply, .reply_count = 1};
		request.url = peer_start(&peer, &stage->arena);
		request.deadline_ns = soon();
		assert_int_equal(call(stage, request).response.outcome, HTTP_COMPLETE);
		peer_finish(&peer);
	}
	for (size_t i = 0; i < 8; i++)
		close(fillers[i]);
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_stage, close_stage)
	const struct CMUnitTest tests[] = {
		TEST(odd_but_whole_responses_are_complete),
		TEST(headers_are_lowered_and_cleaned),
		TEST(cut_and_garbled_responses_are_broken),
		TEST(a_reset_amid_the_body_is_broken),
		TEST(what_cannot_be_reached_was_not_sent),
		TEST(a_peer_without_tls_was_not_sent_anything),
		TEST(a_silent_peer_times_out),
		TEST(an_answer_that_came_during_a_stop_is_read),
		TEST(what_is_sent_once_times_out_as_well),
		TEST(a_deadline_that_is_past_times_out),
		TEST(a_body_at_the_limit_passes_and_one_past_it_does_not),
		TEST(a_head_without_end_is_too_large),
		TEST(a_compressed_body_is_measured_unpacked),
		TEST(a_compressed_body_is_unpacked),
		TEST(unfit_requests_are_refused),
		TEST(a_connection_is_kept_for_the_next_call),
		TEST(what_may_have_been_acted_on_is_not_repeated),
		TEST(what_only_reads_is_repeated_once),
		TEST(a_connection_closed_in_idleness_is_replaced),
		TEST(after_a_connect_that_timed_out_the_next_call_works),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
