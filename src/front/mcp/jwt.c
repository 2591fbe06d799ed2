/* JSON Web Tokens of an outside authorization server: RFC 7515, 7517, 7519 and 9068. Only
 * signatures of the algorithms below are taken, each with keys of its own kind alone: there is
 * no "none", and nothing that a public key could be the secret of. */
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <sodium.h>

#include "front/mcp/parts.h"

enum {
	TOKEN_BYTES_MAX = 12 * 1024,
	KEYS_MAX = 64,
	SKEW_S = 60,
	MODULUS_BYTES_MIN = 256,
	MODULUS_BYTES_MAX = 1024,
	EXPONENT_BYTES_MAX = 8,
	SUBJECT_BYTES_MAX = 256,
};

static const struct json_limits token_limits = {TOKEN_BYTES_MAX, 16, 1000};
static const struct json_limits set_limits = {256 * 1024, 16, 10000};

enum family { FAMILY_RSA, FAMILY_EC, FAMILY_ED };

struct mcp_algorithm {
	struct str name;
	enum family family;
	gnutls_sign_algorithm_t sign;
	gnutls_ecc_curve_t curve;
	struct str crv;
	size_t signature_bytes; /* 0: as long as the modulus */
};

static const struct mcp_algorithm algorithms[] = {
	{STR_INIT("RS256"), FAMILY_RSA, GNUTLS_SIGN_RSA_SHA256, 0, {NULL, 0}, 0},
	{STR_INIT("RS384"), FAMILY_RSA, GNUTLS_SIGN_RSA_SHA384, 0, {NULL, 0}, 0},
	{STR_INIT("RS512"), FAMILY_RSA, GNUTLS_SIGN_RSA_SHA512, 0, {NULL, 0}, 0},
	{STR_INIT("PS256"), FAMILY_RSA, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, 0, {NULL, 0}, 0},
	{STR_INIT("PS384"), FAMILY_RSA, GNUTLS_SIGN_RSA_PSS_RSAE_SHA384, 0, {NULL, 0}, 0},
	{STR_INIT("PS512"), FAMILY_RSA, GNUTLS_SIGN_RSA_PSS_RSAE_SHA512, 0, {NULL, 0}, 0},
	{STR_INIT("ES256"), FAMILY_EC, GNUTLS_SIGN_ECDSA_SHA256, GNUTLS_ECC_CURVE_SECP256R1,
	 STR_INIT("P-256"), 64},
	{STR_INIT("ES384"), FAMILY_EC, GNUTLS_SIGN_ECDSA_SHA384, GNUTLS_ECC_CURVE_SECP384R1,
	 STR_INIT("P-384"), 96},
	{STR_INIT("EdDSA"), FAMILY_ED, GNUTLS_SIGN_EDDSA_ED25519, GNUTLS_ECC_CURVE_ED25519,
	 STR_INIT("Ed25519"), 64},
};

