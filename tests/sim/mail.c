#include "mail.h"

#include "disk.h"
#include "happening.h"

#include "skein/proto/base/alloc.h"
#include "track/log.h"
#include "track/tracker.h"

#include <stdio.h>
#include <string.h>

struct mail *mail_find(struct world *world, const struct msg_id *id)
{
	return table_get(&world->mails_by_id, msg_id_span(id));
}

struct mail *mail_find_text(struct world *world, struct span text)
{
	struct msg_id id;

	return msg_id_parse(text, &id) ? mail_find(world, &id) : NULL;
}

bool mail_is_settled(const struct mail *mail, unsigned recipient)
{
	if (mail->receipts[recipient] || mail->reports[recipient])
		return true;
	/* Nobody is told of a report that cannot be delivered. */
	return mail->is_ended;
}

bool mail_is_over(const struct mail *mail)
{
	for (unsigned i = 0; i < mail->recipient_count; i++) {
		if (!mail_is_settled(mail, i))
			return false;
	}
	return true;
}

void mail_end_report(struct mail *report)
{
	if (report->is_ended)
		return;
	report->is_ended = true;
	for (unsigned i = 0; i < report->about->recipient_count; i++)
		report->about->reports[i] += report->covers >> i & 1;
}

static struct mail *add_mail(struct world *world, const struct msg_id *id, unsigned recipients)
{
	struct mail *mail = mem_zalloc(sizeof(*mail));

	mail->number = ++world->mail_count;
	mail->id = *id;
	mail->text = msg_id_format(id);
	mail->recipient_count = recipients;
	mail->next = world->mails;
	world->mails = mail;
	table_put(&world->mails_by_id, msg_id_span(&mail->id), mail);
	return mail;
}

/* --- clients ------------------------------------------------------------------------------------- */

struct sending {
	struct world *world;
	struct mail *mail;
	struct worker *worker;
};

static void on_verdict(void *arg, enum custody_verdict verdict)
{
	static const char *const words[] = { "250", "452", "451", "nothing" };
	struct sending *sending = arg;
	struct mail *mail = sending->mail;
	struct happening happening = { .kind = SAW_TOLD, .mail = mail, .node = sending->worker->node };

	mail->told = verdict == CUSTODY_TAKEN     ? TOLD_TAKEN
		     : verdict == CUSTODY_UNKNOWN ? TOLD_NOTHING
						  : TOLD_NO;
	if (sending->world->broken == BROKEN_NEGATIVE && verdict == CUSTODY_UNKNOWN)
		mail->told = TOLD_NO;
	trace(sending->world, "%s m%u: its client hears %s", sending->worker->node->name, mail->number,
		words[verdict]);
	happened(sending->world, &happening);
	mem_free(sending);
}

static struct span address_of(struct message *message, const struct mail *mail, unsigned recipient)
{
	char text[64];

	snprintf(text, sizeof(text), "m%u.r%u@hop.example", mail->number, recipient);
	return arena_dup(&message->arena, span_of_str(text));
}

static void fill_envelope(struct world *world, struct message *message, const struct mail *mail)
{
	struct envelope *envelope = &message->envelope;

	envelope->sender = span_of_str("client@client.example");
	envelope->recipients =
		arena_zalloc(&message->arena, mail->recipient_count * sizeof(*envelope->recipients));
	envelope->recipient_count = mail->recipient_count;
	for (unsigned i = 0; i < mail->recipient_count; i++)
		envelope->recipients[i].addr = address_of(message, mail, i);
	envelope->size = body_len(message->body);
	envelope->origin_id = arena_dup(&message->arena, span_of_str(mail->text.text));
	envelope->arrival_ms = world_wall_us(world) / MS_US;
	envelope->expires_ms = envelope->arrival_ms + world->settings->retry.expire_ms;
}

static struct body *make_body(struct worker *worker, const struct mail *mail)
{
	struct body *body = body_new(&worker->bodies, &mail->id, 0);
	char text[128];

	snprintf(text, sizeof(text), "Subject: mail %u\r\n\r\nThis is mail %u.\r\n", mail->number,
		mail->number);
	(void)body_append(body, span_of_str(text));
	return body;
}

static void take(struct sending *sending, struct message *message)
{
	struct world *world = sending->world;
	struct intake *intake = custody_take(&sending->worker->custody, message, on_verdict, sending);

	if (!world->is_calm && world_chance(world, world->odds.impatient))
		intake_cancel(intake);
	conn_pump(sending->worker->conn);
}

