#include "smtp/client_internal.h"

static void write_param(struct buf *out, const char *name, struct span value)
{
	buf_append_str(out, name);
	buf_append(out, value);
}

static void write_dsn_mail_params(const struct smtp_client_transaction *transaction, struct buf *out)
{
	if (transaction->ret != DSN_RET_NONE)
		buf_append_str(out, transaction->ret == DSN_RET_FULL ? " RET=FULL" : " RET=HDRS");
	if (transaction->envid.len)
		write_param(out, " ENVID=", transaction->envid);
}

static void write_signed(int32_t value, struct buf *out)
{
	if (value < 0)
		buf_append_byte(out, '-');
	buf_append_u64(out, (uint64_t)(value < 0 ? -(int64_t)value : value));
}

/* RFC 2852 4: "BY=120;RT". */
static void write_deliver_by(const struct deliver_by *deliver_by, struct buf *out)
{
	buf_append_str(out, " BY=");
	write_signed(deliver_by->seconds, out);
	buf_append_str(out, deliver_by->mode == DELIVER_BY_RETURN ? ";R" : ";N");
	if (deliver_by->trace)
		buf_append_byte(out, 'T');
}

static void write_handling_params(const struct smtp_client_caps *caps,
	const struct smtp_client_transaction *transaction, struct buf *out)
{
	if (transaction->needs_requiretls)
		buf_append_str(out, " REQUIRETLS");
	if (caps->flags & SMTP_CAP_MT_PRIORITY && transaction->priority) {
		buf_append_str(out, " MT-PRIORITY=");
		write_signed(transaction->priority, out);
	}
	if (caps->flags & SMTP_CAP_DELIVERBY && transaction->deliver_by.mode != DELIVER_BY_NONE)
		write_deliver_by(&transaction->deliver_by, out);
}

void smtp_client_write_mail(const struct smtp_client_caps *caps,
	const struct smtp_client_transaction *transaction, struct buf *out)
{
	write_param(out, "MAIL FROM:<", transaction->sender);
	buf_append_byte(out, '>');
	if (caps->flags & SMTP_CAP_SIZE && transaction->body_size) {
		buf_append_str(out, " SIZE=");
		buf_append_u64(out, transaction->body_size);
	}
	if (transaction->needs_8bit)
		buf_append_str(out, " BODY=8BITMIME");
	if (transaction->needs_smtputf8)
		buf_append_str(out, " SMTPUTF8");
	if (caps->flags & SMTP_CAP_DSN)
		write_dsn_mail_params(transaction, out);
	write_handling_params(caps, transaction, out);
	buf_append_str(out, "\r\n");
}

static void write_notify(uint8_t notify, struct buf *out)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} names[] = {
		{ DSN_NOTIFY_NEVER, "NEVER" },
		{ DSN_NOTIFY_SUCCESS, "SUCCESS" },
		{ DSN_NOTIFY_FAILURE, "FAILURE" },
		{ DSN_NOTIFY_DELAY, "DELAY" },
	};
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!(notify & names[i].bit))
			continue;
		buf_append_str(out, before);
		buf_append_str(out, names[i].name);
		before = ",";
	}
}

void smtp_client_write_rcpt(
	const struct smtp_client_caps *caps, const struct smtp_client_rcpt *rcpt, struct buf *out)
{
	write_param(out, "RCPT TO:<", rcpt->addr);
	buf_append_byte(out, '>');
	if (caps->flags & SMTP_CAP_DSN) {
		write_notify(rcpt->notify, out);
		if (rcpt->orcpt.len)
			write_param(out, " ORCPT=", rcpt->orcpt);
	}
	buf_append_str(out, "\r\n");
}
