/* SPDX-License-Identifier: MIT */
/* The bus of one daemon: its own log. */
#ifndef MOONLOG_BUS_LOCAL_LOCAL_H
#define MOONLOG_BUS_LOCAL_LOCAL_H

#include "bus/publisher.h"
#include "bus/source.h"
#include "store/store.h"

/* Makes publishers that carry nothing; a relay with one only tells that everything recorded is out. */
struct publisher_maker local_publisher(void);

/*
 * Makes sources that follow the log of `store`. One lane, topic "" and partition 0; the offset of an entry is its
 * position, so a lane that has taken the entry at p stands at p + 1, and SOURCE_START is 1. Given are entries that
 * carry a wanted topic, of any domain, and the events of the domain `own_events`; each once, with `entry` set. It does
 * not wake: whoever hears that the log has grown asks it again.
 */
struct source_maker local_source(struct store *store);

#endif
