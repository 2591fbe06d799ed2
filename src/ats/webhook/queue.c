#include "ats/webhook/queue.h"

#include <assert.h>
#include <stdlib.h>

/* --- lists ------------------------------------------------------------------------------------ */

static void append(struct item_list *list, struct item *item)
{
	item->next = NULL;
	if (list->last == NULL)
		list->first = item;
	else
		list->last->next = item;
	list->last = item;
}

static struct item *take_first(struct item_list *list)
{
	struct item *item = list->first;

	if (item == NULL)
		return NULL;
	list->first = item->next;
	if (list->first == NULL)
		list->last = NULL;
	item->next = NULL;
	return item;
}

static void note_unstored(struct queue *queue, struct item *item)
{
	struct item_list *list = &queue->unstored;

	assert(list->last == NULL || list->last->number < item->number);
	item->older = list->last;
	if (list->last == NULL)
		list->first = item;
	else
		list->last->newer = item;
	list->last = item;
	queue->unstored_count++;
}

static void note_stored(struct queue *queue, struct item *item)
{
	if (item->is_stored)
		return;
	item->is_stored = true;
	if (item->older == NULL)
		queue->unstored.first = item->newer;
	else
		item->older->newer = item->newer;
	if (item->newer == NULL)
		queue->unstored.last = item->older;
	else
		item->newer->older = item->older;
	item->older = item->newer = NULL;
	queue->unstored_count--;
}

static void mark_dirty(struct queue *queue, struct item *item)
{
	if (item->is_dirty)
		return;
	item->is_dirty = true;
	item->next_dirty = NULL;
	if (queue->dirty.last == NULL)
		queue->dirty.first = item;
	else
		queue->dirty.last->next_dirty = item;
	queue->dirty.last = item;
}

/* Before all others: rows of one chain are written in their order, or together. */
static void mark_dirty_again(struct queue *queue, struct item *item)
{
	if (item->is_dirty)
		return;
	item->is_dirty = true;
	item->next_dirty = queue->dirty.first;
	queue->dirty.first = item;
	if (queue->dirty.last == NULL)
		queue->dirty.last = item;
}

/* --- the heap --------------------------------------------------------------------------------- */

static void put_at(struct queue *queue, size_t place, struct item *item)
{
	queue->heap[place] = item;
	item->place = place + 1;
}

