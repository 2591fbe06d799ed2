#include "ats/vault/audit.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ats/vault/auditline.h"
#include "base/log.h"

enum { SEGMENT_BYTES = 16 * 1024 * 1024, TAIL_BYTES = 4096, NOTE_SECONDS = 10, PATH_LEN = 1024 };

struct audit {
	const struct vault_options *options;
	unsigned char *key;   /* sodium_malloc() */
	pthread_mutex_t lock; /* over what follows */
	pthread_cond_t wake;
	pthread_t syncer;
	bool is_ending;
	bool is_dirty;
	int fd; /* -1: none yet */
	int64_t segment_bytes;
	struct audit_link last; /* the line that was written last */
};

/* --- files ---------------------------------------------------------------------------------- */

static bool open_segment(struct audit *audit, const char *name, struct error *err)
{
	char path[PATH_LEN];
	struct stat status;

	snprintf(path, sizeof path, "%s/%s", audit->options->audit_folder, name);
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &status) != 0) {
		if (fd >= 0)
			close(fd);
		return error_set(err, ERROR_UNAVAILABLE, "the audit log %s cannot be opened", path);
	}
	audit->fd = fd;
	audit->segment_bytes = status.st_size;
	return true;
}

/* Named after its first line. */
static bool begin_segment(struct audit *audit, struct error *err)
{
	char name[32];

	if (audit->fd >= 0) {
		fdatasync(audit->fd);
		close(audit->fd);
		audit->fd = -1;
	}
	snprintf(name, sizeof name, "%012lld.log", (long long)audit->last.number + 1);
	return open_segment(audit, name, err);
}

/* The last whole line; what is behind it was cut by a crash in the middle of a write, and no secret
 * was given out on it. */
static bool read_tail(struct audit *audit, struct error *err)
{
	char bytes[TAIL_BYTES];
	off_t from = audit->segment_bytes > TAIL_BYTES ? audit->segment_bytes - TAIL_BYTES : 0;
	ssize_t got = pread(audit->fd, bytes, sizeof bytes, from);
	struct audit_line line;

	if (got < 0)
		return error_set(err, ERROR_UNAVAILABLE, "the audit log cannot be read");
	size_t end = (size_t)got, begin;
	while (end > 0 && bytes[end - 1] != '\n')
		end--;
	if (end < (size_t)got) {
		LOG(LOG_WARNING, "audit_line_cut", LOG_N(bytes, got - (ssize_t)end));
		audit->segment_bytes = from + (off_t)end;
		if (ftruncate(audit->fd, audit->segment_bytes) != 0)
			return error_set(err, ERROR_UNAVAILABLE, "the audit log cannot be mended");
	}
	for (begin = end > 0 ? end - 1 : 0; begin > 0 && bytes[begin - 1] != '\n';)
		begin--;
	if (end == 0)
		return true;
	if (!audit_line_parse(str_make(bytes + begin, end - 1 - begin), &line)) {
		LOG(LOG_ERROR, "audit_line_damaged");
		return true;
	}
	audit->last = line.link;
	return true;
}

static bool open_last(struct audit *audit, struct error *err)
{
	struct arena arena;
	struct str *names;
	size_t count;

	arena_init(&arena, 64L * 1024 * 1024);
	bool ok = disk_make_folder(audit->options->disk, audit->options->audit_folder, 0700, err) &&
		  disk_list(audit->options->disk, &arena, audit->options->audit_folder, &names,
			    &count, err);
	if (ok && count > 0)
		ok = open_segment(audit, arena_c(&arena, names[count - 1]), err) &&
		     read_tail(audit, err);
	arena_finish(&arena);
	return ok;
}

/* --- the head in the store ------------------------------------------------------------------ */

static bool read_head(const struct audit *audit, struct audit_link *head, struct error *err)
{
	struct store_rows rows;
	struct arena arena;

	*head = (struct audit_link){0};
	const struct store_value folder = store_text(audit->options->folder);

	arena_init(&arena, 65536);
	bool ok = store_query(audit->options->store, &arena,
			      "SELECT number, mac FROM audit_head WHERE folder = ?1", &folder, 1,
			      &rows, err);
	if (ok && rows.count > 0 && store_cell(&rows, 0, 1)->bytes.len == AUDIT_MAC_BYTES) {
		head->number = store_cell(&rows, 0, 0)->integer;
		memcpy(head->mac, store_cell(&rows, 0, 1)->bytes.data, AUDIT_MAC_BYTES);
	}
	arena_finish(&arena);
	return ok;
}

