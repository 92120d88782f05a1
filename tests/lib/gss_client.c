#include "gss_client.h"

#include "cmocka_all.h"

#include "skein/proto/base/alloc.h"

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>

struct gss_client {
	struct gss_client_options options;
	gss_cred_id_t cred;
	gss_name_t target;
	gss_ctx_id_t context;
	gss_buffer_desc output;
};

static gss_OID_desc krb5 = { 9, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02" };
static gss_OID_desc spnego = { 6, "\x2b\x06\x01\x05\x05\x02" };

static gss_buffer_desc gss_of(struct span span)
{
	return (gss_buffer_desc){ span.len, (void *)(uintptr_t)span.ptr };
}

static struct span output_of(const struct gss_client *client)
{
	return span_of(client->output.value, client->output.length);
}

struct gss_client *gss_client_new(const struct gss_client_options *options)
{
	struct gss_client *client = mem_zalloc(sizeof(*client));
	gss_buffer_desc target = gss_of(span_of_str(options->target));
	gss_OID_set_desc mechanisms = { 1, options->is_spnego ? &spnego : &krb5 };
	gss_key_value_element_desc element = { "ccache", options->cache };
	const gss_key_value_set_desc store = { 1, &element };
	OM_uint32 minor;

	client->options = *options;
	assert_false(
		GSS_ERROR(gss_import_name(&minor, &target, GSS_C_NT_HOSTBASED_SERVICE, &client->target)));
	assert_false(GSS_ERROR(gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechanisms,
		GSS_C_INITIATE, &store, &client->cred, NULL, NULL)));
	return client;
}

void gss_client_free(struct gss_client **client)
{
	OM_uint32 minor;

	gss_release_buffer(&minor, &(*client)->output);
	gss_delete_sec_context(&minor, &(*client)->context, GSS_C_NO_BUFFER);
	gss_release_name(&minor, &(*client)->target);
	gss_release_cred(&minor, &(*client)->cred);
	mem_free(*client);
	*client = NULL;
}

bool gss_client_step(struct gss_client *client, struct span token, struct span *token_out)
{
	struct gss_channel_bindings_struct binding = { .application_data = gss_of(client->options.binding) };
	gss_buffer_desc input = gss_of(token);
	OM_uint32 minor, major;

	gss_release_buffer(&minor, &client->output);
	major = gss_init_sec_context(&minor, client->cred, &client->context, client->target,
		client->options.is_spnego ? &spnego : &krb5, 0, GSS_C_INDEFINITE,
		client->options.binding.len ? &binding : GSS_C_NO_CHANNEL_BINDINGS, &input, NULL,
		&client->output, NULL, NULL);
	*token_out = output_of(client);
	return !GSS_ERROR(major);
}

struct span gss_client_wrap(struct gss_client *client, struct span plain)
{
	gss_buffer_desc input = gss_of(plain);
	OM_uint32 minor;

	gss_release_buffer(&minor, &client->output);
	assert_false(GSS_ERROR(
		gss_wrap(&minor, client->context, 0, GSS_C_QOP_DEFAULT, &input, NULL, &client->output)));
	return output_of(client);
}

struct span gss_client_unwrap(struct gss_client *client, struct span wrapped)
{
	gss_buffer_desc input = gss_of(wrapped);
	OM_uint32 minor;

	gss_release_buffer(&minor, &client->output);
	assert_false(GSS_ERROR(gss_unwrap(&minor, client->context, &input, &client->output, NULL, NULL)));
	return output_of(client);
}
