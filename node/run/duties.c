/* What the main thread does beside membership. */
#include "run/node_internal.h"

static void keep_ticket_keys(struct node *node)
{
	const struct ticket_keeper_options options = {
		.loop = &node->loop,
		.log = node->log,
		.tickets = node->server_tls.tickets,
		.lifetime_ms = node->settings->tls.ticket_lifetime_ms,
		.link = node->redis ? redis_conn_link(node->redis) : NULL,
		.member = node->member,
		.keys = node->access.cluster_keys,
	};

	node->ticket_keeper = ticket_keeper_new(&options);
}

void node_begin_duties(struct node *node)
{
	const struct duty_options options = {
		.loop = &node->loop,
		.log = node->log,
		.metrics = node->metrics,
		.meter = node->meter,
		.settings = node->settings,
		.link = node->redis ? redis_conn_link(node->redis) : NULL,
		.member = node->member,
		.resolver = node->resolver,
		.policy = &node->access.policy,
		.secrets = node->access.secrets,
		.signing = node->access.signing,
		.spool = node->spool,
		.tls_ledger = node->tls_ledger,
		.alert_ledger = node->alert_ledger,
		.hop_certificates = node->hop_certificates,
		.server_tls = node->server_tls.slots,
		.worker = node->workers[0],
	};

	keep_ticket_keys(node);
	if (!node->redis)
		return;
	daily_start(&node->daily, &options);
	alerting_start(&node->alerting, &options);
}
