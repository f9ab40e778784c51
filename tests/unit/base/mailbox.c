/* SPDX-License-Identifier: MIT */
/* Order, bound, closing, waking, and that nothing is lost between many givers and one taker. */
#include <stdatomic.h>
#include <time.h>

#include "base/mailbox.h"
#include "base/slice.h"
#include "base/spin.h"
#include "support/check.h"

struct letter {
	struct mail mail;
	int from;
	int number;
};

static struct letter *
letter_of(struct mail *mail)
{
	return container_of(mail, struct letter, mail);
}

TEST(gives_back_in_order)
{
	struct letter letters[3] = { { .number = 0 }, { .number = 1 }, { .number = 2 } };
	struct mailbox box;
	int number = 0;

	mailbox_init(&box, 0, NULL);
	CHECK(mailbox_take(&box) == NULL);
	for (int i = 0; i < 3; i++)
		CHECK(mailbox_give(&box, &letters[i].mail));
	CHECK_INT(mailbox_count(&box), 3);
	for (struct mail *mail = mailbox_take(&box); mail != NULL; mail = mail->next)
		CHECK_INT(letter_of(mail)->number, number++);
	CHECK_INT(number, 3);
	CHECK_INT(mailbox_count(&box), 0);
	CHECK(mailbox_give(&box, &letters[1].mail));
	CHECK(mailbox_wait(&box, -1) == &letters[1].mail);
	mailbox_fini(&box);
}

TEST(takes_several_at_once_or_none_of_them)
{
	struct letter letters[4] = { { .number = 0 }, { .number = 1 }, { .number = 2 }, { .number = 3 } };
	struct mailbox box;
	int number = 0;

	mailbox_init(&box, 3, NULL);
	for (int i = 1; i < 3; i++)
		letters[i].mail.next = &letters[i + 1].mail;
	CHECK(mailbox_give(&box, &letters[0].mail));
	CHECK(!mailbox_give_all(&box, &letters[1].mail, 3));
	CHECK_INT(mailbox_count(&box), 1);
	CHECK(mailbox_give_all(&box, &letters[1].mail, 2));
	CHECK_INT(mailbox_count(&box), 3);
	for (struct mail *mail = mailbox_take(&box); mail != NULL; mail = mail->next)
		CHECK_INT(letter_of(mail)->number, number++);
	CHECK_INT(number, 3);
	mailbox_fini(&box);
}

/* A clock that goes on by a step each time it is read. */
struct stepped {
	int64_t now_ns, step_ns;
};

static int64_t
stepped_ns(void *self)
{
	struct stepped *stepped = self;

	return stepped->now_ns += stepped->step_ns;
}

TEST(a_wait_is_watched_only_while_waits_are_short_and_nobody_wants_the_processor)
{
	struct stepped stepped = { 1, 1000 };
	const struct clock clock = { NULL, stepped_ns, &stepped };
	struct letter letter;
	struct mailbox box;
	struct spin spin;

	mailbox_init(&box, 0, NULL);
	spin_init(&spin, &clock, 100000);
	spin.room = 1; /* as on two processors */
	CHECK(!spin_watch(&spin, &box));
	CHECK(stepped.now_ns < 30000);
	stepped.now_ns += 40000; /* slept */
	spin_end(&spin);
	CHECK(spin.usual_ns > 0 && spin.usual_ns <= 10000);
	CHECK(mailbox_give(&box, &letter.mail));
	CHECK(spin_watch(&spin, &box));
	spin_end(&spin);
	CHECK(mailbox_take(&box) == &letter.mail);
	stepped.step_ns = 150000; /* somebody else had the processor */
	CHECK(!spin_watch(&spin, &box));
	spin_end(&spin);
	stepped.step_ns = 1000;
	CHECK(mailbox_give(&box, &letter.mail));
	CHECK(!spin_watch(&spin, &box));
	stepped.now_ns += 60000000;
	spin_end(&spin);
	CHECK(spin_watch(&spin, &box));
	spin.room = 0; /* the only processor, or others watch already */
	CHECK(!spin_watch(&spin, &box));
	spin.room = 1;
	for (int i = 0; i < 20; i++) { /* waits have become long */
		spin_watch(&spin, &box);
		stepped.now_ns += 1000000;
		spin_end(&spin);
	}
	CHECK(!spin_watch(&spin, &box));
	mailbox_fini(&box);
}

TEST(refuses_beyond_its_limit)
{
	struct letter letters[3];
	struct mailbox box;

	mailbox_init(&box, 2, NULL);
	CHECK(mailbox_give(&box, &letters[0].mail));
	CHECK(mailbox_give(&box, &letters[1].mail));
	CHECK(!mailbox_give(&box, &letters[2].mail));
	CHECK(mailbox_take(&box) == &letters[0].mail);
	CHECK(mailbox_give(&box, &letters[2].mail));
	mailbox_fini(&box);
}

TEST(a_closed_box_gives_out_what_it_holds_and_takes_no_more)
{
	struct letter letters[2];
	struct mailbox box;

	mailbox_init(&box, 0, NULL);
	CHECK(mailbox_give(&box, &letters[0].mail));
	CHECK(!mailbox_is_closed(&box));
	mailbox_close(&box);
	CHECK(mailbox_is_closed(&box));
	CHECK(!mailbox_give(&box, &letters[1].mail));
	CHECK(mailbox_wait(&box, -1) == &letters[0].mail);
	CHECK(mailbox_wait(&box, -1) == NULL);
	mailbox_fini(&box);
}

