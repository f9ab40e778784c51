/* SPDX-License-Identifier: MIT */
/* Which functions get data of which schema, for the reading of their text. A part that is broken has none. */
#include "script/lua/inspect.h"
#include "script/lua/lint_data.h"

struct gathering {
	struct inspection *in;
	struct lint_shape *shapes;
	size_t count;
};

static void
add(struct gathering *g, uint32_t number, const struct lint_shape *shape)
{
	if (number == 0 || g->in->program->handlers[number].home < 0)
		return;
	struct lint_shape *new = &g->shapes[g->count++];
	*new = *shape;
	new->source = (uint16_t)g->in->program->handlers[number].home;
	new->line = g->in->program->handlers[number].line;
}

static void
add_aggregate(struct gathering *g, const struct script_aggregate *door, const struct moon_aggregate *rules)
{
	for (size_t i = 0; rules->events != NULL && i < door->event_count; i++) {
		struct lint_shape shape = { .whose = door->events[i].name.data, .fields = rules->events[i].data };
		shape.data = 2;
		add(g, rules->events[i].apply, &shape);
		shape.data = 1;
		add(g, rules->events[i].map, &shape);
	}
	for (size_t i = 0; rules->commands != NULL && i < door->command_count; i++)
		add(g, rules->commands[i].handle,
		    &(struct lint_shape){ .whose = door->commands[i].name.data,
					  .fields = rules->commands[i].data,
					  .data = 2,
					  .decides = true });
}

static void
add_projection(struct gathering *g, const struct moon_projection *rules)
{
	for (size_t a = 0; rules->handlers != NULL && a < g->in->aggregate_count; a++)
		for (size_t e = 0; rules->handlers[a] != NULL && e < g->in->aggregates[a].event_count; e++)
			add(g, rules->handlers[a][e],
			    &(struct lint_shape){ .whose = g->in->aggregates[a].events[e].name.data,
						  .fields = g->in->aggregate_rules[a].events[e].data,
						  .data = 2,
						  .view = 1 });
}

static const struct lint_event *
gather_events(struct inspection *in, struct arena *arena, size_t *count)
{
	for (size_t i = 0; i < in->aggregate_count; i++)
		*count += in->aggregates[i].event_count;
	struct lint_event *events = moon_alloc(in->L, arena, *count, sizeof *events);
	*count = 0;
	for (size_t a = 0; a < in->aggregate_count; a++)
		for (size_t e = 0; e < in->aggregates[a].event_count; e++)
			events[(*count)++] = (struct lint_event){ in->aggregates[a].events[e].name,
								  in->aggregate_rules[a].events[e].data };
	return events;
}

void
inspect_data(struct inspection *in)
{
	struct arena *arena = in->program->findings->arena;
	struct gathering g = { .in = in };
	g.shapes = moon_alloc(in->L, arena, in->program->handler_count * 2 + 1, sizeof *g.shapes);
	for (size_t i = 0; i < in->aggregate_count; i++)
		add_aggregate(&g, &in->aggregates[i], &in->aggregate_rules[i]);
	for (size_t i = 0; i < in->projection_count; i++)
		add_projection(&g, &in->projection_rules[i]);
	for (size_t i = 0; i < in->query_count; i++)
		add(&g, in->query_rules[i].run,
		    &(struct lint_shape){ .whose = in->queries[i].name.data,
					  .fields = in->query_rules[i].params,
					  .data = 2,
					  .view = 1 });
	struct lint_data lint = { .findings = in->program->findings,
				  .sources = &in->program->sources,
				  .shapes = g.shapes,
				  .shape_count = g.count,
				  .tables = in->tables,
				  .table_count = in->table_count };
	lint.events = gather_events(in, arena, &lint.event_count);
	for (size_t i = 0; i < in->program->sources.count; i++)
		if (!lint_data_file(&lint, (uint16_t)i))
			moon_fail(in->L, 0, FAULT_MEMORY, "memory", "no memory to read a file's text");
}
