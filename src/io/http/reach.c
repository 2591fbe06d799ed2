/* Where calls may go. What is judged is the address itself, when a socket is opened for it and
 * again before a request goes over a connection that is already there: a name, however it is
 * spelled, may lead elsewhere from one moment to the next. */
#include "io/http/reach.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

enum { ADDRESS_TEXT_MAX = 64 };

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage storage;
};

/* An address without its dress: 4 or 16 bytes. */
struct plain {
	const unsigned char *bytes;
	size_t len;
	uint16_t port;
};

/* --- addresses ----------------------------------------------------------------------------- */

static bool undress(const struct sockaddr *address, union address *copy, struct plain *plain)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (address->sa_family == AF_INET) {
		memcpy(&copy->v4, address, sizeof copy->v4);
		*plain = (struct plain){(const unsigned char *)&copy->v4.sin_addr, 4,
					ntohs(copy->v4.sin_port)};
		return true;
	}
	if (address->sa_family != AF_INET6)
		return false;
	memcpy(&copy->v6, address, sizeof copy->v6);
	*plain = (struct plain){copy->v6.sin6_addr.s6_addr, 16, ntohs(copy->v6.sin6_port)};
	if (memcmp(plain->bytes, mapped, sizeof mapped) == 0) {
		plain->bytes += 12;
		plain->len = 4;
	}
	return true;
}

static bool has_prefix(const unsigned char *bytes, const unsigned char *prefix, size_t bits)
{
	size_t whole = bits / 8;

	if (memcmp(bytes, prefix, whole) != 0)
		return false;
	return bits % 8 == 0 || (bytes[whole] ^ prefix[whole]) >> (8 - bits % 8) == 0;
}

static bool is_in(const struct plain *plain, const struct http_range *range)
{
	return plain->len == range->len && (range->port == 0 || range->port == plain->port) &&
	       has_prefix(plain->bytes, range->address, range->bits);
}

static bool is_allowed(const struct http_reach *reach, const struct plain *plain)
{
	for (size_t i = 0; i < reach->range_count; i++)
		if (is_in(plain, &reach->ranges[i]))
			return true;
	return false;
}

/* --- this server itself -------------------------------------------------------------------- */

static bool is_wildcard(const unsigned char *bytes, size_t len)
{
	static const unsigned char none[16] = {0};

	return memcmp(bytes, none, len) == 0;
}

/* A socket can be bound to the machine's own addresses only. */
static bool is_of_this_machine(const struct sockaddr *address)
{
	union address local = {0};
	socklen_t len = address->sa_family == AF_INET ? sizeof local.v4 : sizeof local.v6;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return true;
	memcpy(&local, address, len);
	if (address->sa_family == AF_INET)
		local.v4.sin_port = 0;
	else
		local.v6.sin6_port = 0;
	bool ok = bind(fd, &local.any, len) == 0;
	close(fd);
	return ok;
}

static bool is_own(const struct http_reach *reach, const struct sockaddr *address,
		   const struct plain *plain)
{
	const struct http_range *own = &reach->listener;

	if (own->len == 0 || own->port != plain->port)
		return false;
	if (is_wildcard(own->address, own->len))
		return is_wildcard(plain->bytes, plain->len) || is_of_this_machine(address);
	/* To the unspecified address a connection goes to this machine, too. */
	return is_in(plain, own) || is_wildcard(plain->bytes, plain->len);
}

void http_reach_note_listener(struct http_reach *reach, int fd)
{
	union address bound = {0}, copy;
	socklen_t len = sizeof bound;
	struct plain plain;

	reach->listener = (struct http_range){0};
	if (getsockname(fd, &bound.any, &len) != 0 || !undress(&bound.any, &copy, &plain))
		return;
	memcpy(reach->listener.address, plain.bytes, plain.len);
	reach->listener.len = (unsigned char)plain.len;
	reach->listener.bits = (unsigned)plain.len * 8;
	reach->listener.port = plain.port;
}

/* --- judging ------------------------------------------------------------------------------- */

static bool is_named(const struct http_reach *reach, struct str url)
{
	for (size_t i = 0; i < reach->origin_count; i++) {
		struct str origin = reach->origins[i];

		if (url.len >= origin.len &&
		    str_equal_nocase(str_slice(url, 0, origin.len), origin) &&
		    (url.len == origin.len || strchr("/?#", url.data[origin.len]) != NULL))
			return true;
	}
	return false;
}

