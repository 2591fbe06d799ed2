#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { TEXT_MAX = 512 };

static const char *const names[LOG_FIELD_NAMES] = {
#define ROW(name) #name,
	LOG_FIELDS(ROW)
#undef ROW
};
static const char *const levels[] = {"debug", "info", "warning", "error"};

/* The one global of the program: where lines go, and which were the last, is the process's own
 * matter. */
static _Atomic enum log_level lowest = LOG_INFO;
static _Atomic uint64_t counts[LOG_SILENT];
static struct {
	pthread_mutex_t lock;
	char lines[LOG_KEPT][LOG_LINE_BYTES];
	size_t lengths[LOG_KEPT];
	size_t next; /* the oldest is overwritten */
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What ends a line; so many bytes stay free for it. */
static const char cut_end[] = ",\"cut\":true}\n";
static const char whole_end[] = "}\n";

struct line {
	char bytes[LOG_LINE_BYTES];
	size_t len;
	bool is_over; /* something did not fit */
};

static void put(struct line *line, const char *bytes, size_t len)
{
	if (line->is_over || line->len + len > sizeof line->bytes - (sizeof cut_end - 1)) {
		line->is_over = true;
		return;
	}
	memcpy(line->bytes + line->len, bytes, len);
	line->len += len;
}

static void put_c(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

static void put_text(struct line *line, struct str text)
{
	put_c(line, "\"");
	text = str_slice(text, 0, TEXT_MAX);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		char escaped[8];
		/* Bytes past ASCII are escaped too: what is logged may be cut UTF-8. */
		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
			put(line, (const char *)&c, 1);
		else
			put(line, escaped,
			    (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", c));
	}
	put_c(line, "\"");
}

static void put_time(struct line *line)
{
	int64_t now_ms = clock_unix_ms(clock_system());
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm parts;
	char text[64];

	gmtime_r(&seconds, &parts);
	size_t len = strftime(text, sizeof text, "{\"time\":\"%Y-%m-%dT%H:%M:%S", &parts);
	put(line, text, len);
	put(line, text, (size_t)snprintf(text, sizeof text, ".%03dZ\"", (int)(now_ms % 1000)));
}

/* The field whole, or nothing of it: false. */
static bool put_field(struct line *line, const struct log_field *field)
{
	size_t before = line->len;
	char number[32];

	put_c(line, ",\"");
	put_c(line, names[field->name]);
	put_c(line, "\":");
	if (field->is_text)
		put_text(line, field->text);
	else
		put(line, number,
		    (size_t)snprintf(number, sizeof number, "%lld", (long long)field->number));
	if (!line->is_over)
		return true;
	line->len = before;
	line->is_over = false;
	return false;
}

static void keep(const struct line *line)
{
	pthread_mutex_lock(&kept.lock);
	memcpy(kept.lines[kept.next], line->bytes, line->len);
	kept.lengths[kept.next] = line->len;
	kept.next = (kept.next + 1) % LOG_KEPT;
	pthread_mutex_unlock(&kept.lock);
}

size_t log_recent(char *bytes)
{
	size_t len = 0;

	pthread_mutex_lock(&kept.lock);
	for (size_t i = 0; i < LOG_KEPT; i++) {
		size_t at = (kept.next + i) % LOG_KEPT;
		memcpy(bytes + len, kept.lines[at], kept.lengths[at]);
		len += kept.lengths[at];
	}
	pthread_mutex_unlock(&kept.lock);
	return len;
}

uint64_t log_count(enum log_level level)
{
	return atomic_load_explicit(&counts[level], memory_order_relaxed);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
	       size_t count)
{
	struct line line = {.len = 0};
	bool is_whole = true;

	if (level >= LOG_SILENT)
		return;
	if (level >= LOG_WARNING)
		atomic_fetch_add_explicit(&counts[level], 1, memory_order_relaxed);
	else if (!log_is_on(level))
		return;
	put_time(&line);
	put_c(&line, ",\"level\":\"");
	put_c(&line, levels[level]);
	put_c(&line, "\",\"event\":\"");
	put_c(&line, event);
	put_c(&line, "\"");
	for (size_t i = 0; i < count; i++)
		if (!put_field(&line, &fields[i]))
			is_whole = false;
	const char *end = is_whole ? whole_end : cut_end;
	memcpy(line.bytes + line.len, end, strlen(end));
	line.len += strlen(end);
	if (level >= LOG_WARNING)
		keep(&line);
	if (!log_is_on(level))
		return;
	if (write(STDERR_FILENO, line.bytes, line.len) < 0)
		return; /* nobody is left to tell */
}

void log_set_level(enum log_level level)
{
	lowest = level;
}

bool log_is_on(enum log_level level)
{
	return level >= lowest && level < LOG_SILENT;
}
