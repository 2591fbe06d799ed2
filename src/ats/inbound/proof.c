#include <sodium.h>

#include "ats/inbound/inbounds.h"

enum { MAC_BYTES = crypto_auth_hmacsha256_BYTES };

/* Exactly so many bytes, in hex of either case or in base64; else *mac is left as it is. */
static bool decode(struct str text, bool is_base64, unsigned char mac[MAC_BYTES])
{
	unsigned char bytes[MAC_BYTES];
	size_t len = 0;
	int failed = is_base64 ? sodium_base642bin(bytes, sizeof bytes, text.data, text.len, NULL,
						   &len, NULL, sodium_base64_VARIANT_ORIGINAL)
			       : sodium_hex2bin(bytes, sizeof bytes, text.data, text.len, NULL,
						&len, NULL);
	if (failed != 0 || len != sizeof bytes)
		return false;
	memcpy(mac, bytes, sizeof bytes);
	return true;
}

static void sign(struct str secret, struct str body, unsigned char mac[MAC_BYTES])
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret.data, secret.len);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)body.data, body.len);
	crypto_auth_hmacsha256_final(&state, mac);
	sodium_memzero(&state, sizeof state);
}

/* Digests of both are compared, so that not even a length is told by the time it takes. */
static bool is_same(struct str secret, struct str header)
{
	unsigned char a[32], b[32];

	crypto_generichash(a, sizeof a, (const unsigned char *)secret.data, secret.len, NULL, 0);
	crypto_generichash(b, sizeof b, (const unsigned char *)header.data, header.len, NULL, 0);
	return sodium_memcmp(a, b, sizeof a) == 0;
}

bool proof_check(const struct connector_webhooks *webhooks, struct str secret, struct str header,
		 struct str body)
{
	unsigned char wanted[MAC_BYTES], given[MAC_BYTES] = {0};
	bool has_prefix = str_starts_with(header, webhooks->prefix);

	header = str_slice(header, has_prefix ? webhooks->prefix.len : 0, header.len);
	if (webhooks->proof == CONNECTOR_PROOF_NONE)
		return true;
	if (webhooks->proof == CONNECTOR_PROOF_TOKEN)
		return is_same(secret, header) && has_prefix && secret.len > 0;
	sign(secret, body, wanted);
	bool is_mac = decode(header, webhooks->is_base64, given);
	bool is_good = sodium_memcmp(wanted, given, sizeof wanted) == 0;
	return is_good && is_mac && has_prefix && secret.len > 0;
}
