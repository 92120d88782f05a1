/* Which server a question goes to, over which connection. */
#include "auth/directory_internal.h"

#include "auth/bind_password.h"
#include "auth/pool.h"
#include "skein/proto/base/alloc.h"
#include "track/log.h"

struct directory_thread *directory_thread_new(struct directory *directory, struct log *log)
{
	struct directory_thread *thread = mem_zalloc(sizeof(*thread));

	thread->directory = directory;
	thread->log = log;
	for (size_t i = 0; i < directory->options.servers.count; i++)
		thread->servers[i].uri = directory->options.servers.items[i];
	return thread;
}

static void close_server(struct directory_server *server)
{
	ldap_conn_close(&server->service);
	ldap_conn_close(&server->user);
}

void directory_thread_free(struct directory_thread **thread)
{
	if (!*thread)
		return;
	for (size_t i = 0; i < DC_MAX; i++)
		close_server(&(*thread)->servers[i]);
	mem_free(*thread);
	*thread = NULL;
}

static int open_conn(const struct directory *directory, const char *uri, LDAP **ld_out)
{
	const struct directory_options *options = &directory->options;

	return ldap_conn_open(
		&(struct ldap_conn_options){ uri, options->ca, options->start_tls, options->timeout_ms },
		ld_out);
}

static int bind_service(
	struct directory_thread *thread, struct directory_server *server, struct span password)
{
	const char *dn = thread->directory->options.bind_dn;
	unsigned data = 0;
	int rc = ldap_conn_bind(server->service, dn, password, &data);

	if (rc == LDAP_INVALID_CREDENTIALS)
		log_event(thread->log, LOG_ERROR, "directory-refuses-us", LOG_STR("server", server->uri),
			LOG_STR("dn", dn), LOG_U64("data", data), LOG_END);
	return rc;
}

static enum bind_outcome outcome_of(int rc)
{
	if (rc == LDAP_SUCCESS)
		return BIND_ACCEPTED;
	return rc == LDAP_INVALID_CREDENTIALS ? BIND_REFUSED : BIND_UNKNOWN;
}

static int prove_service(struct directory_thread *thread, struct directory_server *server)
{
	struct bind_password *password = thread->directory->options.bind_password;
	struct bind_attempt attempt;
	struct buf why = { 0 };
	int rc = LDAP_UNAVAILABLE;

	thread->is_barred = true;
	if (bind_password_begin(password, pool_now_ms(), thread->deadline_ms, &attempt, &why)) {
		rc = bind_service(thread, server, secret_value_text(attempt.value));
		thread->is_barred = rc == LDAP_INVALID_CREDENTIALS;
		bind_password_end(password, &attempt, outcome_of(rc), pool_now_ms());
	} else if (buf_len(&why)) {
		log_event(thread->log, LOG_ERROR, "directory-password-missing",
			LOG_SPAN("error", buf_span(&why)), LOG_END);
	}
	buf_fini(&why);
	return rc;
}

/* A refused service account is trouble, not an answer. */
static int open_service(struct directory_thread *thread, struct directory_server *server)
{
	int rc = open_conn(thread->directory, server->uri, &server->service);

	if (rc == LDAP_SUCCESS)
		rc = prove_service(thread, server);
	return rc == LDAP_INVALID_CREDENTIALS ? LDAP_UNAVAILABLE : rc;
}

/* A connection that was idle may have been closed by the server, which says nothing of how it is now. */
static int ask_server(struct directory_thread *thread, struct directory_server *server,
	directory_question_fn *question, void *arg, bool *is_final)
{
	bool was_open = server->service != NULL;
	int rc;

	thread->is_barred = false;
	rc = was_open ? LDAP_SUCCESS : open_service(thread, server);
	if (rc == LDAP_SUCCESS)
		rc = question(thread, server, arg, is_final);
	if (rc == LDAP_SERVER_DOWN && was_open && !*is_final) {
		close_server(server);
		rc = open_service(thread, server);
		if (rc == LDAP_SUCCESS)
			rc = question(thread, server, arg, is_final);
	}
	if (ldap_conn_is_trouble(rc))
		close_server(server);
	return rc;
}

static void note_result(struct directory_thread *thread, size_t index, int rc)
{
	struct dc_list *list = thread->directory->servers;
	const char *uri = thread->servers[index].uri;

	if (!ldap_conn_is_trouble(rc)) {
		if (dc_list_up(list, index))
			log_event(thread->log, LOG_INFO, "directory-up", LOG_STR("server", uri), LOG_END);
	} else if (thread->is_barred) {
		dc_list_rest(list, index, pool_now_ms());
	} else if (dc_list_down(list, index, pool_now_ms())) {
		log_event(thread->log, LOG_WARN, "directory-down", LOG_STR("server", uri),
			LOG_STR("error", ldap_err2string(rc)), LOG_STR("ca", thread->directory->options.ca),
			LOG_END);
	}
}

bool directory_ask(
	struct directory_thread *thread, uint64_t deadline_ms, directory_question_fn *question, void *arg)
{
	uint32_t tried = 0;
	size_t index;
	bool is_final = false;

	thread->deadline_ms = deadline_ms;
	while (!is_final && pool_now_ms() < deadline_ms &&
		dc_list_next(thread->directory->servers, pool_now_ms(), &tried, &index)) {
		int rc = ask_server(thread, &thread->servers[index], question, arg, &is_final);

		note_result(thread, index, rc);
		if (!ldap_conn_is_trouble(rc))
			return true;
	}
	return false;
}

/* What the library says itself, and not the server, is no answer. */
static int bind_once(struct directory_server *server, struct directory_bind *bind)
{
	int rc;

	if (bind->turn && !pool_commit(bind->turn))
		return LDAP_USER_CANCELLED;
	rc = ldap_conn_bind(server->user, bind->dn, span_of_str(bind->password), &bind->data);
	bind->is_unanswered |= LDAP_API_ERROR(rc);
	return rc;
}

/*
 * A bind that was sent and not answered may have counted as a wrong password: it is sent to no other server.
 * On a connection that was closed while it was idle nothing was sent, most likely.
 */
int directory_bind_user(struct directory_thread *thread, struct directory_server *server,
	struct directory_bind *bind, bool *is_final)
{
	bool was_open = server->user != NULL;
	int rc = was_open ? LDAP_SUCCESS : open_conn(thread->directory, server->uri, &server->user);

	if (rc != LDAP_SUCCESS)
		return rc;
	rc = bind_once(server, bind);
	if (rc == LDAP_SERVER_DOWN && was_open) {
		ldap_conn_close(&server->user);
		rc = open_conn(thread->directory, server->uri, &server->user);
		if (rc != LDAP_SUCCESS)
			return rc;
		rc = bind_once(server, bind);
	}
	*is_final = ldap_conn_is_trouble(rc);
	return rc;
}