struct delayed_take {
	struct sending *sending;
	struct message *message;
};

static void on_sealed(void *arg, enum err err)
{
	struct delayed_take *delayed = arg;

	CHECK(err == ERR_OK);
	take(delayed->sending, delayed->message);
	mem_free(delayed);
}

struct mail *client_send(
	struct worker *worker, unsigned recipients, const enum hop_verdict *plan, size_t plan_len)
{
	struct world *world = worker->node->world;
	struct sending *sending;
	struct message *message;
	struct delayed_take *delayed;
	struct msg_id id;
	struct mail *mail;

	if (!custody_can_take(&worker->custody))
		return NULL;
	id = custody_new_id(&worker->custody);
	mail = add_mail(world, &id, recipients);
	mail->origin = worker->node;
	mail->plan = plan;
	mail->plan_len = plan_len;
	message = message_new(&id);
	message->body = make_body(worker, mail);
	fill_envelope(world, message, mail);
	sending = mem_alloc(sizeof(*sending));
	*sending = (struct sending){ world, mail, worker };
	delayed = mem_alloc(sizeof(*delayed));
	*delayed = (struct delayed_take){ sending, message };
	trace(world, "%s m%u: arrives, %u recipients, id %s", worker->node->name, mail->number, recipients,
		mail->text.text);
	if (body_seal(message->body, on_sealed, delayed)) {
		mem_free(delayed);
		take(sending, message);
	}
	return mail;
}

static void on_client(void *arg)
{
	struct world *world = arg;
	struct node *node = &world->nodes[world_random(world, world->node_count)];
	struct worker *worker = node->workers[world_random(world, world->worker_count)];

	if (world->is_calm)
		return;
	if (node->life && !node->is_leaving && !node->is_draining &&
		node->life->paused_until_us <= world->agenda.now_us)
		(void)client_send(worker, world_chance(world, 300) ? 2 : 1, NULL, 0);
	world_plan(world, world_between(world, 1, 2 * world->odds.mails_mean_ms) * MS_US, on_client, world);
}

void clients_start(struct world *world)
{
	if (world->odds.mails_mean_ms)
		world_plan(world, 2 * SECOND_US, on_client, world);
}

/* --- what the nodes log ------------------------------------------------------------------------------ */

struct log {
	char unused;
};

bool log_is_on(const struct log *log, enum log_level level)
{
	return log && level <= LOG_INFO;
}

static struct span field(const struct log_field *fields, const char *key)
{
	for (; fields->type != LOG_FIELD_END; fields++) {
		if (fields->type == LOG_FIELD_SPAN && strcmp(fields->key, key) == 0)
			return fields->span;
	}
	return SPAN_LIT("");
}

static void note_report(struct worker *worker, const struct track_event *event)
{
	struct world *world = worker->node->world;
	struct mail *about = mail_find_text(world, event->text[TRACK_ABOUT]);
	struct msg_id id;
	struct mail *mail;

	CHECK(about && msg_id_parse(event->text[TRACK_ID], &id));
	mail = add_mail(world, &id, 1);
	mail->about = about;
	mail->origin = worker->node;
	trace(world, "%s m%u: a report about m%u, id %s", worker->node->name, mail->number, about->number,
		mail->text.text);
}

void log_write(struct log *log, enum log_level level, const char *event, const struct log_field *fields)
{
	struct worker *worker = (struct worker *)(void *)log;
	struct world *world = worker->node->world;
	struct mail *mail;

	(void)level;
	mail = mail_find_text(world, field(fields, "id"));
	trace(world, "%s m%u: %s %.*s", worker->node->name, mail ? mail->number : 0, event,
		SPAN_ARGS(field(fields, "why")));
}

void track_write(struct track *track, const struct track_event *event)
{
	struct worker *worker = (struct worker *)(void *)track;
	struct world *world = worker->node->world;
	struct mail *mail;

	if (event->kind == TRACK_BOUNCE) {
		note_report(worker, event);
		return;
	}
	mail = mail_find_text(world, event->text[TRACK_ID]);
	trace(world, "%s m%u: %s %.*s", worker->node->name, mail ? mail->number : 0,
		track_kind_name(event->kind), SPAN_ARGS(event->text[TRACK_TEXT]));
}