/* Only of a line that is on the disk. `waits`: until it is committed. */
static void note_head(struct audit *audit, const struct audit_link *head, bool waits)
{
	struct store_value values[] = {
		store_int(head->number),
		store_blob(str_make((const char *)head->mac, AUDIT_MAC_BYTES)),
		store_int(clock_unix_ms(audit->options->clock)),
		store_text(audit->options->folder),
	};
	struct store_statement statement = {
		.sql = "INSERT INTO audit_head (folder, number, mac, noted_ms)"
		       " VALUES (?4, ?1, ?2, ?3) ON CONFLICT (folder)"
		       " DO UPDATE SET number = ?1, mac = ?2, noted_ms = ?3"
		       " WHERE audit_head.number < ?1",
		.parameters = values,
		.parameter_count = 4,
		.changes_expected = -1,
	};
	struct error err;
	bool ok = waits ? store_write(audit->options->store, &statement, 1, &err) :
			  store_write_later(audit->options->store, &statement, &err);

	if (!ok)
		LOG(LOG_WARNING, "audit_head_not_noted");
}

/* False when nothing was written since the last time. */
static bool sync_now(struct audit *audit, struct audit_link *head)
{
	pthread_mutex_lock(&audit->lock);
	bool is_dirty = audit->is_dirty;
	int fd = is_dirty ? fcntl(audit->fd, F_DUPFD_CLOEXEC, 0) : -1;
	audit->is_dirty = false;
	*head = audit->last;
	pthread_mutex_unlock(&audit->lock);
	if (!is_dirty)
		return false;
	bool ok = fd >= 0 && fdatasync(fd) == 0;
	if (fd >= 0)
		close(fd);
	if (!ok)
		LOG(LOG_ERROR, "audit_not_synced");
	return ok;
}

/* A thread of its own, so that nobody waits for the disk: a line is durable within a second. The
 * store may have failed to write what it promised to write later: the end notes it for certain. */
static void *keep_synced(void *context)
{
	struct audit *audit = context;
	struct audit_link head;
	bool is_ending = false, is_new = false, has_any = false;

	(void)store_enter_all();
	for (int second = 1; !is_ending; second++) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
		pthread_mutex_lock(&audit->lock);
		while (!audit->is_ending &&
		       pthread_cond_timedwait(&audit->wake, &audit->lock, &until) == 0)
			;
		is_ending = audit->is_ending;
		pthread_mutex_unlock(&audit->lock);
		is_new |= sync_now(audit, &head);
		has_any |= is_new;
		if (is_ending ? has_any : is_new && second % NOTE_SECONDS == 0) {
			note_head(audit, &head, is_ending);
			is_new = false;
		}
	}
	return NULL;
}

/* --- opening and closing -------------------------------------------------------------------- */

static struct audit *make_audit(const struct vault_options *options, const unsigned char key[32])
{
	struct audit *audit = calloc(1, sizeof *audit);
	pthread_condattr_t attributes;

	if (audit == NULL || (audit->key = sodium_malloc(32)) == NULL)
		die("out of memory for the audit log");
	memcpy(audit->key, key, 32);
	sodium_mprotect_readonly(audit->key);
	audit->options = options;
	audit->fd = -1;
	pthread_mutex_init(&audit->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&audit->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	return audit;
}

static void free_audit(struct audit *audit)
{
	if (audit->fd >= 0)
		close(audit->fd);
	pthread_cond_destroy(&audit->wake);
	pthread_mutex_destroy(&audit->lock);
	sodium_free(audit->key);
	free(audit);
}

struct audit *audit_open(const struct vault_options *options, const unsigned char key[32],
			 struct error *err)
{
	struct audit *audit = make_audit(options, key);
	struct audit_link head;
	bool ok = open_last(audit, err) && read_head(audit, &head, err);

	if (ok && head.number > audit->last.number) {
		/* The gap stays for whoever verifies. */
		LOG(LOG_ERROR, "audit_lines_missing", LOG_N(count, head.number - audit->last.number));
		audit->last = head;
		ok = begin_segment(audit, err);
	} else if (ok && audit->fd < 0) {
		ok = begin_segment(audit, err);
	}
	if (ok && pthread_create(&audit->syncer, NULL, keep_synced, audit) != 0)
		die("no thread for the audit log");
	if (ok)
		return audit;
	free_audit(audit);
	return NULL;
}

void audit_close(struct audit *audit)
{
	if (audit == NULL)
		return;
	pthread_mutex_lock(&audit->lock);
	audit->is_ending = true;
	pthread_cond_signal(&audit->wake);
	pthread_mutex_unlock(&audit->lock);
	pthread_join(audit->syncer, NULL);
	free_audit(audit);
}

/* --- noting --------------------------------------------------------------------------------- */

static bool write_line(struct audit *audit, const char *text, size_t len)
{
	ssize_t got;

	do
		got = write(audit->fd, text, len);
	while (got < 0 && errno == EINTR);
	if (got == (ssize_t)len)
		return true;
	/* Half a line would break the chain. */
	if (got > 0 && ftruncate(audit->fd, audit->segment_bytes) != 0)
		LOG(LOG_ERROR, "audit_line_cut", LOG_N(bytes, got));
	return false;
}

bool audit_note(struct audit *audit, const char *use, const struct vault_binding *binding,
		struct error *err)
{
	char text[AUDIT_LINE_MAX];
	bool ok = true;

