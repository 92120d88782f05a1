/* skeinctl doctor */
#include "doctor.h"

#include "call.h"
#include "human.h"
#include "screen.h"
#include "skein/proto/base/alloc.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <time.h>

enum { ROWS_MAX = 4096 };

static const struct {
	const char *name, *title;
	enum tint tint;
} states[DOCTOR_STATES] = {
	[DOCTOR_OK] = { "ok", "OK", TINT_GOOD },
	[DOCTOR_SKIPPED] = { "skipped", "-", TINT_FAINT },
	[DOCTOR_WARN] = { "warn", "WARN", TINT_WARN },
	[DOCTOR_FAIL] = { "fail", "FAIL", TINT_BAD },
};

static const struct doctor_group *const groups[] = { &doctor_redis, &doctor_rights, &doctor_nodes,
	&doctor_mail, &doctor_secrets, &doctor_certificates, &doctor_host };

/* --- for the checks ------------------------------------------------------------------------------- */

static struct span format(struct doctor *doctor, const char *fmt, va_list args)
{
	struct buf text = { 0 }, clean = { 0 };
	struct span kept;

	buf_vprintf(&text, fmt, args);
	human_text(&clean, buf_span(&text));
	kept = arena_dup(&doctor->arena, buf_span(&clean));
	buf_fini(&text);
	buf_fini(&clean);
	return kept;
}

void doctor_tell(struct doctor *doctor, enum doctor_state state, const char *fmt, ...)
{
	va_list args;

	if (doctor->row_count == ROWS_MAX)
		return;
	va_start(args, fmt);
	doctor->rows[doctor->row_count++] = (struct doctor_row){
		.state = state,
		.group = doctor->group->name,
		.check = doctor->check->name,
		.what = format(doctor, fmt, args),
	};
	va_end(args);
}

void doctor_cure(struct doctor *doctor, const char *fmt, ...)
{
	va_list args;

	CHECK(doctor->row_count);
	va_start(args, fmt);
	doctor->rows[doctor->row_count - 1].cure = format(doctor, fmt, args);
	va_end(args);
}

struct answer {
	struct buf *out;
	bool is_good;
};

static void append_reply(struct buf *out, const redisReply *reply)
{
	switch (reply->type) {
	case REDIS_REPLY_INTEGER:
		buf_printf(out, "%lld", reply->integer);
		break;
	case REDIS_REPLY_ARRAY:
		for (size_t i = 0; i < reply->elements; i++) {
			if (i)
				buf_append_byte(out, '\n');
			append_reply(out, reply->element[i]);
		}
		break;
	case REDIS_REPLY_NIL:
		break;
	default:
		buf_append(out, span_of(reply->str, (size_t)reply->len));
	}
}

static void on_answer(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	struct answer *answer = arg;

	if (outcome == REDIS_UNKNOWN)
		return;
	answer->is_good = reply->type != REDIS_REPLY_ERROR;
	append_reply(answer->out, reply);
}

bool doctor_ask(struct doctor *doctor, size_t argc, const struct span argv[], struct buf *answer_out)
{
	struct answer answer = { .out = answer_out };

	if (!doctor->session ||
		!redis_link_call(doctor->session->link, argc, argv, 0, session_now_ms(), on_answer, &answer))
		return false;
	if (session_finish(doctor->session))
		doctor->session = NULL;
	return answer.is_good;
}

struct span doctor_info(const struct doctor *doctor, const char *field)
{
	struct span rest = buf_span(&doctor->info), name = span_of_str(field);

	while (rest.len) {
		size_t end = span_find(rest, '\n');
		struct span line = span_take(rest, end);

		rest = span_drop(rest, end < rest.len ? end + 1 : end);
		if (!span_starts_with(line, name) || line.len <= name.len || line.ptr[name.len] != ':')
			continue;
		line = span_drop(line, name.len + 1);
		return span_take(line, span_find(line, '\r'));
	}
	return span_of("", 0);
}

uint64_t doctor_info_u64(const struct doctor *doctor, const char *field)
{
	uint64_t number = 0;

	return span_parse_u64(doctor_info(doctor, field), UINT64_MAX, &number) ? number : 0;
}

struct span doctor_setting(struct doctor *doctor, const char *name)
{
	const struct span argv[] = { SPAN_LIT("CONFIG"), SPAN_LIT("GET"), span_of_str(name) };
	struct buf answer = { 0 };
	struct span value = span_of("", 0);

	if (doctor_ask(doctor, ARRAY_LEN(argv), argv, &answer)) {
		struct span text = buf_span(&answer);
		size_t end = span_find(text, '\n');

		if (end < text.len)
			value = arena_dup(&doctor->arena, span_drop(text, end + 1));
	}
	buf_fini(&answer);
	return value;
}

/* --- the examination ------------------------------------------------------------------------------ */

static const char *what_is_missing(const struct doctor *doctor, unsigned needs)
{
	if (needs & DOCTOR_NEEDS_REDIS && !doctor->session)
		return "Redis has to be there, with a cluster in it";
	if (needs & DOCTOR_NEEDS_CONFIG && !doctor->config)
		return "on the host of a node, as root or as the user of skeind: --config FILE";
	return NULL;
}

static void run_group(struct doctor *doctor, const struct doctor_group *group)
{
	const char *missing = what_is_missing(doctor, group->needs);

	doctor->group = group;
	for (size_t i = 0; i < group->count; i++) {
		doctor->check = &group->checks[i];
		if (!missing)
			doctor->check->run(doctor);
		missing = what_is_missing(doctor, group->needs);
		if (missing) {
			doctor_tell(doctor, DOCTOR_SKIPPED, "%s", missing);
			return;
		}
	}
}

