/* SPDX-License-Identifier: MIT */
/*
 * The table of verbs and their options: what the parser takes, what the help prints, what the man page is
 * checked by.
 */
#include "daemon/verb.h"

const struct option verb_options[OPTION_COUNT] = {
	[OPTION_JSON] = { "json", NULL, "print JSON: one document, or one a line for lists" },
	[OPTION_AT] = { "at", "VERSION|TIME", "as of this version, or of this time (ISO 8601)" },
	[OPTION_FROM] = { "from", "VERSION|POSITION", "begin with this version, or behind this position" },
	[OPTION_TO] = { "to", "VERSION|TIME", "end with this version" },
	[OPTION_BISECT] = { "bisect", "EXPRESSION", "only the first event after which this Lua expression holds" },
	[OPTION_AFTER] = { "after", "POSITION", "begin after this position of the log" },
	[OPTION_LIMIT] = { "limit", "N", "at most so many" },
	[OPTION_LINES] = { "lines", "N", "so many entries before following (10)" },
	[OPTION_ONCE] = { "once", NULL, "do not follow: end with the last entry" },
	[OPTION_NO_WAIT] = { "no-wait", NULL, "return when the order is taken" },
	[OPTION_CALLER] = { "caller", "NAME", "what ctx.caller is" },
	[OPTION_HISTORY] = { "history", NULL, "fold every recorded stream twice and compare" },
	[OPTION_WATCH] = { "watch", NULL, "run again after each save, until interrupted" },
	[OPTION_OUTPUT] = { "output", "FORM", "plain or junit" },
	[OPTION_FILTER] = { "filter", "PATTERN", "only specs whose names match a Lua pattern" },
	[OPTION_COVERAGE] = { "coverage", NULL, "tell which lines of handlers ran" },
	[OPTION_COVERAGE_MIN] = { "coverage-min", "PERCENT", "fail when fewer lines ran" },
	[OPTION_STREAM] = { "stream", "NAME", "only this stream" },
	[OPTION_DOMAIN] = { "domain", "NAME", "only streams of this domain" },
	[OPTION_KEY] = { "key", "JSON", "only the stream that the row with this key comes from: {\"Column\":value}" },
	[OPTION_ALL] = { "all", NULL, "ask the whole of history, however long that takes" },
	[OPTION_PARTIAL] = { "partial", NULL, "take the rules although only a part of history was asked" },
	[OPTION_NO_SHADOW] = { "no-shadow", NULL, "do not ask history at all" },
	[OPTION_NO_SPECS] = { "no-specs", NULL, "do not run the folder's specs" },
	[OPTION_ACCEPT] = { "accept", "PLAN", "the differences that this plan showed are meant" },
	[OPTION_NEW_INCARNATION] = { "new-incarnation", NULL, "a new history begins; older copies may not be sent" },
	[OPTION_UPCAST] = { "upcast", NULL, "events as the rules of today see them; for reading, no import takes it" },
	[OPTION_MAP] = { "map", "FILE", "a Lua file that makes an event of each foreign record" },
};

#define JSON       OPTION_BIT(OPTION_JSON)
#define ANY_NUMBER ((size_t)-1)

