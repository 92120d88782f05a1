#include "run/service.h"

#include "skein/proto/base/alloc.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	LOOK_MS = 1000,
	FIRST_DESCRIPTOR = 3, /* SD_LISTEN_FDS_START */
	STOP_SLACK_MS = 5000,
};

/* --- what the manager said ---------------------------------------------------------------------- */

/* False: not there, or no number. */
static bool number_in_environment(const char *name, uint64_t max, uint64_t *number_out)
{
	const char *text = getenv(name);

	return text && span_parse_u64(span_of_str(text), max, number_out);
}

/* A child of the process that was meant has the same environment. */
static bool is_for_us(const char *name, bool is_optional)
{
	uint64_t pid;

	if (!getenv(name))
		return is_optional;
	return number_in_environment(name, INT32_MAX, &pid) && pid == (uint64_t)getpid();
}

static void find_manager(struct service *service)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	/* "@name" is in the abstract name space: a zero in front. */
	if (len < 2 || len >= sizeof(service->manager.sun_path) || (*path != '/' && *path != '@'))
		return;
	service->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	service->manager.sun_family = AF_UNIX;
	memcpy(service->manager.sun_path, path, len);
	if (*path == '@')
		service->manager.sun_path[0] = '\0';
	service->manager_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static void find_watchdog(struct service *service)
{
	uint64_t usec;

	if (is_for_us("WATCHDOG_PID", true) && number_in_environment("WATCHDOG_USEC", UINT64_MAX / 2, &usec))
		service->watchdog_ms = usec / 1000;
}

static enum err find_sockets(struct inherited **inherited_out, struct buf *why_out)
{
	uint64_t count;

	*inherited_out = NULL;
	if (!is_for_us("LISTEN_PID", false) || !number_in_environment("LISTEN_FDS", INT16_MAX, &count) ||
		count == 0)
		return ERR_OK;
	return inherited_new(
		FIRST_DESCRIPTOR, (size_t)count, getenv("LISTEN_FDNAMES"), inherited_out, why_out);
}

enum err service_init(struct service *service, struct inherited **inherited_out, struct buf *why_out)
{
	static const char *const names[] = { "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID",
		"LISTEN_FDS", "LISTEN_FDNAMES" };
	enum err err;

	*service = (struct service){ .fd = -1, .told = READINESS_COUNT };
	find_manager(service);
	find_watchdog(service);
	err = find_sockets(inherited_out, why_out);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)unsetenv(names[i]);
	return err;
}

/* --- what it is told ---------------------------------------------------------------------------- */

static bool tell(const struct service *service, const char *text)
{
	return service->fd < 0 ||
	       sendto(service->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
		       (const struct sockaddr *)&service->manager, service->manager_len) >= 0;
}

static void tell_status(struct service *service)
{
	enum readiness readiness = health_readiness(service->health);
	bool is_plain = readiness == READINESS_READY || readiness == READINESS_STARTING ||
			readiness == READINESS_DRAINING;
	char text[64];

	if (readiness == service->told)
		return;
	snprintf(text, sizeof(text), "STATUS=%s%s", is_plain ? "" : "not ready: ", readiness_name(readiness));
	if (tell(service, text))
		service->told = readiness;
}

static void look(void *arg)
{
	struct service *service = arg;
	uint64_t stalled_ms, next_ms = LOOK_MS;

	if (!service->is_ready_told && health_phase(service->health) != HEALTH_STARTING)
		service->is_ready_told = tell(service, "READY=1");
	tell_status(service);
	if (service->watchdog_ms) {
		if (!health_find_stalled(service->health, HEALTH_STALL_MAX_MS, &stalled_ms))
			(void)tell(service, "WATCHDOG=1");
		if (service->watchdog_ms / 3 < next_ms)
			next_ms = service->watchdog_ms / 3 + 1;
	}
	loop_timer_set(service->loop, &service->timer, next_ms);
}

void service_start(struct service *service, struct loop *loop, const struct health *health)
{
	if (service->fd < 0)
		return;
	service->loop = loop;
	service->health = health;
	loop_timer_init(&service->timer, look, service);
	look(service);
}

void service_poke(struct service *service)
{
	if (service->loop)
		look(service);
}

/* To a manager: it heard READY, and not yet STOPPING. */
static bool is_serving(const struct service *service)
{
	return service->is_ready_told && health_phase(service->health) == HEALTH_SERVING;
}

void service_reloading(struct service *service)
{
	struct timespec now;
	char text[80];

	if (!is_serving(service))
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		(uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	(void)tell(service, text);
}

void service_reloaded(struct service *service)
{
	if (!is_serving(service))
		return;
	service->is_ready_told = tell(service, "READY=1");
}

void service_stopping(struct service *service, uint64_t timeout_ms)
{
	char text[80];

	snprintf(text, sizeof(text), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64,
		(timeout_ms + STOP_SLACK_MS) * 1000);
	(void)tell(service, text);
}

void service_fini(struct service *service)
{
	if (service->loop)
		loop_timer_cancel(service->loop, &service->timer);
	if (service->fd >= 0)
		close(service->fd);
}
