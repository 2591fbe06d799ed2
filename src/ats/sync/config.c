/* What is wanted of a job: read from a body, and shown. */
#include "ats/sync/parts.h"

enum { MINUTE_MS = 60000, DAY_MINUTES = 24 * 60 };

static const char *const modes[] = {"auto", "full", "incremental"};

void sync_job_init(struct sync_job *job)
{
	*job = (struct sync_job){
		.interval_ms = SYNC_INTERVAL_SECONDS * 1000,
		.full_interval_ms = SYNC_FULL_SECONDS * 1000,
		.details_ms = (int64_t)SYNC_DETAILS_SECONDS * 1000,
		.mode = SYNC_AUTO,
		.share_percent = 50,
		.drop_percent = 30,
		.field_percent = 90,
	};
}

/* --- members --------------------------------------------------------------------------------- */

static bool read_seconds(struct json body, const char *name, int64_t *ms, struct error *err)
{
	int64_t seconds = *ms / 1000;

	if (!setting_read_int(body, name, SYNC_INTERVAL_SECONDS_MIN, SYNC_INTERVAL_SECONDS_MAX,
			      &seconds, err))
		return false;
	*ms = seconds * 1000;
	return true;
}

static bool read_mode(struct json body, enum sync_mode *mode, struct error *err)
{
	int at = (int)*mode;

	if (!setting_read_word(body, "mode", modes, 3, "auto, full or incremental", &at, err))
		return false;
	*mode = (enum sync_mode)at;
	return true;
}

/* A share from 0 to 1, in percent. */
static bool read_share(struct json value, const char *name, const char *allowed, int64_t least,
		       int64_t *percent, struct error *err)
{
	double share = json_is_number(value) ? json_to_double(value) : -1;
	int64_t rounded = (int64_t)(share * 100 + 0.5);

	if (!(share >= 0 && share <= 1) || rounded < least)
		return setting_refuse(name, allowed, err);
	*percent = rounded;
	return true;
}

static bool read_rate_share(struct json body, int64_t *percent, struct error *err)
{
	struct json value = json_get_c(body, "rate_share");

	return !setting_is_given(value) ||
	       read_share(value, "rate_share", "a number from 0.05 to 1", 5, percent, err);
}

static bool has_only(struct json object, const char *const *names, size_t count)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += !json_is(json_get_c(object, names[i]), JSON_UNDEFINED);
	return json_is(object, JSON_OBJECT) && found == object.count;
}

static bool read_threshold(struct json drift, const char *name, int64_t *percent, struct error *err)
{
	struct json value = json_get_c(drift, name);

	if (!setting_is_given(value))
		return true;
	*percent = 0;
	return json_is(value, JSON_NULL) ||
	       read_share(value, "drift", "{\"count\", \"fields\"}, each from 0.01 to 1, or null",
			  1, percent, err);
}

static bool read_drift(struct json body, struct sync_job *job, struct error *err)
{
	static const char *const names[] = {"count", "fields"};
	struct json value = json_get_c(body, "drift");

	if (!setting_is_given(value))
		return true;
	if (json_is(value, JSON_NULL)) {
		job->drop_percent = job->field_percent = 0;
		return true;
	}
	if (!has_only(value, names, 2))
		return setting_refuse("drift",
				      "{\"count\", \"fields\"}, each from 0.01 to 1, or null", err);
	return read_threshold(value, "count", &job->drop_percent, err) &&
	       read_threshold(value, "fields", &job->field_percent, err);
}

/* --- the window ------------------------------------------------------------------------------ */

static const char window_allowed[] =
	"{\"from\": \"22:00\", \"to\": \"06:00\", \"time_zone\": \"UTC\", \"+02:00\" or "
	"\"Europe/Amsterdam\"}, or null";

/* "22:00" */
static bool read_minutes(struct str text, int64_t *minutes)
{
	int64_t hour, minute;

	if (text.len != 5 || text.data[2] != ':' || !str_to_int64(str_slice(text, 0, 2), &hour) ||
	    !str_to_int64(str_slice(text, 3, 5), &minute) || hour < 0 || hour > 23 || minute < 0 ||
	    minute > 59)
		return false;
	*minutes = hour * 60 + minute;
	return true;
}

static bool read_offset(struct str text, int64_t *minutes)
{
	*minutes = 0;
	if (text.len == 0 || str_equal_c(text, "UTC") || str_equal_c(text, "Z"))
		return true;
	if ((text.data[0] != '+' && text.data[0] != '-') ||
	    !read_minutes(str_slice(text, 1, text.len), minutes) || *minutes > 14 * 60)
		return false;
	if (text.data[0] == '-')
		*minutes = -*minutes;
	return true;
}

/* Nothing is as good as UTC. */
static bool read_clock(struct str text, struct sync_window *window, struct error *err)
{
	char byte = text.len > 0 ? text.data[0] : '+';

	if (read_offset(text, &window->offset_minutes))
		return true;
	if (byte == '+' || byte == '-')
		return setting_refuse("window", window_allowed, err);
	window->offset_minutes = 0;
	window->zone = zone_find(disk_system(), text, err);
	return window->zone != NULL ||
	       error_set_field(err, ERROR_INVALID, "window", window_allowed,
			       "this server knows no time zone \"%.*s\" (/usr/share/zoneinfo)",
			       STR_ARGS(str_slice(text, 0, 64)));
}

