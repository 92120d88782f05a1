#include "inbound/inbound.h"

#include "inbound/handling.h"
#include "inbound/session.h"
#include "io/inherited.h"
#include "skein/proto/base/alloc.h"

enum { STALL_CHECK_MS = 20 };

/* --- what new sessions are told ----------------------------------------------------------------- */

static void fill_options(struct smtp_server_options *options, const struct settings *settings,
	const struct listener_settings *listener, bool has_tls)
{
	smtp_server_options_init(options);
	options->hostname = span_of_str(settings->node.hostname);
	if (listener->tls == LISTENER_TLS_STARTTLS && has_tls)
		options->extensions |= SMTP_EXT_STARTTLS;
	if (settings->auth.backends.count)
		options->extensions |= SMTP_EXT_AUTH;
	options->extensions |= handling_extensions(settings, listener);
	if (!settings->smtp.utf8)
		options->extensions &= ~(unsigned)SMTP_EXT_SMTPUTF8;
	if (!settings->smtp.chunking)
		options->extensions &= ~(unsigned)SMTP_EXT_CHUNKING;
	options->bare_newline = settings->smtp.bare_newline == BARE_NEWLINE_NORMALISE
					? SMTP_BARE_NEWLINE_NORMALISE
					: SMTP_BARE_NEWLINE_REFUSE;
	options->message_size_max = settings->limits.message_size;
	options->envelope_line_max = (uint32_t)settings->limits.command_line;
	if (options->command_line_max > options->envelope_line_max)
		options->command_line_max = options->envelope_line_max;
	options->recipients_max = (uint32_t)settings->limits.recipients;
	options->messages_max = (uint32_t)settings->limits.messages_per_connection;
	options->errors_max = (uint32_t)settings->limits.errors;
}

/*
 * Sessions borrow their options for life, and a reload must not change them under a running session. The few
 * sets that reloads leave behind are kept until the end.
 */
static void make_options(struct inbound *inbound, struct inbound_listener *listener)
{
	struct tls_context *tls = tls_slot_get(&inbound->tls[listener->index]);
	struct options_set *set = mem_zalloc(sizeof(*set));

	fill_options(&set->options, inbound->settings, &inbound->settings->listeners.items[listener->index],
		tls != NULL);
	set->older = listener->options;
	listener->options = set;
	if (tls)
		tls_context_unref(&tls);
}

static void free_options(struct inbound_listener *listener)
{
	while (listener->options) {
		struct options_set *older = listener->options->older;

		mem_free(listener->options);
		listener->options = older;
	}
}

/* --- listeners ---------------------------------------------------------------------------------- */

static void on_accept(void *arg, int fd, const struct address *peer)
{
	session_open(arg, fd, peer);
}

static void on_trouble(void *arg, const char *text)
{
	struct inbound_listener *listener = arg;

	log_event(listener->inbound->log, LOG_ERROR, "accept-failed",
		LOG_STR("listener", listener->inbound->settings->listeners.items[listener->index].name),
		LOG_STR("why", text), LOG_END);
}

static const struct listener_callbacks listener_callbacks = { .on_accept = on_accept,
	.on_trouble = on_trouble };

static enum err open_listener(struct inbound *inbound, size_t index, struct buf *why_out)
{
	struct inbound_listener *listener = &inbound->listeners[inbound->listener_count];
	const struct listener_settings *settings = &inbound->settings->listeners.items[index];
	const struct endpoint *endpoint = &settings->address;
	struct address address;
	enum err err;
	int fd;

	*listener = (struct inbound_listener){ .inbound = inbound, .index = index };
	if (address_parse(span_of_str(endpoint->host), endpoint->port, &address)) {
		buf_printf(why_out, "listeners[%zu].address: \"%s\" is not an IP address\n", index,
			endpoint->host);
		return ERR_INVALID;
	}
	make_options(inbound, listener);
	inbound->listener_count++;
	fd = inherited_dup(inbound->inherited, &address, settings->name);
	if (fd >= 0)
		err = listener_open_fd(
			inbound->loop, fd, &listener_callbacks, listener, &listener->listener, why_out);
	else
		err = listener_open(
			inbound->loop, &address, &listener_callbacks, listener, &listener->listener, why_out);
	if (err)
		buf_append_byte(why_out, '\n');
	return err;
}

