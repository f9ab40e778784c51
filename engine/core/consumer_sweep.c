/* SPDX-License-Identifier: MIT */
/*
 * Versions of foreign streams are forgotten when nothing was heard of the stream for as long as ids of messages are
 * remembered. Once an hour the space is gone through, a page at a time with rests between, beside the lanes: what is
 * old in a page is removed in one append, by comparison, so that a version which moves meanwhile stays. Records of
 * before there was a time in them get one.
 */
#include <stdio.h>

#include "base/log.h"
#include "core/consumer_inside.h"

#define PAGE       128
#define EVERY_NS   ((int64_t)3600 * 1000 * 1000 * 1000)
#define FIRST_NS   ((int64_t)60 * 1000 * 1000 * 1000)
#define REST_NS    ((int64_t)50 * 1000 * 1000)
#define TROUBLE_NS ((int64_t)60 * 1000 * 1000 * 1000)

bool
heard_version_parse(struct slice text, struct heard_version *version)
{
	struct slice number = text, hour = SLICE_NONE;

	for (size_t i = 0; i < text.size && number.size == text.size; i++)
		if (text.data[i] == ' ') {
			number.size = i;
			hour = slice_from(text.data + i + 1, text.size - i - 1);
		}
	version->hour = 0;
	if (text.size >= sizeof(version->text) || !slice_to_u64(number, &version->number) ||
	    (hour.size != 0 && !slice_to_u64(hour, &version->hour)))
		return false;
	memcpy(version->text, text.data, text.size);
	version->text[text.size] = '\0';
	return true;
}

void
heard_version_make(const struct consumer *consumer, uint64_t number, struct heard_version *version)
{
	version->number = number;
	version->hour = (uint64_t)(clock_wall_us(consumer->options.clock) / HEARD_HOUR_US);
	size_t size = slice_put_u64(version->text, number);

	version->text[size++] = ' ';
	size += slice_put_u64(version->text + size, version->hour);
	version->text[size] = '\0';
}

/* What one record of a page asks for; false: memory is out. */
static bool
look_at(struct consumer *consumer, const struct record *record, uint64_t oldest, struct letter *letter)
{
	struct arena *arena = &letter->reaction.arena;
	struct heard_version version;
	struct record_write write = { .space = consumer->heard_space };

	if (!heard_version_parse(record->value, &version) || (version.hour != 0 && version.hour >= oldest))
		return true;
	write.rule = version.hour != 0 ? RECORD_REMOVE_EQUALS : RECORD_EQUALS;
	write.key = arena_copy(arena, record->key);
	write.before = arena_copy(arena, record->value);
	if (version.hour == 0) {
		heard_version_make(consumer, version.number, &version);
		write.value = arena_copy(arena, slice_text(version.text));
	}
	consumer->sweep.gone += write.rule == RECORD_REMOVE_EQUALS;
	return write.key.data != NULL && write.before.data != NULL &&
	       (write.rule == RECORD_REMOVE_EQUALS || write.value.data != NULL) &&
	       reaction_add(&letter->reaction, write);
}

static void
end(struct consumer *consumer)
{
	struct sweep *sweep = &consumer->sweep;

	if (sweep->gone != 0)
		log_line(LOG_INFO, "streams of which nothing was heard for long are forgotten",
			 log_text("consumer", consumer->whole), log_int("streams", (int64_t)sweep->gone));
	buf_clear(&sweep->after);
	sweep->gone = 0;
	sweep->again_ns = consumer_now_ns(consumer) + EVERY_NS;
}

/* A page into the letter. Gives how many records it has; -1: *fault. */
static int
read_page(struct consumer *consumer, struct letter *letter, struct fault *fault)
{
	struct sweep *sweep = &consumer->sweep;
	struct arena *pages = &consumer->bench.pages;
	uint64_t now = (uint64_t)(clock_wall_us(consumer->options.clock) / HEARD_HOUR_US);
	uint64_t window = (uint64_t)(consumer->options.remember_us / HEARD_HOUR_US);
	struct record *records;
	size_t count;

	arena_clear(pages);
	if (store_list_records(consumer->bench.reader, consumer->heard_space, buf_slice(&sweep->after), PAGE, pages,
			       &records, &count, fault) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (!look_at(consumer, &records[i], now > window ? now - window : 0, letter))
			return fault_set(fault, FAULT_MEMORY, "memory", "no memory for what is forgotten");
	if (count != 0) {
		buf_clear(&sweep->after);
		buf_add(&sweep->after, records[count - 1].key);
	}
	return (int)count;
}

static int
give(struct consumer *consumer, struct letter *letter, struct fault *fault)
{
	struct provenance provenance = { .actor = slice_text(consumer->whole) };
	struct submission *submission = &letter->reaction.submission;

	if (reaction_append(&consumer->bench, &letter->reaction, &provenance, fault) != 0) {
		reaction_discard(&consumer->bench, &letter->reaction);
		return -1;
	}
	letter->state = LETTER_FLYING;
	consumer->sweep.letter = letter;
	consumer->flying++;
	submission->home = &consumer->home;
	submission->back = &letter->mail;
	consumer->options.give(consumer->options.self, submission);
	return 0;
}

void
consumer_swept(struct consumer *consumer)
{
	struct letter *letter = consumer->sweep.letter;

	(void)reaction_settle(&consumer->bench, &letter->reaction);
	consumer->flying--;
	consumer->sweep.letter = NULL;
	letter->state = LETTER_DONE; /* what moved meanwhile is looked at the next time */
	consumer_put_away(consumer, letter);
	consumer->sweep.again_ns = consumer_now_ns(consumer) + REST_NS;
}

static void
step(struct consumer *consumer)
{
	struct sweep *sweep = &consumer->sweep;
	struct letter *letter = consumer_spare(consumer);
	struct fault fault;
	int count = -1;

	fault_set(&fault, FAULT_MEMORY, "memory", "no memory for a letter");
	if (letter != NULL) {
		letter->reaction.mark = arena_mark(&letter->reaction.arena);
		count = read_page(consumer, letter, &fault);
	}
	if (count > 0 && letter->reaction.record_count != 0 && give(consumer, letter, &fault) == 0)
		return;
	if (letter != NULL)
		consumer_put_away(consumer, letter);
	sweep->again_ns = consumer_now_ns(consumer) + REST_NS;
	if (count == 0) {
		end(consumer);
	} else if (count < 0) {
		log_fault(LOG_WARN, "versions that were heard are not looked through now", &fault);
		sweep->again_ns = consumer_now_ns(consumer) + TROUBLE_NS;
	}
}

int64_t
consumer_sweep(struct consumer *consumer)
{
	struct sweep *sweep = &consumer->sweep;
	int64_t now_ns = consumer_now_ns(consumer);

	if (sweep->letter != NULL || (consumer->rule->versions == REACT_VERSIONS_IGNORED && !sweep->left))
		return INT64_MAX;
	if (sweep->again_ns == 0)
		sweep->again_ns = now_ns + FIRST_NS;
	if (sweep->again_ns > now_ns)
		return sweep->again_ns - now_ns;
	step(consumer);
	return sweep->letter != NULL ? INT64_MAX : sweep->again_ns - now_ns;
}

int
consumer_sweep_open(struct consumer *consumer, struct fault *fault)
{
	struct record *records;
	size_t count;

	arena_clear(&consumer->bench.pages);
	if (store_list_records(consumer->bench.reader, consumer->heard_space, SLICE_NONE, 1, &consumer->bench.pages,
			       &records, &count, fault) != 0)
		return -1;
	consumer->sweep.left = count != 0;
	return 0;
}
