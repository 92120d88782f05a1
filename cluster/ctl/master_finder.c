#include "master_finder.h"

#include <stdio.h>

enum { SENTINEL_CONNECT_MS = 2000, SENTINEL_CALL_MS = 2000 };

struct question {
	struct sentinel_answer answer; /* "": none */
	char why[256];
};

static void on_answer(void *arg, const struct sentinel_answer *answer, const char *why)
{
	struct question *question = arg;

	if (answer)
		question->answer = *answer;
	else
		snprintf(question->why, sizeof(question->why), "%s", why);
}

static void ask(
	const struct ctl_options *options, const struct options_place *place, struct question *question)
{
	struct buf why = { 0 };
	struct redis_socket_options socket_options = {
		.host = place->host,
		.port = place->port,
		.tls = options->tls,
		.link = { .user = options->sentinel_user,
			.password = options->sentinel_password,
			.client_name = "skeinctl",
			.prefix = "",
			.handshake_timeout_ms = SENTINEL_CONNECT_MS,
			.call_timeout_ms = SENTINEL_CALL_MS,
			.is_sentinel = true },
	};
	struct redis_socket *socket;

	socket_options.tls.on = options->tls.on && !options->sentinel_in_clear;
	socket = redis_socket_open(&socket_options, &why);
	if (socket &&
		sentinel_ask(redis_socket_link(socket), options->master_name, false, redis_socket_now_ms(),
			on_answer, question) &&
		!redis_socket_finish(socket))
		buf_append_str(&why, redis_socket_why(socket));
	redis_socket_close(&socket);
	if (buf_len(&why))
		snprintf(question->why, sizeof(question->why), "%.*s", SPAN_ARGS(buf_span(&why)));
	buf_fini(&why);
}

bool master_find(const struct ctl_options *options, struct master_place *place_out, struct buf *why_out)
{
	const struct sentinel_answer nothing = { .host = "" }, *chosen;
	struct sentinel_answer answers[SENTINELS_MAX] = { 0 };
	size_t answered = 0;

	for (size_t i = 0;
		i < options->sentinel_count && !sentinel_is_majority(answered, options->sentinel_count);
		i++) {
		const struct options_place *place = &options->sentinel[i];
		struct question question = { .why = "" };

		ask(options, place, &question);
		answers[i] = question.answer;
		answered += question.answer.host[0] != '\0';
		if (question.why[0])
			buf_printf(why_out, "%sthe Sentinel at %s port %s: %s", buf_len(why_out) ? "; " : "",
				place->host, place->port, question.why);
	}
	chosen = sentinel_choose(answers, options->sentinel_count, &nothing);
	if (!chosen)
		return false;
	buf_clear(why_out);
	snprintf(place_out->host, sizeof(place_out->host), "%s", chosen->host);
	snprintf(place_out->port, sizeof(place_out->port), "%u", (unsigned)chosen->port);
	return true;
}