static void on_stall_timer(void *arg)
{
	struct inbound *inbound = arg;

	LIST_EACH_SAFE(it, &inbound->stalled)
	(void)session_unstall(session_of_stall(it), false);
	if (!list_is_empty(&inbound->stalled))
		loop_timer_set(inbound->loop, &inbound->stall_timer, STALL_CHECK_MS);
}

void inbound_init(struct inbound *inbound)
{
	list_init(&inbound->sessions);
	list_init(&inbound->stalled);
	loop_timer_init(&inbound->stall_timer, on_stall_timer, inbound);
	inbound->inspector.budget = inbound->budget;
	inbound->inspector.authentication = (struct authentication_desk){
		.loop = inbound->loop,
		.resolver = inbound->resolver,
		.settings = inbound->settings,
		.random = inbound->random,
		.log = inbound->log,
		.track = inbound->track,
		.meter = inbound->meter,
	};
	inbound->inspector.filters = (struct milter_desk){
		.loop = inbound->loop,
		.hostname = inbound->settings->node.hostname,
		.log = inbound->log,
		.track = inbound->track,
		.meter = inbound->meter,
	};
	inbound->guard_desk = (struct login_guard_desk){ inbound->loop, inbound->random,
		inbound->throttle->guard, inbound->link };
}

enum err inbound_bind(struct inbound *inbound, struct buf *why_out)
{
	for (size_t i = 0; i < inbound->settings->listeners.count && i < INBOUND_LISTENERS_MAX; i++) {
		enum err err = open_listener(inbound, i, why_out);

		if (err)
			return err;
	}
	return ERR_OK;
}

enum err inbound_listen(struct inbound *inbound, struct buf *why_out)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < inbound->listener_count && !err; i++) {
		if (inbound->listeners[i].listener)
			err = listener_start(inbound->listeners[i].listener, why_out);
	}
	return err;
}

void inbound_reload(struct inbound *inbound, const struct settings *settings)
{
	inbound->settings = inbound->inspector.authentication.settings = settings;
	inbound->inspector.filters.hostname = settings->node.hostname;
	for (size_t i = 0; i < inbound->listener_count; i++)
		make_options(inbound, &inbound->listeners[i]);
}

void inbound_linger(struct inbound *inbound, bool is_leaving)
{
	for (size_t i = 0; i < inbound->listener_count; i++) {
		struct listener **listener = &inbound->listeners[i].listener;

		if (!*listener)
			continue;
		listener_accept_waiting(*listener);
		if (is_leaving || !listener_is_inherited(*listener))
			listener_close(listener);
	}
	inbound->mode = INBOUND_LINGERING;
	LIST_EACH_SAFE(it, &inbound->sessions)
	session_linger(session_of_link(it));
}

void inbound_end_sessions(struct inbound *inbound)
{
	inbound->mode = INBOUND_ENDING;
	LIST_EACH_SAFE(it, &inbound->sessions)
	session_end(session_of_link(it));
}

void inbound_stop_listening(struct inbound *inbound)
{
	for (size_t i = 0; i < inbound->listener_count; i++) {
		if (inbound->listeners[i].listener)
			listener_close(&inbound->listeners[i].listener);
	}
}

bool inbound_is_idle(const struct inbound *inbound)
{
	return inbound->session_count == 0 && inbound->inspector.authentication.under_way == 0 &&
	       inbound->inspector.filters.under_way == 0;
}

void inbound_abort(struct inbound *inbound)
{
	LIST_EACH_SAFE(it, &inbound->sessions)
	session_abort(session_of_link(it));
}

void inbound_fini(struct inbound *inbound)
{
	inbound_stop_listening(inbound);
	CHECK(inbound_is_idle(inbound));
	loop_timer_cancel(inbound->loop, &inbound->stall_timer);
	for (size_t i = 0; i < inbound->listener_count; i++)
		free_options(&inbound->listeners[i]);
	buf_fini(&inbound->scratch);
}
