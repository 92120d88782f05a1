/*
 * Myers, "An O(ND) Difference Algorithm and Its Variations", without his refinements: after equal beginnings
 * and ends are taken off, documents edited by hand differ in few lines.
 */
#include "line_diff.h"

#include "skein/proto/base/alloc.h"

enum { AROUND = 3, EDITS_MAX = 1000 };

struct lines {
	struct span *items;
	size_t count;
};

/* One line of the result: ' ', '-' or '+'. */
struct edit {
	char kind;
	struct span line;
};

struct script {
	struct edit *edits;
	size_t count;
};

static struct lines split(struct span text)
{
	struct lines lines = { NULL, 0 };
	size_t cap = 0;

	while (text.len) {
		size_t end = span_find(text, '\n');

		if (lines.count == cap) {
			cap = cap ? cap * 2 : 64;
			lines.items = mem_realloc(lines.items, cap * sizeof(*lines.items));
		}
		lines.items[lines.count++] = span_take(text, end);
		text = span_drop(text, end < text.len ? end + 1 : end);
	}
	return lines;
}

static void add(struct script *script, char kind, struct span line)
{
	script->edits[script->count++] = (struct edit){ kind, line };
}

static void add_all(struct script *script, char kind, struct lines lines)
{
	for (size_t i = 0; i < lines.count; i++)
		add(script, kind, lines.items[i]);
}

/* --- the fewest edits ---------------------------------------------------------------------------- */

/* furthest[d] holds, for each diagonal of -d..d, how far into `a` one gets with d edits. */
struct trace {
	long *furthest[EDITS_MAX + 1];
	long edits;
};

static long get(const struct trace *trace, long d, long k)
{
	return trace->furthest[d][k + d];
}

static bool goes_down(const struct trace *trace, long d, long k)
{
	return k == -d || (k != d && get(trace, d - 1, k - 1) < get(trace, d - 1, k + 1));
}

static long step(const struct trace *trace, long d, long k)
{
	if (d == 0)
		return 0;
	return goes_down(trace, d, k) ? get(trace, d - 1, k + 1) : get(trace, d - 1, k - 1) + 1;
}

/* The old line that each diagonal reaches may lie beyond the ends: such ways are never the shortest. */
static long slide(struct lines a, struct lines b, long x, long k)
{
	while (x >= 0 && x - k >= 0 && x < (long)a.count && x - k < (long)b.count &&
		span_eq(a.items[x], b.items[x - k]))
		x++;
	return x;
}

static bool search(struct lines a, struct lines b, struct trace *trace)
{
	for (long d = 0; d <= EDITS_MAX; d++) {
		trace->furthest[d] = mem_alloc((size_t)(2 * d + 1) * sizeof(long));
		trace->edits = d;
		for (long k = -d; k <= d; k += 2) {
			long x = slide(a, b, step(trace, d, k), k);

			trace->furthest[d][k + d] = x;
			if (x >= (long)a.count && x - k >= (long)b.count)
				return true;
		}
		/* Diagonals between are read by nobody, but must be something. */
		for (long k = -d + 1; k < d; k += 2)
			trace->furthest[d][k + d] = -1;
	}
	return false;
}

static void walk_back(struct lines a, struct lines b, const struct trace *trace, struct script *script)
{
	long x = (long)a.count, y = (long)b.count;
	size_t first = script->count;

	for (long d = trace->edits; d >= 0; d--) {
		long k = x - y;
		long from = step(trace, d, k);

		for (; x > from; x--, y--)
			add(script, ' ', a.items[x - 1]);
		if (d == 0)
			break;
		if (goes_down(trace, d, k))
			add(script, '+', b.items[--y]);
		else
			add(script, '-', a.items[--x]);
	}
	for (size_t i = first, k = script->count; i + 1 < k; i++) {
		struct edit edit = script->edits[i];

		script->edits[i] = script->edits[--k];
		script->edits[k] = edit;
	}
}

static void compare(struct lines a, struct lines b, struct script *script)
{
	struct trace trace = { .edits = -1 };

	if (search(a, b, &trace)) {
		walk_back(a, b, &trace, script);
	} else {
		add_all(script, '-', a);
		add_all(script, '+', b);
	}
	for (long d = 0; d <= trace.edits; d++)
		mem_free(trace.furthest[d]);
}

static void make_script(struct lines a, struct lines b, struct script *script)
{
	size_t head = 0, tail = 0;

	while (head < a.count && head < b.count && span_eq(a.items[head], b.items[head]))
		head++;
	while (tail < a.count - head && tail < b.count - head &&
		span_eq(a.items[a.count - 1 - tail], b.items[b.count - 1 - tail]))
		tail++;
	add_all(script, ' ', (struct lines){ a.items, head });
	if (head + tail < a.count || head + tail < b.count)
		compare((struct lines){ a.items + head, a.count - head - tail },
			(struct lines){ b.items + head, b.count - head - tail }, script);
	add_all(script, ' ', (struct lines){ a.items + a.count - tail, tail });
}

/* --- hunks --------------------------------------------------------------------------------------- */

static bool is_near_change(const struct script *script, size_t at)
{
	size_t from = at > AROUND ? at - AROUND : 0;

	for (size_t i = from; i < script->count && i <= at + AROUND; i++)
		if (script->edits[i].kind != ' ')
			return true;
	return false;
}

struct position {
	size_t before, after; /* lines that went by */
};

static void pass(struct position *position, char kind)
{
	position->before += kind != '+';
	position->after += kind != '-';
}

static size_t print_hunk(const struct script *script, size_t at, struct position *position, struct buf *out)
{
	struct position end = *position;
	size_t stop = at;

	while (stop < script->count && is_near_change(script, stop))
		pass(&end, script->edits[stop++].kind);
	buf_printf(out, "@@ -%zu,%zu +%zu,%zu @@\n",
		end.before == position->before ? position->before : position->before + 1,
		end.before - position->before,
		end.after == position->after ? position->after : position->after + 1,
		end.after - position->after);
	for (; at < stop; at++) {
		buf_append_byte(out, script->edits[at].kind);
		buf_append(out, script->edits[at].line);
		buf_append_byte(out, '\n');
	}
	*position = end;
	return stop;
}

void line_diff(struct span before, struct span after, struct buf *out)
{
	struct lines a = split(before), b = split(after);
	struct script script = { mem_alloc((a.count + b.count + 1) * sizeof(struct edit)), 0 };
	struct position position = { 0, 0 };
	size_t at = 0;

	make_script(a, b, &script);
	while (at < script.count) {
		if (is_near_change(&script, at)) {
			at = print_hunk(&script, at, &position, out);
		} else {
			pass(&position, ' ');
			at++;
		}
	}
	mem_free(script.edits);
	mem_free(a.items);
	mem_free(b.items);
}
