#include "io/http/tls.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/log.h"

enum {
	CHAIN_MAX = 16,
	FILE_BYTES_MAX = 256 * 1024,
	/* A handshake which began with an old certificate has ended, one way or the other. */
	RETIRED_S = 300,
};

const char tls_priorities[] = "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+AES-256-GCM:+AES-128-GCM"
			      ":+CHACHA20-POLY1305:+ECDHE-RSA:+ECDHE-ECDSA:+AEAD:+GROUP-ALL"
			      ":+SIGN-ALL:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:+COMP-NULL"
			      ":%SERVER_PRECEDENCE";

/* One reading of the files. */
struct identity {
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned count;
	gnutls_privkey_t key;
	time_t retired; /* 0: in use */
	struct identity *older;
};

/* What tells a file from the one that stood there before. */
struct stamp {
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct http_tls {
	char *certificate_file, *key_file;
	struct stamp stamps[2];
	pthread_mutex_t lock;
	struct identity *identity; /* and, behind it, those that handshakes may still use */
};

/* --- reading the files ----------------------------------------------------------------------- */

static void free_identity(struct identity *identity)
{
	if (identity == NULL)
		return;
	for (unsigned i = 0; i < identity->count; i++)
		gnutls_pcert_deinit(&identity->chain[i]);
	if (identity->key != NULL)
		gnutls_privkey_deinit(identity->key);
	free(identity);
}

static bool read_file(struct arena *arena, const char *path, const char *field,
		      gnutls_datum_t *datum, struct error *err)
{
	struct str text;
	struct error fault;

	if (!disk_read(disk_system(), arena, path, FILE_BYTES_MAX, &text, &fault))
		return error_set_field(err, ERROR_INVALID, field, "a PEM file", "--%s: %s", field,
				       fault.message);
	*datum = (gnutls_datum_t){(unsigned char *)(uintptr_t)text.data, (unsigned)text.len};
	return true;
}

static bool read_chain(struct identity *identity, const char *path, struct arena *arena,
		       struct error *err)
{
	gnutls_datum_t datum;
	unsigned count = CHAIN_MAX;

	if (!read_file(arena, path, "tls-certificate", &datum, err))
		return false;
	int result = gnutls_pcert_list_import_x509_raw(identity->chain, &count, &datum,
						       GNUTLS_X509_FMT_PEM, 0);
	if (result < 0)
		return error_set_field(err, ERROR_INVALID, "tls-certificate",
				       "a PEM file: the server's certificate, then those above it",
				       "%s has no chain of certificates that can be read: %s", path,
				       gnutls_strerror(result));
	identity->count = count;
	return true;
}

/* Like the master key's, but for the group: tools that renew certificates give theirs one. */
static bool check_mode(const char *path, struct error *err)
{
	struct stat status;

	if (stat(path, &status) != 0 || (status.st_mode & S_IRWXO) == 0)
		return true;
	return error_set_field(err, ERROR_FORBIDDEN, "tls-key", "mode 0600 or 0640",
			       "everybody may use the key file %s (mode %03o); chmod 600 it", path,
			       (unsigned)status.st_mode & 0777);
}

static bool read_key(struct identity *identity, const char *path, struct arena *arena,
		     struct error *err)
{
	gnutls_datum_t datum;

	if (!check_mode(path, err) || !read_file(arena, path, "tls-key", &datum, err))
		return false;
	gnutls_privkey_init(&identity->key);
	int result = gnutls_privkey_import_x509_raw(identity->key, &datum, GNUTLS_X509_FMT_PEM,
						    NULL, 0);
	gnutls_memset(datum.data, 0, datum.size);
	if (result >= 0)
		return true;
	return error_set_field(err, ERROR_INVALID, "tls-key", "a PEM file with a private key",
			       "%s has no private key that can be read: %s", path,
			       gnutls_strerror(result));
}

static bool check_pair(const struct identity *identity, struct error *err)
{
	unsigned char ids[2][64];
	size_t sizes[2] = {sizeof ids[0], sizeof ids[1]};
	const unsigned flags = GNUTLS_KEYID_USE_SHA256;
	gnutls_pubkey_t public;

	gnutls_pubkey_init(&public);
	gnutls_pubkey_t shown = identity->chain[0].pubkey;
	bool ok = gnutls_pubkey_import_privkey(public, identity->key, 0, 0) >= 0 &&
		  gnutls_pubkey_get_key_id(public, flags, ids[0], &sizes[0]) >= 0 &&
		  gnutls_pubkey_get_key_id(shown, flags, ids[1], &sizes[1]) >= 0 &&
		  sizes[0] == sizes[1] && memcmp(ids[0], ids[1], sizes[0]) == 0;
	gnutls_pubkey_deinit(public);
	return ok || error_set_field(err, ERROR_INVALID, "tls-key", "the key of --tls-certificate",
				     "the private key is not that of the first certificate");
}

/* One that has run out is served all the same: whether to go on is for the caller to judge. */
static void note_expiry(const struct identity *identity, struct arena *arena)
{
	gnutls_x509_crt_t certificate;

	if (gnutls_pcert_export_x509((gnutls_pcert_st *)(uintptr_t)&identity->chain[0],
				     &certificate) < 0)
		return;
	time_t until = gnutls_x509_crt_get_expiration_time(certificate);
	LOG(until < time(NULL) ? LOG_ERROR : LOG_INFO, "tls_certificate_read",
	    LOG_S(valid_until, clock_format_ms(arena, (int64_t)until * 1000)),
	    LOG_N(count, identity->count));
	gnutls_x509_crt_deinit(certificate);
}

static struct identity *read_identity(const struct http_tls *tls, struct error *err)
{
	struct identity *identity = calloc(1, sizeof *identity);
	struct arena arena;

