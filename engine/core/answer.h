/* SPDX-License-Identifier: MIT */
/* Outcomes: how each is filled, and the small envelope in which a first answer is remembered [I5]. */
#ifndef MOONLOG_CORE_ANSWER_H
#define MOONLOG_CORE_ANSWER_H

#include "core/command.h"

/* Each fills asked->outcome; slices live in the asker's arena or for ever. `fault` is copied. */
void answer_decided(struct command *command, stream_version version, log_position position);
void answer_conflict(struct command *command, const char *code, stream_version version);
void answer_missing(struct command *command);
void answer_mismatch(struct command *command);
void answer_fault(struct command *command, const struct fault *fault);
/* A unique key that is taken: the refusal that the rule named, else 409 "already_taken". */
void answer_taken(struct command *command, const struct reservation *reservation);
/* Of a remembered command: -1 when the envelope cannot be read, outcome FAILED then. */
int answer_repeated(struct command *command, struct slice envelope, log_position last);
/* A dry run: the reply lists the events. */
void answer_dry_run(struct command *command);

/* What to remember of a decision; data NULL when memory is out. */
struct slice answer_envelope(const struct command *command, struct arena *arena);

#endif
