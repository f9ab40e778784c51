/* SPDX-License-Identifier: MIT */
/* Versions of a stream as people name them: a number, or a time. */
#ifndef MOONLOG_DAEMON_MOMENT_H
#define MOONLOG_DAEMON_MOMENT_H

#include "daemon/reading.h"
#include "model/stream.h"

/* The event of one version. *found false when the stream ends before it. Clears the reading's arena. */
int moment_event(struct reading *reading, struct slice stream, stream_version version, struct recorded_entry *entry,
		 bool *found, struct fault *fault);
/* The last version. Fails: INPUT "no_such_stream". */
int moment_last(struct reading *reading, struct slice stream, stream_version *version, struct fault *fault);
/*
 * What `option` names; the last version when it was not given. Fails: INPUT "usage"; "no_such_stream" for a version or
 * time at which the stream is not there.
 */
int moment_version(struct reading *reading, const struct call *call, enum option_id option, struct slice stream,
		   stream_version *version, struct fault *fault);

#endif
