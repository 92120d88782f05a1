#include "run/alerting.h"

#include "custody/spool.h"
#include "run/worker.h"

static void post(void *poster, const struct own_mail *mail, custody_fn *fn, void *arg)
{
	worker_send_mail(poster, mail, fn, arg);
}

static void make_sender(struct alerting *alerting, const struct duty_options *options)
{
	const struct notifier_options notifier = { options->loop, options->resolver, options->secrets,
		options->settings->node.hostname };
	struct alert_sender_options sender = {
		.loop = options->loop,
		.settings = options->settings,
		.secrets = options->secrets,
		.post = post,
		.poster = options->worker,
	};

	alerting->notifier = notifier_new(&notifier);
	sender.notifier = alerting->notifier;
	alerting->sender = alert_sender_new(&sender);
}

static void make_watch(struct alerting *alerting, const struct duty_options *options)
{
	const struct alert_post_options letters = {
		.loop = options->loop,
		.log = options->log,
		.meter = options->meter,
		.settings = options->settings,
		.link = options->link,
		.member = options->member,
		.policy = options->policy,
		.sender = alerting->sender,
	};
	struct alert_watch_options watch = {
		.loop = options->loop,
		.log = options->log,
		.meter = options->meter,
		.metrics = options->metrics,
		.settings = options->settings,
		.link = options->link,
		.member = options->member,
		.policy = options->policy,
	};

	alerting->post = alert_post_new(&letters);
	watch.post = alerting->post;
	CHECK(node_uuid_parse(span_of_str(spool_uuid(options->spool)), &watch.uuid));
	alerting->watch = alert_watch_new(&watch);
}

void alerting_start(struct alerting *alerting, const struct duty_options *options)
{
	const struct alert_teller_options teller = {
		.loop = options->loop,
		.settings = options->settings,
		.link = options->link,
		.metrics = options->metrics,
		.meter = options->meter,
		.spool = options->spool,
		.ledger = options->alert_ledger,
		.hops = options->hop_certificates,
		.server_tls = options->server_tls,
	};

	make_sender(alerting, options);
	make_watch(alerting, options);
	alerting->teller = alert_teller_new(&teller);
}

void alerting_stop(struct alerting *alerting)
{
	alert_teller_free(&alerting->teller);
	alert_watch_free(&alerting->watch);
	alert_post_free(&alerting->post);
	alert_sender_free(&alerting->sender);
	notifier_free(&alerting->notifier);
}
