/* SPDX-License-Identifier: MIT */
/*
 * Every script of scripts/ does what its head says it does, in the time that it has, and leaves its machine, and a
 * neighbour's, usable. The head:
 *
 *   -- call: command | fold | fold encode | initial initial | project | query | load | react | timer
 *   -- expect: ok or codes, any of which will do
 *
 * HOSTILE=name in the environment runs the scripts whose names contain it and tells what each took.
 */
#include <dirent.h>
#include <signal.h>
#include <stdarg.h>

#include "base/clock.h"
#include "script/lua/lua_room.h"
#include "support/check.h"
#include "view/memory/view_memory.h"

#define FOLDER   "tests/hostile/scripts"
#define LIMIT_MS 250 /* as the daemon has them for commands and loading */
#define LOAD_MS  500
#define FILES    512

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLACK 100
#else
#define SLACK 1
#endif

static const char thing[] =
	"return { name = 'thing', initial = function() return { n = 0 } end,\n"
	"  events = { Made = { data = { n = 'integer' }, apply = function(s, d) s.n = s.n + d.n return s end } },\n"
	"  commands = { Make = { data = { n = 'integer' }, anywhere = true, handle = function(_, d)\n"
	"    return { { type = 'Made', data = { n = d.n } } }, { n = d.n } end },\n"
	"    Refuse = { data = { n = 'integer' }, anywhere = true, handle = function() return nil, { code = 'no' } end "
	"} } }\n";

struct script {
	char name[80];
	char text[16384];
	size_t size;
	char call[40];
	char expect[80];
};

/* One machine and what its calls need. */
struct host {
	struct script_program *program;
	struct script_machine *machine;
	struct view *view;
	struct arena arena;
	struct buf out;
	struct fault fault;
	bool timer; /* a timer is due */
};

static bool verbose;

static void
say(void *self, int level, struct slice domain, struct slice text)
{
	(void)self, (void)level, (void)domain, (void)text;
}

static int64_t
thread_ms(void)
{
	return clock_thread_ns(clock_thread_self()) / 1000000;
}

