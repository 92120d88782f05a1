#include "run/daily.h"

#include "daily/tls_reporter.h"
#include "run/worker.h"

static void watch_dns(struct daily *daily, const struct duty_options *options)
{
	const struct dns_watch_options watch = {
		.loop = options->loop,
		.log = options->log,
		.meter = options->meter,
		.settings = options->settings,
		.link = options->link,
		.member = options->member,
		.resolver = options->resolver,
		.fetcher = daily->fetcher,
		.policy = options->policy,
		.signing = options->signing,
	};

	daily->dns_watch = dns_watch_new(&watch);
}

static void post(void *poster, const struct own_mail *mail, tls_posted_fn *fn, void *arg)
{
	worker_send_mail(poster, mail, fn, arg);
}

static void report_tls(struct daily *daily, const struct duty_options *options)
{
	const struct tls_flush_options flush = {
		.loop = options->loop,
		.link = options->link,
		.ledger = options->tls_ledger,
		.delay_ms = options->settings->tls_reports.delay_ms,
		.interval_ms = options->settings->tls_reports.interval_ms,
	};
	const struct tls_reporter_options reporter = {
		.loop = options->loop,
		.log = options->log,
		.meter = options->meter,
		.settings = options->settings,
		.link = options->link,
		.member = options->member,
		.resolver = options->resolver,
		.fetcher = daily->fetcher,
		.post = post,
		.poster = options->worker,
	};

	daily->tls_flush = tls_flush_new(&flush);
	daily->tls_reporter = tls_reporter_new(&reporter);
}

void daily_start(struct daily *daily, const struct duty_options *options)
{
	const char *ca = options->settings->route.ca;
	const struct fetcher_options web = { options->loop, options->resolver, *ca ? ca : NULL };

	daily->fetcher = fetcher_new(&web);
	watch_dns(daily, options);
	if (options->tls_ledger)
		report_tls(daily, options);
}

void daily_drain(struct daily *daily)
{
	tls_flush_poke(daily->tls_flush);
}

void daily_stop(struct daily *daily)
{
	tls_reporter_free(&daily->tls_reporter);
	tls_flush_free(&daily->tls_flush);
	dns_watch_free(&daily->dns_watch);
	fetcher_free(&daily->fetcher);
}
