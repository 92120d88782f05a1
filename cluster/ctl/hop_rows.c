#include "hop_rows.h"

#include "human.h"
#include "screen.h"
#include "skein/cluster/hop_store.h"

static json_t *json_of_hop(const struct hop_row *row)
{
	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:b, s:o, s:o}", "hop", json_of_span(row->label), "state",
		hop_state_names[row->state], "since_ms", json_of_u64(row->since_ms), "left_ms",
		json_of_u64(row->left_ms), "by", json_of_span(row->by), "forced", row->is_forced, "prober",
		row->prober.len ? json_of_span(row->prober) : json_null(), "why", json_of_span(row->why));
}

static void add_left(struct grid *grid, const struct hop_row *row)
{
	if (row->left_ms > 0)
		grid_add_duration(grid, row->left_ms);
	else if (row->prober.len > 0)
		grid_printf(grid, TINT_NONE, "probe: %.*s", SPAN_ARGS(row->prober));
	else
		grid_add(grid, SPAN_LIT("to be probed"), TINT_NONE);
}

static void on_hops(void *arg, const struct outcome *outcome, const struct hop_changes *changes)
{
	struct hop_rows *rows = arg;

	rows->exit = session_check(outcome, "listing hops");
	for (size_t i = 0; i < changes->count; i++) {
		const struct hop_row *row = &changes->rows[i];

		json_array_append_new(rows->json, json_of_hop(row));
		grid_add(&rows->grid, row->label, TINT_NONE);
		grid_add(&rows->grid, span_of_str(hop_state_names[row->state]),
			row->state == HOP_DOWN ? TINT_BAD : TINT_WARN);
		grid_add_duration(&rows->grid, row->since_ms);
		add_left(&rows->grid, row);
		grid_add(&rows->grid, row->by, TINT_NONE);
		grid_add(&rows->grid, row->why, TINT_NONE);
	}
}

void hop_rows_ask(struct hop_rows *rows, struct session *session)
{
	static const struct grid_column columns[] = { { "HOP", false }, { "STATE", false }, { "SINCE", true },
		{ "LEFT", false }, { "BY", false }, { "WHY", false } };

	*rows = (struct hop_rows){ .json = json_array() };
	grid_init(&rows->grid, columns, ARRAY_LEN(columns));
	(void)hop_store_board(session->link, 0, session_now_ms(), on_hops, rows);
}

void hop_rows_fini(struct hop_rows *rows)
{
	json_decref(rows->json);
	grid_fini(&rows->grid);
}
