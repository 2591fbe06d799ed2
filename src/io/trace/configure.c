/* What the options say, as it is sent. */
#include <unistd.h>

#include "io/trace/parts.h"
#include "lang/json/json.h"

enum { RESOURCE_BYTES_MAX = 64 * 1024 };

static bool set_url(struct tracer *tracer, struct error *err)
{
	struct str url = tracer->options.endpoint;
	ptrdiff_t scheme = str_find(url, STR("://"));

	if ((!str_starts_with(url, STR("http://")) && !str_starts_with(url, STR("https://"))) ||
	    http_has_control_byte(url) || str_find_byte(url, '?') >= 0 ||
	    str_find_byte(url, '@') >= 0)
		return error_set_field(err, ERROR_INVALID, "otlp-endpoint", "https://HOST[:PORT]",
				       "--otlp-endpoint must be the URL of an OpenTelemetry "
				       "collector: http(s)://HOST[:PORT]");
	while (str_ends_with(url, STR("/")))
		url.len--;
	ptrdiff_t path = str_find_byte(str_slice(url, (size_t)scheme + 3, url.len), '/');
	tracer->origin = arena_str(&tracer->arena,
				   path < 0 ? url : str_slice(url, 0, (size_t)(scheme + 3 + path)));
	tracer->url = arena_format(&tracer->arena, "%.*s/v1/traces", STR_ARGS(url));
	tracer->reach = (struct http_reach){.origins = &tracer->origin, .origin_count = 1};
	return true;
}

static bool is_token(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] <= ' ' || name.data[i] >= 0x7f ||
		    strchr("()<>@,;:\\\"/[]?={}", name.data[i]) != NULL)
			return false;
	return name.len > 0;
}

static bool fail_headers(struct error *err)
{
	return error_set_field(err, ERROR_INVALID, "otlp-headers", "NAME=VALUE,…",
			       "OTEL_EXPORTER_OTLP_HEADERS must be at most 15 headers, as "
			       "NAME=VALUE,NAME=VALUE");
}

/* As environment variables of OpenTelemetry have them: pairs parted by commas, values encoded. */
static bool set_headers(struct tracer *tracer, struct error *err)
{
	struct str rest = tracer->options.headers;
	size_t max = sizeof tracer->headers / sizeof tracer->headers[0];

	tracer->headers[tracer->header_count++] =
		(struct http_header){STR("Content-Type"), STR("application/json")};
	while (rest.len > 0) {
		struct str value = str_trim(str_cut(&rest, ','));
		bool has_value = str_find_byte(value, '=') > 0;
		struct str name = str_trim(str_cut(&value, '='));
		struct str plain;
		if (!has_value || tracer->header_count == max || !is_token(name) ||
		    !url_decode(&tracer->arena, str_trim(value), false, &plain) ||
		    http_has_control_byte(plain))
			return fail_headers(err);
		tracer->headers[tracer->header_count++] =
			(struct http_header){arena_str(&tracer->arena, name), plain};
	}
	return true;
}

static void put_text(struct buffer *out, const char *key, struct str text)
{
	buffer_append_format(out, "{\"key\":\"%s\",\"value\":{\"stringValue\":", key);
	json_print(out, json_string(text));
	buffer_append_c(out, "}}");
}

static void set_resource(struct tracer *tracer)
{
	struct str service = tracer->options.service;
	struct str version = str_from_c(tracer->options.version);
	char host[256] = "";
	struct buffer out;

	gethostname(host, sizeof host - 1);
	buffer_init(&out, &tracer->arena, RESOURCE_BYTES_MAX);
	buffer_append_c(&out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
	put_text(&out, "service.name", service.len > 0 ? service : STR("tenon"));
	buffer_append_c(&out, ",");
	put_text(&out, "service.version", version);
	buffer_append_c(&out, ",");
	put_text(&out, "host.name", str_from_c(host));
	buffer_append_format(&out,
			     ",{\"key\":\"process.pid\",\"value\":{\"intValue\":\"%lld\"}}]},"
			     "\"scopeSpans\":[{\"scope\":{\"name\":\"tenon\",\"version\":",
			     (long long)getpid());
	json_print(&out, json_string(version));
	buffer_append_c(&out, "},\"spans\":[");
	tracer->resource = buffer_str(&out);
}

bool tracer_configure(struct tracer *tracer, struct error *err)
{
	if (!set_url(tracer, err) || !set_headers(tracer, err))
		return false;
	set_resource(tracer);
	return true;
}
