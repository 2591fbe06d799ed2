/* Listening sockets: TCP ones in a group that shares a port, and local ones in the file system. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/http/http.h"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage storage;
};

static bool refuse(struct str address, const char *why, struct error *err)
{
	return error_set_field(err, ERROR_INVALID, "listen", "HOST:PORT or unix:PATH",
			       "cannot listen on %.*s: %s", STR_ARGS(address), why);
}

static bool fail(struct str address, struct error *err)
{
	enum error_code code = errno == EADDRINUSE ? ERROR_CONFLICT : ERROR_UNAVAILABLE;

	return error_set_field(err, code, "listen", NULL, "cannot listen on %.*s: %s",
			       STR_ARGS(address), strerror(errno));
}

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

/* --- TCP ----------------------------------------------------------------------------------- */

static bool split(struct arena *arena, struct str address, char **host, char **port)
{
	for (size_t at = address.len; at-- > 0;) {
		if (address.data[at] != ':')
			continue;
		struct str name = str_slice(address, 0, at);
		if (name.len >= 2 && name.data[0] == '[' && name.data[at - 1] == ']')
			name = str_slice(name, 1, at - 1);
		else if (str_find_byte(name, ':') >= 0)
			return false; /* IPv6 wants brackets */
		*host = arena_c(arena, name);
		*port = arena_c(arena, str_slice(address, at + 1, address.len));
		return name.len > 0;
	}
	return false;
}

static bool resolve(struct arena *arena, struct str text, union address *address, socklen_t *len,
		    struct error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found = NULL;
	char *host, *port;
	int64_t number;

	if (!split(arena, text, &host, &port))
		return refuse(text, "it is not HOST:PORT", err);
	if (!str_to_int64(str_from_c(port), &number) || number < 0 || number > 65535)
		return refuse(text, "the port is not a number up to 65535", err);
	int code = getaddrinfo(host, port, &hints, &found);
	if (code != 0)
		return refuse(text, gai_strerror(code), err);
	memcpy(address, found->ai_addr, found->ai_addrlen);
	*len = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

static int open_tcp(const union address *address, socklen_t len, bool is_shared)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (is_shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	if (bind(fd, &address->any, len) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* With SO_REUSEPORT two programs of one user would share a port without a word. A first socket
 * without it finds out whether the port is free, and picks it when any will do. */
static bool probe(union address *address, socklen_t *len)
{
	int fd = open_tcp(address, *len, false);

	if (fd < 0)
		return false;
	bool ok = getsockname(fd, &address->any, len) == 0;
	close(fd);
	return ok;
}

static struct str format_bound(struct arena *arena, const union address *address)
{
	char host[INET6_ADDRSTRLEN];

	if (address->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
		return arena_format(arena, "[%s]:%u", host, ntohs(address->v6.sin6_port));
	}
	inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
	return arena_format(arena, "%s:%u", host, ntohs(address->v4.sin_port));
}

static bool listen_tcp(struct arena *arena, struct str text, int *fds, size_t count,
		       struct str *bound, struct error *err)
{
	union address address = {0};
	socklen_t len = 0;

	if (!resolve(arena, text, &address, &len, err))
		return false;
	if (!probe(&address, &len))
		return fail(text, err);
	for (size_t i = 0; i < count; i++) {
		fds[i] = open_tcp(&address, len, true);
		if (fds[i] < 0) {
			fail(text, err);
			close_all(fds, i);
			return false;
		}
	}
	*bound = format_bound(arena, &address);
	return true;
}

/* --- local --------------------------------------------------------------------------------- */

/* A socket file that nobody answers at is left from a process that was killed. */
static bool clear_stale(const struct sockaddr_un *address, struct str text, struct error *err)
{
	struct stat status;

	if (lstat(address->sun_path, &status) != 0)
		return true;
	if (!S_ISSOCK(status.st_mode))
		return refuse(text, "a file of that name is there, and it is no socket", err);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(text, err);
	int code = connect(fd, (const struct sockaddr *)address, sizeof *address);
	close(fd);
	if (code == 0) {
		errno = EADDRINUSE;
		return fail(text, err);
	}
	if (unlink(address->sun_path) != 0)
		return fail(text, err);
	return true;
}

static bool listen_local(struct str text, int *fd, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct str path = str_slice(text, strlen("unix:"), text.len);

	if (path.len == 0 || path.len >= sizeof address.sun_path ||
	    memchr(path.data, '\0', path.len) != NULL)
		return refuse(text, "the path has to have 1 to 107 bytes", err);
	memcpy(address.sun_path, path.data, path.len);
	if (!clear_stale(&address, text, err))
		return false;
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return fail(text, err);
	/* Nobody can connect before listen(), so that the mode is right from the start. */
	if (bind(*fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
	    chmod(address.sun_path, 0600) == 0 && listen(*fd, SOMAXCONN) == 0)
		return true;
	fail(text, err);
	close(*fd);
	return false;
}

bool http_listen(struct arena *arena, struct str address, int *fds, size_t count, struct str *bound,
		 struct error *err)
{
	if (!str_starts_with(address, STR("unix:")))
		return listen_tcp(arena, address, fds, count, bound, err);
	if (count != 1)
		return refuse(address, "a local socket has one listener", err);
	*bound = arena_str(arena, address);
	return listen_local(address, &fds[0], err);
}
