/* SPDX-License-Identifier: MIT */
/*
 * `dev`: the daemon with an author beside it. Its own store in the folder at hand; each saved change is checked, told,
 * and taken while commands go on. What is wrong is told with the line and a caret, and the rules of before go on.
 *
 * A thread waits for saves and asks the engine; the main thread waits for signals, as in `serve`. Rules that do not
 * load when it starts are told, and the next save is waited for: nothing is served until then. History that the new
 * rules read differently is told, and the rules are taken all the same: here the author is at the keyboard.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/changes.h"
#include "core/domain.h"
#include "daemon/ask.h"
#include "daemon/print.h"
#include "daemon/report.h"
#include "daemon/saves.h"
#include "daemon/serve.h"
#include "daemon/setup.h"

#define OUT_MAX      ((size_t)16 << 20)
#define ARENA_MAX    ((size_t)256 << 20)
#define DEFAULT_DATA ".moonlog"

struct dev {
	const char *const *folders;
	size_t count;
	const char *data;
	struct script_options script;
	struct report taken[DOMAIN_MAX]; /* what runs, a folder */
	bool broken[DOMAIN_MAX];         /* the last save was told to be wrong */
	struct saves *saves;
	struct engine *engine;
	pthread_t thread;
	bool watching;
};

/* ---- telling ---- */

static void
stamp(struct buf *out)
{
	char text[16];
	time_t now = (time_t)(clock_wall_us(clock_real()) / 1000000);
	struct tm parts;

	strftime(text, sizeof(text), "%H:%M:%S", localtime_r(&now, &parts));
	buf_format(out, "%s ", text);
}

static void
print_and_flush(struct buf *out)
{
	print_out(out);
	fflush(stdout);
	buf_clear(out);
}

/* The domain's name where the folder could be read, else its path. */
static struct slice
name_of(const struct report *report)
{
	return report->sources.domain.size != 0 ? report->sources.domain : slice_text(report->folder);
}

static void
tell_bad(const struct report *report, const struct fault *fault, const char *then, struct buf *out)
{
	stamp(out);
	buf_format(out, "%.*s: not taken; %s\n", SLICE_ARG(name_of(report)), then);
	if (fault != NULL)
		buf_format(out, "%s\n", fault->text);
	else
		report_text(report, false, out);
	print_and_flush(out);
}

static void
tell_same(const struct report *report, struct buf *out)
{
	stamp(out);
	buf_format(out, "%.*s: well again, and the same as what runs\n", SLICE_ARG(name_of(report)));
	print_and_flush(out);
}

/* ---- one save ---- */

static void
tell_changes(const struct report *before, struct report *after, struct buf *out)
{
	const struct change_side from = { &before->sources, before->program };
	const struct change_side to = { &after->sources, after->program };
	struct change *list;
	struct fault fault;
	size_t count;

	if (changes_find(&from, &to, &after->arena, &list, &count, &fault) == 0)
		changes_write_text(list, count, out);
	else
		buf_format(out, "%s\n", fault.text);
}

/* Asks the engine; history that differs is written to `out`, and the rules are asked for again without it. */
static void
take(const struct dev *dev, struct slice domain, struct engine_reload *reload, struct buf *out)
{
	*reload = (struct engine_reload){ .what = RELOAD_TAKE, .domain = domain, .partial = true, .no_specs = true };
	struct arena arena;
	struct buf differences;

	arena_init(&arena, ARENA_MAX);
	buf_init(&differences, OUT_MAX);
	reload->arena = &arena;
	reload->out = &differences;
	ask_reload(dev->engine, reload);
	if (reload->answer == RELOAD_REFUSED && strcmp(reload->stage, "history") == 0) {
		struct json_value told;
		buf_text(out, "  recorded history reads differently by the new rules:\n");
		if (json_check(buf_slice(&differences), &told, &reload->fault) == 0)
			print_json_text(told, out);
		buf_clear(&differences);
		reload->no_shadow = true;
		ask_reload(dev->engine, reload);
	}
	reload->arena = NULL;
	reload->out = NULL;
	arena_fini(&arena);
	buf_fini(&differences);
}

