/* SPDX-License-Identifier: MIT */
/*
 * The moments of an adoption, one by one: the test does the reloader's work by hand, so that a worker that is behind,
 * or a command that was routed by rules which are gone, is not left to chance.
 */
#include "change.h"

#include "core/inside.h"
#include "core/reload.h"
#include "support/check.h"

#define WORKERS 2

static struct change change;
static const struct variant one = { .by = "one", .lacks = "New" };
static const struct variant two = { .by = "two", .lacks = "Old", .extra = true };

/* ---- the reloader's work by hand ---- */

static struct {
	struct domain *domain;
	struct ruleset *before, *after;
	struct adoption adoptions[WORKERS];
	struct mailbox home;
	size_t given;
} hand;

static void
make_rules(const struct variant *variant)
{
	char path[256];
	struct fault fault;

	hand.domain = change.engine->domains[0];
	change_write(&change, "first", variant);
	snprintf(path, sizeof(path), "%s/first", change.folder);
	if (domain_load(path, change.engine->parts.script, &change.engine->script, &hand.after, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
	ruleset_number(hand.after, 9);
	mailbox_init(&hand.home, 0, NULL);
	hand.given = 0;
}

/* From here on the new rules are those that decide, and no worker knows. */
static void
switch_over(void)
{
	pthread_mutex_lock(&hand.domain->lock);
	hand.before = atomic_load(&hand.domain->active);
	atomic_store(&hand.domain->active, ruleset_hold(hand.after));
	pthread_mutex_unlock(&hand.domain->lock);
}

static void
give_adoption(unsigned worker)
{
	struct seat *seat;
	struct fault fault;

	CHECK_INT(seat_open(hand.after, &change.engine->script, &seat, &fault), 0);
	hand.adoptions[worker] =
		(struct adoption){ .post.kind = POST_ADOPT, .domain = hand.domain, .seat = seat, .home = &hand.home };
	CHECK(mailbox_give(&change.engine->workers[worker].box, &hand.adoptions[worker].post.mail));
	hand.given++;
}

static void
wait_for_adoptions(void)
{
	while (hand.given != 0)
		for (struct mail *mail = mailbox_wait(&hand.home, -1); mail != NULL; mail = mail->next)
			hand.given--;
}

static void
end_by_hand(void)
{
	wait_for_adoptions();
	ruleset_release(hand.before);
	ruleset_release(hand.after);
	mailbox_fini(&hand.home);
	change_close(&change);
}

/* ---- streams of a worker, and commands that are waited for later ---- */

static unsigned
worker_of_stream(const char *id)
{
	char name[64];

	snprintf(name, sizeof(name), "first.counter/%s", id);
	return worker_of(change.engine->workers, command_hash(slice_text(name)))->number;
}

/* An id whose stream belongs to the worker, `skip` others of it passed over. */
static const char *
id_of(unsigned worker, unsigned skip)
{
	static char ids[8][16];
	static unsigned next;
	char *id = ids[next++ % 8];

	for (unsigned i = 0;; i++) {
		snprintf(id, 16, "s%u", i);
		if (worker_of_stream(id) == worker && skip-- == 0)
			return id;
	}
}

struct later {
	struct ask ask;
	struct mailbox answers;
};

static void
send_later(struct later *later, const char *id, const char *command)
{
	mailbox_init(&later->answers, 0, NULL);
	ask_init(&later->ask, &later->answers, id, command, "{}");
	later->ask.command.domain = SLICE("first");
	CHECK(engine_execute(change.engine, &later->ask.command));
}

static void
check_later(struct later *later, enum outcome_kind kind, const char *said)
{
	const struct outcome *outcome = &later->ask.command.outcome;
	struct slice text;

	CHECK(mailbox_wait(&later->answers, -1) != NULL);
	text = kind == OUTCOME_ACCEPTED ? outcome->reply : outcome->code;
	CHECK_INT(outcome->kind, kind);
	CHECK_SLICE(text, said);
	ask_fini(&later->ask);
	mailbox_fini(&later->answers);
}

/* ---- a worker held between two commands: `done` of one of them waits ---- */

static struct {
	struct mailbox entered, left;
	struct mail in, out;
	struct ask ask;
} hold;

static void
done_held(struct engine_command *command)
{
	(void)command;
	mailbox_give(&hold.entered, &hold.in);
	mailbox_wait(&hold.left, -1);
}

/* Gives when the worker stands still: what comes next waits in its mailbox. */
static void
hold_worker(unsigned worker)
{
	mailbox_init(&hold.entered, 0, NULL);
	mailbox_init(&hold.left, 0, NULL);
	ask_init(&hold.ask, NULL, id_of(worker, 7), "Raise", "{}");
	hold.ask.command.domain = SLICE("first");
	hold.ask.command.done = done_held;
	CHECK(engine_execute(change.engine, &hold.ask.command));
	CHECK(mailbox_wait(&hold.entered, -1) != NULL);
}

static void
let_worker_go(void)
{
	mailbox_give(&hold.left, &hold.out);
}

static void
end_hold(void)
{
	CHECK(engine_drain(change.engine, INT64_MAX));
	ask_fini(&hold.ask);
	mailbox_fini(&hold.entered);
	mailbox_fini(&hold.left);
}

/* What was given to a worker before is through: a command of the other domain, whose rules stay, comes back. */
static void
wait_for_worker(unsigned worker)
{
	char id[16], name[64];

	for (unsigned i = 0;; i++) {
		snprintf(id, sizeof(id), "w%u", i);
		snprintf(name, sizeof(name), "second.counter/%s", id);
		if (worker_of(change.engine->workers, command_hash(slice_text(name)))->number == worker)
			break;
	}
	CHECK_INT(change_command(&change, "second", id, "Add", NULL), OUTCOME_ACCEPTED);
}

/* ---- the moments ---- */

/* Routed by the old rules, and held in the mailboxes while they are replaced. */
TEST(workers_change_over_one_by_one_each_between_two_commands)
{
	struct later before, after, other;

	change_open(&change, &one, WORKERS);
	make_rules(&two);
	hold_worker(0);
	send_later(&before, id_of(0, 0), "Add");
	switch_over();
	give_adoption(0);
	send_later(&after, id_of(0, 1), "Add");
	send_later(&other, id_of(1, 0), "Add");
	let_worker_go();
	wait_for_adoptions();
	check_later(&before, OUTCOME_ACCEPTED, "{\"by\":\"two\",\"value\":1}");
	check_later(&after, OUTCOME_ACCEPTED, "{\"by\":\"two\",\"value\":1}");
	wait_for_worker(1);
	CHECK_INT(mailbox_count(&other.answers), 0);
	give_adoption(1);
	check_later(&other, OUTCOME_ACCEPTED, "{\"by\":\"two\",\"value\":1}");
	end_hold();
	end_by_hand();
}

/* Worker `behind` meets what the other one recorded by newer rules, in commands that came before these. */
static void
meet_newer(unsigned behind, const char *id, const char *command, const char *said)
{
	struct later stranded, next, beside;
	char text[64];

	make_rules(&two);
	hold_worker(behind);
	send_later(&beside, id_of(behind, 3), "Add");
	send_later(&stranded, id, command);
	send_later(&next, id, "Add");
	switch_over();
	give_adoption(1 - behind);
	wait_for_adoptions();
	CHECK_INT(change_command(&change, "first", id_of(1 - behind, 0), "Move", NULL), OUTCOME_ACCEPTED);
	change_event(&change, "first.counter/other", 1, text);
	CHECK_TEXT(text, "9:two");
	let_worker_go();
	wait_for_worker(behind);
	CHECK_INT(mailbox_count(&stranded.answers) + mailbox_count(&next.answers), 0);
	CHECK_INT(mailbox_count(&beside.answers), 0);
	give_adoption(behind);
	check_later(&stranded, OUTCOME_ACCEPTED, said);
	check_later(&beside, OUTCOME_ACCEPTED, "{\"by\":\"two\",\"value\":1}");
	CHECK(mailbox_wait(&next.answers, -1) != NULL);
	CHECK_INT(next.ask.command.outcome.kind, OUTCOME_ACCEPTED);
	CHECK_INT(next.ask.command.outcome.version, stranded.ask.command.outcome.version + 1);
	ask_fini(&next.ask);
	end_hold();
	end_by_hand();
}

TEST(a_command_that_meets_what_newer_rules_recorded_waits_for_its_adoption)
{
	change_open(&change, &one, WORKERS);
	meet_newer(worker_of_stream("other"), "other", "Add", "{\"by\":\"two\",\"value\":1}");
}

/* The same through ctx:load: the stream that it reads is another's. */
TEST(a_command_that_loads_what_newer_rules_recorded_waits_too)
{
	change_open(&change, &one, WORKERS);
	unsigned behind = 1 - worker_of_stream("other");

	meet_newer(behind, id_of(behind, 0), "Move", "{\"by\":\"two\"}");
}

/* What the newer rules recorded can be read by the old ones, which would write behind it on the same stream. */
TEST(on_one_stream_the_old_rules_never_follow_the_new)
{
	struct later moved;
	char text[64];

	change_open(&change, &one, WORKERS);
	unsigned ahead = worker_of_stream("other"), behind = 1 - ahead;

	make_rules(&two);
	hold_worker(behind);
	send_later(&moved, id_of(behind, 0), "Move");
	switch_over();
	give_adoption(ahead);
	wait_for_adoptions();
	CHECK_INT(change_command(&change, "first", "other", "Add", NULL), OUTCOME_ACCEPTED);
	let_worker_go();
	wait_for_worker(behind);
	give_adoption(behind);
	check_later(&moved, OUTCOME_ACCEPTED, "{\"by\":\"two\"}");
	change_event(&change, "first.counter/other", 2, text);
	CHECK_TEXT(text, "9:two");
	end_hold();
	end_by_hand();
}

TEST(a_rule_that_fails_by_itself_is_answered_at_once)
{
	char code[128];

	change_open(&change, &one, WORKERS);
	CHECK_INT(change_command(&change, "first", "a", "Raise", code), OUTCOME_FAILED);
	CHECK_TEXT(code, "script_error");
	make_rules(&two);
	hand.before = NULL;
	end_by_hand();
}

/* Routed by the old rules, decided after the adoption: found by name in the new ones, or missing there. */
TEST(a_command_is_found_anew_by_name_in_the_rules_that_decide_it)
{
	struct later added, old, new;

	change_open(&change, &one, WORKERS);
	make_rules(&two);
	hold_worker(0);
	send_later(&added, id_of(0, 0), "Add");
	send_later(&old, id_of(0, 1), "Old");
	switch_over();
	give_adoption(0);
	send_later(&new, id_of(0, 2), "New");
	let_worker_go();
	check_later(&added, OUTCOME_ACCEPTED, "{\"by\":\"two\",\"value\":1}");
	check_later(&old, OUTCOME_MISSING, "no_such_command");
	check_later(&new, OUTCOME_ACCEPTED, "{\"by\":\"two\",\"value\":1}");
	give_adoption(1);
	wait_for_adoptions();
	end_hold();
	end_by_hand();
}

/* The other way round: routed by the new rules, while its worker still sits by the old ones. */
TEST(a_command_of_newer_rules_waits_for_them)
{
	struct later new;

	change_open(&change, &one, WORKERS);
	make_rules(&two);
	switch_over();
	send_later(&new, id_of(0, 0), "New");
	wait_for_worker(0);
	CHECK_INT(mailbox_count(&new.answers), 0);
	give_adoption(0);
	check_later(&new, OUTCOME_ACCEPTED, "{\"by\":\"two\",\"value\":1}");
	give_adoption(1);
	end_by_hand();
}

TEST(a_busy_worker_makes_bytes_of_what_lies_in_the_old_seat_before_the_next_reload)
{
	enum { STREAMS = 40, COMMANDS = 20 };
	static const struct variant from = { .by = "one", .setting = true }, to = { .by = "two", .setting = true };
	const struct worker *worker;
	const struct seat *older;

	change_open(&change, &from, WORKERS);
	for (unsigned i = 0; i < STREAMS; i++)
		CHECK_INT(change_command(&change, "first", id_of(0, i), "Add", NULL), OUTCOME_ACCEPTED);
	worker = &change.engine->workers[0];
	make_rules(&to);
	switch_over();
	give_adoption(0);
	give_adoption(1);
	wait_for_adoptions();
	for (unsigned i = 0; i < COMMANDS; i++)
		CHECK_INT(change_command(&change, "first", id_of(0, 0), "Add", NULL), OUTCOME_ACCEPTED);
	hold_worker(0);
	older = worker->seats[hand.domain->number]->older;
	CHECK(older == NULL || older->users == 0);
	CHECK(worker->cache.warm.count >= STREAMS - 2);
	CHECK_INT(atomic_load(&worker->tally.loads), 0);
	let_worker_go();
	end_hold();
	end_by_hand();
}

/* ---- seats and cache, without threads ---- */

static struct ruleset *
rules_of(const char *domain, const struct variant *variant)
{
	char path[256];
	struct ruleset *rules;
	struct fault fault;

	change_write(&change, domain, variant);
	snprintf(path, sizeof(path), "%s/%s", change.folder, domain);
	if (domain_load(path, change.engine->parts.script, &change.engine->script, &rules, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
	return rules;
}

static struct seat *
seat_of(struct ruleset *rules)
{
	struct seat *seat;
	struct fault fault;

	if (seat_open(rules, &change.engine->script, &seat, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
	ruleset_release(rules);
	return seat;
}

static struct cached *
open_cached(struct cache *cache, struct seat *seat)
{
	return cache_open(cache, 0, seat, 0, SLICE("first.counter/a"), 1);
}

static void
put_initial(struct cache *cache, struct seat *seat, stream_version version)
{
	struct cached *cached = open_cached(cache, seat);
	script_state state;
	struct fault fault;

	CHECK(cached != NULL);
	CHECK_INT(script_initial(seat->machine, 0, &state, &fault), 0);
	cache_set(cached, state, version);
	cache_close(cache, cached);
	CHECK_INT(seat->users, 1);
}

static void
check_move(const struct variant *to, stream_version wanted)
{
	static const struct variant from = { .by = "one", .setting = true };
	struct seat *current = NULL, *before;
	struct cached *cached;
	struct cache cache;
	struct fault fault;

	change_open(&change, &from, WORKERS);
	CHECK_INT(cache_init(&cache, 10, 1 << 20, &fault), 0);
	before = seat_of(rules_of("first", &from));
	seat_adopt(&current, before);
	put_initial(&cache, current, 7);
	seat_adopt(&current, seat_of(rules_of("first", to)));
	seat_sweep(current);
	CHECK(current->older == before);
	cached = open_cached(&cache, current);
	CHECK_INT(cached->version, wanted);
	CHECK_INT(cached->state != 0, wanted != 0);
	CHECK_INT(before->users, 0);
	CHECK_INT(current->users, wanted != 0);
	cache_close(&cache, cached);
	seat_sweep(current);
	CHECK(current->older == NULL);
	cache_fini(&cache);
	seat_close_all(&current);
	change_close(&change);
}

TEST(a_state_moves_to_the_new_machine_when_the_fold_is_the_same)
{
	static const struct variant same = { .by = "two", .setting = true };

	check_move(&same, 7);
}

TEST(a_state_is_dropped_when_the_fold_is_another)
{
	static const struct variant other = { .by = "two", .setting = true, .fold = "state.value = 1" };

	check_move(&other, 0);
}

TEST(a_seat_stays_while_a_state_lives_in_it_and_goes_when_the_cache_leaves_it)
{
	struct seat *current = NULL, *before;
	struct cache cache;
	struct fault fault;

	change_open(&change, &one, WORKERS);
	CHECK_INT(cache_init(&cache, 10, 1 << 20, &fault), 0);
	seat_adopt(&current, before = seat_of(rules_of("first", &one)));
	put_initial(&cache, current, 1);
	seat_adopt(&current, seat_of(rules_of("first", &two)));
	seat_adopt(&current, seat_of(rules_of("first", &one)));
	seat_sweep(current);
	CHECK(current->older == before);
	CHECK_INT(cache_leave(&cache, 0, before, NULL, 10), 1);
	seat_sweep(current);
	CHECK(current->older == NULL);
	cache_fini(&cache);
	seat_close_all(&current);
	change_close(&change);
}

/* The cache leaves the old seat before the state is asked for again. */
static void
check_leave(const struct variant *to, stream_version wanted)
{
	static const struct variant from = { .by = "one", .setting = true };
	struct seat *current = NULL, *before;
	struct cached *cached;
	struct cache cache;
	struct fault fault;

	change_open(&change, &from, WORKERS);
	CHECK_INT(cache_init(&cache, 10, 1 << 20, &fault), 0);
	seat_adopt(&current, before = seat_of(rules_of("first", &from)));
	put_initial(&cache, current, 7);
	seat_adopt(&current, seat_of(rules_of("first", to)));
	CHECK_INT(cache_leave(&cache, 0, before, current, 10), 1);
	CHECK_INT(cache_leave(&cache, 0, before, current, 10), 0);
	CHECK_INT(cache.warm.count, wanted != 0);
	seat_sweep(current);
	CHECK(current->older == NULL);
	cached = open_cached(&cache, current);
	CHECK_INT(cached->version, wanted);
	CHECK_INT(cached->state != 0, wanted != 0);
	cache_close(&cache, cached);
	cache_fini(&cache);
	seat_close_all(&current);
	change_close(&change);
}

TEST(states_that_the_next_rules_can_use_stay_as_bytes_when_their_seat_is_left)
{
	static const struct variant same = { .by = "two", .setting = true };
	static const struct variant other = { .by = "two", .setting = true, .fold = "state.value = 1" };

	check_leave(&same, 7);
	check_leave(&other, 0);
}

TEST_MAIN()
