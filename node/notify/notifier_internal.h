/* notifier_internal: what web_post.c and syslog.c have of a notifier. */
#ifndef NODE_NOTIFY_NOTIFIER_INTERNAL_H
#define NODE_NOTIFY_NOTIFIER_INTERNAL_H

#include "http/fetch.h"
#include "io/random.h"
#include "notify/notifier.h"

struct notifier {
	struct notifier_options options;
	struct fetcher *fetcher;
	struct random random;
};

#endif
