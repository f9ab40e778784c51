/* SPDX-License-Identifier: MIT */
/* Every way to save a file is one change of its folder; what is no rule is none. */
#include "daemon/saves.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/check.h"

static char root[40], first[60], second[60];
static struct saves *saves;

static void
write_file(const char *folder, const char *name)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK(write(fd, "return {}\n", 10) == 10);
	close(fd);
}

static void
move_file(const char *folder, const char *from, const char *to)
{
	char a[200], b[200];
	snprintf(a, sizeof a, "%s/%s", folder, from);
	snprintf(b, sizeof b, "%s/%s", folder, to);
	CHECK(rename(a, b) == 0);
}

static void
make_folder(const char *folder, const char *name)
{
	char path[200];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	CHECK(mkdir(path, 0700) == 0);
}

static int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
	(void)info, (void)kind, (void)walk;
	return remove(path);
}

static void
set_up(void)
{
	struct fault fault;
	snprintf(root, sizeof root, "/tmp/moonlog-saves-XXXXXX");
	CHECK(mkdtemp(root) != NULL);
	make_folder(root, "one");
	make_folder(root, "two");
	snprintf(first, sizeof first, "%s/one", root);
	snprintf(second, sizeof second, "%s/two", root);
	make_folder(first, "lib");
	make_folder(first, ".hidden");
	write_file(first, "a.lua");
	static const char *const folders[] = { first, second };
	if (saves_open(folders, 2, &saves, &fault) != 0)
		CHECK_FAIL("%s", fault.text);
}

static void
tear_down(void)
{
	saves_close(saves);
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TEST(tells_every_way_to_save)
{
	char path[200];
	set_up();
	write_file(first, "a.lua"); /* over it */
	CHECK_INT(saves_wait(saves), 1);
	write_file(first, ".a.lua.swp"); /* beside it, then renamed */
	move_file(first, ".a.lua.swp", "a.lua");
	CHECK_INT(saves_wait(saves), 1);
	write_file(second, "new.lua");
	CHECK_INT(saves_wait(saves), 2);
	snprintf(path, sizeof path, "%s/new.lua", second);
	CHECK(unlink(path) == 0);
	CHECK_INT(saves_wait(saves), 2);
	snprintf(path, sizeof path, "%s/lib", first);
	write_file(path, "text.lua");
	CHECK_INT(saves_wait(saves), 1);
	tear_down();
}

TEST(tells_files_of_folders_made_later)
{
	char path[200];
	set_up();
	make_folder(second, "later");
	CHECK_INT(saves_wait(saves), 2);
	snprintf(path, sizeof path, "%s/later", second);
	write_file(path, "a.lua");
	CHECK_INT(saves_wait(saves), 2);
	tear_down();
}

TEST(takes_many_files_as_one_change)
{
	set_up();
	for (int i = 0; i < 100; i++) {
		char name[20];
		snprintf(name, sizeof name, "f%d.lua", i);
		write_file(first, name);
		write_file(second, name);
	}
	CHECK_INT(saves_wait(saves), 3);
	saves_end(saves);
	CHECK_INT(saves_wait(saves), 0);
	tear_down();
}

TEST(passes_over_what_is_no_rule)
{
	char path[200];
	set_up();
	write_file(first, "notes.md");
	write_file(first, ".a.lua");
	write_file(first, "a.lua~");
	snprintf(path, sizeof path, "%s/.hidden", first);
	write_file(path, "a.lua");
	write_file(second, "b.lua"); /* the first that counts */
	CHECK_INT(saves_wait(saves), 2);
	tear_down();
}

/* A checkout removes the folder and makes another; an editor's neighbour moves it. */
TEST(follows_a_folder_that_comes_back)
{
	char away[80], path[200];
	set_up();
	snprintf(away, sizeof away, "%s/away", root);
	CHECK(rename(first, away) == 0);
	CHECK_INT(saves_wait(saves), 1);
	write_file(away, "a.lua"); /* no more than any other folder */
	write_file(second, "b.lua");
	CHECK_INT(saves_wait(saves), 2);
	CHECK(rename(away, first) == 0);
	CHECK_INT(saves_wait(saves), 1);
	snprintf(path, sizeof path, "%s/lib", first);
	write_file(path, "text.lua");
	CHECK_INT(saves_wait(saves), 1);
	CHECK(nftw(first, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
	CHECK_INT(saves_wait(saves), 1);
	make_folder(root, "one");
	CHECK_INT(saves_wait(saves), 1);
	write_file(first, "a.lua");
	CHECK_INT(saves_wait(saves), 1);
	saves_end(saves);
	CHECK_INT(saves_wait(saves), 0);
	tear_down();
}

static void *
end_it(void *self)
{
	saves_end(self);
	return NULL;
}

TEST(ends_when_told)
{
	pthread_t thread;
	set_up();
	CHECK(pthread_create(&thread, NULL, end_it, saves) == 0);
	CHECK_INT(saves_wait(saves), 0);
	pthread_join(thread, NULL);
	write_file(first, "a.lua");
	CHECK_INT(saves_wait(saves), 0);
	tear_down();
}

TEST(names_a_folder_that_is_not_there)
{
	const char *folders[] = { "/nowhere/at/all" };
	struct fault fault;
	CHECK(saves_open(folders, 1, &saves, &fault) != 0);
	CHECK(strstr(fault.text, "/nowhere/at/all") != NULL);
}

TEST_MAIN()