const char *reach_judge(const struct http_reach *reach, const struct http_request *request,
			const struct sockaddr *address)
{
	static const struct http_reach nowhere_else = {.allows_http = true};
	union address copy;
	struct plain plain;
	const char *kind;

	if (reach == NULL && !request->to_public_only)
		return NULL;
	if (reach == NULL)
		reach = &nowhere_else;
	if (!undress(address, &copy, &plain))
		return http_address_kind(address);
	if (is_own(reach, address, &plain))
		return "the address of this server itself";
	if (!request->to_public_only &&
	    (is_named(reach, request->url) || is_allowed(reach, &plain)))
		return NULL;
	kind = http_address_kind(address);
	if (kind == NULL && !reach->allows_http && str_starts_with(request->url, STR("http://")))
		return "a public address, which is to be asked over https";
	return kind;
}

const char *reach_judge_peer(const struct http_reach *reach, const struct http_request *request,
			     const char *peer, int port)
{
	union address address = {0};

	if (reach == NULL && !request->to_public_only)
		return NULL;
	if (inet_pton(AF_INET, peer, &address.v4.sin_addr) == 1) {
		address.v4.sin_family = AF_INET;
		address.v4.sin_port = htons((uint16_t)port);
	} else if (inet_pton(AF_INET6, peer, &address.v6.sin6_addr) == 1) {
		address.v6.sin6_family = AF_INET6;
		address.v6.sin6_port = htons((uint16_t)port);
	}
	return reach_judge(reach, request, &address.any);
}

/* --- reading ranges ------------------------------------------------------------------------ */

static bool refuse(struct str text, struct error *err)
{
	return error_set_field(err, ERROR_INVALID, "allow-address", "ADDRESS[/BITS][:PORT]",
			       "\"%.*s\" is no range of addresses, such as 10.0.0.0/8, "
			       "10.1.2.3:8443 or [fd00::/8]:443",
			       STR_ARGS(text));
}

/* "[fd00::/8]:443", "fd00::/8", "10.0.0.0/8:443": what stands before the port, and that. */
static bool cut_port(struct str text, struct str *range, struct str *port)
{
	ptrdiff_t colon = str_find_byte(text, ':');
	bool is_4;

	*port = (struct str){NULL, 0};
	*range = text;
	if (str_starts_with(text, STR("["))) {
		*port = str_slice(text, 1, text.len);
		*range = str_cut(port, ']');
		if (str_ends_with(text, STR("]")) && port->len == 0) {
			*port = (struct str){NULL, 0};
			return true;
		}
		if (port->len < 2 || port->data[0] != ':')
			return false;
		*port = str_slice(*port, 1, port->len);
		return true;
	}
	is_4 = colon >= 0 && str_find_byte(str_slice(text, (size_t)colon + 1, text.len), ':') < 0;
	if (!is_4)
		return true;
	*range = str_slice(text, 0, (size_t)colon);
	*port = str_slice(text, (size_t)colon + 1, text.len);
	return port->len > 0;
}

static bool read_number(struct str text, int64_t min, int64_t max, int64_t *out)
{
	return str_to_int64(text, out) && *out >= min && *out <= max;
}

static bool is_clear_behind(const struct http_range *range)
{
	for (size_t bit = range->bits; bit < (size_t)range->len * 8; bit++)
		if ((range->address[bit / 8] >> (7 - bit % 8) & 1) != 0)
			return false;
	return true;
}

static bool read_address(struct str text, struct http_range *range)
{
	char copy[ADDRESS_TEXT_MAX];

	if (text.len == 0 || text.len >= sizeof copy || http_has_control_byte(text))
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, range->address) == 1)
		range->len = 4;
	else if (inet_pton(AF_INET6, copy, range->address) == 1)
		range->len = 16;
	return range->len > 0;
}

bool http_range_read(struct str text, struct http_range *range, struct error *err)
{
	struct str bits, port;
	int64_t number;

	*range = (struct http_range){0};
	if (!cut_port(text, &bits, &port))
		return refuse(text, err);
	bool has_bits = str_find_byte(bits, '/') >= 0;
	struct str address = has_bits ? str_cut(&bits, '/') : bits;
	if (!read_address(address, range))
		return refuse(text, err);
	range->bits = (unsigned)range->len * 8;
	if (has_bits) {
		if (!read_number(bits, 0, range->bits, &number))
			return refuse(text, err);
		range->bits = (unsigned)number;
	}
	if (!is_clear_behind(range))
		return error_set_field(err, ERROR_INVALID, "allow-address",
				       "ADDRESS[/BITS][:PORT]",
				       "\"%.*s\" has bits set behind its first %u", STR_ARGS(text),
				       range->bits);
	if (port.data == NULL)
		return true;
	if (!read_number(port, 1, 65535, &number))
		return refuse(text, err);
	range->port = (uint16_t)number;
	return true;
}
