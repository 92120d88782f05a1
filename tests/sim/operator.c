#include "operator.h"

#include "mail.h"
#include "network.h"

#include "skein/cluster/registry.h"

static void nothing(void *arg)
{
	(void)arg;
}

static uint64_t now_ms(const struct world *world)
{
	return world_now_ms(world);
}

void operator_hold(struct world *world, const struct mail *mail)
{
	trace(world, "operator holds m%u", mail->number);
	(void)queue_hold(world->operator->link, &mail->id, now_ms(world), NULL, NULL);
	conn_pump(world->operator);
}

void operator_release(struct world *world, const struct mail *mail)
{
	(void)queue_release(world->operator->link, &mail->id, now_ms(world), NULL, NULL);
	conn_pump(world->operator);
}

static void on_cancelled(void *arg, const struct outcome *outcome)
{
	struct mail *mail = arg;

	if (outcome->kind == OUTCOME_OK) {
		mail->cancelled_us = the_world->agenda.now_us;
		mail->cancel_redis_faults = the_world->redis_faults;
	}
	/* Redis did not know it. */
	if (outcome->kind == OUTCOME_GONE && outcome->why != SETTLED_CANCELLED && mail->cancels == 1)
		mail->is_cancelled = false;
	/* Whoever cancels a report does not want what it is about to be told. */
	if (mail->about && outcome->kind != OUTCOME_GONE) {
		mail->about->is_cancelled = true;
		mail->about->cancels++;
	}
	trace(the_world, "operator hears about the cancel of m%u: %s", mail->number,
		outcome_kind_name(outcome->kind));
}

void operator_cancel(struct world *world, struct mail *mail)
{
	trace(world, "operator cancels m%u", mail->number);
	if (queue_cancel(world->operator->link, &mail->id, now_ms(world), on_cancelled, mail)) {
		mail->is_cancelled = true;
		mail->cancels++;
	}
	conn_pump(world->operator);
}

void operator_tidy(struct world *world)
{
	for (const struct mail *mail = world->mails; mail; mail = mail->next) {
		if (!mail_is_over(mail) && !mail->is_cancelled)
			operator_release(world, mail);
	}
	for (unsigned i = 0; i < world->gone_uuid_count; i++)
		(void)registry_forget(
			world->operator->link, &world->gone_uuids[i], now_ms(world), NULL, NULL);
	conn_pump(world->operator);
}

static struct mail *any_mail(struct world *world)
{
	uint64_t nth = world_random(world, 12);
	struct mail *mail = world->mails;

	while (mail && (nth-- || mail_is_over(mail)))
		mail = mail->next;
	return mail;
}

static void on_whim(void *arg)
{
	struct world *world = arg;
	struct mail *mail = any_mail(world);

	if (world->is_calm)
		return;
	world_plan(world, world_between(world, 1, 2 * world->odds.operator_s * 1000) * MS_US, on_whim, world);
	if (!mail)
		return;
	switch (world_random(world, 4)) {
	case 0:
		operator_cancel(world, mail);
		break;
	case 1:
		operator_hold(world, mail);
		break;
	default:
		operator_release(world, mail);
		break;
	}
}

void operator_start(struct world *world)
{
	world->operator= conn_new(world, NULL, NULL, 0, nothing, nothing, NULL);
	if (world->odds.operator_s)
		world_plan(world, world_between(world, 1000, 9000) * MS_US, on_whim, world);
}
