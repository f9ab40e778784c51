/* SPDX-License-Identifier: MIT */
/* From configuration to the options of the rooms. */
#ifndef MOONLOG_DAEMON_SETUP_H
#define MOONLOG_DAEMON_SETUP_H

#include "daemon/config.h"
#include "daemon/wire.h"
#include "http/server.h"

void setup_log(const struct config *config);
/* The engine's limits and the store's; `data` and `fatal` stay the caller's to set. */
void setup_wire(const struct config *config, struct wire_options *options);
void setup_http(const struct config *config, struct http_limits *limits);
/* The same for verbs that load rules by themselves; borrows from `config`. `say` stays the caller's to set. */
void setup_script(const struct config *config, struct script_options *options);
/* Adds the configured domains; names that are configured for no domain of these are warned of. Fails: CONFIG "usage" when there are none; as wire_add_domain. */
int setup_domains(const struct config *config, struct wire *wire, struct fault *fault);

#endif