static void
take_save(struct dev *dev, size_t number, struct buf *out)
{
	struct report *before = &dev->taken[number], after;
	struct engine_reload reload;
	struct fault fault;
	struct buf differences;
	int64_t began_ns = clock_mono_ns(clock_real());

	bool was_broken = dev->broken[number];
	dev->broken[number] = true;
	if (report_open(&after, dev->folders[number], &dev->script, &fault) != 0) {
		tell_bad(&after, &fault, "the rules of before go on", out);
		report_close(&after);
		return;
	}
	if (after.program == NULL) {
		tell_bad(&after, NULL, "the rules of before go on", out);
		report_close(&after);
		return;
	}
	dev->broken[number] = false;
	buf_init(&differences, OUT_MAX);
	take(dev, after.sources.domain, &reload, &differences);
	if (reload.answer == RELOAD_DONE) {
		stamp(out);
		buf_format(out, "%.*s: taken as generation %u in %lld ms\n", SLICE_ARG(name_of(&after)),
			   reload.generation, (long long)((clock_mono_ns(clock_real()) - began_ns) / 1000000));
		tell_changes(before, &after, out);
		report_text(&after, false, out); /* warnings */
		buf_add(out, buf_slice(&differences));
		print_and_flush(out);
		report_close(before);
		*before = after;
		before->findings.arena = &before->arena;
	} else {
		if (reload.answer != RELOAD_UNCHANGED)
			tell_bad(&after, &reload.fault, "the rules of before go on", out);
		else if (was_broken)
			tell_same(&after, out);
		report_close(&after);
	}
	buf_fini(&differences);
}

static void *
watch_main(void *self)
{
	struct dev *dev = self;
	struct buf out;
	uint64_t changed;

	buf_init(&out, OUT_MAX);
	while ((changed = saves_wait(dev->saves)) != 0) {
		for (size_t i = 0; i < dev->count; i++) {
			if ((changed >> i & 1) != 0)
				take_save(dev, i, &out);
		}
	}
	buf_fini(&out);
	return NULL;
}

/* ---- the start ---- */

/* Until all folders load. */
static int
wait_for_rules(struct dev *dev, struct fault *fault)
{
	struct buf out;
	int result = 0;

	buf_init(&out, OUT_MAX);
	for (size_t i = 0; i < dev->count && result == 0;) {
		struct report *report = &dev->taken[i];
		result = report_open(report, dev->folders[i], &dev->script, fault);
		if (result == 0 && report->program != NULL) {
			report_text(report, false, &out);
			print_and_flush(&out);
			i++;
			continue;
		}
		if (result == 0) {
			tell_bad(report, NULL, "the next save is waited for", &out);
			saves_wait(dev->saves);
		}
		report_close(report);
	}
	buf_fini(&out);
	return result;
}

static int
on_ready(void *self, struct engine *engine, const char *address, struct fault *fault)
{
	struct dev *dev = self;

	dev->engine = engine;
	printf("http://%s serves", address);
	for (size_t i = 0; i < dev->count; i++)
		printf(" %.*s", SLICE_ARG(name_of(&dev->taken[i])));
	printf("; data in %s; saved rules are taken at once, ^C ends\n", dev->data);
	fflush(stdout);
	if (pthread_create(&dev->thread, NULL, watch_main, dev) != 0)
		return fault_set(fault, FAULT_MEMORY, "memory", "no thread to wait for saves");
	dev->watching = true;
	return 0;
}

static void
on_stopping(void *self)
{
	struct dev *dev = self;

	saves_end(dev->saves);
	if (dev->watching)
		pthread_join(dev->thread, NULL);
	dev->watching = false;
}

/* What the author did not choose: the store at hand, errors with their traceback, a quiet log. */
static int
set_defaults(struct call *call, struct dev *dev, struct config *config, struct fault *fault)
{
	static const struct config_setting ours[] = { { CONFIG_DATA, DEFAULT_DATA },
						      { CONFIG_DEVELOPMENT, "true" },
						      { CONFIG_LOG_LEVEL, "warn" } };

	if (call_config(call, config, fault) != 0)
		return -1;
	for (size_t i = 0; i < countof(ours); i++) {
		if (!config_given(config, ours[i].id))
			call->settings[call->setting_count++] = ours[i];
	}
	dev->data = config_given(config, CONFIG_DATA) ? config_text(config, CONFIG_DATA) : DEFAULT_DATA;
	setup_script(config, &dev->script);
	dev->script.development = true;
	dev->folders = config->values[CONFIG_DOMAINS].items;
	dev->count = config->values[CONFIG_DOMAINS].item_count;
	if (dev->count == 0)
		return fault_set(fault, FAULT_CONFIG, "usage", "no domain is given: name at least one folder");
	return saves_open(dev->folders, dev->count, &dev->saves, fault);
}

enum exit_code
verb_dev(struct call *call)
{
	struct dev *dev = calloc(1, sizeof(*dev));
	struct config config = { 0 };
	struct fault fault;
	enum exit_code code;

	must(dev != NULL);
	const struct serve_hooks hooks = { on_ready, on_stopping, dev };
	call_domains(call);
	if (set_defaults(call, dev, &config, &fault) != 0 || wait_for_rules(dev, &fault) != 0)
		code = exit_say(&fault);
	else
		code = serve_run(call, &hooks);
	for (size_t i = 0; i < dev->count; i++)
		report_close(&dev->taken[i]);
	saves_close(dev->saves);
	config_fini(&config);
	free(dev);
	return code;
}
