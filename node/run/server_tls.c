#include "run/server_tls.h"

#include "skein/proto/base/alloc.h"

void server_tls_init(struct server_tls *tls)
{
	for (size_t i = 0; i < ARRAY_LEN(tls->slots); i++)
		tls_slot_init(&tls->slots[i], NULL);
	tls->tickets = tls_tickets_new();
}

void server_tls_fini(struct server_tls *tls)
{
	for (size_t i = 0; i < ARRAY_LEN(tls->slots); i++)
		tls_slot_fini(&tls->slots[i]);
	tls_tickets_unref(&tls->tickets);
}

static enum err load_certificates(
	const struct settings *settings, struct certificates **certificates_out, struct buf *why_out)
{
	const struct certificate_list *list = &settings->tls.certificates;
	size_t count = list->count ? list->count : *settings->tls.certificate ? 1 : 0;
	struct certificate_files *files;
	enum err err;

	if (!count)
		return ERR_OK;
	files = mem_alloc(count * sizeof(*files));
	files[0] = (struct certificate_files){ settings->tls.certificate, settings->tls.key };
	for (size_t i = 0; i < list->count; i++)
		files[i] = (struct certificate_files){ list->items[i].certificate, list->items[i].key };
	err = certificates_load(files, count, certificates_out, why_out);
	mem_free(files);
	return err;
}

static enum tls_version minimum_of(const struct settings *settings, const struct listener_settings *listener)
{
	static const enum tls_version by_listener[] = {
		[LISTENER_TLS_MINIMUM_1_0] = TLS_1_0,
		[LISTENER_TLS_MINIMUM_1_1] = TLS_1_1,
		[LISTENER_TLS_MINIMUM_1_2] = TLS_1_2,
		[LISTENER_TLS_MINIMUM_1_3] = TLS_1_3,
	};

	if (listener->tls_minimum != LISTENER_TLS_MINIMUM_DEFAULT)
		return by_listener[listener->tls_minimum];
	return settings->tls.minimum == TLS_MINIMUM_1_3 ? TLS_1_3 : TLS_1_2;
}

static enum err make_context(const struct server_tls *tls, const struct settings *settings,
	const struct listener_settings *listener, struct certificates *certificates,
	struct tls_context **context_out, struct buf *why_out)
{
	const struct tls_server_options options = {
		.certificates = certificates,
		.tickets = tls->tickets,
		.ticket_lifetime_ms = settings->tls.ticket_lifetime_ms,
		.minimum = minimum_of(settings, listener),
		.ciphers = settings->tls.ciphers,
		.client_certificate = listener->client_certificate,
		.client_ca_file = *listener->client_ca ? listener->client_ca : NULL,
	};

	if (listener->tls == LISTENER_TLS_NONE)
		return ERR_OK;
	if (certificates)
		return tls_server_new(&options, context_out, why_out);
	buf_printf(why_out, "listener %s speaks TLS until a restart: it needs tls.certificate and tls.key",
		listener->name);
	return ERR_INVALID;
}

enum err server_tls_load(struct server_tls *tls, const struct settings *settings,
	const struct listener_list *running, struct buf *why_out)
{
	struct tls_context *contexts[INBOUND_LISTENERS_MAX] = { NULL };
	struct certificates *certificates = NULL;
	enum err err;

	CHECK(running->count <= INBOUND_LISTENERS_MAX);
	err = load_certificates(settings, &certificates, why_out);
	for (size_t i = 0; i < running->count && !err; i++)
		err = make_context(tls, settings, &running->items[i], certificates, &contexts[i], why_out);
	for (size_t i = 0; i < running->count; i++) {
		if (err)
			tls_context_unref(&contexts[i]);
		else
			tls_slot_set(&tls->slots[i], contexts[i]);
	}
	certificates_unref(&certificates);
	return err;
}