static uint64_t unix_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void read_clock(struct doctor *doctor)
{
	const struct span argv[] = { SPAN_LIT("TIME") };
	struct buf answer = { 0 };
	uint64_t seconds, micros;

	if (doctor_ask(doctor, ARRAY_LEN(argv), argv, &answer)) {
		struct span text = buf_span(&answer);
		size_t end = span_find(text, '\n');

		if (end < text.len && span_parse_u64(span_take(text, end), UINT32_MAX, &seconds) &&
			span_parse_u64(span_drop(text, end + 1), 999999, &micros))
			doctor->redis_now_ms = seconds * 1000 + micros / 1000;
	}
	doctor->now_ms = unix_now_ms();
	buf_fini(&answer);
}

static enum ctl_exit examine(struct session *session, void *arg)
{
	const struct span argv[] = { SPAN_LIT("INFO") };
	struct doctor *doctor = arg;
	enum ctl_exit exit = roster_load(&doctor->roster, session);

	doctor->session = session;
	if (!exit)
		exit = tally_load(doctor->tally, session);
	if (exit)
		return exit;
	if (!doctor_ask(doctor, ARRAY_LEN(argv), argv, &doctor->info))
		buf_clear(&doctor->info);
	read_clock(doctor);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		run_group(doctor, groups[i]);
	doctor->session = NULL;
	return CTL_OK;
}

/* What can be seen without Redis. */
static void examine_alone(struct doctor *doctor, enum ctl_exit exit)
{
	static const struct doctor_check reach = { "reach", NULL };

	doctor->session = NULL;
	doctor->row_count = 0;
	doctor->group = &doctor_redis;
	doctor->check = &reach;
	if (exit == CTL_NEGATIVE) {
		doctor_tell(doctor, DOCTOR_FAIL, "there is no cluster in this Redis");
		doctor_cure(doctor, "start the first node, or say the right --redis and --prefix");
	} else {
		doctor_tell(doctor, DOCTOR_FAIL, "Redis cannot be used, for the reason above");
		doctor_cure(doctor, "start it; look at its address, its password and the network");
	}
	run_group(doctor, &doctor_host);
}

/* --- what is shown -------------------------------------------------------------------------------- */

static size_t count_of(const struct doctor *doctor, enum doctor_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < doctor->row_count; i++)
		count += doctor->rows[i].state == state;
	return count;
}

static void print_json(const struct doctor *doctor)
{
	json_t *rows = json_array(), *counts = json_object();

	for (size_t i = 0; i < doctor->row_count; i++) {
		const struct doctor_row *row = &doctor->rows[i];

		json_array_append_new(rows,
			json_pack("{s:s, s:s, s:s, s:o, s:o}", "state", states[row->state].name, "group",
				row->group, "check", row->check, "what", json_of_span(row->what), "cure",
				row->cure.len ? json_of_span(row->cure) : json_null()));
	}
	for (int state = 0; state < DOCTOR_STATES; state++)
		json_object_set_new(counts, states[state].name,
			json_integer((json_int_t)count_of(doctor, (enum doctor_state)state)));
	screen_print_json(json_pack("{s:o, s:o}", "counts", counts, "checks", rows));
}

static void append_padded(
	struct buf *out, const struct screen *screen, const char *text, size_t width, enum tint tint)
{
	grid_append_tinted(out, span_of_str(text), tint, screen->has_colour);
	for (size_t len = strlen(text); len < width; len++)
		buf_append_byte(out, ' ');
}

static void print_text(const struct doctor *doctor)
{
	struct screen screen = screen_look();
	struct buf out = { 0 };

	for (size_t i = 0; i < doctor->row_count; i++) {
		const struct doctor_row *row = &doctor->rows[i];

		append_padded(&out, &screen, states[row->state].title, 6, states[row->state].tint);
		append_padded(&out, &screen, row->group, 14, TINT_FAINT);
		append_padded(&out, &screen, row->check, 14, TINT_NONE);
		buf_append(&out, row->what);
		if (row->cure.len)
			buf_printf(&out, "\n%*s-> %.*s", 34, "", SPAN_ARGS(row->cure));
		buf_append_byte(&out, '\n');
	}
	buf_printf(&out, "\n%zu fine, %zu warnings, %zu failures, %zu not looked at\n",
		count_of(doctor, DOCTOR_OK), count_of(doctor, DOCTOR_WARN), count_of(doctor, DOCTOR_FAIL),
		count_of(doctor, DOCTOR_SKIPPED));
	(void)screen_print(&out);
	buf_fini(&out);
}

enum ctl_exit cmd_doctor(struct ctl_options *options, const struct call *call)
{
	struct doctor doctor = {
		.options = options,
		.config = options->config,
		.tally = mem_zalloc(sizeof(struct tally)),
		.rows = mem_zalloc(ROWS_MAX * sizeof(struct doctor_row)),
	};
	enum ctl_exit exit = session_run(options, examine, &doctor);

	(void)call;
	if (exit == CTL_USAGE)
		goto out;
	if (exit)
		examine_alone(&doctor, exit);
	if (options->is_json)
		print_json(&doctor);
	else
		print_text(&doctor);
	if (!exit && (count_of(&doctor, DOCTOR_WARN) || count_of(&doctor, DOCTOR_FAIL)))
		exit = CTL_NEGATIVE;
out:
	roster_fini(&doctor.roster);
	buf_fini(&doctor.info);
	arena_fini(&doctor.arena);
	mem_free(doctor.tally);
	mem_free(doctor.rows);
	return exit;
}
