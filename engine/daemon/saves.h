/* SPDX-License-Identifier: MIT */
/*
 * Tells that Lua files below some folders were saved. What it promises needs no inotify: another system may look at
 * names and times twice a second instead.
 */
#ifndef MOONLOG_DAEMON_SAVES_H
#define MOONLOG_DAEMON_SAVES_H

#include "base/fault.h"

#define SAVES_FOLDERS_MAX 64

struct saves;

/*
 * Looks at the folders and those below them, also later ones; names that start with a dot are passed over. The list
 * must stay. Fails: CONFIG for a folder that is none, LIMIT for more than SAVES_FOLDERS_MAX, AWAY.
 */
int saves_open(const char *const *folders, size_t count, struct saves **saves, struct fault *fault);
void saves_close(struct saves *saves);

/*
 * Waits until a file was saved, made, moved or removed, and then until it has been quiet for a moment: an editor that
 * saves ten files is one change. A folder that went away, or is there again, was changed. Gives the folders' numbers as
 * bits; 0 when saves_end was called. A change that came since the last call is not lost. One thread.
 */
uint64_t saves_wait(struct saves *saves);
/* From now on saves_wait gives 0 at once. Any thread. */
void saves_end(struct saves *saves);

#endif
