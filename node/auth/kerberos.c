#include "auth/kerberos.h"

#include "auth/kerberos_error.h"
#include "auth/kerberos_keys.h"
#include "auth/pac.h"
#include "skein/proto/base/alloc.h"
#include "track/log.h"

#include <errno.h>
#include <gssapi/gssapi_ext.h>
#include <pthread.h>
#include <sys/stat.h>

/* Which file the keys are from. */
struct file_mark {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct kerberos {
	struct kerberos_options options;
	pthread_mutex_t lock;
	struct kerberos_keys *keys; /* under `lock`; NULL: none yet */

	pthread_mutex_t refreshing; /* one at a time; guards the rest */
	struct file_mark mark;      /* of the file that was read last, well or not */
	enum err result;            /* of that; ERR_OK before, and `keys` is NULL */
};

struct kerberos_context {
	struct kerberos *kerberos;
	struct kerberos_keys *keys; /* counted; of the exchange */
	gss_ctx_id_t gss;
	gss_buffer_desc output, name;
	char sid[SID_TEXT_SIZE];
};

struct kerberos *kerberos_new(const struct kerberos_options *options)
{
	struct kerberos *kerberos = mem_zalloc(sizeof(*kerberos));

	CHECK(options->realms.count);
	kerberos->options = *options;
	CHECK(pthread_mutex_init(&kerberos->lock, NULL) == 0);
	CHECK(pthread_mutex_init(&kerberos->refreshing, NULL) == 0);
	return kerberos;
}

void kerberos_free(struct kerberos **kerberos)
{
	if (!*kerberos)
		return;
	kerberos_keys_unref(&(*kerberos)->keys);
	pthread_mutex_destroy(&(*kerberos)->lock);
	pthread_mutex_destroy(&(*kerberos)->refreshing);
	mem_free(*kerberos);
	*kerberos = NULL;
}

/* ---- keys ---- */

/* NULL, or counted. */
static struct kerberos_keys *take_keys(struct kerberos *kerberos)
{
	struct kerberos_keys *keys = NULL;

	pthread_mutex_lock(&kerberos->lock);
	if (kerberos->keys)
		keys = kerberos_keys_ref(kerberos->keys);
	pthread_mutex_unlock(&kerberos->lock);
	return keys;
}

bool kerberos_is_ready(struct kerberos *kerberos)
{
	struct kerberos_keys *keys = take_keys(kerberos);
	bool is_ready = keys != NULL;

	kerberos_keys_unref(&keys);
	return is_ready;
}

/* All zeros: there is no file, or none that we may look at. */
static struct file_mark mark_of(const char *path)
{
	struct stat stat_buf;

