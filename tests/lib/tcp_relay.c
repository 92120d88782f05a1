#include "tcp_relay.h"

#include "cmocka_all.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAIRS_MAX = 32, TICK_MS = 20 };

struct pair {
	int client, server; /* -1: closed */
};

struct tcp_relay {
	struct sockaddr_in server_address;
	int listener;
	uint16_t port;
	pthread_t thread;
	atomic_bool is_over;
	atomic_uint fault, index; /* of whom */
	struct pair pairs[PAIRS_MAX];
	unsigned count, count_at_fault;
};

static int socket_of(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

static void close_pair(struct pair *pair)
{
	if (pair->client < 0)
		return;
	close(pair->client);
	close(pair->server);
	pair->client = pair->server = -1;
}

static enum relay_fault fault_of(struct tcp_relay *relay, unsigned i)
{
	enum relay_fault fault = atomic_load(&relay->fault);

	if (fault == RELAY_PASS) {
		relay->count_at_fault = relay->count;
		return fault;
	}
	return i == atomic_load(&relay->index) || i >= relay->count_at_fault ? fault : RELAY_PASS;
}

static void take_client(struct tcp_relay *relay)
{
	struct pair *pair = &relay->pairs[relay->count];
	enum relay_fault fault;

	pair->client = accept(relay->listener, NULL, NULL);
	if (pair->client < 0 || relay->count + 1 == PAIRS_MAX)
		abort();
	pair->server = socket_of();
	fault = fault_of(relay, relay->count++);
	if (connect(pair->server, (struct sockaddr *)&relay->server_address, sizeof(relay->server_address)) !=
			0 ||
		fault == RELAY_CUT)
		close_pair(pair);
}

/* What is written fits: these are questions and answers. */
static void pass(struct pair *pair, int from, int to, enum relay_fault fault)
{
	char bytes[16384];
	ssize_t len = read(from, bytes, sizeof(bytes));

	if (len <= 0 || (from == pair->client && fault == RELAY_CUT))
		close_pair(pair);
	else if (from != pair->client || fault == RELAY_PASS)
		for (ssize_t done = 0, part; done < len; done += part)
			if ((part = write(to, bytes + done, (size_t)(len - done))) <= 0)
				break;
}

static void *run(void *arg)
{
	struct tcp_relay *relay = arg;

	while (!atomic_load(&relay->is_over)) {
		struct pollfd fds[1 + 2 * PAIRS_MAX] = { { relay->listener, POLLIN, 0 } };
		unsigned count = relay->count;

		for (unsigned i = 0; i < count; i++) {
			fds[1 + 2 * i] = (struct pollfd){ relay->pairs[i].client, POLLIN, 0 };
			fds[2 + 2 * i] = (struct pollfd){ relay->pairs[i].server, POLLIN, 0 };
		}
		poll(fds, 1 + 2 * count, TICK_MS);
		for (unsigned i = 0; i < count; i++) {
			struct pair *pair = &relay->pairs[i];

			if (fds[1 + 2 * i].revents && pair->client >= 0)
				pass(pair, pair->client, pair->server, fault_of(relay, i));
			if (fds[2 + 2 * i].revents && pair->client >= 0)
				pass(pair, pair->server, pair->client, fault_of(relay, i));
		}
		if (fds[0].revents)
			take_client(relay);
	}
	return NULL;
}

struct tcp_relay *tcp_relay_new(const char *address, uint16_t server_port)
{
	struct tcp_relay *relay = calloc(1, sizeof(*relay));
	struct sockaddr_in own = { .sin_family = AF_INET };
	socklen_t len = sizeof(own);

	assert_non_null(relay);
	assert_int_equal(inet_pton(AF_INET, address, &own.sin_addr), 1);
	relay->server_address = own;
	relay->server_address.sin_port = htons(server_port);
	relay->listener = socket_of();
	assert_int_equal(bind(relay->listener, (struct sockaddr *)&own, len), 0);
	assert_int_equal(listen(relay->listener, PAIRS_MAX), 0);
	assert_int_equal(getsockname(relay->listener, (struct sockaddr *)&own, &len), 0);
	relay->port = ntohs(own.sin_port);
	assert_int_equal(pthread_create(&relay->thread, NULL, run, relay), 0);
	return relay;
}

void tcp_relay_free(struct tcp_relay **relay)
{
	if (!*relay)
		return;
	atomic_store(&(*relay)->is_over, true);
	pthread_join((*relay)->thread, NULL);
	for (unsigned i = 0; i < (*relay)->count; i++)
		close_pair(&(*relay)->pairs[i]);
	close((*relay)->listener);
	free(*relay);
	*relay = NULL;
}

uint16_t tcp_relay_port(const struct tcp_relay *relay)
{
	return relay->port;
}

void tcp_relay_set_fault(struct tcp_relay *relay, unsigned index, enum relay_fault fault)
{
	atomic_store(&relay->index, index);
	atomic_store(&relay->fault, fault);
}
