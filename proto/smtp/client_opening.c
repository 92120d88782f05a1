#include "smtp/client_internal.h"

static void write_hello(struct smtp_client *client, const char *verb, struct buf *out)
{
	buf_append_str(out, verb);
	buf_append_str(out, client->options.helo);
	buf_append_str(out, "\r\n");
}

void client_opening_say_ehlo(struct smtp_client *client, struct buf *out)
{
	client_enter_phase(client, CLIENT_EHLO);
	write_hello(client, "EHLO ", out);
}

static void enter_ready(struct smtp_client *client)
{
	client_enter_phase(client, CLIENT_READY);
	client->pending = SMTP_CLIENT_READY;
}

/* The EHLO that holds is answered. */
static void log_in(struct smtp_client *client, struct buf *out)
{
	const struct smtp_client_credentials *credentials = &client->options.credentials;

	if (credentials->mechanism == SMTP_MECHANISM_NONE) {
		enter_ready(client);
	} else if (!client->has_tls) {
		client_fail(client, SMTP_FAILURE_AUTH_IN_CLEAR, NULL);
	} else if (!client_login_begin(&client->login, credentials, &client->caps, out)) {
		client_fail(client, SMTP_FAILURE_NO_MECHANISM, NULL);
	} else {
		client_enter_phase(client, CLIENT_AUTH);
	}
}

static void on_greeting(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	if (reply->status.code >= 400) {
		client_fail(client, SMTP_FAILURE_REFUSED, reply);
		return;
	}
	client_opening_say_ehlo(client, out);
}

static void on_ehlo_refused(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	bool lacks_tls = client->options.tls == SMTP_CLIENT_TLS_ENCRYPT && !client->has_tls;

	/* RFC 5321 3.2: a hop that does not know EHLO may know HELO. */
	if (reply->status.code < 500 || client->phase == CLIENT_HELO || lacks_tls) {
		client_fail(client, SMTP_FAILURE_REFUSED, reply);
		return;
	}
	client_enter_phase(client, CLIENT_HELO);
	write_hello(client, "HELO ", out);
}

static void on_ehlo(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	if (reply->status.code >= 400) {
		on_ehlo_refused(client, reply, out);
		return;
	}
	smtp_client_caps_parse(&client->caps, reply->text, client->has_tls);
	if (client->has_tls || client->options.tls == SMTP_CLIENT_TLS_NONE) {
		log_in(client, out);
	} else if (client->caps.flags & SMTP_CAP_STARTTLS) {
		client_enter_phase(client, CLIENT_STARTTLS);
		buf_append_str(out, "STARTTLS\r\n");
	} else if (client->options.tls == SMTP_CLIENT_TLS_ENCRYPT) {
		client_fail(client, SMTP_FAILURE_NO_TLS, NULL);
	} else {
		log_in(client, out);
	}
}

static void on_helo(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	if (reply->status.code >= 400) {
		on_ehlo_refused(client, reply, out);
		return;
	}
	client->caps = (struct smtp_client_caps){ 0 };
	log_in(client, out);
}

static void on_starttls(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	if (reply->status.code < 400) {
		client_enter_phase(client, CLIENT_HANDSHAKE);
		client->pending = SMTP_CLIENT_STARTTLS;
	} else if (client->options.tls == SMTP_CLIENT_TLS_ENCRYPT) {
		client_fail(client, SMTP_FAILURE_REFUSED, reply);
	} else {
		log_in(client, out);
	}
}

static void on_auth(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	if (reply->status.code >= 400)
		client_fail(client, SMTP_FAILURE_AUTH, reply);
	else if (reply->status.code < 300)
		enter_ready(client);
	else if (reply->status.code != 334 || !client_login_on_challenge(&client->login, out))
		client_fail(client, SMTP_FAILURE_GARBAGE, reply);
}

void client_opening_on_reply(struct smtp_client *client, const struct verdict *reply, struct buf *out)
{
	if (client->phase == CLIENT_AUTH)
		on_auth(client, reply, out);
	else if (reply->status.code / 100 == 3)
		client_fail(client, SMTP_FAILURE_GARBAGE, reply);
	else if (client->phase == CLIENT_GREETING)
		on_greeting(client, reply, out);
	else if (client->phase == CLIENT_EHLO)
		on_ehlo(client, reply, out);
	else if (client->phase == CLIENT_HELO)
		on_helo(client, reply, out);
	else
		on_starttls(client, reply, out);
}
