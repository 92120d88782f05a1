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

static void begin_daily(struct node *node)
{
	const struct daily_options options = {
		.loop = &node->loop,
		.log = node->log,
		.meter = node->meter,
		.settings = node->settings,
		.link = node->redis ? redis_conn_link(node->redis) : NULL,
		.member = node->member,
		.resolver = node->resolver,
		.policy = &node->access.policy,
		.signing = node->access.signing,
		.tls_ledger = node->tls_ledger,
		.worker = node->workers[0],
	};

	if (node->redis)
		daily_start(&node->daily, &options);
}

static void begin_alerting(struct node *node)
{
	const struct alerting_options options = {
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
		.spool = node->spool,
		.ledger = node->alert_ledger,
		.server_tls = node->server_tls.slots,
		.worker = node->workers[0],
	};

	if (node->redis)
		alerting_start(&node->alerting, &options);
}

void node_begin_duties(struct node *node)
{
	keep_ticket_keys(node);
	begin_daily(node);
	begin_alerting(node);
}