static bool unauthorized(struct error *err, const char *message)
{
	return error_set_field(err, ERROR_UNAUTHORIZED, "authorization", NULL, "%s", message);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool decode(struct arena *arena, struct str text, struct str *out)
{
	unsigned char *bytes = arena_alloc(arena, text.len + 1);
	size_t len;

	if (sodium_base642bin(bytes, text.len + 1, text.data, text.len, NULL, &len, NULL,
			      sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
		return false;
	*out = str_make((const char *)bytes, len);
	return true;
}

static bool decode_object(struct arena *arena, struct str text, struct json *out)
{
	struct str bytes;
	struct error ignored;

	return decode(arena, text, &bytes) &&
	       json_parse(arena, bytes, &token_limits, out, &ignored) && json_is(*out, JSON_OBJECT);
}

static const struct mcp_algorithm *find_algorithm(struct str name)
{
	for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++)
		if (str_equal(algorithms[i].name, name))
			return &algorithms[i];
	return NULL;
}

static bool is_access_token(struct json header)
{
	struct str type = json_get_str(header, "typ");

	return str_equal_nocase(type, STR("at+jwt")) || str_equal_nocase(type, STR("JWT")) ||
	       str_equal_nocase(type, STR("application/at+jwt"));
}

bool mcp_jwt_is(struct str text)
{
	size_t dots = 0;

	for (size_t i = 0; i < text.len; i++)
		dots += text.data[i] == '.';
	return dots == 2 && text.len <= TOKEN_BYTES_MAX;
}

bool mcp_jwt_read(struct arena *arena, struct str text, struct mcp_jwt *jwt, struct error *err)
{
	struct str rest = text;
	struct json header;

	*jwt = (struct mcp_jwt){0};
	if (!mcp_jwt_is(text))
		return unauthorized(err, "the bearer token is no JWT");
	struct str head = str_cut(&rest, '.'), claims = str_cut(&rest, '.');
	jwt->signed_text = str_slice(text, 0, head.len + 1 + claims.len);
	if (!decode_object(arena, head, &header) || !decode_object(arena, claims, &jwt->claims) ||
	    !decode(arena, rest, &jwt->signature))
		return unauthorized(err, "the bearer token is no JWT");
	jwt->algorithm = find_algorithm(json_get_str(header, "alg"));
	jwt->kid = json_get_str(header, "kid");
	if (jwt->algorithm == NULL)
		return unauthorized(err, "the JWT is signed by an algorithm that is not taken");
	/* What must be understood is not, as nothing is. */
	if (!is_access_token(header) || !json_is(json_get_c(header, "crit"), JSON_UNDEFINED))
		return unauthorized(err, "the JWT is no access token: typ must be at+jwt or JWT");
	return true;
}

/* --- keys ------------------------------------------------------------------------------------- */

static bool is_for_signatures(struct json key)
{
	struct json use = json_get_c(key, "use"), operations = json_get_c(key, "key_ops");

	if (!json_is(use, JSON_UNDEFINED) && !str_equal(json_get_str(key, "use"), STR("sig")))
		return false;
	if (!json_is(operations, JSON_ARRAY))
		return json_is(operations, JSON_UNDEFINED);
	for (uint32_t i = 0; i < operations.count; i++)
		if (json_is(json_at(operations, i), JSON_STRING) &&
		    str_equal(json_str(json_at(operations, i)), STR("verify")))
			return true;
	return false;
}

static struct str without_zeros(struct str bytes)
{
	while (bytes.len > 1 && bytes.data[0] == '\0')
		bytes = str_slice(bytes, 1, bytes.len);
	return bytes;
}

static bool read_key(struct arena *arena, struct json value, struct mcp_jwk *key)
{
	if (!json_is(value, JSON_OBJECT) || !is_for_signatures(value))
		return false;
	*key = (struct mcp_jwk){
		.kid = json_get_str(value, "kid"),
		.kty = json_get_str(value, "kty"),
		.crv = json_get_str(value, "crv"),
		.alg = json_get_str(value, "alg"),
	};
	if (str_equal(key->kty, STR("RSA"))) {
		if (!decode(arena, json_get_str(value, "n"), &key->first) ||
		    !decode(arena, json_get_str(value, "e"), &key->second))
			return false;
		key->first = without_zeros(key->first);
		return key->first.len >= MODULUS_BYTES_MIN && key->first.len <= MODULUS_BYTES_MAX &&
		       key->second.len > 0 && key->second.len <= EXPONENT_BYTES_MAX;
	}
	if (str_equal(key->kty, STR("EC")))
		return decode(arena, json_get_str(value, "x"), &key->first) &&
		       decode(arena, json_get_str(value, "y"), &key->second);
	return str_equal(key->kty, STR("OKP")) &&
	       decode(arena, json_get_str(value, "x"), &key->first);
}

bool mcp_jwks_read(struct arena *arena, struct str text, struct mcp_jwk **keys, size_t *count,
		   struct error *err)
{
	struct json set, list;
	struct error ignored;

	*count = 0;
	if (!json_parse(arena, text, &set_limits, &set, &ignored))
		set = json_undefined();
	list = json_get_c(set, "keys");
	if (!json_is(list, JSON_ARRAY) || list.count > KEYS_MAX)
		return error_set(err, ERROR_UPSTREAM,
				 "the authorization server's keys are no JWK set of at most %d keys",
				 KEYS_MAX);
	*keys = arena_array(arena, list.count + 1, sizeof **keys);
	for (uint32_t i = 0; i < list.count; i++)
		*count += read_key(arena, json_at(list, i), &(*keys)[*count]);
	return true;
}

bool mcp_jwt_fits(const struct mcp_jwt *jwt, const struct mcp_jwk *key)
{
	static const struct str types[] = {STR_INIT("RSA"), STR_INIT("EC"), STR_INIT("OKP")};
	const struct mcp_algorithm *algorithm = jwt->algorithm;

	return str_equal(key->kty, types[algorithm->family]) &&
	       (jwt->kid.len == 0 || str_equal(jwt->kid, key->kid)) &&
	       (key->alg.len == 0 || str_equal(key->alg, algorithm->name)) &&
	       (algorithm->family == FAMILY_RSA || str_equal(key->crv, algorithm->crv));
}

/* --- signatures ------------------------------------------------------------------------------- */

static gnutls_datum_t datum(struct str bytes)
{
	return (gnutls_datum_t){(unsigned char *)(uintptr_t)bytes.data, (unsigned)bytes.len};
}

static bool import(gnutls_pubkey_t public, const struct mcp_algorithm *algorithm,
		   const struct mcp_jwk *key)
{
	gnutls_datum_t first = datum(key->first), second = datum(key->second);
	size_t bytes = algorithm->signature_bytes / 2;

	switch (algorithm->family) {
	case FAMILY_RSA:
		return gnutls_pubkey_import_rsa_raw(public, &first, &second) == 0;
	case FAMILY_EC:
		return first.size == bytes && second.size == bytes &&
		       gnutls_pubkey_import_ecc_raw(public, algorithm->curve, &first, &second) == 0;
	case FAMILY_ED:
		break;
	}
	return first.size == bytes &&
	       gnutls_pubkey_import_ecc_raw(public, algorithm->curve, &first, NULL) == 0;
}

/* JWTs have both numbers of an ECDSA signature one after the other, GnuTLS as DER. */
static bool verify_with(gnutls_pubkey_t public, const struct mcp_jwt *jwt)
{
	const struct mcp_algorithm *algorithm = jwt->algorithm;
	gnutls_datum_t data = datum(jwt->signed_text), signature = datum(jwt->signature);
	size_t half = jwt->signature.len / 2;

	if (algorithm->family != FAMILY_EC)
		return gnutls_pubkey_verify_data2(public, algorithm->sign, 0, &data,
						  &signature) >= 0;
	gnutls_datum_t r = datum(str_slice(jwt->signature, 0, half));
	gnutls_datum_t s = datum(str_slice(jwt->signature, half, jwt->signature.len));
	if (gnutls_encode_rs_value(&signature, &r, &s) != 0)
		return false;
	int code = gnutls_pubkey_verify_data2(public, algorithm->sign, 0, &data, &signature);
	gnutls_free(signature.data);
	return code >= 0;
}

bool mcp_jwt_verify(const struct mcp_jwt *jwt, const struct mcp_jwk *key)
{
	const struct mcp_algorithm *algorithm = jwt->algorithm;
	size_t bytes = algorithm->signature_bytes;
	gnutls_pubkey_t public;

	if (jwt->signature.len != (bytes > 0 ? bytes : key->first.len) || !mcp_jwt_fits(jwt, key) ||
	    gnutls_pubkey_init(&public) != 0)
		return false;
	bool ok = import(public, algorithm, key) && verify_with(public, jwt);
	gnutls_pubkey_deinit(public);
	return ok;
}

/* --- claims ----------------------------------------------------------------------------------- */

static bool is_among(struct str text, struct json list)
{
	if (json_is(list, JSON_STRING))
		return str_equal(json_str(list), text);
	for (uint32_t i = 0; json_is(list, JSON_ARRAY) && i < list.count; i++)
		if (json_is(json_at(list, i), JSON_STRING) &&
		    str_equal(json_str(json_at(list, i)), text))
			return true;
	return false;
}

/* Seconds, which may have a fraction. */
static bool read_time(struct json claims, const char *name, double *seconds)
{
	struct json value = json_get_c(claims, name);

	if (!json_is_number(value))
		return false;
	*seconds = json_to_double(value);
	return *seconds >= 0 && *seconds < 1e12;
}

static bool check_times(struct json claims, int64_t now_ms, struct error *err)
{
	double now = (double)now_ms / 1000, expires, begins;

	if (!read_time(claims, "exp", &expires))
		return unauthorized(err, "the JWT does not say when it expires");
	if (now >= expires + SKEW_S)
		return unauthorized(err, "the JWT has expired");
	if (json_is(json_get_c(claims, "nbf"), JSON_UNDEFINED))
		return true;
	if (!read_time(claims, "nbf", &begins) || now < begins - SKEW_S)
		return unauthorized(err, "the JWT does not hold yet");
	return true;
}

static bool check_subject(struct json claims, const struct mcp_jwt_wanted *wanted,
			  struct error *err)
{
	struct str subject = json_get_str(claims, "sub");
	bool is_known = wanted->subject_count == 0;

	if (subject.len == 0 || subject.len > SUBJECT_BYTES_MAX)
		return unauthorized(err, "the JWT does not say who it was given to (sub)");
	for (size_t i = 0; i < wanted->subject_count; i++)
		is_known = is_known || str_equal(subject, wanted->subjects[i]);
	return is_known || unauthorized(err, "the JWT was given to somebody else");
}

bool mcp_jwt_check(const struct mcp_jwt *jwt, const struct mcp_jwt_wanted *wanted,
		   struct error *err)
{
	if (!str_equal(json_get_str(jwt->claims, "iss"), wanted->issuer))
		return unauthorized(err, "the JWT is of another issuer");
	if (wanted->audience.len == 0 || !is_among(wanted->audience, json_get_c(jwt->claims, "aud")))
		return unauthorized(err, "the JWT is for another audience");
	return check_times(jwt->claims, wanted->now_ms, err) &&
	       check_subject(jwt->claims, wanted, err);
}

/* "scope" is a text; "scp", which some authorization servers have instead, a text or a list. */
static bool has_scope(struct json claims, struct str scope)
{
	static const char *const names[] = {"scope", "scp"};

	for (size_t i = 0; i < 2; i++) {
		struct json value = json_get_c(claims, names[i]);

		for (struct str rest = json_get_str(claims, names[i]); rest.len > 0;)
			if (str_equal(str_cut(&rest, ' '), scope))
				return true;
		if (json_is(value, JSON_ARRAY) && is_among(scope, value))
			return true;
	}
	return false;
}

unsigned mcp_jwt_kinds(const struct mcp_jwt *jwt)
{
	if (has_scope(jwt->claims, STR("mcp:write")))
		return TOOL_READ | TOOL_WRITE | TOOL_CUSTOM;
	return has_scope(jwt->claims, STR("mcp:read")) ? TOOL_READ : 0;
}
