/* One line of the audit log: NUMBER TIME USE ENVIRONMENT SUBJECT FIELD VERSION CODE, parted by
 * blanks. Private to the vault. */
#ifndef ATS_VAULT_AUDITLINE_H
#define ATS_VAULT_AUDITLINE_H

#include "ats/vault/vault.h"

enum { AUDIT_MAC_BYTES = 32, AUDIT_LINE_MAX = 1024 };

/* What the next line hangs on. */
struct audit_link {
	int64_t number;
	unsigned char mac[AUDIT_MAC_BYTES];
};

struct audit_line {
	struct audit_link link;
	size_t text_len; /* of what the code is of */
};

/* `link` has the number of the line and the code of the one before, and then its own. Returns the
 * length, line end included. Parts that are too long are cut; a byte that would part is "_". */
size_t audit_line_print(char text[AUDIT_LINE_MAX], const unsigned char key[32], int64_t unix_ms,
			const char *use, const struct vault_binding *binding,
			struct audit_link *link);
/* Without the line's end. Takes its form only. */
bool audit_line_parse(struct str text, struct audit_line *out) MUST_CHECK;
/* Whether it follows that one. */
bool audit_line_check(struct str text, const unsigned char key[32], const struct audit_link *before,
		      const struct audit_line *line) MUST_CHECK;

#endif
