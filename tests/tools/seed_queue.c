/*
 * seed_queue: puts nodes and messages into a Redis as nodes would, for tests of what looks at them.
 *
 * seed_queue PORT, and on standard input one step per line, words separated by tabs:
 *   cluster  SHARDS
 *   node     NAME UUID                           prints the epoch
 *   renew    UUID EPOCH
 *   lead     UUID EPOCH
 *   kill     UUID EPOCH COUNTER               the number of its renewals
 *   message  ID UUID EPOCH AGE_MS SENDER RCPT... owned by the node; RCPT is ADDR or ADDR=REPLY; prints the
 * turn defer    ID UUID EPOCH TURN DELAY_MS settle   ID UUID SETTLED
 *   hop      HOST:PORT STATE PAUSE_MS NAME WHY   STATE: 0 up, 1 slow, 2 down
 *   probe    HOST:PORT NAME
 *   slots    HOLDER ROUTE WANTS USED MOST
 */
#include "redis_socket.h"
#include "skein/cluster/hop_store.h"
#include "skein/cluster/queue.h"
#include "skein/cluster/registry.h"
#include "skein/cluster/slot_store.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/mail/envelope.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORDS_MAX = 64 };

static struct redis_socket *sock;
static struct redis_link *conn;

static _Noreturn void fail(const char *what, const struct outcome *outcome)
{
	fprintf(stderr, "seed_queue: %s: %s %.*s\n", what, outcome ? outcome_kind_name(outcome->kind) : "",
		outcome ? (int)outcome->text.len : 0, outcome && outcome->text.len ? outcome->text.ptr : "");
	exit(1);
}

static void expect_ok(void *what, const struct outcome *outcome)
{
	if (!outcome_is_ok(outcome))
		fail(what, outcome);
}

static void finish(void)
{
	if (!redis_socket_finish(sock))
		fail(redis_socket_why(sock), NULL);
}

static struct incarnation incarnation_of(const char *uuid, const char *epoch)
{
	struct incarnation node = { .epoch = strtoull(epoch, NULL, 10) };

	if (!node_uuid_parse(span_of_str(uuid), &node.node))
		fail(uuid, NULL);
	return node;
}

static struct msg_id id_of(const char *text)
{
	struct msg_id id;

	if (!msg_id_parse(span_of_str(text), &id))
		fail(text, NULL);
	return id;
}

static void on_open(void *arg, const struct outcome *outcome, const struct registry_cluster *cluster)
{
	(void)cluster;
	expect_ok(arg, outcome);
}

static void seed_cluster(char **words)
{
	struct registry_open open = { .cluster_id = SPAN_LIT("test-cluster"),
		.shards = (unsigned)strtoul(words[1], NULL, 10) };

	registry_open(conn, &open, redis_socket_now_ms(), on_open, words[0]);
}

static void on_epoch(void *arg, const struct outcome *outcome, uint64_t epoch)
{
	expect_ok(arg, outcome);
	printf("%llu\n", (unsigned long long)epoch);
}

static void seed_node(char **words)
{
	struct registry_register node = { .node = incarnation_of(words[2], "0").node,
		.name = span_of_str(words[1]),
		.host = SPAN_LIT("machine"),
		.address = SPAN_LIT("192.0.2.1:25"),
		.admin = SPAN_LIT("192.0.2.1:8025"),
		.version = SPAN_LIT("0.1.0") };

	registry_register(conn, &node, redis_socket_now_ms(), on_epoch, words[0]);
}

static void on_renewed(void *arg, const struct outcome *outcome, const struct registry_renewed *renewed)
{
	(void)renewed;
	expect_ok(arg, outcome);
}

static void seed_renew(char **words)
{
	struct registry_renew renew = { .node = incarnation_of(words[1], words[2]) };

	registry_renew(conn, &renew, redis_socket_now_ms(), on_renewed, words[0]);
}

static void on_leader(void *arg, const struct outcome *outcome, const struct registry_leader *leader)
{
	(void)leader;
	expect_ok(arg, outcome);
}

static void seed_lead(char **words)
{
	struct registry_lead lead = { .node = incarnation_of(words[1], words[2]) };

	registry_lead(conn, &lead, redis_socket_now_ms(), on_leader, words[0]);
}

static void seed_kill(char **words)
{
	struct registry_kill victim = { .node = incarnation_of(words[1], words[2]),
		.counter = strtoull(words[3], NULL, 10) };

	registry_kill(conn, &victim, redis_socket_now_ms(), expect_ok, words[0]);
}

static void on_turn(void *arg, const struct outcome *outcome, const struct queue_turn *turn)
{
	expect_ok(arg, outcome);
	printf("%llu\n", (unsigned long long)turn->turn);
}

static struct envelope_recipient recipient_of(const char *word)
{
	const char *reply = strchr(word, '=');
	struct envelope_recipient recipient = { .addr = span_of_str(word) };

	if (!reply)
		return recipient;
	recipient.addr.len = (size_t)(reply - word);
	recipient.attempts = 1;
	recipient.last_attempt_ms = 1;
	recipient.status = (struct mail_status){ .code = 451, .enhanced = { 4, 7, 1 } };
	recipient.diagnostic = span_of_str(reply + 1);
	recipient.remote = SPAN_LIT("mx.example");
	return recipient;
}

