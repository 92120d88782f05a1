/*
 * service: the service manager that started us (systemd, or whoever speaks sd_notify(3) and
 * sd_listen_fds(3)): what it handed over, and what it is told: that we serve, how we are, and, for its
 * watchdog, that all loops turn. Without one, nothing happens. Never blocks: what the manager does not take
 * is told again with the next look.
 */
#ifndef NODE_RUN_SERVICE_H
#define NODE_RUN_SERVICE_H

#include "admin/health.h"
#include "io/inherited.h"
#include "io/loop.h"

#include <sys/un.h>

struct service {
	struct loop *loop;
	const struct health *health;
	int fd; /* -1: nobody wants to know */
	struct sockaddr_un manager;
	socklen_t manager_len;
	uint64_t watchdog_ms; /* 0: none */
	struct loop_timer timer;
	bool is_ready_told;
	enum readiness told; /* READINESS_COUNT: nothing yet */
};

/*
 * Reads what the manager said in the environment and removes it from there: before any thread runs.
 * *inherited_out is NULL when no socket was handed over. On failure appends lines to `why_out`; ends with
 * service_fini() in any case.
 */
WARN_UNUSED enum err service_init(
	struct service *service, struct inherited **inherited_out, struct buf *why_out);
/* Begins to look at `health` and to tell; on the loop's thread, as all that follows. */
void service_start(struct service *service, struct loop *loop, const struct health *health);
/* Looks at once: something has changed. */
void service_poke(struct service *service);
/* Settings are read anew; and they are. */
void service_reloading(struct service *service);
void service_reloaded(struct service *service);
/* The end has begun and takes `timeout_ms` at most: the manager waits for so long, whatever its unit says. */
void service_stopping(struct service *service, uint64_t timeout_ms);
void service_fini(struct service *service);

#endif