TEST(waiting_ends_at_its_time)
{
	struct timespec before, after;
	struct mailbox box;

	mailbox_init(&box, 0, NULL);
	CHECK(mailbox_wait(&box, 0) == NULL);
	clock_gettime(CLOCK_MONOTONIC, &before);
	CHECK(mailbox_wait(&box, 5000000) == NULL);
	clock_gettime(CLOCK_MONOTONIC, &after);
	CHECK((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >= 5000000);
	mailbox_fini(&box);
}

TEST(a_nudge_is_not_lost_when_nobody_waits_yet)
{
	struct mailbox box;

	mailbox_init(&box, 0, NULL);
	mailbox_nudge(&box);
	CHECK(mailbox_wait(&box, -1) == NULL);
	CHECK(mailbox_wait(&box, 1) == NULL);
	mailbox_fini(&box);
}

static void
count_wakes(void *self)
{
	atomic_fetch_add((atomic_int *)self, 1);
}

TEST(the_waker_is_called_when_the_box_was_empty)
{
	struct letter letters[3];
	atomic_int wakes = 0;
	struct waker waker = { count_wakes, &wakes };
	struct mailbox box;

	mailbox_init(&box, 2, &waker);
	CHECK(mailbox_give(&box, &letters[0].mail));
	CHECK_INT(wakes, 1);
	CHECK(mailbox_give(&box, &letters[1].mail));
	CHECK(!mailbox_give(&box, &letters[2].mail));
	CHECK_INT(wakes, 1);
	CHECK(mailbox_take(&box) != NULL);
	CHECK(mailbox_give(&box, &letters[0].mail));
	CHECK_INT(wakes, 2);
	mailbox_nudge(&box);
	mailbox_close(&box);
	CHECK_INT(wakes, 4);
	mailbox_fini(&box);
}

enum { GIVERS = 4, LETTERS = 5000 };

static struct mailbox shared;
static struct letter all[GIVERS][LETTERS];

static void *
give_all(void *self)
{
	int from = *(int *)self;

	for (int i = 0; i < LETTERS; i++) {
		all[from][i].from = from;
		all[from][i].number = i;
		while (!mailbox_give(&shared, &all[from][i].mail))
			sched_yield();
	}
	return NULL;
}

TEST(many_givers_lose_nothing_and_keep_their_order)
{
	pthread_t threads[GIVERS];
	int names[GIVERS], next[GIVERS] = { 0 }, got = 0;

	mailbox_init(&shared, 64, NULL);
	for (int i = 0; i < GIVERS; i++) {
		names[i] = i;
		CHECK_INT(pthread_create(&threads[i], NULL, give_all, &names[i]), 0);
	}
	bool ordered = true;
	while (got < GIVERS * LETTERS) {
		for (struct mail *mail = mailbox_wait(&shared, -1); mail != NULL; mail = mail->next, got++)
			ordered = ordered && letter_of(mail)->number == next[letter_of(mail)->from]++;
	}
	for (int i = 0; i < GIVERS; i++)
		pthread_join(threads[i], NULL);
	CHECK(ordered);
	CHECK_INT(mailbox_count(&shared), 0);
	mailbox_fini(&shared);
}

struct call {
	struct mail mail;
	struct mailbox *answer;
	bool last;
};

static void *
answer_calls(void *self)
{
	struct mailbox *calls = self;
	bool last = false;

	while (!last) {
		struct mail *mail = mailbox_wait(calls, -1), *next;
		for (; mail != NULL; mail = next) {
			struct call *call = container_of(mail, struct call, mail);
			next = mail->next;
			last = call->last;
			mailbox_give(call->answer, &call->mail);
		}
	}
	return NULL;
}

/* The box on the caller's stack ends while the giver may still be inside mailbox_give. */
TEST(a_box_may_end_as_soon_as_its_answer_is_there)
{
	struct mailbox calls;
	pthread_t thread;

	mailbox_init(&calls, 0, NULL);
	CHECK_INT(pthread_create(&thread, NULL, answer_calls, &calls), 0);
	for (int i = 0; i < 5000; i++) {
		struct mailbox answer;
		struct call call = { .answer = &answer, .last = i == 4999 };
		mailbox_init(&answer, 0, NULL);
		mailbox_give(&calls, &call.mail);
		while (mailbox_wait(&answer, -1) == NULL)
			;
		mailbox_fini(&answer);
		memset(&answer, 0xee, sizeof(answer));
	}
	pthread_join(thread, NULL);
	mailbox_fini(&calls);
}

static void *
nudge_until_closed(void *self)
{
	while (!mailbox_is_closed(self))
		mailbox_nudge(self);
	return NULL;
}

TEST(nudging_and_closing_from_another_thread)
{
	struct mailbox box;
	pthread_t thread;

	mailbox_init(&box, 0, NULL);
	CHECK_INT(pthread_create(&thread, NULL, nudge_until_closed, &box), 0);
	for (int i = 0; i < 1000; i++)
		CHECK(mailbox_wait(&box, -1) == NULL);
	mailbox_close(&box);
	pthread_join(thread, NULL);
	mailbox_fini(&box);
}

TEST_MAIN()