	pthread_mutex_lock(&audit->lock);
	struct audit_link next = audit->last;
	next.number++;
	if (audit->fd < 0 || audit->segment_bytes >= SEGMENT_BYTES)
		ok = begin_segment(audit, err);
	size_t len = audit_line_print(text, audit->key, clock_unix_ms(audit->options->clock), use,
				      binding, &next);
	if (ok && !write_line(audit, text, len))
		ok = error_set(err, ERROR_UNAVAILABLE, "the audit log cannot be written");
	if (ok) {
		audit->last = next;
		audit->segment_bytes += (int64_t)len;
		audit->is_dirty = true;
	}
	pthread_mutex_unlock(&audit->lock);
	return ok;
}

/* --- reading -------------------------------------------------------------------------------- */

/* Walks over the lines of all files; `see` returns false to end it. */
typedef bool audit_see(void *context, struct str line);

static bool walk_file(const char *path, audit_see *see, void *context, bool *goes_on,
		      struct error *err)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	if (file == NULL)
		return error_set(err, ERROR_UNAVAILABLE, "the audit log %s cannot be opened", path);
	/* A last line without its end is being written just now. */
	while (*goes_on && (len = getline(&line, &room, file)) > 0 && line[len - 1] == '\n')
		*goes_on = see(context, str_make(line, (size_t)len - 1));
	free(line);
	fclose(file);
	return true;
}

/* From the file on which has line `from`. */
static bool walk(const struct audit *audit, int64_t from, audit_see *see, void *context,
		 struct error *err)
{
	struct arena arena;
	struct str *names;
	size_t count, at = 0;
	bool goes_on = true;

	arena_init(&arena, 64L * 1024 * 1024);
	bool ok = disk_list(audit->options->disk, &arena, audit->options->audit_folder, &names,
			    &count, err);
	while (ok && at + 1 < count && strtoll(arena_c(&arena, names[at + 1]), NULL, 10) <= from)
		at++;
	for (; ok && goes_on && at < count; at++) {
		const char *path = arena_format(&arena, "%s/%.*s", audit->options->audit_folder,
						STR_ARGS(names[at])).data;
		ok = walk_file(path, see, context, &goes_on, err);
	}
	arena_finish(&arena);
	return ok;
}

struct check {
	const struct audit *audit;
	struct audit_link head, last;
	struct vault_audit_report *report;
	int64_t from;
};

static bool is_fault(struct check *check, int64_t number, const char *problem)
{
	check->report->is_whole = false;
	check->report->at = number;
	snprintf(check->report->problem, sizeof check->report->problem, "%s", problem);
	return false;
}

static bool check_line(void *context, struct str text)
{
	struct check *check = context;
	struct audit_line line;
	int64_t wanted = check->last.number + 1;

	if (!audit_line_parse(text, &line))
		return is_fault(check, wanted, "this is no line of an audit log");
	if (line.link.number < check->from)
		return true;
	if (check->report->first == 0 && check->from > 1) {
		/* What it hangs on was taken away: it is where the chain begins. */
		wanted = check->from;
		check->report->first = line.link.number;
	} else if (!audit_line_check(text, check->audit->key, &check->last, &line)) {
		return is_fault(check, wanted, line.link.number == wanted ?
				"the line was altered, or the one before it" :
				"lines are missing or in another order");
	}
	if (line.link.number != wanted)
		return is_fault(check, wanted, "lines are missing");
	if (line.link.number == check->head.number &&
	    memcmp(line.link.mac, check->head.mac, AUDIT_MAC_BYTES) != 0)
		return is_fault(check, wanted, "the store knows another line of this number");
	if (check->report->first == 0)
		check->report->first = line.link.number;
	check->last = line.link;
	check->report->last = line.link.number;
	return true;
}

bool audit_verify(struct audit *audit, int64_t from, struct vault_audit_report *out,
		  struct error *err)
{
	struct check check = {.audit = audit, .report = out, .from = from};

	*out = (struct vault_audit_report){.is_whole = true};
	/* The head first: what is written meanwhile only adds to it. */
	if (!read_head(audit, &check.head, err) || !walk(audit, from, check_line, &check, err))
		return false;
	out->head = check.head.number;
	if (out->is_whole && check.head.number >= from && out->last < check.head.number)
		is_fault(&check, out->last + 1, "the end was cut off: the store knows later lines");
	return true;
}

struct listing {
	struct arena *arena;
	struct str *lines;
	size_t count, limit;
	int64_t after;
};

static bool add_line(void *context, struct str text)
{
	struct listing *listing = context;
	struct audit_line line;

	if (audit_line_parse(text, &line) && line.link.number <= listing->after)
		return true;
	listing->lines[listing->count++] = arena_str(listing->arena, text);
	return listing->count < listing->limit;
}

bool audit_list(struct audit *audit, struct arena *arena, int64_t after, size_t limit,
		struct str **lines, size_t *count, struct error *err)
{
	struct listing listing = {.arena = arena, .limit = limit, .after = after};

	listing.lines = arena_array(arena, limit, sizeof **lines);
	bool ok = walk(audit, after + 1, add_line, &listing, err);

	*lines = listing.lines;
	*count = listing.count;
	return ok;
}
