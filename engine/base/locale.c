/* SPDX-License-Identifier: MIT */
/* One locale object for all threads, made once and kept for the process. */
#include "base/locale.h"

#include <pthread.h>

#include "base/fault.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t plain;

static void
make(void)
{
	plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	must(plain != (locale_t)0); /* it is built into the C library */
}

locale_t
locale_enter(void)
{
	pthread_once(&once, make);
	return uselocale(plain);
}

void
locale_leave(locale_t before)
{
	uselocale(before);
}
