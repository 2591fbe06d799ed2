/* What kind of address this is. What is not known to be of the public internet is not. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "io/http/http.h"

struct range {
	uint32_t first;
	int bits;
	const char *kind;
};

/* IANA's registry of special purposes, multicast, what is reserved, and where the machines of
 * clouds ask for their own keys. The first that fits names it. */
static const struct range closed[] = {
	{0x00000000, 8, "an unspecified address"},
	{0x0a000000, 8, "a private address"},
	{0x64400000, 10, "an address shared behind a carrier's NAT"},
	{0x7f000000, 8, "a loopback address"},
	{0xa83f8110, 32, "a metadata address"},
	{0xa9fea9fe, 32, "a metadata address"},
	{0xa9fe0000, 16, "a link-local address"},
	{0xac100000, 12, "a private address"},
	{0xc0000000, 24, "a reserved address"},
	{0xc0000200, 24, "an address for documentation"},
	{0xc0586300, 24, "a tunnel's address"},
	{0xc0a80000, 16, "a private address"},
	{0xc6120000, 15, "a reserved address"},
	{0xc6336400, 24, "an address for documentation"},
	{0xcb007100, 24, "an address for documentation"},
	{0xe0000000, 4, "a multicast address"},
	{0xf0000000, 4, "a reserved address"},
};

static const struct range closed_6[] = {
	{0x20010000, 32, "a tunnel's address"},
	{0x20010000, 23, "a reserved address"},
	{0x20010db8, 32, "an address for documentation"},
	{0x20020000, 16, "a tunnel's address"},
	{0x3fff0000, 20, "an address for documentation"},
	{0xfc000000, 7, "a private address"},
	{0xfe800000, 10, "a link-local address"},
	{0xfec00000, 10, "a private address"},
	{0xff000000, 8, "a multicast address"},
};

static const char *find(const struct range *ranges, size_t count, uint32_t address)
{
	for (size_t i = 0; i < count; i++)
		if ((address ^ ranges[i].first) >> (32 - ranges[i].bits) == 0)
			return ranges[i].kind;
	return NULL;
}

static const char *judge_4(uint32_t address)
{
	return find(closed, sizeof closed / sizeof *closed, address);
}

static uint32_t read_4(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static const char *judge_6(const unsigned char *bytes)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const unsigned char translated[12] = {0x00, 0x64, 0xff, 0x9b};
	static const unsigned char none[16] = {0};
	static const unsigned char own[16] = {[15] = 1};

	/* The same IPv4 address in another dress. */
	if (memcmp(bytes, mapped, 12) == 0 || memcmp(bytes, translated, 12) == 0)
		return judge_4(read_4(bytes + 12));
	if (memcmp(bytes, none, 16) == 0)
		return "an unspecified address";
	if (memcmp(bytes, own, 16) == 0)
		return "a loopback address";
	uint32_t start = read_4(bytes);
	const char *kind = find(closed_6, sizeof closed_6 / sizeof *closed_6, start);

	/* Only 2000::/3 is given out. */
	return kind == NULL && start >> 29 != 1 ? "a reserved address" : kind;
}

const char *http_address_kind(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, address, sizeof in);
		return judge_4(ntohl(in.sin_addr.s_addr));
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in;

		memcpy(&in, address, sizeof in);
		return judge_6(in.sin6_addr.s6_addr);
	}
	return "no address of a network";
}
