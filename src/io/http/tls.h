/* Inside the server: what a connection is encrypted with. */
#ifndef IO_HTTP_TLS_H
#define IO_HTTP_TLS_H

#include <gnutls/abstract.h>

#include "io/http/http.h"

/* What is offered: TLS 1.2 and 1.3 with authenticated ciphers and ephemeral keys only. */
extern const char tls_priorities[];

/* libmicrohttpd asks for the certificate without saying for which daemon; it does so while it is
 * run, on the same thread: this is told to it before. */
void tls_use(struct http_tls *tls);
/* A gnutls_certificate_retrieve_function3. */
int tls_retrieve(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
		 gnutls_pcert_st **certificates, unsigned *count, gnutls_ocsp_data_st **ocsp,
		 unsigned *ocsp_count, gnutls_privkey_t *key, unsigned *flags);

#endif