static void sift_up(struct queue *queue, size_t place)
{
	struct item *item = queue->heap[place];

	while (place > 0 && queue->heap[(place - 1) / 2]->next_ms > item->next_ms) {
		put_at(queue, place, queue->heap[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put_at(queue, place, item);
}

static void sift_down(struct queue *queue, size_t place)
{
	struct item *item = queue->heap[place];

	for (;;) {
		size_t child = 2 * place + 1;

		if (child >= queue->heap_count)
			break;
		if (child + 1 < queue->heap_count &&
		    queue->heap[child + 1]->next_ms < queue->heap[child]->next_ms)
			child++;
		if (queue->heap[child]->next_ms >= item->next_ms)
			break;
		put_at(queue, place, queue->heap[child]);
		place = child;
	}
	put_at(queue, place, item);
}

static void heap_add(struct queue *queue, struct item *item)
{
	if (queue->heap_count == queue->heap_room) {
		queue->heap_room = queue->heap_room == 0 ? 16 : queue->heap_room * 2;
		queue->heap = realloc(queue->heap, queue->heap_room * sizeof(struct item *));
		if (queue->heap == NULL)
			die("out of memory");
	}
	queue->heap[queue->heap_count++] = item;
	sift_up(queue, queue->heap_count - 1);
}

static struct item *heap_take(struct queue *queue)
{
	struct item *item = queue->heap[0], *last = queue->heap[--queue->heap_count];

	if (queue->heap_count > 0) {
		queue->heap[0] = last;
		sift_down(queue, 0);
	}
	item->place = 0;
	return item;
}

/* --- items ------------------------------------------------------------------------------------ */

static struct str number_key(const int64_t *number)
{
	return str_make((const char *)number, sizeof *number);
}

static void free_body(struct queue *queue, struct item *item)
{
	queue->body_bytes -= item->body == NULL ? 0 : item->body_len;
	free(item->body);
	item->body = NULL;
}

static void free_item(struct queue *queue, struct item *item)
{
	free_body(queue, item);
	free(item->error);
	free(item->reply);
	free(item);
}

void queue_init(struct queue *queue, int64_t read_to, const struct random *random)
{
	*queue = (struct queue){.read_to = read_to};
	map_init(&queue->chains, random);
	map_init(&queue->by_number, random);
}

void queue_finish(struct queue *queue)
{
	struct str key;
	void *item;
	size_t at = 0;

	while (map_next(&queue->by_number, &at, &key, &item))
		free_item(queue, item);
	map_finish(&queue->by_number);
	map_finish(&queue->chains);
	free(queue->heap);
	*queue = (struct queue){0};
}

static struct str put(char **at, struct str text)
{
	char *place = *at;

	if (text.len > 0)
		memcpy(place, text.data, text.len);
	*at += text.len;
	*(*at)++ = '\n';
	return str_make(place, text.len);
}

/* Account, resource and record lie behind one another: together they are the chain's key. */
static struct item *make(const struct item *like, struct str body)
{
	size_t room = like->type.len + like->account_id.len + like->resource.len +
		      like->record_id.len + 4;
	struct item *item = malloc(sizeof *item + room);

	if (item == NULL)
		die("out of memory");
	char *at = (char *)item + sizeof *item;
	*item = *like;
	item->type = put(&at, like->type);
	item->account_id = put(&at, like->account_id);
	item->resource = put(&at, like->resource);
	item->record_id = put(&at, like->record_id);
	item->error = item->reply = NULL;
	item->body = body.data == NULL ? NULL : malloc(body.len + 1);
	item->body_len = body.len;
	if (item->body != NULL)
		memcpy(item->body, body.data, body.len);
	else if (body.data != NULL)
		die("out of memory");
	return item;
}

static struct str chain_of(const struct item *item)
{
	const char *end = item->record_id.data + item->record_id.len;

	return str_make(item->account_id.data, (size_t)(end - item->account_id.data));
}

static void make_ready(struct queue *queue, struct item *item)
{
	item->state = ITEM_READY;
	append(item->attempts == 0 ? &queue->fresh_ready : &queue->again_ready, item);
}

/* It is held for long: what is kept of it is its row. */
static void store_held(struct queue *queue, struct item *item)
{
	free_body(queue, item);
	if (!item->is_stored)
		mark_dirty(queue, item);
}

struct item *queue_add(struct queue *queue, const struct item *like, bool is_stored,
		       struct str body)
{
	struct item *item = make(like, body), *before;

	item->is_stored = is_stored;
	queue->count++;
	queue->body_bytes += item->body == NULL ? 0 : item->body_len;
	if (!is_stored)
		note_unstored(queue, item);
	map_put(&queue->by_number, number_key(&item->number), item);
	before = map_put(&queue->chains, chain_of(item), item);
	if (before != NULL) {
		before->follower = item;
		item->state = ITEM_HELD;
		/* What a chain waits for may take days: the endpoint's place moves past it. */
		if (!is_stored && (before->state == ITEM_WAITING ||
				   (before->state == ITEM_HELD &&
				    (before->is_stored || before->is_dirty))))
			store_held(queue, item);
	} else if (item->next_ms > 0) {
		item->state = ITEM_WAITING;
		heap_add(queue, item);
	} else {
		make_ready(queue, item);
	}
	return item;
}

struct item *queue_find(const struct queue *queue, int64_t number)
{
	return map_get(&queue->by_number, number_key(&number));
}

/* --- being sent ------------------------------------------------------------------------------- */

struct item *queue_take(struct queue *queue, bool takes_fresh)
{
	struct item *item = take_first(&queue->again_ready);

	if (item == NULL && takes_fresh)
		item = take_first(&queue->fresh_ready);
	if (item != NULL)
		item->state = ITEM_FLYING;
	return item;
}

void queue_put_back(struct queue *queue, struct item *item)
{
	make_ready(queue, item);
}

void queue_settle(struct queue *queue, struct item *item, bool is_delivered)
{
	struct item *next = item->follower;

	assert(item->state == ITEM_FLYING);
	item->state = is_delivered ? ITEM_DELIVERED : ITEM_FAILED;
	item->next_ms = 0;
	item->follower = NULL;
	free_body(queue, item);
	mark_dirty(queue, item);
	if (next == NULL) {
		map_remove(&queue->chains, chain_of(item));
		return;
	}
	next->next_ms = 0;
	make_ready(queue, next);
}

void queue_postpone(struct queue *queue, struct item *item, int64_t next_ms)
{
	assert(item->state == ITEM_FLYING);
	item->state = ITEM_WAITING;
	item->next_ms = next_ms;
	free_body(queue, item);
	heap_add(queue, item);
	mark_dirty(queue, item);
	for (struct item *held = item->follower; held != NULL; held = held->follower)
		store_held(queue, held);
}

int64_t queue_wake(struct queue *queue, int64_t now_ms)
{
	while (queue->heap_count > 0 && queue->heap[0]->next_ms <= now_ms)
		make_ready(queue, heap_take(queue));
	return queue->heap_count > 0 ? queue->heap[0]->next_ms : INT64_MAX;
}

void queue_hurry(struct queue *queue, int64_t now_ms, int64_t until_ms,
		 const struct random *random)
{
	for (size_t i = 0; i < queue->heap_count; i++)
		if (queue->heap[i]->next_ms > until_ms)
			queue->heap[i]->next_ms =
				now_ms +
				(int64_t)random_below(random, (uint64_t)(until_ms - now_ms) + 1);
	for (size_t i = queue->heap_count; i-- > 0;)
		sift_down(queue, i);
}

/* --- being stored ----------------------------------------------------------------------------- */

struct item *queue_take_dirty(struct queue *queue)
{
	struct item *item = queue->dirty.first;

	if (item == NULL)
		return NULL;
	queue->dirty.first = item->next_dirty;
	if (queue->dirty.first == NULL)
		queue->dirty.last = NULL;
	item->is_dirty = false;
	item->is_being_stored = true;
	return item;
}

static void drop(struct queue *queue, struct item *item)
{
	map_remove(&queue->by_number, number_key(&item->number));
	queue->count--;
	free_item(queue, item);
}

void queue_stored(struct queue *queue, struct item *item, bool ok)
{
	item->is_being_stored = false;
	if (!ok) {
		mark_dirty_again(queue, item);
		return;
	}
	note_stored(queue, item);
	if (!item->is_dirty && (item->state == ITEM_DELIVERED || item->state == ITEM_FAILED))
		drop(queue, item);
}

int64_t queue_seen(const struct queue *queue)
{
	const struct item *item = queue->unstored.first;

	while (item != NULL && item->is_being_stored)
		item = item->newer;
	return item == NULL ? queue->read_to : item->number - 1;
}
