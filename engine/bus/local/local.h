/* SPDX-License-Identifier: MIT */
/* The bus of one daemon: its own log. */
#ifndef MOONLOG_BUS_LOCAL_LOCAL_H
#define MOONLOG_BUS_LOCAL_LOCAL_H

#include "bus/publisher.h"

/* Makes publishers that carry nothing; a relay with one only tells that everything recorded is out. */
struct publisher_maker local_publisher(void);

#endif
