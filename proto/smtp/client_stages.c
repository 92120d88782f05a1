/* The stages of a connection: how long each may take, and what it is called. */
#include "smtp/client_internal.h"

struct smtp_client_options smtp_client_default_options(const char *helo)
{
	enum { MINUTE_MS = 60 * 1000 };

	return (struct smtp_client_options){
		.helo = helo,
		.tls = SMTP_CLIENT_TLS_MAY,
		.timeouts = {
			.greeting_ms = 5 * MINUTE_MS,
			.ehlo_ms = 5 * MINUTE_MS,
			.starttls_ms = 2 * MINUTE_MS,
			.auth_ms = 2 * MINUTE_MS,
			.mail_ms = 5 * MINUTE_MS,
			.rcpt_ms = 5 * MINUTE_MS,
			.data_ms = 2 * MINUTE_MS,
			.body_ms = 3 * MINUTE_MS,
			.dot_ms = 10 * MINUTE_MS,
			.rset_ms = 1 * MINUTE_MS,
			.quit_ms = 1 * MINUTE_MS,
		},
	};
}

uint32_t smtp_client_timeout_ms(const struct smtp_client *client)
{
	const struct smtp_client_timeouts *timeouts = &client->options.timeouts;

	switch (smtp_client_stage(client)) {
	case SMTP_STAGE_GREETING:
		return timeouts->greeting_ms;
	case SMTP_STAGE_EHLO:
		return timeouts->ehlo_ms;
	case SMTP_STAGE_STARTTLS:
	case SMTP_STAGE_HANDSHAKE:
		return timeouts->starttls_ms;
	case SMTP_STAGE_AUTH:
		return timeouts->auth_ms;
	case SMTP_STAGE_MAIL:
		return timeouts->mail_ms;
	case SMTP_STAGE_RCPT:
		return timeouts->rcpt_ms;
	case SMTP_STAGE_DATA:
		return timeouts->data_ms;
	case SMTP_STAGE_BODY:
		return timeouts->body_ms;
	case SMTP_STAGE_DOT:
		return timeouts->dot_ms;
	case SMTP_STAGE_RSET:
		return timeouts->rset_ms;
	case SMTP_STAGE_QUIT:
		return timeouts->quit_ms;
	case SMTP_STAGE_NONE:
	case SMTP_STAGE_IDLE:
		break;
	}
	return 0;
}

const char *smtp_client_stage_name(enum smtp_client_stage stage)
{
	static const char *const names[] = {
		[SMTP_STAGE_NONE] = "none",
		[SMTP_STAGE_GREETING] = "greeting",
		[SMTP_STAGE_EHLO] = "ehlo",
		[SMTP_STAGE_STARTTLS] = "starttls",
		[SMTP_STAGE_HANDSHAKE] = "handshake",
		[SMTP_STAGE_AUTH] = "auth",
		[SMTP_STAGE_IDLE] = "idle",
		[SMTP_STAGE_MAIL] = "mail",
		[SMTP_STAGE_RCPT] = "rcpt",
		[SMTP_STAGE_DATA] = "data",
		[SMTP_STAGE_BODY] = "body",
		[SMTP_STAGE_DOT] = "dot",
		[SMTP_STAGE_RSET] = "rset",
		[SMTP_STAGE_QUIT] = "quit",
	};

	return names[stage];
}