static void
read_head(struct script *script, const char *key, char *into, size_t size)
{
	const char *at = strstr(script->text, key);
	if (at == NULL)
		CHECK_FAIL("%s: its head says no '%s'", script->name, key);
	at += strlen(key);
	snprintf(into, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static void
read_script(struct script *script, const char *name)
{
	char path[256];
	snprintf(path, sizeof path, FOLDER "/%.79s", name);
	snprintf(script->name, sizeof script->name, "%.79s", name);
	FILE *file = fopen(path, "re");
	CHECK(file != NULL);
	script->size = fread(script->text, 1, sizeof script->text - 1, file);
	fclose(file);
	script->text[script->size] = '\0';
	read_head(script, "-- call: ", script->call, sizeof script->call);
	read_head(script, "-- expect: ", script->expect, sizeof script->expect);
}

static bool
expected(const struct script *script, const char *code, bool hurried)
{
	char list[96], word[96];
	snprintf(list, sizeof list, " %s ", script->expect);
	snprintf(word, sizeof word, " %s ", code);
	/* A sanitizer, or a machine with much else to do, may be too slow to run out of anything else. */
	return strstr(list, word) != NULL ||
	       (hurried && strcmp(code, "time_limit") == 0 && strstr(list, " ok ") == NULL);
}

static int
host_open(struct host *host, const char *domain, const struct script *script, bool beside)
{
	struct source_file items[2];
	size_t count = 0;
	const struct script_options options = { .limits = { LIMIT_MS, LIMIT_MS, LIMIT_MS, LIMIT_MS, LOAD_MS },
						.heap_bytes = (size_t)64 << 20,
						.say = say };
	*host = (struct host){ 0 };
	arena_init(&host->arena, (size_t)64 << 20);
	buf_init(&host->out, (size_t)64 << 20);
	if (script != NULL)
		items[count++] = (struct source_file){ .path = SLICE("hostile.lua"),
						       .bytes = slice_from(script->text, script->size) };
	if (beside)
		items[count++] = (struct source_file){ .path = SLICE("thing.lua"), .bytes = slice_text(thing) };
	const struct source_set set = { .domain = slice_text(domain), .items = items, .count = count };
	if (script_load(moon_ops(), &set, &options, &host->program, &host->fault) != 0 ||
	    script_open(host->program, &options, &host->machine, &host->fault) != 0)
		return -1;
	return view_memory_open(host->program->tables, host->program->table_count, &host->view, &host->fault);
}

static void
host_close(struct host *host)
{
	if (host->view != NULL)
		view_close(host->view);
	if (host->machine != NULL)
		script_close(host->machine);
	if (host->program != NULL)
		script_unload(host->program);
	buf_fini(&host->out);
	arena_fini(&host->arena);
}

static int
decide(struct host *host, const char *body)
{
	struct decided decided;
	struct decide_request request = { .id = SLICE("a"), .version = 1, .body = slice_text(body) };
	if (script_initial(host->machine, 0, &request.state, &host->fault) != 0)
		return -1;
	int result = script_decide(host->machine, &request, &host->arena, &decided, &host->fault);
	for (size_t i = 0; i < decided.stream_count; i++)
		script_state_release(host->machine, decided.streams[i].state);
	return result;
}

static struct recorded_entry
made(void)
{
	return (struct recorded_entry){ .kind = ENTRY_EVENT,
					.stream = SLICE("hostile.thing/a"),
					.version = 1,
					.position = 1,
					.commit_first = 1,
					.commit_size = 1,
					.type = SLICE("Made"),
					.schema_version = 1,
					.data = SLICE("{\"n\":1}") };
}

static int
fold(struct host *host, bool encode)
{
	struct recorded_entry entry = made();
	script_state state;
	size_t folded = 0;
	if (script_initial(host->machine, 0, &state, &host->fault) != 0)
		return -1;
	int result = script_fold(host->machine, 0, state, &entry, 1, &folded, &host->fault);
	if (result == 0 && encode)
		result = script_encode(host->machine, 0, state, &host->out, &host->fault);
	script_state_release(host->machine, state);
	return result;
}

static int
project(struct host *host)
{
	struct recorded_entry entry = made();
	size_t done = 0;
	CHECK_INT(view_begin(host->view, &host->fault), 0);
	int result = script_project(host->machine, 0, view_rows(host->view), &entry, 1, &done, &host->fault);
	view_rollback(host->view);
	return result;
}

static int
query(struct host *host)
{
	struct view_reader *reader;
	CHECK_INT(view_reader_open(host->view, &reader, &host->fault), 0);
	CHECK_INT(view_reader_begin(reader, &host->fault), 0);
	const struct query_request request = { .rows = view_reader_rows(reader) };
	int result = script_query(host->machine, &request, &host->out, &host->fault);
	view_reader_end(reader);
	view_reader_close(reader);
	return result;
}

/* Streams that a reaction touches: none is there, but for a timer's process. */
static int
load_stream_of(void *self, uint16_t aggregate, struct slice id, script_state *state, stream_version *version,
	       struct fault *fault)
{
	struct host *host = self;
	(void)id;
	*state = 0;
	*version = 0;
	if (!host->timer || host->program->reactors[0].aggregate != aggregate)
		return 0;
	*version = 1;
	return script_initial(host->machine, aggregate, state, fault);
}

static int
react(struct host *host, enum react_cause cause)
{
	const struct react_message message = { .type = SLICE("Made"),
					       .id = SLICE("1"),
					       .source = SLICE("/hostile"),
					       .topic = SLICE("made"),
					       .key = SLICE("a"),
					       .data = SLICE("{\"id\":\"a\",\"n\":1}") };
	struct react_request request = { .cause = cause,
					 .message = &message,
					 .aggregate = (uint16_t)host->program->reactors[0].aggregate,
					 .id = SLICE("a"),
					 .timer = SLICE("bell"),
					 .loader = { load_stream_of, host } };
	struct decided decided = { 0 };
	host->timer = cause == REACT_TIMER;
	int result = script_react(host->machine, &request, &host->arena, &decided, &host->fault);
	for (size_t i = 0; i < decided.stream_count; i++)
		script_state_release(host->machine, decided.streams[i].state);
	return result;
}

static int
initial_twice(struct host *host)
{
	script_state first, second;
	CHECK_INT(script_initial(host->machine, 0, &first, &host->fault), 0);
	int result = script_initial(host->machine, 0, &second, &host->fault);
	/* The machine was made anew, or will be: what it kept is gone, and it says so. */
	if (result != 0)
		CHECK(!script_state_held(host->machine, first));
	script_state_release(host->machine, first);
	return result;
}

static int
call(struct host *host, const struct script *script)
{
	if (strcmp(script->call, "command") == 0)
		return decide(host, "{}");
	if (strcmp(script->call, "fold") == 0 || strcmp(script->call, "fold encode") == 0)
		return fold(host, script->call[4] != '\0');
	if (strcmp(script->call, "project") == 0)
		return project(host);
	if (strcmp(script->call, "query") == 0)
		return query(host);
	if (strcmp(script->call, "react") == 0)
		return react(host, REACT_MESSAGE);
	if (strcmp(script->call, "timer") == 0)
		return react(host, REACT_TIMER);
	if (strcmp(script->call, "initial initial") == 0)
		return initial_twice(host);
	CHECK_FAIL("%s: unknown call '%s'", script->name, script->call);
}

/* Whatever happened: rules that are well go on, in the same machine and in the neighbour's. */
static unsigned complaints;

/* The other scripts still run. */
static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	complaints++;
}

static void
check_after(struct host *host, struct host *neighbour, const struct script *script)
{
	script_state state;
	if (decide(neighbour, "{\"n\":2}") != 0)
		complain("%s: the neighbour failed: %s", script->name, neighbour->fault.text);
	if (host->machine == NULL)
		return;
	if (host->program->aggregate_count != 0 &&
	    (script_initial(host->machine, 0, &state, &host->fault) != 0 ||
	     script_encode(host->machine, 0, state, &host->out, &host->fault) != 0))
		complain("%s: the machine is of no use afterwards: %s", script->name, host->fault.text);
}

/* What happens while a script runs. A result that is judged afterwards may have no line. */
static bool
is_placed(const char *code)
{
	static const char *const placed[] = { "time_limit", "memory_limit", "pattern_limit", "script_error" };
	for (size_t i = 0; i < sizeof placed / sizeof *placed; i++)
		if (strcmp(code, placed[i]) == 0)
			return true;
	return false;
}

static void
check_place(const struct host *host, const struct script *script)
{
	struct script_trouble trouble = { 0 };
	struct input_trouble input;
	script_trouble(host->machine, &trouble, &input);
	if (!slice_equal(trouble.file, SLICE("hostile.lua")) || trouble.line < 4)
		complain("%s: the place is %.*s:%d: %s", script->name, SLICE_ARG(trouble.file), trouble.line,
			 host->fault.text);
}

static void
run_script(const char *name, struct host *neighbour)
{
	static struct script script;
	struct host host;
	read_script(&script, name);
	bool loads = strcmp(script.call, "load") == 0;
	bool beside = strcmp(script.call, "project") == 0 || strcmp(script.call, "query") == 0 ||
		      strcmp(script.call, "react") == 0 || strcmp(script.call, "timer") == 0;
	int64_t before = thread_ms(), limit = loads ? LOAD_MS : LIMIT_MS;
	int result = host_open(&host, "hostile", &script, beside);
	if (!loads && result != 0) {
		complain("%s: cannot be loaded: %s", name, host.fault.text);
		host_close(&host);
		return;
	}
	if (!loads) {
		before = thread_ms();
		result = call(&host, &script);
	}
	int64_t took = thread_ms() - before;
	const char *code = result == 0 ? "ok" : host.fault.code;
	if (verbose)
		printf("%-32s %-14s %5lld ms  %s\n", name, code, (long long)took, result == 0 ? "" : host.fault.text);
	if (!expected(&script, code, SLACK > 1 || took < limit))
		complain("%s: %s (%s), not %s", name, code, result == 0 ? "" : host.fault.text, script.expect);
	if (took > SLACK * (2 * limit + 100))
		complain("%s: took %lld ms of its thread", name, (long long)took);
	if (!loads && result != 0 && strcmp(script.expect, code) == 0 && is_placed(code))
		check_place(&host, &script);
	check_after(&host, neighbour, &script);
	host_close(&host);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static size_t
list(char (*names)[80])
{
	DIR *folder = opendir(FOLDER);
	size_t count = 0;
	CHECK(folder != NULL);
	for (struct dirent *item; (item = readdir(folder)) != NULL;)
		if (strstr(item->d_name, ".lua") != NULL && count < FILES)
			snprintf(names[count++], sizeof *names, "%.79s", item->d_name);
	closedir(folder);
	qsort(names, count, sizeof *names, by_name);
	return count;
}

static const char *wanted;

TEST(each_script_ends_as_its_head_says)
{
	static char names[FILES][80];
	struct host neighbour;
	struct fault fault;
	size_t count = list(names), ran = 0;
	wanted = getenv("HOSTILE");
	verbose = wanted != NULL;
	CHECK_INT(moon_watchdog_start(SIGRTMIN + 5, &fault), 0);
	CHECK_INT(host_open(&neighbour, "neighbour", NULL, true), 0);
	for (size_t i = 0; i < count; i++) {
		if (wanted != NULL && strstr(names[i], wanted) == NULL)
			continue;
		run_script(names[i], &neighbour);
		ran++;
	}
	CHECK(ran >= 200 || wanted != NULL);
	CHECK_INT(complaints, 0);
	printf("%zu scripts\n", ran);
	host_close(&neighbour);
	moon_watchdog_stop();
}

TEST_MAIN()
