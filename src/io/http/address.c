/* Which addresses are of the public internet. What is not known to be is not. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "io/http/http.h"

struct range {
	uint32_t first;
	int bits;
};

/* IANA's registry of special purposes, multicast and what is reserved. */
static const struct range closed[] = {
	{0x00000000, 8},  /* this network */
	{0x0a000000, 8},  /* private */
	{0x64400000, 10}, /* shared behind a carrier's NAT */
	{0x7f000000, 8},  /* loopback */
	{0xa9fe0000, 16}, /* link-local, where clouds keep their metadata */
	{0xac100000, 12}, /* private */
	{0xc0000000, 24}, /* of protocols */
	{0xc0000200, 24}, /* documentation */
	{0xc0586300, 24}, /* 6to4 relays */
	{0xc0a80000, 16}, /* private */
	{0xc6120000, 15}, /* benchmarks */
	{0xc6336400, 24}, /* documentation */
	{0xcb007100, 24}, /* documentation */
	{0xe0000000, 3},  /* multicast, reserved, broadcast */
};

static bool is_public_4(uint32_t address)
{
	for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
		if ((address ^ closed[i].first) >> (32 - closed[i].bits) == 0)
			return false;
	return true;
}

static uint32_t read_4(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static bool is_public_6(const unsigned char *bytes)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const unsigned char translated[12] = {0x00, 0x64, 0xff, 0x9b};

	if (memcmp(bytes, mapped, 12) == 0 || memcmp(bytes, translated, 12) == 0)
		return is_public_4(read_4(bytes + 12));
	/* Of all that is given out (2000::/3): not 2001::/23 of protocols (tunnels among them),
	 * documentation (2001:db8::/32, 3fff::/20) and 6to4 (2002::/16). */
	uint32_t start = read_4(bytes);

	return start >> 29 == 1 && start >> 9 != 0x20010000 >> 9 && start != 0x20010db8 &&
	       start >> 16 != 0x2002 && start >> 12 != 0x3fff0000 >> 12;
}

bool http_is_public_address(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, address, sizeof in);
		return is_public_4(ntohl(in.sin_addr.s_addr));
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in;

		memcpy(&in, address, sizeof in);
		return is_public_6(in.sin6_addr.s6_addr);
	}
	return false;
}