	if (stat(path, &stat_buf) != 0)
		return (struct file_mark){ .size = 0 };
	return (struct file_mark){ stat_buf.st_dev, stat_buf.st_ino, stat_buf.st_size, stat_buf.st_mtim };
}

static bool is_same_file(const struct file_mark *a, const struct file_mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static void use_keys(struct kerberos *kerberos, struct kerberos_keys *keys)
{
	struct kerberos_keys *old;

	pthread_mutex_lock(&kerberos->lock);
	old = kerberos->keys;
	kerberos->keys = keys;
	pthread_mutex_unlock(&kerberos->lock);
	kerberos_keys_unref(&old);
}

static enum err read_keys(struct kerberos *kerberos, struct log *log)
{
	const char *path = kerberos->options.keytab;
	char error[KERBEROS_TEXT_SIZE];
	struct kerberos_keys *keys;
	enum err before = kerberos->result;

	kerberos->result = kerberos_keys_read(path, &keys, error);
	if (!kerberos->result) {
		log_event(log, LOG_INFO, "kerberos-keytab-read", LOG_STR("file", path),
			LOG_U64("keys", kerberos_keys_count(keys)), LOG_END);
		use_keys(kerberos, keys);
	} else if (kerberos->result != before) {
		log_event(log, LOG_ERROR, "kerberos-keytab-bad", LOG_STR("file", path),
			LOG_STR("error", error), LOG_END);
	}
	return kerberos->result;
}

enum err kerberos_refresh(struct kerberos *kerberos, struct log *log)
{
	struct file_mark mark;
	enum err err = ERR_OK;

	pthread_mutex_lock(&kerberos->refreshing);
	mark = mark_of(kerberos->options.keytab);
	/* What could not be read is tried again: rights may be others now. */
	if (!kerberos_is_ready(kerberos) || kerberos->result || !is_same_file(&mark, &kerberos->mark)) {
		kerberos->mark = mark;
		err = read_keys(kerberos, log);
	}
	pthread_mutex_unlock(&kerberos->refreshing);
	return err;
}

/* ---- one exchange ---- */

struct kerberos_context *kerberos_context_new(struct kerberos *kerberos)
{
	struct kerberos_context *context = mem_zalloc(sizeof(*context));

	context->kerberos = kerberos;
	return context;
}

static void drop_output(struct kerberos_context *context)
{
	OM_uint32 minor;

	gss_release_buffer(&minor, &context->output);
	gss_release_buffer(&minor, &context->name);
}

static void drop_exchange(struct kerberos_context *context)
{
	OM_uint32 minor;

	drop_output(context);
	if (context->gss != GSS_C_NO_CONTEXT)
		gss_delete_sec_context(&minor, &context->gss, GSS_C_NO_BUFFER);
	kerberos_keys_unref(&context->keys);
}

void kerberos_context_free(struct kerberos_context **context)
{
	if (!*context)
		return;
	drop_exchange(*context);
	mem_free(*context);
	*context = NULL;
}

static struct span span_of_gss(const gss_buffer_desc *buffer)
{
	return span_of(buffer->value, buffer->length);
}

/* The library only reads what it gets. */
static gss_buffer_desc gss_of_span(struct span span)
{
	return (gss_buffer_desc){ span.len, (void *)(uintptr_t)span.ptr };
}

static bool is_our_realm(const struct kerberos *kerberos, struct span realm)
{
	for (size_t i = 0; i < kerberos->options.realms.count; i++)
		if (span_eq_nocase(realm, span_of_str(kerberos->options.realms.items[i])))
			return true;
	return false;
}

/* "user@REALM" of one of our realms, and nothing more: no service, no '@' in the user. */
static bool is_our_user(const struct kerberos *kerberos, struct span name)
{
	size_t at = span_find(name, '@');

	/* What is special in a principal is written with a '\'. */
	if (at == 0 || at == name.len || span_find(name, '\\') < at || span_find(name, '/') < at)
		return false;
	return is_our_realm(kerberos, span_drop(name, at + 1));
}

/* From the part of the ticket that the domain controller signed. */
static bool read_sid(gss_name_t client, char sid_out[SID_TEXT_SIZE])
{
	gss_buffer_desc attribute = gss_of_span(SPAN_LIT("urn:mspac:upn-dns-info"));
	gss_buffer_desc value = GSS_C_EMPTY_BUFFER, display = GSS_C_EMPTY_BUFFER;
	int authenticated = 0, complete = 0, more = -1;
	struct sid sid;
	OM_uint32 minor, major = gss_get_name_attribute(&minor, client, &attribute, &authenticated, &complete,
				 &value, &display, &more);
	bool is_found = major == GSS_S_COMPLETE && authenticated && pac_read_sid(span_of_gss(&value), &sid);

	if (is_found)
		sid_format(&sid, sid_out);
	gss_release_buffer(&minor, &value);
	gss_release_buffer(&minor, &display);
	return is_found;
}

static const char *read_client(struct kerberos_context *context, gss_name_t client)
{
	OM_uint32 minor;

	if (GSS_ERROR(gss_display_name(&minor, client, &context->name, NULL)))
		return "name-bad";
	if (!is_our_user(context->kerberos, span_of_gss(&context->name)))
		return "other-realm";
	if (!read_sid(client, context->sid))
		return "ticket-without-sid";
	return NULL;
}

static void refuse(struct kerberos_context *context, const char *why, struct kerberos_result *result)
{
	*result = (struct kerberos_result){ .verdict = SASL_NO, .why = why };
	drop_exchange(context);
}

static void fail(struct kerberos_context *context, const struct kerberos_error *error, struct log *log,
	struct kerberos_result *result)
{
	log_event(log, error->level, "kerberos-refused", LOG_STR("why", error->why),
		LOG_STR("error", error->text), LOG_END);
	refuse(context, error->why, result);
	result->verdict = error->verdict;
}

static void complete(struct kerberos_context *context, gss_name_t client, OM_uint32 flags, struct log *log,
	struct kerberos_result *result)
{
	const char *why = read_client(context, client);

	if (why) {
		log_event(log, LOG_WARN, "kerberos-refused", LOG_STR("why", why),
			LOG_SPAN("client", span_of_gss(&context->name)), LOG_END);
		refuse(context, why, result);
		return;
	}
	*result = (struct kerberos_result){
		.verdict = SASL_YES,
		.why = "accepted",
		.gss = { true, (flags & GSS_C_CHANNEL_BOUND_FLAG) != 0, span_of_gss(&context->output),
			span_of_gss(&context->name) },
		.sid = context->sid,
	};
}

static void accept_token(struct kerberos_context *context, const struct kerberos_ask *ask, struct log *log,
	struct kerberos_result *result)
{
	gss_cred_id_t cred = ask->kind == SASL_PROOF_SPNEGO ? kerberos_keys_spnego(context->keys)
							    : kerberos_keys_krb5(context->keys);
	gss_buffer_desc input = gss_of_span(ask->token);
	struct gss_channel_bindings_struct binding = { .application_data = gss_of_span(ask->binding) };
	gss_name_t client = GSS_C_NO_NAME;
	OM_uint32 flags = 0, minor, ignored;
	OM_uint32 major = gss_accept_sec_context(&minor, &context->gss, cred, &input,
		ask->binding.len ? &binding : GSS_C_NO_CHANNEL_BINDINGS, &client, NULL, &context->output,
		&flags, NULL, NULL);

	if (GSS_ERROR(major)) {
		struct kerberos_error error = kerberos_error_read(major, minor);

		fail(context, &error, log, result);
	} else if (major & GSS_S_CONTINUE_NEEDED) {
		*result = (struct kerberos_result){ .verdict = SASL_YES, .why = "continue" };
		result->gss.token = span_of_gss(&context->output);
		if (!result->gss.token.len)
			refuse(context, "ticket-bad", result);
	} else {
		complete(context, client, flags, log, result);
	}
	gss_release_name(&ignored, &client);
}

void kerberos_step(struct kerberos_context *context, const struct kerberos_ask *ask, struct log *log,
	struct kerberos_result *result_out)
{
	CHECK(ask->kind == SASL_PROOF_KERBEROS || ask->kind == SASL_PROOF_SPNEGO);
	drop_output(context);
	if (ask->first) {
		drop_exchange(context);
		context->keys = take_keys(context->kerberos);
	}
	if (!context->keys) {
		*result_out = (struct kerberos_result){ .verdict = SASL_CANNOT_SAY, .why = "no-keytab" };
		return;
	}
	accept_token(context, ask, log, result_out);
}

enum sasl_verdict kerberos_wrap(struct kerberos_context *context, struct span plain, struct span *wrapped_out)
{
	gss_buffer_desc input = gss_of_span(plain);
	OM_uint32 minor, major;

	CHECK(context->gss != GSS_C_NO_CONTEXT);
	drop_output(context);
	major = gss_wrap(&minor, context->gss, 0, GSS_C_QOP_DEFAULT, &input, NULL, &context->output);
	*wrapped_out = span_of_gss(&context->output);
	return GSS_ERROR(major) ? SASL_CANNOT_SAY : SASL_YES;
}

enum sasl_verdict kerberos_unwrap(
	struct kerberos_context *context, struct span wrapped, struct span *plain_out)
{
	gss_buffer_desc input = gss_of_span(wrapped);
	OM_uint32 minor, major;

	CHECK(context->gss != GSS_C_NO_CONTEXT);
	drop_output(context);
	major = gss_unwrap(&minor, context->gss, &input, &context->output, NULL, NULL);
	*plain_out = span_of_gss(&context->output);
	return GSS_ERROR(major) ? SASL_NO : SASL_YES;
}
