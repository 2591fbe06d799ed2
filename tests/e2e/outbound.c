/* Stands in front of the C library in a server under test (LD_PRELOAD): it writes down each
 * address that connect() is called with, lets none but loopback ones through, and answers for
 * names, so that no test needs a network or a name server.
 *
 * NAME.test leads to the addresses that NAME lists in hex, parted by dashes: a01020304-a7f000001,
 * b and 32 digits for IPv6. With the label "turn" before it each question gets the next of them
 * alone. A name that begins with an IPv4 address leads there, as those of nip.io do. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int log_fd = -1;
static atomic_uint turns;

__attribute__((constructor)) static void open_log(void)
{
	const char *path = getenv("OUTBOUND_LOG");

	if (path != NULL)
		log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	unsetenv("LD_PRELOAD");
}

/* --- connecting ------------------------------------------------------------------------------ */

static int is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static void note(const struct sockaddr *address)
{
	char text[INET6_ADDRSTRLEN], line[80];
	int is_4 = address->sa_family == AF_INET;
	const void *bytes = is_4 ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
				 : &((const struct sockaddr_in6 *)address)->sin6_addr;
	/* The port is at the same place in both. */
	int port = ntohs(((const struct sockaddr_in *)address)->sin_port);

	inet_ntop(address->sa_family, bytes, text, sizeof text);
	int len = snprintf(line, sizeof line, "%s %d\n", text, port);
	if (log_fd < 0 || write(log_fd, line, (size_t)len) != len)
		abort();
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	static int (*real)(int, const struct sockaddr *, socklen_t);

	if (real == NULL)
		real = (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect");
	if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
		return real(fd, address, len);
	note(address);
	if (is_loopback(address))
		return real(fd, address, len);
	errno = ECONNREFUSED;
	return -1;
}

/* --- names ----------------------------------------------------------------------------------- */

typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static resolver *real_resolver(void)
{
	return (resolver *)dlsym(RTLD_NEXT, "getaddrinfo");
}

static int ask_number(const char *text, const char *service, const struct addrinfo *hints,
		      struct addrinfo **found)
{
	struct addrinfo numeric = hints == NULL ? (struct addrinfo){0} : *hints;

	numeric.ai_flags = AI_NUMERICHOST;
	return real_resolver()(text, service, &numeric, found);
}

/* "a7f000001" to "127.0.0.1". */
static int read_item(const char *item, char *text)
{
	unsigned char bytes[16];
	size_t len = item[0] == 'a' ? 4 : item[0] == 'b' ? 16 : 0;

	if (len == 0 || strlen(item + 1) != len * 2)
		return 0;
	for (size_t i = 0; i < len; i++)
		if (sscanf(item + 1 + 2 * i, "%2hhx", &bytes[i]) != 1)
			return 0;
	return inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, text, INET6_ADDRSTRLEN) != NULL;
}

static int answer(char *list, int is_in_turn, const char *service, const struct addrinfo *hints,
		  struct addrinfo **found)
{
	char *items[16], *state = NULL, text[INET6_ADDRSTRLEN];
	size_t count = 0, at = 0;
	struct addrinfo *last = NULL, *more;

	for (char *item = strtok_r(list, "-", &state); item != NULL && count < 16;
	     item = strtok_r(NULL, "-", &state))
		items[count++] = item;
	if (is_in_turn && count > 0)
		at = atomic_fetch_add(&turns, 1) % count;
	*found = NULL;
	for (; at < count; at++) {
		if (!read_item(items[at], text) || ask_number(text, service, hints, &more) != 0)
			continue;
		if (*found == NULL)
			*found = more;
		else
			last->ai_next = more;
		for (last = more; last->ai_next != NULL; last = last->ai_next)
			continue;
		if (is_in_turn)
			break;
	}
	return *found == NULL ? EAI_NONAME : 0;
}

static int begin_of_name(const char *name, char *text)
{
	unsigned a, b, c, d;
	int end = 0;

	if (sscanf(name, "%3u.%3u.%3u.%3u.%n", &a, &b, &c, &d, &end) != 4 || end == 0)
		return 0;
	return snprintf(text, INET6_ADDRSTRLEN, "%u.%u.%u.%u", a, b, c, d) > 0;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
		struct addrinfo **found)
{
	char list[512], text[INET6_ADDRSTRLEN];

	if (name == NULL || strcmp(name, "localhost") == 0)
		return real_resolver()(name, service, hints, found);
	snprintf(list, sizeof list, "%s", name);
	if (strlen(list) > 0 && list[strlen(list) - 1] == '.')
		list[strlen(list) - 1] = '\0';
	char *suffix = strstr(list, ".test");
	if (suffix != NULL) {
		*suffix = '\0';
		char *rest = strncmp(list, "turn.", 5) == 0 ? list + 5 : list;
		return answer(rest, rest != list, service, hints, found);
	}
	if (ask_number(list, service, hints, found) == 0)
		return 0;
	return begin_of_name(list, text) ? ask_number(text, service, hints, found) : EAI_NONAME;
}
