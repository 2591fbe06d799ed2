/* The audit log: one line before each use of a secret, in append-only files, each line's code
 * made with a key of the installation over the line and the code of the one before. Whoever alters,
 * adds, takes out or moves a line without the key is found out, and whoever cuts the end off by the
 * head that the store keeps. Private to the vault. */
#ifndef ATS_VAULT_AUDIT_H
#define ATS_VAULT_AUDIT_H

#include "ats/vault/vault.h"

struct audit;

/* Goes on where the folder's last file ends. `key` is copied. */
struct audit *audit_open(const struct vault_options *options, const unsigned char key[32],
			 struct error *err) MUST_CHECK;
/* Syncs it and notes the head. NULL is accepted. */
void audit_close(struct audit *audit);
/* The line is with the kernel when it returns. ERROR_UNAVAILABLE: then the secret must not be given
 * out. `use` is a word. Any thread. */
bool audit_note(struct audit *audit, const char *use, const struct vault_binding *binding,
		struct error *err) MUST_CHECK;
bool audit_verify(struct audit *audit, int64_t from, struct vault_audit_report *out,
		  struct error *err) MUST_CHECK;
bool audit_list(struct audit *audit, struct arena *arena, int64_t after, size_t limit,
		struct str **lines, size_t *count, struct error *err) MUST_CHECK;

#endif
