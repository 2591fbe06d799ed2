/* One call of the client as libcurl sees it: an easy handle and what its callbacks gather. */
#ifndef IO_HTTP_TRANSFER_H
#define IO_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "io/http/multi.h"
#include "io/http/http.h"

/* What the lines of a response's head may take together. */
enum { TRANSFER_HEAD_BYTES_MAX = 64 * 1024 };

/* A response whose head is there while its body still comes. */
struct call;

struct transfer {
	CURL *easy;
	struct transfer *next_idle;
	struct multi_set *multis; /* which it belongs to */
	const struct http_reach *reach;
	long buffer_bytes; /* as the handle has it */
	bool is_plain;	   /* so too: no content coding is asked for */
	/* --- of the call under way ---------------------------------------------------------- */
	struct arena *arena;
	const struct http_request *request;
	struct curl_slist *header_lines; /* in the arena */
	struct buffer head;
	struct buffer body;
	struct call *call; /* NULL: the bodies are whole */
	bool is_in_head;
	bool has_head;	  /* of a call; nothing of it changes any more */
	bool is_reserved; /* the body's buffer has got its first size */
	const char *kept_out; /* NULL, or what the address is that it may not go to */
	bool is_sent;	  /* a connection stood and the request was to be written to it */
	CURLcode result;
	struct loop_wait wait;
};

/* Options that stay the same for every call are set here. */
struct transfer *transfer_create(const struct http_client_options *options);
void transfer_destroy(struct transfer *transfer);

/* Checks the request and sets the handle up for it. False with ERROR_INVALID when it is not fit
 * to be sent. `request` must live until transfer_end(). */
bool transfer_begin(struct transfer *transfer, struct arena *arena,
		    const struct http_request *request, int64_t now_ns, long buffer_bytes,
		    struct error *err) MUST_CHECK;
/* After libcurl is done with it (`result` is set): fills *response. */
bool transfer_conclude(struct transfer *transfer, int64_t now_ns, struct http_response *response,
		       struct error *err) MUST_CHECK;
/* Its two halves, for a call: status and headers, once they are there; */
bool transfer_read_head(struct transfer *transfer, struct http_response *response,
			struct error *err) MUST_CHECK;
/* and how it ended: true when it is whole, else false with *err. */
bool transfer_judge(const struct transfer *transfer, int64_t now_ns, enum http_outcome *outcome,
		    struct error *err) MUST_CHECK;
/* Forgets the call: the handle holds nothing of it any more, and no secret stays behind. */
void transfer_end(struct transfer *transfer);

/* What libcurl tells of a call (call.c): a piece of the response's body, which is taken whole or
 * CURL_WRITEFUNC_PAUSE; room for the request's; the end of the head. */
size_t call_take(struct call *call, struct str bytes);
size_t call_give(struct call *call, char *bytes, size_t room);
void call_note_head(struct call *call);

/* The host of a URL with its port, for messages. */
struct str transfer_host(struct str url);

#endif