static bool read_window(struct json body, bool is_stored, struct sync_window *window,
			struct error *err)
{
	static const char *const names[] = {"from", "to", "time_zone"};
	struct json value = json_get_c(body, "window");

	if (!setting_is_given(value))
		return true;
	*window = (struct sync_window){0};
	if (json_is(value, JSON_NULL))
		return true;
	if (!has_only(value, names, 3) ||
	    !read_minutes(json_get_str(value, "from"), &window->from_minute) ||
	    !read_minutes(json_get_str(value, "to"), &window->to_minute) ||
	    (setting_is_given(json_get_c(value, "time_zone")) &&
	     !json_is(json_get_c(value, "time_zone"), JSON_STRING)))
		return setting_refuse("window", window_allowed, err);
	return read_clock(json_get_str(value, "time_zone"), window, err) || is_stored;
}

static bool is_within(const struct sync_window *window, int64_t at_minute)
{
	int64_t offset = window->zone == NULL ? window->offset_minutes
					      : zone_offset_s(window->zone, at_minute * 60) / 60;
	int64_t minute = (at_minute + offset) % DAY_MINUTES;

	if (window->from_minute <= window->to_minute)
		return window->from_minute == window->to_minute ||
		       (minute >= window->from_minute && minute < window->to_minute);
	return minute >= window->from_minute || minute < window->to_minute;
}

/* Minute by minute: a clock that is put forward may pass over the one at which it would open. */
bool sync_window_is_open(const struct sync_window *window, int64_t at_ms, int64_t *opens_ms)
{
	int64_t minute = at_ms / MINUTE_MS, last = minute + 2 * DAY_MINUTES;

	*opens_ms = at_ms;
	if (is_within(window, minute))
		return true;
	do
		minute++;
	while (minute < last && !is_within(window, minute));
	*opens_ms = minute * MINUTE_MS;
	return false;
}

static struct json show_minutes(struct arena *arena, int64_t minutes)
{
	return json_string(
		arena_format(arena, "%02d:%02d", (int)(minutes / 60), (int)(minutes % 60)));
}

static struct json show_clock(struct arena *arena, const struct sync_window *window)
{
	int64_t offset = window->offset_minutes, ahead = offset < 0 ? -offset : offset;

	if (window->zone != NULL)
		return json_string(zone_name(window->zone));
	if (offset == 0)
		return json_string_c("UTC");
	return json_string(arena_format(arena, "%c%02d:%02d", offset < 0 ? '-' : '+',
					(int)(ahead / 60), (int)(ahead % 60)));
}

static struct json show_window(struct arena *arena, const struct sync_window *window)
{
	struct json_builder out;

	if (window->from_minute == window->to_minute)
		return json_null();
	json_builder_init(&out, arena);
	json_builder_set(&out, STR("from"), show_minutes(arena, window->from_minute));
	json_builder_set(&out, STR("to"), show_minutes(arena, window->to_minute));
	json_builder_set(&out, STR("time_zone"), show_clock(arena, window));
	return json_builder_object(&out);
}

/* --- all of it ------------------------------------------------------------------------------- */

static bool read_all(struct json body, bool is_stored, struct sync_job *job, struct error *err)
{
	return read_seconds(body, "interval_s", &job->interval_ms, err) &&
	       read_seconds(body, "full_interval_s", &job->full_interval_ms, err) &&
	       read_mode(body, &job->mode, err) &&
	       setting_read_flag(body, "expand", &job->is_expanded, err) &&
	       read_seconds(body, "details_interval_s", &job->details_ms, err) &&
	       setting_read_flag(body, "initial_events", &job->tells_first, err) &&
	       read_window(body, is_stored, &job->window, err) &&
	       read_rate_share(body, &job->share_percent, err) && read_drift(body, job, err);
}

bool sync_job_read(struct json body, struct sync_job *job, struct error *err)
{
	return read_all(body, false, job, err);
}

bool sync_job_recall(struct json body, struct sync_job *job, struct error *err)
{
	return read_all(body, true, job, err);
}

static struct json show_percent(int64_t percent)
{
	return percent == 0 ? json_null() : json_number((double)percent / 100);
}

struct json sync_job_config(struct arena *arena, const struct sync_job *job)
{
	struct json_builder out, drift;

	json_builder_init(&drift, arena);
	json_builder_set(&drift, STR("count"), show_percent(job->drop_percent));
	json_builder_set(&drift, STR("fields"), show_percent(job->field_percent));
	json_builder_init(&out, arena);
	json_builder_set(&out, STR("interval_s"), json_int(job->interval_ms / 1000));
	json_builder_set(&out, STR("full_interval_s"), json_int(job->full_interval_ms / 1000));
	json_builder_set(&out, STR("mode"), json_string_c(modes[job->mode]));
	json_builder_set(&out, STR("expand"), json_bool(job->is_expanded));
	json_builder_set(&out, STR("details_interval_s"), json_int(job->details_ms / 1000));
	json_builder_set(&out, STR("initial_events"), json_bool(job->tells_first));
	json_builder_set(&out, STR("window"), show_window(arena, &job->window));
	json_builder_set(&out, STR("rate_share"), json_number((double)job->share_percent / 100));
	json_builder_set(&out, STR("drift"), json_builder_object(&drift));
	return json_builder_object(&out);
}
