/* SPDX-License-Identifier: MIT */
/*
 * The program around us may have chosen a locale in which 0.5 is "0,5" and words sort otherwise. What reads or writes
 * numbers by the C library, or runs Lua, does so between these two, so that it gives the same everywhere [I7]. Costs a
 * few nanoseconds. Any thread; in pairs.
 */
#ifndef MOONLOG_BASE_LOCALE_H
#define MOONLOG_BASE_LOCALE_H

#include <locale.h>

/* The thread's locale becomes "C". Gives the one before. */
locale_t locale_enter(void);
void locale_leave(locale_t before);

#endif
