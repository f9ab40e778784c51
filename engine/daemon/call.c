/* SPDX-License-Identifier: MIT */
/* What verbs share in reading their own call. */
#include "daemon/verb.h"

int
call_number(const struct call *call, enum option_id option, uint64_t otherwise, uint64_t *number, struct fault *fault)
{
	*number = otherwise;
	if (!call_has(call, option))
		return 0;
	if (!slice_to_u64(slice_text(call->values[option]), number))
		return fault_set(fault, FAULT_INPUT, "usage", "--%s wants a number, got \"%s\"",
				 verb_options[option].name, call->values[option]);
	return 0;
}

void
call_domains(struct call *call)
{
	/* args_parse leaves room for a setting a word. */
	for (size_t i = 0; i < call->word_count; i++)
		call->settings[call->setting_count++] = (struct config_setting){ CONFIG_DOMAINS, call->words[i] };
	call->word_count = 0;
}

int
call_config(const struct call *call, struct config *config, struct fault *fault)
{
	struct config_sources sources = {
		.file = call->config_file,
		.environment = call->environment,
		.settings = call->settings,
		.setting_count = call->setting_count,
	};

	return config_load(config, &sources, fault);
}

int
call_data(const struct config *config, const char **directory, struct fault *fault)
{
	*directory = config_text(config, CONFIG_DATA);
	if (*directory == NULL)
		return fault_set(fault, FAULT_CONFIG, "usage", "no data directory is given: use --data DIR");
	return 0;
}
