/* SPDX-License-Identifier: MIT */
/* `config`: every key, its value and the source it won by. Shows what `serve` with the same arguments would use. */
#include "daemon/config_domains.h"
#include "daemon/print.h"
#include "daemon/verb.h"

#define OUT_MAX ((size_t)1 << 20)

static void
print_key(const struct config *config, size_t id, struct buf *out)
{
	size_t start = out->size;

	buf_format(out, "%s = ", config_key(id)->name);
	config_json(config, id, out);
	while (out->size - start < 48)
		buf_byte(out, ' ');
	buf_text(out, "  -- ");
	config_origin(config, id, out);
	buf_byte(out, '\n');
}

static void
print_key_json(const struct config *config, size_t id, struct buf *out)
{
	struct buf origin;

	buf_init(&origin, OUT_MAX);
	config_origin(config, id, &origin);
	json_key(out, config_key(id)->name);
	buf_text(out, "{\"value\":");
	config_json(config, id, out);
	buf_text(out, ",\"source\":");
	json_quote(out, buf_slice(&origin));
	buf_byte(out, '}');
	buf_fini(&origin);
}

enum exit_code
verb_config(struct call *call)
{
	struct config config;
	struct fault fault;
	struct buf out;
	enum exit_code code = EXIT_DONE;

	buf_init(&out, OUT_MAX);
	call_domains(call);
	if (call_config(call, &config, &fault) != 0) {
		code = exit_say(&fault);
		goto out;
	}
	if (call_has(call, OPTION_JSON))
		buf_byte(&out, '{');
	for (size_t i = 0; i < config_key_count(); i++) {
		if (call_has(call, OPTION_JSON))
			print_key_json(&config, i, &out);
		else
			print_key(&config, i, &out);
	}
	config_domains_print(&config, call_has(call, OPTION_JSON), &out);
	if (call_has(call, OPTION_JSON))
		buf_text(&out, "}\n");
	print_out(&out);
out:
	config_fini(&config);
	buf_fini(&out);
	return code;
}