const struct verb verbs[] = {
	{ "serve", "--data DIR [--listen HOST:PORT] DOMAIN_FOLDER...", "run the daemon",
	  "Opens (or makes) the store in DIR, loads the domains and serves them until TERM or INT, which\n"
	  "lets it finish what it has begun. The address is logged and written to DIR/moonlog.address.",
	  0, VERB_CONFIG_ALL, 0, ANY_NUMBER, false, verb_serve },
	{ "dev", "DOMAIN_FOLDER... [--data DIR]", "serve, and take each saved change",
	  "As serve, for whoever writes the rules: data in ./.moonlog unless said, errors with their traceback. A "
	  "saved\n"
	  "file is checked and told: what is wrong with line and caret (the rules of before go on), or what changed.\n"
	  "Recorded history that the new rules read differently is told, and the rules are taken all the same.",
	  0, VERB_CONFIG_ALL, 1, ANY_NUMBER, false, verb_dev },
	{ "new", "NAME", "make a domain's folder",
	  "NAME is a word of a-z, 0-9 and _, or a path that ends in one. Writes an aggregate, a projection,\n"
	  "a query, routes, specs that pass, a README, and what editors and luacheck want (see editor).",
	  0, VERB_CONFIG_NONE, 1, 1, false, verb_new },
	{ "editor", "FOLDER...", "definitions for editors and luacheck",
	  "Writes what the sandbox offers, from this binary's own list: .luals/ (for the Lua language server) and\n"
	  ".luacheckrc; .luarc.json where it is missing. Run it again after an update.",
	  0, VERB_CONFIG_NONE, 1, ANY_NUMBER, false, verb_editor },
	{ "test", "[FOLDER...] [BUSTED OPTIONS]", "run the specs of domains",
	  "Runs spec/*.lua of each folder (default: the current one) through the engine's own sandbox.",
	  OPTION_BIT(OPTION_WATCH) | OPTION_BIT(OPTION_OUTPUT) | OPTION_BIT(OPTION_FILTER) |
		  OPTION_BIT(OPTION_COVERAGE) | OPTION_BIT(OPTION_COVERAGE_MIN),
	  VERB_CONFIG_NONE, 0, ANY_NUMBER, true, verb_test },
	{ "record", "STREAM [FOLDER]", "a recorded stream as a spec",
	  "Prints a spec that gives the stream's events and expects the state they fold to; it passes under test with\n"
	  "the rules of today. The store keeps no commands, so the spec begins with their events.",
	  0, VERB_CONFIG_RULES, 1, 2, false, verb_record },
	{ "check", "FOLDER...", "load rules and report what is wrong with them",
	  "Prints every finding as file:line: reason, with the line and a caret below: unknown fields and names,\n"
	  "handlers and upcasts that are missing, routes without a command, events of no declared type, unused\n"
	  "modules. Exit code 1 for errors and warnings; notes (events that no projection handles) are no fault.\n"
	  "With --data also what is recorded there: kinds of events without a path to the events of today, and\n"
	  "upcasters that fail on the newest samples. With --history every stream is folded and every projection\n"
	  "run twice, in machines with different hash seeds; the first event that parts them is named.",
	  JSON | OPTION_BIT(OPTION_HISTORY), VERB_CONFIG_STORE, 1, ANY_NUMBER, false, verb_check },
	{ "try", "STREAM COMMAND [JSON]", "what a command would do, without doing it",
	  "Decides against the stream as it stands and prints the events, the reply or the refusal. Asks the\n"
	  "daemon of --data when one runs, else reads the store with the rules of --domain FOLDER; without\n"
	  "--data the stream is empty.",
	  JSON | OPTION_BIT(OPTION_CALLER), VERB_CONFIG_RULES, 2, 3, false, verb_try },
	{ "stream list", "[PREFIX]", "names and versions of streams", NULL, JSON | OPTION_BIT(OPTION_LIMIT),
	  VERB_CONFIG_STORE, 0, 1, false, verb_stream_list },
	{ "stream show", "STREAM", "the events of a stream", NULL,
	  JSON | OPTION_BIT(OPTION_FROM) | OPTION_BIT(OPTION_LIMIT), VERB_CONFIG_STORE, 1, 1, false, verb_stream_show },
	{ "stream tail", "[PREFIX]", "the end of the log, and what comes", NULL,
	  JSON | OPTION_BIT(OPTION_AFTER) | OPTION_BIT(OPTION_LINES) | OPTION_BIT(OPTION_ONCE), VERB_CONFIG_STORE, 0, 1,
	  false, verb_stream_tail },
	{ "state", "STREAM", "the state of a stream, now or then", NULL, JSON | OPTION_BIT(OPTION_AT),
	  VERB_CONFIG_RULES, 1, 1, false, verb_state },
	{ "debug", "STREAM [DOMAIN_FOLDER]", "a stream event by event: steps, states, rows and messages",
	  "Each event as recorded, after each upcaster, the state before and after it, the rows it changes\n"
	  "(made of this stream's events alone) and the messages it caused. --bisect takes an expression over\n"
	  "state, event (type, schema_version, data) and meta: --bisect 'state.balance < 0'.",
	  JSON | OPTION_BIT(OPTION_AT) | OPTION_BIT(OPTION_FROM) | OPTION_BIT(OPTION_TO) | OPTION_BIT(OPTION_BISECT),
	  VERB_CONFIG_RULES, 1, 2, false, verb_debug },
	{ "projection list", "", "projections and how far they are", NULL, JSON, VERB_CONFIG_RULES, 0, 0, false,
	  verb_projection_list },
	{ "projection builds", "", "read models that are being made, kept, or were made last",
	  "A changed projection is made beside the one that is read and then takes its place: how far it is, how many\n"
	  "rows differ, samples of them, and why one was given up.",
	  JSON, VERB_CONFIG_RULES, 0, 0, false, verb_projection_builds },
	{ "projection rebuild", "DOMAIN.PROJECTION", "make a projection's rows anew from the log",
	  "Beside the ones that are read, which are read until the new ones have caught up. With --stream or --key\n"
	  "only the rows of one stream, in one step that readers see whole; for projections whose tables have a\n"
	  "stream_column.",
	  JSON | OPTION_BIT(OPTION_NO_WAIT) | OPTION_BIT(OPTION_STREAM) | OPTION_BIT(OPTION_KEY), VERB_CONFIG_RULES, 1,
	  1, false, verb_projection_rebuild },
	{ "projection retry", "DOMAIN.PROJECTION", "try the event again that stopped a projection", NULL,
	  JSON | OPTION_BIT(OPTION_NO_WAIT), VERB_CONFIG_RULES, 1, 1, false, verb_projection_retry },
	{ "projection skip", "DOMAIN.PROJECTION", "step over the event that stopped a projection", NULL,
	  JSON | OPTION_BIT(OPTION_NO_WAIT), VERB_CONFIG_RULES, 1, 1, false, verb_projection_skip },
	{ "reload", "[DOMAIN...]", "take the rules that the folders hold now, if history agrees",
	  "Loads the folders anew, runs their specs, replays recorded history through the new rules beside the old "
	  "ones, and\n"
	  "changes over between two commands, or says which stream and event stand against it. The gate\n"
	  "judges folds, upcasters and projections, not what a command would decide.",
	  JSON | OPTION_BIT(OPTION_ALL) | OPTION_BIT(OPTION_PARTIAL) | OPTION_BIT(OPTION_NO_SHADOW) |
		  OPTION_BIT(OPTION_NO_SPECS) | OPTION_BIT(OPTION_ACCEPT),
	  VERB_CONFIG_RULES, 0, ANY_NUMBER, false, verb_reload },
	{ "plan", "[DOMAIN...]", "what a reload would do, without doing it", NULL,
	  JSON | OPTION_BIT(OPTION_ALL) | OPTION_BIT(OPTION_NO_SPECS), VERB_CONFIG_RULES, 0, ANY_NUMBER, false,
	  verb_plan },
	{ "rollback", "DOMAIN...", "go back to the rules that were active before", NULL, JSON, VERB_CONFIG_RULES, 1,
	  ANY_NUMBER, false, verb_rollback },
	{ "generation list", "[DOMAIN]", "all rules that ever decided", NULL, JSON, VERB_CONFIG_STORE, 0, 1, false,
	  verb_generation_list },
	{ "generation show", "N [FILE]", "the files of a generation, or one of them", NULL, JSON, VERB_CONFIG_STORE, 1,
	  2, false, verb_generation_show },
	{ "generation diff", "N M", "what changed from one generation to another", NULL, JSON, VERB_CONFIG_STORE, 2, 2,
	  false, verb_generation_diff },
	{ "dlq list", "[DOMAIN.REACTOR]", "messages that could not be taken",
	  "A line each: reactor, letter, type, key, tries, why. `parked` ones keep later ones of their key behind\n"
	  "them; after rules that can take them were taken they go in by themselves, in order.",
	  JSON, VERB_CONFIG_STORE, 0, 1, false, verb_dlq_list },
	{ "dlq show", "DOMAIN.REACTOR LETTER", "one of them, whole", NULL, JSON, VERB_CONFIG_STORE, 2, 2, false,
	  verb_dlq_show },
	{ "dlq retry", "DOMAIN.REACTOR [LETTER]", "through the handler again: one, with all of its key, or all", NULL,
	  0, VERB_CONFIG_STORE, 1, 2, false, verb_dlq_retry },
	{ "dlq drop", "DOMAIN.REACTOR [LETTER]", "they are given up: one, or all", NULL, 0, VERB_CONFIG_STORE, 1, 2,
	  false, verb_dlq_drop },
	{ "dlq skip", "DOMAIN.REACTOR", "lanes that are held or halted go on without what they wait for", NULL, 0,
	  VERB_CONFIG_STORE, 1, 1, false, verb_dlq_skip },
	{ "timer list", "", "pending timers, the next that is due first", NULL, JSON | OPTION_BIT(OPTION_LIMIT),
	  VERB_CONFIG_STORE, 0, 0, false, verb_timer_list },
	{ "relay status", "", "how far messages are out, and why not further",
	  "The relay sends what the log says is to be sent to Kafka, each message once. Exit code 1 when it has\n"
	  "stopped: the reason says what to do.",
	  JSON, VERB_CONFIG_STORE, 0, 0, false, verb_relay_status },
	{ "relay pause", "", "send nothing more until resume", NULL, JSON, VERB_CONFIG_STORE, 0, 0, false,
	  verb_relay_pause },
	{ "relay resume", "", "go on, also after a stop", NULL, JSON, VERB_CONFIG_STORE, 0, 0, false,
	  verb_relay_resume },
	{ "relay rebuild", "", "go on without the mark, or from another place than it says",
	  "Looks for the newest message of this store in the topics, or takes --from POSITION, which must end a\n"
	  "commit; 0 sends everything again. --new-incarnation is for a store that was restored from an older copy:\n"
	  "what was published since by the lost one stays published, and its copies may not be sent any more.",
	  JSON | OPTION_BIT(OPTION_FROM) | OPTION_BIT(OPTION_NEW_INCARNATION), VERB_CONFIG_STORE, 0, 0, false,
	  verb_relay_rebuild },
	{ "status", "", "what the daemon is doing", "Without a daemon: what the store holds, and exit code 69.", JSON,
	  VERB_CONFIG_STORE, 0, 0, false, verb_status },
	{ "backup", "FILE", "a verified copy of the store, also while the daemon runs", NULL, JSON, VERB_CONFIG_STORE,
	  1, 1, false, verb_backup },
	{ "restore", "BACKUP --data DIR", "put a backup in place of an absent or empty data directory", NULL, JSON,
	  VERB_CONFIG_STORE, 1, 1, false, verb_restore },
	{ "export", "", "the log, or a part of it, as lines with checks",
	  "Writes one JSON object a line to standard output, also while the daemon runs: entries with all\n"
	  "that they are, the rules that decided them, the unique keys, and an end.",
	  OPTION_BIT(OPTION_STREAM) | OPTION_BIT(OPTION_DOMAIN) | OPTION_BIT(OPTION_AFTER) | OPTION_BIT(OPTION_UPCAST),
	  VERB_CONFIG_STORE, 0, 0, false, verb_export },
	{ "import", "FILE|- --data DIR", "bring an export, or a foreign log, into a store",
	  "Takes the store for itself. Killed and started again with the same file, it goes on where it was.\n"
	  "Refuses what is changed, cut or does not follow, by its line. With --map each line is a record of\n"
	  "another program, and the file's function makes an event of it.",
	  JSON | OPTION_BIT(OPTION_MAP), VERB_CONFIG_STORE, 1, 1, false, verb_import },
	{ "verify", "", "check every entry, link, version and index of the store, also while the daemon runs", NULL,
	  JSON, VERB_CONFIG_STORE, 0, 0, false, verb_verify },
	{ "config", "", "the merged configuration and where each value comes from", NULL, JSON, VERB_CONFIG_ALL, 0,
	  ANY_NUMBER, false, verb_config },
	{ "version", "", "versions of moonlog and of its libraries", NULL, JSON, VERB_CONFIG_NONE, 0, 0, false,
	  verb_version },
	{ "help", "[VERB]", "this, or more about a verb", NULL, 0, VERB_CONFIG_NONE, 0, 2, false, verb_help },
};
const size_t verb_count = countof(verbs);
