#include "inbound/handling.h"

unsigned handling_extensions(const struct settings *settings, const struct listener_settings *listener)
{
	unsigned extensions = 0;

	if (settings->smtp.requiretls)
		extensions |= SMTP_EXT_REQUIRETLS;
	if (settings->smtp.mt_priority)
		extensions |= SMTP_EXT_MT_PRIORITY;
	if (settings->smtp.deliverby)
		extensions |= SMTP_EXT_DELIVERBY;
	if (listener->hold_max_ms)
		extensions |= SMTP_EXT_FUTURERELEASE;
	return extensions;
}

void handling_offer(struct smtp_server *server, const struct listener_settings *listener, uint64_t now_ms)
{
	uint32_t hold_max_s = (uint32_t)(listener->hold_max_ms / 1000);

	if (hold_max_s)
		smtp_server_offer_hold(server, hold_max_s, (int64_t)(now_ms / 1000) + hold_max_s);
}

/* A time that is over is no hold. */
static uint64_t hold_until_ms(const struct smtp_mail_params *params, uint64_t now_ms)
{
	uint64_t until_ms = now_ms + (uint64_t)params->hold_for_s * 1000;

	if (params->hold_until_s > 0)
		until_ms = (uint64_t)params->hold_until_s * 1000;
	return until_ms > now_ms ? until_ms : 0;
}

/* From its release: what holds it back until then is the sender's own wish. */
static void take_deliver_by(const struct deliver_by *by, uint64_t now_ms, struct envelope *envelope)
{
	uint64_t from_ms = envelope->hold_until_ms ? envelope->hold_until_ms : now_ms;

	if (by->mode == DELIVER_BY_NONE)
		return;
	envelope->deliver_by = by->mode;
	envelope->deliver_by_trace = by->trace;
	envelope->deliver_by_ms = (uint64_t)((int64_t)from_ms + (int64_t)by->seconds * 1000);
}

bool handling_take(const struct smtp_mail_params *params, int8_t priority_max, uint64_t now_ms,
	struct envelope *envelope)
{
	bool is_too_high = params->priority > priority_max;

	envelope->requiretls = params->requiretls;
	envelope->priority = is_too_high ? priority_max : params->priority;
	envelope->hold_until_ms = hold_until_ms(params, now_ms);
	take_deliver_by(&params->deliver_by, now_ms, envelope);
	return !is_too_high;
}
