/*
 * track_fill PORT EVENTS: fills a Redis with tracking events as three nodes would write them in thirty days:
 * 2000 senders, 50000 recipients, 300 clients, about five events a message. Prints what to search for, a word
 * and its value a line, and what it cost. For tests/bench/track_search.py.
 */
#include "redis_socket.h"
#include "skein/cluster/msg_id.h"
#include "skein/cluster/registry.h"
#include "skein/cluster/track_chunk.h"
#include "skein/cluster/track_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { NODES = 3, IN_FLIGHT = 16 };
#define PERIOD_US ((uint64_t)30 * 86400 * 1000000)

struct node {
	char name[16];
	struct track_chunk *chunk;
	uint64_t run, number, session;
};

static struct redis_socket *sock;
static struct redis_link *conn;
static struct node nodes[NODES];
static uint64_t seed = 88172645463325252u, filled, raw_bytes, head_bytes, body_bytes, chunks, seal_ns;
static unsigned in_flight;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "track_fill: %s\n", what);
	exit(1);
}

static uint64_t chance(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static void expect_ok(void *what, const struct outcome *outcome)
{
	if (!outcome_is_ok(outcome))
		fail(what);
}

static void on_open(void *arg, const struct outcome *outcome, const struct registry_cluster *cluster)
{
	(void)cluster;
	expect_ok(arg, outcome);
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void finish(void)
{
	if (!redis_socket_finish(sock))
		fail(redis_socket_why(sock));
	in_flight = 0;
}

static void put_chunk(struct node *node)
{
	struct buf head = { 0 }, body = { 0 };
	struct track_put put = { .size_max = (uint64_t)1 << 40, .age_max_ms = (uint64_t)1 << 40 };
	uint64_t begun = cpu_ns();

	raw_bytes += track_chunk_raw(node->chunk).len;
	put.name = track_name_of(node->run, track_chunk_first(node->chunk));
	track_chunk_seal(node->chunk, &head, &body);
	seal_ns += cpu_ns() - begun;
	put.head = buf_span(&head);
	put.body = buf_span(&body);
	(void)track_store_put(conn, &put, redis_socket_now_ms(), expect_ok, "track_put");
	head_bytes += buf_len(&head);
	body_bytes += buf_len(&body);
	chunks++;
	if (++in_flight == IN_FLIGHT)
		finish();
	track_chunk_clear(node->chunk);
	buf_fini(&head);
	buf_fini(&body);
}

static void put_event(struct node *node, struct track_event *event)
{
	char bytes[TRACK_EVENT_MAX];
	uint64_t begun = cpu_ns();

	event->text[TRACK_NODE_NAME] = span_of_str(node->name);
	track_chunk_add(node->chunk, event, span_of(bytes, track_event_encode(event, bytes)), ++node->number);
	seal_ns += cpu_ns() - begun;
	filled++;
	if (track_chunk_is_full(node->chunk))
		put_chunk(node);
}

struct mail {
	struct msg_id_text id;
	char client[32], helo[32], sender[64], recipient[64], answer[80], hop[48];
};

static void make_mail(struct mail *mail, uint64_t time_us)
{
	struct msg_id id = msg_id_make(time_us / 1000, (unsigned)chance(64), chance(UINT64_MAX));
	unsigned client = (unsigned)chance(300), sender = (unsigned)chance(2000);

	mail->id = msg_id_format(&id);
	snprintf(mail->client, sizeof(mail->client), "10.%u.%u.%u", client % 4, client / 4, client % 250 + 1);
	snprintf(mail->helo, sizeof(mail->helo), "app%u.corp.example", client);
	snprintf(mail->sender, sizeof(mail->sender), "service%u@dept%u.corp.example", sender, sender % 40);
	snprintf(mail->recipient, sizeof(mail->recipient), "user%u@customer%u.example",
		(unsigned)chance(50000), (unsigned)chance(900));
	snprintf(mail->hop, sizeof(mail->hop), "mx%u.provider.example[192.0.2.%u]", (unsigned)chance(5),
		(unsigned)chance(250));
	snprintf(mail->answer, sizeof(mail->answer), "Ok: queued as %016llx",
		(unsigned long long)chance(UINT64_MAX));
}

static struct track_event event_of(
	enum track_kind kind, const struct mail *mail, uint64_t *time_us, uint64_t session)
{
	struct track_event event = { .kind = kind, .time_us = *time_us, .session = session };

	if (session)
		event.text[TRACK_CLIENT] = span_of_str(mail->client);
	*time_us += 100 + chance(30000);
	return event;
}

static void put_session(struct node *node, const struct mail *mail, uint64_t *time_us)
{
	struct track_event event = event_of(TRACK_CONNECT, mail, time_us, node->session);

	event.text[TRACK_TEXT] = SPAN_LIT("smtp");
	put_event(node, &event);
	if (chance(3) == 0) {
		event = event_of(TRACK_TLS, mail, time_us, node->session);
		event.text[TRACK_TLS_TEXT] = SPAN_LIT("TLSv1.3 TLS_AES_256_GCM_SHA384");
		put_event(node, &event);
	}
	event = event_of(TRACK_RECEIVE, mail, time_us, node->session);
	event.size = 2000 + chance(100000);
	event.recipients = 1;
	event.latency_us = 500 + chance(4000);
	event.text[TRACK_ID] = span_of_str(mail->id.text);
	event.text[TRACK_HELO] = span_of_str(mail->helo);
	event.text[TRACK_SENDER] = span_of_str(mail->sender);
	event.text[TRACK_RECIPIENT] = span_of_str(mail->recipient);
	event.text[TRACK_RULE] = SPAN_LIT("applications");
	put_event(node, &event);
}

static void put_attempt(struct node *node, enum track_kind kind, const struct mail *mail, uint64_t *time_us)
{
	struct track_event event = event_of(kind, mail, time_us, 0);

	event.code = kind == TRACK_DELIVER ? 250 : 451;
	event.attempts = 1;
	event.latency_us = 5000 + chance(2000000);
	event.text[TRACK_ID] = span_of_str(mail->id.text);
	event.text[TRACK_SENDER] = span_of_str(mail->sender);
	event.text[TRACK_RECIPIENT] = span_of_str(mail->recipient);
	event.text[TRACK_HOP] = span_of_str(mail->hop);
	event.text[TRACK_STATUS] = kind == TRACK_DELIVER ? SPAN_LIT("2.0.0") : SPAN_LIT("4.7.1");
	event.text[TRACK_TEXT] = span_of_str(mail->answer);
	put_event(node, &event);
}

static void put_mail(struct node *node, const struct mail *mail, uint64_t time_us)
{
	struct track_event event;

	node->session = chance(UINT64_MAX) | 1;
	put_session(node, mail, &time_us);
	if (chance(20) == 0)
		put_attempt(node, TRACK_DEFER, mail, &time_us);
	put_attempt(node, TRACK_DELIVER, mail, &time_us);
	event = event_of(TRACK_DISCONNECT, mail, &time_us, node->session);
	event.latency_us = 30000;
	event.text[TRACK_TEXT] = SPAN_LIT("quit");
	put_event(node, &event);
}

static void open_redis(const char *port)
{
	static struct redis_socket_options options = { .host = "127.0.0.1",
		.link = { .prefix = "skein:", .handshake_timeout_ms = 5000, .call_timeout_ms = 60000 } };
	const struct registry_open open = { .cluster_id = SPAN_LIT("bench"), .shards = 64 };
	struct buf why = { 0 };

	options.port = port;
	sock = redis_socket_open(&options, &why);
	if (!sock)
		fail("no Redis there");
	conn = redis_socket_link(sock);
	(void)registry_open(conn, &open, redis_socket_now_ms(), on_open, "open");
	finish();
}

static void tell(void)
{
	printf("chunks %llu\nraw %llu\nheads %llu\nbodies %llu\nencode_ns %llu\n", (unsigned long long)chunks,
		(unsigned long long)(raw_bytes / filled), (unsigned long long)(head_bytes / chunks),
		(unsigned long long)(body_bytes / chunks), (unsigned long long)(seal_ns / filled));
}

int main(int argc, char **argv)
{
	uint64_t wanted = argc == 3 ? strtoull(argv[2], NULL, 10) : 0, mails = wanted * 10 / 44 + 1, begin_us;
	struct mail mail;

	if (!wanted)
		fail("PORT EVENTS");
	open_redis(argv[1]);
	begin_us = (uint64_t)time(NULL) * 1000000 - PERIOD_US;
	for (unsigned i = 0; i < NODES; i++) {
		snprintf(nodes[i].name, sizeof(nodes[i].name), "node-%u", i + 1);
		nodes[i].run = i + 1;
		nodes[i].chunk = track_chunk_new(span_of_str(nodes[i].name), nodes[i].run);
	}
	for (uint64_t i = 0; filled < wanted; i++) {
		make_mail(&mail, begin_us + PERIOD_US / mails * i);
		if (i == mails / 3)
			printf("id %s\nclient %s\nsender %s\nrecipient %s\n", mail.id.text, mail.client,
				mail.sender, mail.recipient);
		put_mail(&nodes[chance(NODES)], &mail, begin_us + PERIOD_US / mails * i);
	}
	finish();
	tell();
	for (unsigned i = 0; i < NODES; i++)
		track_chunk_free(&nodes[i].chunk);
	redis_socket_close(&sock);
	return 0;
}