static void encode(char **words, size_t count, struct buf *out)
{
	struct envelope_recipient recipients[WORDS_MAX];
	struct envelope envelope = { .sender = span_of_str(words[5]),
		.recipients = recipients,
		.recipient_count = count - 6,
		.size = 1536,
		.client_ip = SPAN_LIT("198.51.100.7"),
		.helo = SPAN_LIT("app1.example"),
		.origin_id = span_of_str(words[1]),
		.arrival_ms = 1,
		.expires_ms = 2 };

	for (size_t i = 6; i < count; i++)
		recipients[i - 6] = recipient_of(words[i]);
	envelope_encode(&envelope, out);
}

static void seed_message(char **words, size_t count)
{
	static char body[1536];
	char settled[WORDS_MAX];
	struct buf env = { 0 };
	struct queue_message message = { .id = id_of(words[1]),
		.size = sizeof(body),
		.pieces = 1,
		.age_ms = strtoull(words[4], NULL, 10),
		.expires_in_ms = 86400000 };
	struct queue_accept accept = { .node = incarnation_of(words[2], words[3]), .message = &message };

	memset(settled, SETTLED_PENDING, sizeof(settled));
	encode(words, count, &env);
	message.env = buf_span(&env);
	message.settled = span_of(settled, count - 6);
	queue_put_piece(conn, &message.id, 0, span_of(body, sizeof(body)), redis_socket_now_ms(), NULL, NULL);
	queue_accept(conn, &accept, redis_socket_now_ms(), on_turn, words[0]);
	buf_fini(&env);
}

static void seed_defer(char **words)
{
	struct queue_defer defer = { .node = incarnation_of(words[2], words[3]),
		.id = id_of(words[1]),
		.turn = strtoull(words[4], NULL, 10),
		.delay_ms = strtoull(words[5], NULL, 10),
		.attempts = 1 };

	queue_defer(conn, &defer, redis_socket_now_ms(), expect_ok, words[0]);
}

static void seed_settle(char **words)
{
	struct node_uuid node = incarnation_of(words[2], "0").node;
	struct queue_settle settle = { .node = node,
		.id = id_of(words[1]),
		.settled = span_of_str(words[3]),
		.holders = &node,
		.holder_count = 1 };

	queue_settle(conn, &settle, redis_socket_now_ms(), expect_ok, words[0]);
}

static void seed_hop(char **words)
{
	const struct hop_report report = { .label = span_of_str(words[1]),
		.state = (enum hop_state)strtoul(words[2], NULL, 10),
		.pause_ms = strtoull(words[3], NULL, 10),
		.by = span_of_str(words[4]),
		.why = span_of_str(words[5]) };

	hop_store_report(conn, &report, redis_socket_now_ms(), expect_ok, words[0]);
}

static void on_probe(void *arg, const struct outcome *outcome, uint64_t wait_ms)
{
	(void)wait_ms;
	expect_ok(arg, outcome);
}

static void seed_probe(char **words)
{
	hop_store_probe(conn, span_of_str(words[1]), span_of_str(words[2]), 60000, redis_socket_now_ms(),
		on_probe, words[0]);
}

static void on_slots(void *arg, const struct outcome *outcome, const struct slot_grant *grants, size_t count)
{
	(void)grants, (void)count;
	expect_ok(arg, outcome);
}

static void seed_slots(char **words)
{
	const struct slot_ask ask = { .route = span_of_str(words[2]),
		.wants = strtoull(words[3], NULL, 10),
		.used = strtoull(words[4], NULL, 10),
		.most = strtoull(words[5], NULL, 10) };

	slot_store_hold(
		conn, span_of_str(words[1]), 60000, &ask, 1, redis_socket_now_ms(), on_slots, words[0]);
}

static void take_step(char **words, size_t count)
{
	if (strcmp(words[0], "cluster") == 0 && count == 2)
		seed_cluster(words);
	else if (strcmp(words[0], "node") == 0 && count == 3)
		seed_node(words);
	else if (strcmp(words[0], "renew") == 0 && count == 3)
		seed_renew(words);
	else if (strcmp(words[0], "lead") == 0 && count == 3)
		seed_lead(words);
	else if (strcmp(words[0], "kill") == 0 && count == 4)
		seed_kill(words);
	else if (strcmp(words[0], "message") == 0 && count >= 7)
		seed_message(words, count);
	else if (strcmp(words[0], "defer") == 0 && count == 6)
		seed_defer(words);
	else if (strcmp(words[0], "settle") == 0 && count == 4)
		seed_settle(words);
	else if (strcmp(words[0], "hop") == 0 && count == 6)
		seed_hop(words);
	else if (strcmp(words[0], "probe") == 0 && count == 3)
		seed_probe(words);
	else if (strcmp(words[0], "slots") == 0 && count == 6)
		seed_slots(words);
	else
		fail(words[0], NULL);
	finish();
}

static size_t split(char *line, char **words)
{
	size_t count = 0;
	char *rest;

	line[strcspn(line, "\n")] = '\0';
	for (char *word = strtok_r(line, "\t", &rest); word && count < WORDS_MAX;
		word = strtok_r(NULL, "\t", &rest))
		words[count++] = word;
	return count;
}

int main(int argc, char **argv)
{
	struct redis_socket_options options = { .host = "127.0.0.1",
		.port = argc == 2 ? argv[1] : "",
		.link = { .prefix = "skein:", .handshake_timeout_ms = 5000, .call_timeout_ms = 5000 } };
	char line[65536], *words[WORDS_MAX];
	struct buf why = { 0 };

	sock = redis_socket_open(&options, &why);
	if (!sock)
		fail("no connection", NULL);
	conn = redis_socket_link(sock);
	while (fgets(line, sizeof(line), stdin)) {
		size_t count = split(line, words);

		if (count)
			take_step(words, count);
	}
	redis_socket_close(&sock);
	buf_fini(&why);
	return 0;
}
