#include "run/daily.h"

#include "http/fetch.h"

void daily_start(struct daily *daily, const struct dns_watch_options *given)
{
	const char *ca = given->settings->route.ca;
	const struct fetcher_options web = { given->loop, given->resolver, *ca ? ca : NULL };
	struct dns_watch_options options = *given;

	daily->fetcher = fetcher_new(&web);
	options.fetcher = daily->fetcher;
	daily->dns_watch = dns_watch_new(&options);
}

void daily_stop(struct daily *daily)
{
	dns_watch_free(&daily->dns_watch);
	fetcher_free(&daily->fetcher);
}
