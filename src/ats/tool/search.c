/* Finding tools by words. */
#include "ats/tool/parts.h"

enum { SCORE_NAME = 8, SCORE_TAG = 4, SCORE_TITLE = 4, SCORE_DESCRIPTION = 1, WORDS_MAX = 16 };

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static bool is_letter(char c)
{
	return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9');
}

static bool matches(struct str text, size_t at, struct str word)
{
	for (size_t i = 0; i < word.len; i++)
		if (lower(text.data[at + i]) != lower(word.data[i]))
			return false;
	return true;
}

/* Does a word of the text begin with this one? "interview" finds "interviews". */
static bool has_word(struct str text, struct str word)
{
	for (size_t at = 0; at + word.len <= text.len; at++)
		if ((at == 0 || !is_letter(text.data[at - 1])) && matches(text, at, word))
			return true;
	return false;
}

/* "candidates" looks for "candidate" too. */
static struct str stem(struct str word)
{
	bool is_plural = word.len > 3 && lower(word.data[word.len - 1]) == 's';

	return is_plural ? str_slice(word, 0, word.len - 1) : word;
}

static int score_word(const struct tool *tool, struct str word)
{
	int score = 0;

	score += has_word(tool->name, word) ? SCORE_NAME : 0;
	score += has_word(tool->title, word) ? SCORE_TITLE : 0;
	score += has_word(tool->description, word) ? SCORE_DESCRIPTION : 0;
	for (size_t i = 0; i < tool->tag_count; i++)
		score += str_equal(stem(tool->tags[i]), word) ? SCORE_TAG : 0;
	return score;
}

static size_t read_words(struct str text, struct str *words)
{
	size_t count = 0, i = 0;

	while (i < text.len && count < WORDS_MAX) {
		size_t start;

		while (i < text.len && !is_letter(text.data[i]))
			i++;
		start = i;
		while (i < text.len && is_letter(text.data[i]))
			i++;
		if (i > start)
			words[count++] = stem(str_slice(text, start, i));
	}
	return count;
}

static int score(const struct tool *tool, const struct str *words, size_t count)
{
	int sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += score_word(tool, words[i]);
	/* One schema for all ATSs is the better answer where both fit. */
	return sum > 0 && tool->is_unified ? sum + 1 : sum;
}

/* Puts it in its place among those found so far, of which the last falls out. */
static void insert(const struct tool **found, int *scores, size_t *count, size_t limit,
		   const struct tool *tool, int value)
{
	size_t at = *count;

	while (at > 0 && scores[at - 1] < value)
		at--;
	if (at >= limit)
		return;
	if (*count < limit)
		++*count;
	for (size_t i = *count - 1; i > at; i--) {
		found[i] = found[i - 1];
		scores[i] = scores[i - 1];
	}
	found[at] = tool;
	scores[at] = value;
}

enum { FOUND_MAX = 100 };

size_t toolset_search(const struct toolset *toolset, const uint64_t *passes, struct str words,
		      const struct tool **found, size_t limit)
{
	struct str list[WORDS_MAX];
	int scores[FOUND_MAX];
	size_t word_count = read_words(words, list), count = 0;

	if (limit > FOUND_MAX)
		limit = FOUND_MAX;
	for (size_t i = 0; i < toolset->count; i++) {
		const struct tool *tool = &toolset->tools[i];
		int value = word_count == 0 ? 1 : score(tool, list, word_count);

		if (value > 0 && (passes == NULL || (passes[i / 64] >> (i % 64)) & 1))
			insert(found, scores, &count, limit, tool, value);
	}
	return count;
}
