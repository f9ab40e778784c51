/* SPDX-License-Identifier: MIT */
/* The section domain_limits of a configuration file: domain_limits = { banking = { command_ms = 50 } }. */
#ifndef MOONLOG_DAEMON_CONFIG_DOMAINS_H
#define MOONLOG_DAEMON_CONFIG_DOMAINS_H

#include "daemon/config.h"
#include "script/lua/config_file.h"

/* Is the key one of the section's? */
bool config_domains_owns(struct slice key);
/* Is it the section, or a domain's part of it, rather than a value? */
bool config_domains_section(struct slice key);
/* Takes "domain_limits.DOMAIN.NAME"; `place` ("moonlog.lua:3: key") begins the message. Fails: CONFIG "bad_configuration". */
int config_domains_put(struct config *config, struct slice key, const struct moon_config_value *value,
		       const char *place, struct fault *fault);
/* Appends what is set: lines as `moonlog config` has them, or members of its JSON object. */
void config_domains_print(const struct config *config, bool json, struct buf *out);

#endif
