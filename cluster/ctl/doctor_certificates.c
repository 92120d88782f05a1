/*
 * skeinctl doctor: the certificates that nodes show at the address that they tell the registry, by STARTTLS,
 * or by TLS from the first byte where nobody greets. The names in them are no affair of this: who connects
 * where is not known here.
 */
#include "doctor.h"
#include "human.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	PATIENCE_S = 3,
	LINE_MAX_LEN = 2048,
	LINES_MAX = 64,
	DAYS_SHORT = 21,
	DAYS_GONE = 3,
	DAY_S = 86400,
};

/* ---- a connection ---- */

static int dial(const char *host, const char *port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct addrinfo *found = NULL;
	int fd = -1;

	if (getaddrinfo(host, port, &hints, &found))
		return -1;
	for (const struct addrinfo *it = found; it && fd < 0; it = it->ai_next) {
		fd = socket(it->ai_family, it->ai_socktype | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		/* The kernel takes the second for connect() too. */
		if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
			setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
			connect(fd, it->ai_addr, it->ai_addrlen)) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(found);
	return fd;
}

/* "10.0.0.1:25", "[::1]:25" */
static int dial_address(struct span address)
{
	char text[300];
	char *port, *host = text;

	if (address.len >= sizeof(text))
		return -1;
	snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(address));
	port = strrchr(text, ':');
	if (!port)
		return -1;
	*port++ = '\0';
	if (*host == '[' && port[-2] == ']') {
		port[-2] = '\0';
		host++;
	}
	return dial(host, port);
}

/* A reply of one line or many: its code, or 0. One byte at a time: what follows STARTTLS's is not ours to
 * read. */
static int read_code(int fd)
{
	for (int lines = 0; lines < LINES_MAX; lines++) {
		char line[LINE_MAX_LEN];
		size_t len = 0;

		while (len < sizeof(line) - 1 && recv(fd, line + len, 1, 0) == 1 && line[len] != '\n')
			len++;
		line[len] = '\0';
		if (len < 4)
			return 0;
		if (line[3] != '-')
			return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
	}
	return 0;
}

static bool say(int fd, const char *line, int wanted)
{
	return send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line) && read_code(fd) == wanted;
}

enum way { WAY_STARTTLS, WAY_TLS, WAY_NONE, WAY_CLOSED };

static enum way begin(struct span address, int *fd_out)
{
	int fd = dial_address(address);

	*fd_out = fd;
	if (fd < 0)
		return WAY_CLOSED;
	if (read_code(fd) == 220)
		return say(fd, "EHLO skeinctl.invalid\r\n", 250) && say(fd, "STARTTLS\r\n", 220)
			       ? WAY_STARTTLS
			       : WAY_NONE;
	close(fd);
	*fd_out = dial_address(address);
	return *fd_out < 0 ? WAY_CLOSED : WAY_TLS;
}

/* ---- its certificate ---- */

/* Days until it ends; false: no handshake. */
static bool read_days(int fd, int *days_out)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *tls = SSL_new(context);
	X509 *certificate = NULL;
	int seconds = 0;
	bool is_read = false;

	if (SSL_set_fd(tls, fd) == 1 && SSL_connect(tls) == 1)
		certificate = SSL_get1_peer_certificate(tls);
	if (certificate)
		is_read = ASN1_TIME_diff(days_out, &seconds, NULL, X509_get0_notAfter(certificate)) == 1;
	if (is_read && *days_out == 0 && seconds < 0)
		*days_out = -1;
	X509_free(certificate);
	SSL_free(tls);
	SSL_CTX_free(context);
	ERR_clear_error();
	return is_read;
}

static void tell_days(struct doctor *doctor, const struct registry_node *node, int days)
{
	if (days < 0)
		doctor_tell(doctor, DOCTOR_FAIL, "%.*s: it has expired", SPAN_ARGS(node->name));
	else
		doctor_tell(doctor,
			days < DAYS_GONE    ? DOCTOR_FAIL
			: days < DAYS_SHORT ? DOCTOR_WARN
					    : DOCTOR_OK,
			"%.*s: good for %d days", SPAN_ARGS(node->name), days);
	if (days < DAYS_SHORT)
		doctor_cure(doctor, "a new one in tls.certificate's place, then SIGHUP to the node");
}

/* Where it listens; a node that listens everywhere is looked for where its admin HTTP is. */
static struct span address_of(struct doctor *doctor, const struct registry_node *node)
{
	static const char *const everywhere[] = { "0.0.0.0:", "[::]:" };
	size_t end = node->admin.len;
	struct buf text = { 0 };
	struct span address = node->address;

	while (end && node->admin.ptr[end - 1] != ':')
		end--;
	for (size_t i = 0; i < ARRAY_LEN(everywhere) && end; i++) {
		if (!span_starts_with(address, span_of_str(everywhere[i])))
			continue;
		buf_append(&text, span_take(node->admin, end));
		buf_append(&text, span_drop(address, strlen(everywhere[i])));
		address = arena_dup(&doctor->arena, buf_span(&text));
		buf_fini(&text);
		break;
	}
	return address;
}

static void check_node(struct doctor *doctor, const struct registry_node *node)
{
	struct span address = address_of(doctor, node);
	int fd, days;
	enum way way = begin(address, &fd);

	if (way == WAY_CLOSED)
		doctor_tell(doctor, DOCTOR_SKIPPED, "%.*s: %.*s cannot be reached from here",
			SPAN_ARGS(node->name), SPAN_ARGS(address));
	else if (way == WAY_NONE)
		doctor_tell(doctor, DOCTOR_SKIPPED, "%.*s: %.*s does not offer STARTTLS to us",
			SPAN_ARGS(node->name), SPAN_ARGS(address));
	else if (!read_days(fd, &days))
		doctor_tell(doctor, DOCTOR_SKIPPED,
			"%.*s: %.*s neither greets nor speaks TLS: it is for a balancer alone",
			SPAN_ARGS(node->name), SPAN_ARGS(address));
	else
		tell_days(doctor, node, days);
	if (fd >= 0)
		close(fd);
}

static void check_expiry(struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->roster.count; i++)
		if (doctor->roster.nodes[i].state == NODE_ALIVE)
			check_node(doctor, &doctor->roster.nodes[i]);
}

static const struct doctor_check checks[] = {
	{ "expiry", check_expiry },
};

const struct doctor_group doctor_certificates = { "certificates", DOCTOR_NEEDS_REDIS, checks,
	ARRAY_LEN(checks) };
