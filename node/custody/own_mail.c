#include "custody/own_mail.h"

#include "custody/trail.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"
#include "track/tracker.h"

struct job {
	struct custody *custody;
	struct message *message;
	custody_fn *fn;
	void *arg;
};

static void fill_envelope(struct custody *custody, struct message *message, const struct own_mail *mail)
{
	struct envelope *envelope = &message->envelope;
	struct msg_id_text id = msg_id_format(&message->holding.id);

	envelope->sender = arena_dup(&message->arena, mail->sender);
	envelope->recipients = arena_zalloc(&message->arena, sizeof(struct envelope_recipient));
	envelope->recipient_count = 1;
	envelope->recipients[0].addr = arena_dup(&message->arena, mail->recipient);
	envelope->size = mail->content.len;
	envelope->tls_optional = mail->tls_optional;
	envelope->origin_id = span_of_str(arena_strdup(&message->arena, span_of_str(id.text)));
	envelope->arrival_ms = wall_clock_ms();
	envelope->expires_ms = envelope->arrival_ms + custody->settings->retry.expire_ms;
}

static void track_taken(const struct job *job)
{
	struct track_event event = { .kind = TRACK_RECEIVE };
	char recipients[TRAIL_RECIPIENTS_SIZE];
	struct msg_id_text id;

	trail_fill(&event, job->message, &id);
	trail_put_recipients(&event, &job->message->envelope, recipients);
	event.text[TRACK_ABOUT] = SPAN_LIT("own");
	track_write(job->custody->track, &event);
}

static void take(struct job *job)
{
	track_taken(job);
	(void)custody_take(job->custody, job->message, job->fn, job->arg);
	mem_free(job);
}

/* Its file is there, or is not. */
static void on_sealed(void *arg, enum err err)
{
	struct job *job = arg;

	job->custody->transfers--;
	if (!err) {
		take(job);
		return;
	}
	message_unref(&job->message);
	job->fn(job->arg, CUSTODY_FULL);
	mem_free(job);
}

bool own_mail_send(struct custody *custody, const struct own_mail *mail, custody_fn *fn, void *arg)
{
	struct job *job;
	struct msg_id id;

	if (!custody_can_take(custody))
		return false;
	id = custody_new_id(custody);
	job = mem_zalloc(sizeof(*job));
	*job = (struct job){ custody, message_new(&id), fn, arg };
	job->message->body = body_new(custody->bodies, &id, mail->content.len);
	(void)body_append(job->message->body, mail->content);
	fill_envelope(custody, job->message, mail);
	if (!body_seal(job->message->body, on_sealed, job)) {
		custody->transfers++;
		return true;
	}
	if (!body_error(job->message->body)) {
		take(job);
		return true;
	}
	message_unref(&job->message);
	mem_free(job);
	return false;
}

/* --- from another thread ------------------------------------------------------------------------ */

struct order {
	struct loop_msg msg;
	struct custody *custody;
	struct own_mail mail; /* in `text` */
	struct buf text;
	custody_fn *fn;
	void *arg;
};

static void on_order(void *arg)
{
	struct order *order = arg;

	if (!own_mail_send(order->custody, &order->mail, order->fn, order->arg))
		order->fn(order->arg, CUSTODY_UNAVAILABLE);
	buf_fini(&order->text);
	mem_free(order);
}

void own_mail_post(
	struct loop *loop, struct custody *custody, const struct own_mail *mail, custody_fn *fn, void *arg)
{
	struct order *order = mem_zalloc(sizeof(*order));
	struct span text;

	buf_append(&order->text, mail->sender);
	buf_append(&order->text, mail->recipient);
	buf_append(&order->text, mail->content);
	text = buf_span(&order->text);
	order->mail.sender = span_take(text, mail->sender.len);
	text = span_drop(text, mail->sender.len);
	order->mail.recipient = span_take(text, mail->recipient.len);
	order->mail.content = span_drop(text, mail->recipient.len);
	order->mail.tls_optional = mail->tls_optional;
	order->custody = custody;
	order->fn = fn;
	order->arg = arg;
	loop_msg_init(&order->msg, on_order, order);
	loop_post(loop, &order->msg);
}
