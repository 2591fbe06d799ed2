#include "ats/vault/auditline.h"

#include <sodium.h>

enum { PART_MAX = 200, CODE_LEN = 2 * AUDIT_MAC_BYTES };
_Static_assert(3 * PART_MAX + CODE_LEN + 120 <= AUDIT_LINE_MAX, "a line fits");

static void make_code(unsigned char mac[AUDIT_MAC_BYTES], const unsigned char key[32],
		      const unsigned char before[AUDIT_MAC_BYTES], const char *text, size_t len)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, key, 32, AUDIT_MAC_BYTES);
	crypto_generichash_update(&state, before, AUDIT_MAC_BYTES);
	crypto_generichash_update(&state, (const unsigned char *)text, len);
	crypto_generichash_final(&state, mac, AUDIT_MAC_BYTES);
	sodium_memzero(&state, sizeof state);
}

static char *put_number(char *at, int64_t number)
{
	char digits[20];
	size_t count = 0;
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	if (number < 0)
		*at++ = '-';
	do
		digits[count++] = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	while (count > 0)
		*at++ = digits[--count];
	*at++ = ' ';
	return at;
}

static char *put_part(char *at, struct str part)
{
	if (part.len == 0)
		*at++ = '-';
	for (size_t i = 0; i < part.len && i < PART_MAX; i++) {
		unsigned char byte = (unsigned char)part.data[i];
		*at++ = byte <= ' ' || byte >= 0x7f ? '_' : (char)byte;
	}
	*at++ = ' ';
	return at;
}

size_t audit_line_print(char text[AUDIT_LINE_MAX], const unsigned char key[32], int64_t unix_ms,
			const char *use, const struct vault_binding *binding,
			struct audit_link *link)
{
	unsigned char before[AUDIT_MAC_BYTES];
	char *at = put_number(text, link->number);

	at = put_number(at, unix_ms);
	at = put_part(at, str_slice(str_from_c(use), 0, 16));
	at = put_part(at, binding->environment);
	at = put_part(at, binding->subject);
	at = put_part(at, binding->field);
	at = put_number(at, binding->version);
	memcpy(before, link->mac, sizeof before);
	make_code(link->mac, key, before, text, (size_t)(at - text));
	sodium_bin2hex(at, CODE_LEN + 1, link->mac, AUDIT_MAC_BYTES);
	at[CODE_LEN] = '\n';
	return (size_t)(at - text) + CODE_LEN + 1;
}

bool audit_line_parse(struct str text, struct audit_line *out)
{
	size_t got, digits = 0;

	*out = (struct audit_line){0};
	if (text.len < CODE_LEN + 16 || text.len >= AUDIT_LINE_MAX)
		return false;
	while (digits < 18 && text.data[digits] >= '0' && text.data[digits] <= '9')
		out->link.number = out->link.number * 10 + (text.data[digits++] - '0');
	out->text_len = text.len - CODE_LEN;
	return digits > 0 && text.data[digits] == ' ' && text.data[out->text_len - 1] == ' ' &&
	       sodium_hex2bin(out->link.mac, AUDIT_MAC_BYTES, text.data + out->text_len, CODE_LEN,
			      NULL, &got, NULL) == 0 &&
	       got == AUDIT_MAC_BYTES;
}

bool audit_line_check(struct str text, const unsigned char key[32], const struct audit_link *before,
		      const struct audit_line *line)
{
	unsigned char mac[AUDIT_MAC_BYTES];

	if (line->link.number != before->number + 1)
		return false;
	make_code(mac, key, before->mac, text.data, line->text_len);
	return sodium_memcmp(mac, line->link.mac, sizeof mac) == 0;
}
