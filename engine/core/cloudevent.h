/* SPDX-License-Identifier: MIT */
/*
 * Messages on the wire: CloudEvents 1.0, Kafka protocol binding. Out in binary mode (an attribute is a header
 * ce_<name>), in also in structured mode (content-type application/cloudevents+json).
 * https://github.com/cloudevents/spec v1.0.2.
 *
 *   id                the entry's UUID                    source   /<service>/<store id>
 *   type              <domain>.<aggregate>.<Event>.v<n>, or the message's own name as its author wrote it
 *   subject           the stream's id                     time     recorded_at
 *   sequence          20 digits of position, '-', 4 digits within the commit: sorts as text
 *   streamversion, correlationid, causationid, traceparent (also as the plain header of this hop)
 *
 * The key is the message's, else the stream's id.
 */
#ifndef MOONLOG_CORE_CLOUDEVENT_H
#define MOONLOG_CORE_CLOUDEVENT_H

#include "base/arena.h"
#include "base/fault.h"
#include "bus/message.h"
#include "script/react.h"

#define CLOUDEVENT_OURS_MAX    14
#define CLOUDEVENT_HEADERS_MAX (MESSAGE_HEADERS_COUNT + CLOUDEVENT_OURS_MAX)

/* An entry that carries a topic, for the wire. Slices borrow from entry, `source` and `arena`. Fails: MEMORY;
 * LIMIT "too_many_headers". */
int cloudevent_encode(const struct recorded_entry *entry, struct slice source, struct arena *arena,
		      struct message *message, struct fault *fault);
/* Entries of whole commits, in order: those that have no correlation id get the id of their commit's first. */
int cloudevent_correlate(struct recorded_entry *entries, size_t count, struct arena *arena, struct fault *fault);
/*
 * What came in, in either mode. A message that is no CloudEvent is taken by its headers `type` and `id`, or with its
 * topic as type and `place` ("topic/partition/offset") as id; its source is its topic. Data that is not JSON and does
 * not claim to be is a JSON text; no data is null. Fails: INPUT "bad_cloudevent" with the reason; MEMORY; topic and
 * key are told all the same.
 */
int cloudevent_decode(const struct message *message, const char *place, struct arena *arena,
		      struct react_message *decoded, struct fault *fault);
/* The same of an entry that a local source found in the log; its source is empty. No memory: its type is empty too. */
void cloudevent_of_entry(const struct recorded_entry *entry, struct arena *arena, struct react_message *decoded);

#endif