	if (identity == NULL)
		die("out of memory for a certificate");
	arena_init(&arena, 4L * FILE_BYTES_MAX);
	bool ok = read_chain(identity, tls->certificate_file, &arena, err) &&
		  read_key(identity, tls->key_file, &arena, err) && check_pair(identity, err);
	if (ok)
		note_expiry(identity, &arena);
	arena_finish(&arena);
	if (ok)
		return identity;
	free_identity(identity);
	return NULL;
}

/* --- changing them --------------------------------------------------------------------------- */

static struct stamp stamp_of(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return (struct stamp){0};
	return (struct stamp){status.st_ino, status.st_size, status.st_mtim};
}

static bool is_same(const struct stamp *a, const struct stamp *b)
{
	return a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static void note_stamps(struct http_tls *tls)
{
	tls->stamps[0] = stamp_of(tls->certificate_file);
	tls->stamps[1] = stamp_of(tls->key_file);
}

bool http_tls_has_changed(const struct http_tls *tls)
{
	struct stamp certificate = stamp_of(tls->certificate_file), key = stamp_of(tls->key_file);

	return !is_same(&certificate, &tls->stamps[0]) || !is_same(&key, &tls->stamps[1]);
}

/* Frees those whose handshakes have ended long ago. Under the lock. */
static void retire(struct identity *newest, time_t now)
{
	for (struct identity **link = &newest->older; *link != NULL;) {
		struct identity *identity = *link;

		if (identity->retired == 0)
			identity->retired = now;
		if (now - identity->retired < RETIRED_S) {
			link = &identity->older;
			continue;
		}
		*link = identity->older;
		free_identity(identity);
	}
}

bool http_tls_reload(struct http_tls *tls, struct error *err)
{
	/* Before they are read: what changes meanwhile is seen at the next look. */
	note_stamps(tls);
	struct identity *identity = read_identity(tls, err);

	if (identity == NULL)
		return false;
	pthread_mutex_lock(&tls->lock);
	identity->older = tls->identity;
	tls->identity = identity;
	retire(identity, time(NULL));
	pthread_mutex_unlock(&tls->lock);
	return true;
}

struct http_tls *http_tls_create(const char *certificate_file, const char *key_file,
				 struct error *err)
{
	struct http_tls *tls = calloc(1, sizeof *tls);

	if (tls == NULL)
		die("out of memory for TLS");
	tls->certificate_file = strdup(certificate_file);
	tls->key_file = strdup(key_file);
	if (tls->certificate_file == NULL || tls->key_file == NULL)
		die("out of memory for TLS");
	pthread_mutex_init(&tls->lock, NULL);
	if (http_tls_reload(tls, err))
		return tls;
	http_tls_destroy(tls);
	return NULL;
}

void http_tls_destroy(struct http_tls *tls)
{
	if (tls == NULL)
		return;
	while (tls->identity != NULL) {
		struct identity *older = tls->identity->older;
		free_identity(tls->identity);
		tls->identity = older;
	}
	pthread_mutex_destroy(&tls->lock);
	free(tls->certificate_file);
	free(tls->key_file);
	free(tls);
}

/* --- handshakes ------------------------------------------------------------------------------ */

static _Thread_local struct http_tls *in_use;

void tls_use(struct http_tls *tls)
{
	in_use = tls;
}

int tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
		 gnutls_pcert_st **certificates, unsigned *count, gnutls_ocsp_data_st **ocsp,
		 unsigned *ocsp_count, gnutls_privkey_t *key, unsigned *flags)
{
	(void)session, (void)info;
	if (in_use == NULL)
		return -1;
	pthread_mutex_lock(&in_use->lock);
	*certificates = in_use->identity->chain;
	*count = in_use->identity->count;
	*key = in_use->identity->key;
	pthread_mutex_unlock(&in_use->lock);
	*ocsp = NULL;
	*ocsp_count = 0;
	*flags = 0;
	return 0;
}
