/*
 * source: sends messages as fast as a relay takes them, as smtp-source does, and with TLS and AUTH where it
 *is told to. A thread per session; each keeps its connection for so many messages.
 *
 *	bench_source PORT SESSIONS MESSAGES SIZE PER_CONNECTION clear|tls [USER]
 *
 * The password is the environment's SOURCE_PASSWORD. The exit code is 1 when anything was answered otherwise
 * than with success.
 */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SESSIONS_MAX = 1000, LINE_MAX_LEN = 4096 };

struct plan {
	uint16_t port;
	unsigned sessions, per_connection;
	size_t size;
	int is_tls;
	const char *user, *password; /* NULL: no AUTH */
	char *body;                  /* of `size` bytes and the end of DATA */
	size_t body_len;
};

struct connection {
	int fd;
	SSL *ssl; /* NULL: in clear */
	char in[LINE_MAX_LEN];
	size_t len;
};

static struct plan plan;
static SSL_CTX *tls;
static atomic_long left;

static void give_up(const char *what, const char *got)
{
	fprintf(stderr, "source: %s: %s\n", what, got);
	exit(1);
}

static void say(struct connection *connection, const char *text, size_t len)
{
	while (len) {
		ssize_t sent = connection->ssl ? SSL_write(connection->ssl, text, (int)len)
					       : write(connection->fd, text, len);

		if (sent <= 0)
			give_up("write", "the connection broke");
		text += sent;
		len -= (size_t)sent;
	}
}

static void read_more(struct connection *connection)
{
	size_t room = sizeof(connection->in) - connection->len - 1;
	char *at = connection->in + connection->len;
	ssize_t got =
		connection->ssl ? SSL_read(connection->ssl, at, (int)room) : read(connection->fd, at, room);

	if (got <= 0)
		give_up("read", "the connection broke");
	connection->len += (size_t)got;
	connection->in[connection->len] = '\0';
}

/* One reply, of one line or several. */
static void expect(struct connection *connection, char first)
{
	for (;;) {
		char *end = strstr(connection->in, "\r\n");
		int is_last;

		if (!end) {
			read_more(connection);
			continue;
		}
		is_last = connection->in[3] == ' ';
		if (connection->in[0] != first)
			give_up("refused", connection->in);
		connection->len -= (size_t)(end + 2 - connection->in);
		memmove(connection->in, end + 2, connection->len + 1);
		if (is_last)
			return;
	}
}

__attribute__((format(printf, 2, 3))) static void command(
	struct connection *connection, const char *format, ...)
{
	char line[LINE_MAX_LEN];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	say(connection, line, (size_t)len);
}

static void log_in(struct connection *connection)
{
	unsigned char plain[512], text[1024];
	int len = snprintf((char *)plain, sizeof(plain), "%c%s%c%s", 0, plan.user, 0, plan.password);

	EVP_EncodeBlock(text, plain, len);
	command(connection, "AUTH PLAIN %s\r\n", text);
	expect(connection, '2');
}

static void open_connection(struct connection *connection)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(plan.port) };

	peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*connection = (struct connection){ .fd = socket(AF_INET, SOCK_STREAM, 0) };
	if (connect(connection->fd, (struct sockaddr *)&peer, sizeof(peer)))
		give_up("connect", "nobody listens");
	if (plan.is_tls) {
		connection->ssl = SSL_new(tls);
		SSL_set_fd(connection->ssl, connection->fd);
		if (SSL_connect(connection->ssl) != 1)
			give_up("TLS", "the handshake failed");
	}
	expect(connection, '2');
	command(connection, "EHLO source.bench.test\r\n");
	expect(connection, '2');
	if (plan.user)
		log_in(connection);
}

static void close_connection(struct connection *connection)
{
	command(connection, "QUIT\r\n");
	expect(connection, '2');
	SSL_free(connection->ssl);
	close(connection->fd);
}

static void send_message(struct connection *connection)
{
	command(connection, "MAIL FROM:<a@bench.test>\r\nRCPT TO:<b@bench.test>\r\nDATA\r\n");
	expect(connection, '2');
	expect(connection, '2');
	expect(connection, '3');
	say(connection, plan.body, plan.body_len);
	expect(connection, '2');
}

static void *run_session(void *arg)
{
	struct connection connection;
	unsigned sent = 0;

	(void)arg;
	while (atomic_fetch_sub(&left, 1) > 0) {
		if (sent == 0)
			open_connection(&connection);
		send_message(&connection);
		if (++sent == plan.per_connection) {
			close_connection(&connection);
			sent = 0;
		}
	}
	if (sent)
		close_connection(&connection);
	return NULL;
}

static void make_body(void)
{
	static const char head[] = "From: <a@bench.test>\r\nTo: <b@bench.test>\r\nSubject: bench\r\n\r\n";
	size_t at = sizeof(head) - 1;

	plan.body = malloc(plan.size + sizeof(head) + 100);
	memcpy(plan.body, head, at);
	while (at < plan.size) {
		memset(plan.body + at, 'x', 78);
		memcpy(plan.body + at + 78, "\r\n", 2);
		at += 80;
	}
	memcpy(plan.body + at, ".\r\n", 3);
	plan.body_len = at + 3;
}

static unsigned long number(const char *text, unsigned long max)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || value == 0 || value > max)
		give_up("usage", text);
	return value;
}

int main(int argc, char *argv[])
{
	pthread_t threads[SESSIONS_MAX];

	if (argc < 7)
		give_up("usage", "PORT SESSIONS MESSAGES SIZE PER_CONNECTION clear|tls [USER]");
	plan.port = (uint16_t)number(argv[1], UINT16_MAX);
	plan.sessions = (unsigned)number(argv[2], SESSIONS_MAX);
	atomic_store(&left, (long)number(argv[3], 100000000));
	plan.size = number(argv[4], 100000000);
	plan.per_connection = (unsigned)number(argv[5], 100000000);
	plan.is_tls = strcmp(argv[6], "tls") == 0;
	plan.user = argc > 7 ? argv[7] : NULL;
	plan.password = getenv("SOURCE_PASSWORD");
	if (plan.user && !plan.password)
		give_up("usage", "with USER, SOURCE_PASSWORD in the environment");
	signal(SIGPIPE, SIG_IGN);
	make_body();
	tls = SSL_CTX_new(TLS_client_method());
	for (unsigned i = 0; i < plan.sessions; i++)
		if (pthread_create(&threads[i], NULL, run_session, NULL))
			give_up("thread", "none more");
	for (unsigned i = 0; i < plan.sessions; i++)
		pthread_join(threads[i], NULL);
	SSL_CTX_free(tls);
	free(plan.body);
	return 0;
}
