/*
 * skeinctl doctor: whether the ACL lets the user that we log in as do what nodes do. Each command is tried in
 * a form that changes nothing: ACL DRYRUN would need more rights than nodes have.
 */
#include "doctor.h"

#include <stdio.h>

enum { WORDS_MAX = 5 };

static const struct {
	const char *words[WORDS_MAX]; /* "P" stands for the prefix of our keys */
} tries[] = {
	{ { "TIME" } },
	{ { "INFO", "replication" } },
	{ { "WAIT", "0", "1" } },
	{ { "CLIENT", "INFO" } },
	{ { "CONFIG", "GET", "maxmemory-policy" } },
	{ { "FUNCTION", "LIST", "LIBRARYNAME", "skein_*" } },
	{ { "HGETALL", "P{meta}:doctor" } },
	{ { "MGET", "P{0}:doctor" } },
	{ { "DEL", "P{meta}:doctor" } },
	{ { "SREM", "P{0}:doctor", "nothing" } },
};

static bool is_forbidden(struct doctor *doctor, size_t index)
{
	struct span argv[WORDS_MAX];
	struct buf answer = { 0 };
	size_t argc = 0;
	bool is_forbidden;

	for (; argc < WORDS_MAX && tries[index].words[argc]; argc++) {
		const char *word = tries[index].words[argc];
		char key[200];

		argv[argc] = span_of_str(word);
		if (word[0] == 'P' && word[1] == '{') {
			int len = snprintf(
				key, sizeof(key), "%s%s", redis_link_prefix(doctor->session->link), word + 1);

			argv[argc] = arena_dup(&doctor->arena, span_of(key, (size_t)len));
		}
	}
	is_forbidden = !doctor_ask(doctor, argc, argv, &answer) &&
		       span_starts_with(buf_span(&answer), SPAN_LIT("NOPERM"));
	buf_fini(&answer);
	return is_forbidden;
}

/* The functions themselves were called already, or we would not be here. */
static void check_commands(struct doctor *doctor)
{
	struct buf missing = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(tries) && doctor->session; i++) {
		if (is_forbidden(doctor, i))
			buf_printf(&missing, "%s%s%s%s", buf_len(&missing) ? ", " : "", tries[i].words[0],
				tries[i].words[1] && tries[i].words[1][0] != 'P' ? " " : "",
				tries[i].words[1] && tries[i].words[1][0] != 'P' ? tries[i].words[1] : "");
	}
	if (buf_len(&missing)) {
		doctor_tell(doctor, DOCTOR_FAIL, "the user %s may not: %.*s",
			doctor->options->user ? doctor->options->user : "default",
			SPAN_ARGS(buf_span(&missing)));
		doctor_cure(doctor, "the ACL line in docs/operations.md, \"Redis\"");
	} else {
		doctor_tell(doctor, DOCTOR_OK, "the user %s may do what nodes do",
			doctor->options->user ? doctor->options->user : "default");
	}
	buf_fini(&missing);
}

static const struct doctor_check checks[] = {
	{ "commands", check_commands },
};

const struct doctor_group doctor_rights = { "rights", DOCTOR_NEEDS_REDIS, checks, ARRAY_LEN(checks) };
