#include "admin/admin.h"

#include "admin/http_server.h"
#include "admin/routes.h"
#include "io/stream.h"
#include "skein/proto/base/alloc.h"
#include "track/log.h"

struct admin {
	struct admin_options options;
	struct loop loop;
	struct http_server *server;
	pthread_t thread;
};

/* Before the thread runs, or when it ends. */
static void admin_close(struct admin *admin)
{
	http_server_close(&admin->server);
	stream_abort_all(&admin->loop);
	loop_fini(&admin->loop);
}

/* The thread ends what it ran: handles may be closed on their own loop's thread only. */
static void *admin_run(void *arg)
{
	struct admin *admin = arg;

	loop_run(&admin->loop);
	admin_close(admin);
	return NULL;
}

static void log_start(const struct admin *admin)
{
	char text[ADDRESS_TEXT_SIZE];

	log_event(admin->options.log, LOG_INFO, "admin-listening",
		LOG_STR("address", address_format(http_server_address(admin->server), text)), LOG_END);
}

enum err admin_start(const struct admin_options *options, struct admin **admin_out, struct buf *why_out)
{
	struct admin *admin = mem_zalloc(sizeof(*admin));
	enum err err = loop_init(&admin->loop);

	if (err != ERR_OK) {
		buf_append_str(why_out, "cannot make an event loop: out of file descriptors?");
		mem_free(admin);
		return err;
	}
	admin->options = *options;
	err = http_server_open(
		&admin->loop, options->listen, NULL, routes_answer, &admin->options, &admin->server, why_out);
	if (err != ERR_OK) {
		loop_fini(&admin->loop);
		mem_free(admin);
		return err;
	}
	log_start(admin);
	if (pthread_create(&admin->thread, NULL, admin_run, admin) != 0) {
		buf_append_str(why_out, "cannot start the thread of the admin server");
		admin_close(admin);
		mem_free(admin);
		return ERR_IO;
	}
	*admin_out = admin;
	return ERR_OK;
}

void admin_stop(struct admin **admin)
{
	if (!*admin)
		return;
	loop_stop(&(*admin)->loop);
	pthread_join((*admin)->thread, NULL);
	mem_free(*admin);
	*admin = NULL;
}

uint16_t admin_port(const struct admin *admin)
{
	return address_port(http_server_address(admin->server));
}
