/* SPDX-License-Identifier: MIT */
/* Commits that cannot be written: rolled back, or unknown and then the store's last; nothing in between. */
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/probe.h"
#include "support/check.h"
#include "unit/sqlite/kit.h"

static struct kit kit;
static int fatal_calls;

static void
count_fatal(void *self, const struct fault *fault)
{
	(void)self;
	(void)fault;
	fatal_calls++;
}

static void
begin(void)
{
	kit_begin(&kit);
	kit.options.fatal = count_fatal;
	fatal_calls = 0;
	if (kit_open(&kit) != 0)
		CHECK_FAIL("open: %s", kit.fault.text);
	kit_fill(&kit, 10, 2);
}

TEST(an_insert_that_fails_changes_nothing)
{
	struct append append;

	begin();
	CHECK_INT(probe_setup("commit.before_insert:1:fail"), 0);
	CHECK_INT(kit_put(&kit, "shop.cart/new", "{}", "x", &append), COMMIT_NOT_ATTEMPTED);
	CHECK_INT(kit.fault.class, FAULT_AWAY);
	CHECK_INT(store_head(kit.store), 10);
	CHECK(!kit_remembers(&kit, "x"));
	CHECK_INT(kit_put(&kit, "shop.cart/new", "{}", "x", &append), COMMIT_DONE);
	CHECK_INT(append.answer, APPEND_DONE);
	CHECK_INT(append.first, 11);
	CHECK_INT(append.versions[0], 1);
	CHECK_INT(fatal_calls, 0);
	CHECK_INT(kit_verify(&kit, NULL), 0);
	kit_end(&kit);
}

TEST(a_commit_of_unknown_end_is_the_last)
{
	static const char *const probes[] = { "commit.before_sync:1:fail", "commit.after_sync:1:fail" };

	for (int there = 0; there < 2; there++) {
		struct append append;

		begin();
		CHECK_INT(probe_setup(probes[there]), 0);
		CHECK_INT(kit_put(&kit, "shop.cart/new", "{}", "x", &append), COMMIT_UNKNOWN);
		CHECK_INT(kit.fault.class, FAULT_UNKNOWN);
		CHECK_TEXT(kit.fault.code, "outcome_unknown");
		CHECK_INT(fatal_calls, 1);
		CHECK_INT(kit_put(&kit, "shop.cart/new", "{}", "y", &append), COMMIT_NOT_ATTEMPTED);
		CHECK_INT(kit.fault.class, FAULT_AWAY);
		CHECK_TEXT(kit.fault.code, "store_failed");
		CHECK_INT(fatal_calls, 1);
		CHECK_INT(kit_count(&kit, "shop.cart/0") + kit_count(&kit, "shop.cart/1"), 10); /* reads go on */
		kit_close(&kit);
		if (kit_open(&kit) != 0)
			CHECK_FAIL("open: %s", kit.fault.text);
		CHECK_INT(kit_remembers(&kit, "x"), there); /* the id tells */
		CHECK_INT(kit_put(&kit, "shop.cart/new", "{}", "x", &append), COMMIT_DONE);
		CHECK_INT(append.answer, there ? APPEND_REPEATED : APPEND_DONE);
		CHECK_INT(kit_verify(&kit, NULL), 0);
		kit_end(&kit);
	}
}

/* A file that may not grow, as a full disk: SQLite sees EFBIG rather than ENOSPC, so the outcome counts as unknown. */
TEST(a_write_that_fails_is_never_a_success)
{
	struct rlimit before, tight;
	struct append append;
	char data[20000];
	enum commit_result result;

	begin();
	memset(data, 'x', sizeof(data));
	data[0] = data[sizeof(data) - 2] = '"';
	data[sizeof(data) - 1] = '\0';
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	tight = before;
	tight.rlim_cur = 200000;
	setrlimit(RLIMIT_FSIZE, &tight);
	do
		result = kit_put(&kit, "shop.cart/new", data, NULL, &append);
	while (result == COMMIT_DONE);
	setrlimit(RLIMIT_FSIZE, &before);
	CHECK_INT(result, COMMIT_UNKNOWN);
	CHECK_INT(fatal_calls, 1);
	kit_close(&kit);
	if (kit_open(&kit) != 0)
		CHECK_FAIL("open: %s", kit.fault.text);
	CHECK_INT(kit_verify(&kit, NULL), 0);
	kit_end(&kit);
}

/* Somebody cleans up, or moves the folder: what would be answered from then on could not be found again. */
TEST(a_store_that_was_moved_away_answers_no_more)
{
	char there[128], away[160];
	struct append append;

	begin();
	kit_path(&kit, "moonlog.db", there);
	snprintf(away, sizeof(away), "%s.away", there);
	CHECK_INT(rename(there, away), 0);
	CHECK_INT(kit_put(&kit, "shop.cart/new", "{}", "x", &append), COMMIT_UNKNOWN);
	CHECK_TEXT(kit.fault.code, "outcome_unknown");
	CHECK(strstr(kit.fault.text, "was deleted or moved") != NULL);
	CHECK_INT(fatal_calls, 1);
	CHECK_INT(kit_put(&kit, "shop.cart/new", "{}", "y", &append), COMMIT_NOT_ATTEMPTED);
	kit_close(&kit);
	CHECK_INT(rename(away, there), 0);
	if (kit_open(&kit) != 0)
		CHECK_FAIL("open: %s", kit.fault.text);
	CHECK_INT(kit_remembers(&kit, "x"), 1);
	CHECK(!kit_remembers(&kit, "y"));
	CHECK_INT(kit_verify(&kit, NULL), 0);
	kit_end(&kit);
}

TEST_MAIN()
