/* What few messages ask for: see the last fields of struct envelope. */
#include "skein/proto/mail/envelope.h"

uint64_t envelope_release_ms(const struct envelope *envelope)
{
	return envelope->hold_until_ms > envelope->arrival_ms ? envelope->hold_until_ms
							      : envelope->arrival_ms;
}

static int64_t clamp(int64_t value, int64_t max)
{
	return value < -max ? -max : value > max ? max : value;
}

struct deliver_by envelope_deliver_by(const struct envelope *envelope, uint64_t now_ms)
{
	int64_t left_ms = (int64_t)(envelope->deliver_by_ms - now_ms);

	if (envelope->deliver_by == DELIVER_BY_NONE)
		return (struct deliver_by){ .mode = DELIVER_BY_NONE };
	return (struct deliver_by){
		.mode = envelope->deliver_by,
		.trace = envelope->deliver_by_trace,
		.seconds = (int32_t)clamp(left_ms / 1000, DELIVER_BY_SECONDS_MAX),
	};
}

bool envelope_is_overdue(const struct envelope *envelope, uint64_t now_ms)
{
	return envelope->deliver_by == DELIVER_BY_RETURN && now_ms >= envelope->deliver_by_ms;
}

bool envelope_is_late(const struct envelope *envelope, uint64_t now_ms)
{
	return envelope->deliver_by == DELIVER_BY_NOTIFY && now_ms >= envelope->deliver_by_ms;
}

static void append_word(struct buf *out, size_t start, const char *word)
{
	if (buf_len(out) > start)
		buf_append_byte(out, ' ');
	buf_append_str(out, word);
}

void envelope_append_handling(const struct envelope *envelope, uint64_t now_ms, struct buf *out)
{
	const struct deliver_by by = envelope_deliver_by(envelope, now_ms);
	size_t start = buf_len(out);

	if (envelope->requiretls)
		append_word(out, start, "REQUIRETLS");
	if (envelope->tls_optional)
		append_word(out, start, "TLS-Required=No");
	if (envelope->priority) {
		append_word(out, start, "MT-PRIORITY=");
		buf_printf(out, "%d", envelope->priority);
	}
	if (by.mode != DELIVER_BY_NONE) {
		append_word(out, start, "BY=");
		buf_printf(out, "%d;%c%s", (int)by.seconds, by.mode == DELIVER_BY_RETURN ? 'R' : 'N',
			by.trace ? "T" : "");
	}
	if (envelope->hold_until_ms > now_ms) {
		append_word(out, start, "HOLDFOR=");
		buf_append_u64(out, (envelope->hold_until_ms - now_ms + 999) / 1000);
	}
}
