#include "auth/kerberos_keys.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/buf.h"

#include <errno.h>
#include <gssapi/gssapi_ext.h>
#include <krb5.h>
#include <stdatomic.h>
#include <stdio.h>

struct kerberos_keys {
	atomic_uint refs;
	size_t count;
	krb5_context context;
	/* Lives in this process and under a name of its own until the last handle is closed. */
	krb5_keytab memory;
	gss_cred_id_t krb5, spnego;
};

static enum err err_of(krb5_error_code code)
{
	switch (code) {
	case 0:
		return ERR_OK;
	case ENOENT:
		return ERR_NOT_FOUND;
	case KRB5_KT_END: /* none in it */
	case KRB5_KEYTAB_BADVNO:
	case KRB5_KT_FORMAT:
		return ERR_INVALID;
	default:
		return ERR_IO;
	}
}

static krb5_error_code copy_entries(struct kerberos_keys *keys, krb5_keytab file)
{
	krb5_keytab_entry entry;
	krb5_kt_cursor cursor;
	krb5_error_code code = krb5_kt_start_seq_get(keys->context, file, &cursor);

	if (code)
		return code;
	while (!(code = krb5_kt_next_entry(keys->context, file, &entry, &cursor))) {
		code = krb5_kt_add_entry(keys->context, keys->memory, &entry);
		krb5_free_keytab_entry_contents(keys->context, &entry);
		if (code)
			break;
		keys->count++;
	}
	krb5_kt_end_seq_get(keys->context, file, &cursor);
	return code == KRB5_KT_END && keys->count ? 0 : code;
}

static krb5_error_code read_file(struct kerberos_keys *keys, const char *path, const char *memory_name)
{
	struct buf name = { 0 };
	krb5_keytab file = NULL;
	krb5_error_code code;

	buf_printf(&name, "FILE:%s%c", path, '\0');
	code = krb5_kt_resolve(keys->context, memory_name, &keys->memory);
	if (!code)
		code = krb5_kt_resolve(keys->context, buf_span(&name).ptr, &file);
	if (!code)
		code = copy_entries(keys, file);
	if (file)
		krb5_kt_close(keys->context, file);
	buf_fini(&name);
	return code;
}

/* For any principal of the keytab. */
static OM_uint32 acquire(const char *keytab, gss_OID mechanism, gss_cred_id_t *cred_out)
{
	gss_OID_set_desc mechanisms = { 1, mechanism };
	gss_key_value_element_desc element = { "keytab", keytab };
	const gss_key_value_set_desc store = { 1, &element };
	OM_uint32 minor;

	return gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechanisms, GSS_C_ACCEPT,
		&store, cred_out, NULL, NULL);
}

static bool acquire_both(struct kerberos_keys *keys, const char *keytab)
{
	static gss_OID_desc krb5 = { 9, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02" };
	static gss_OID_desc spnego = { 6, "\x2b\x06\x01\x05\x05\x02" };
	gss_OID_set_desc only_krb5 = { 1, &krb5 };
	OM_uint32 minor;

	/* Whatever else is installed, such as NTLM, would ask winbindd and block. */
	return !GSS_ERROR(acquire(keytab, &krb5, &keys->krb5)) &&
	       !GSS_ERROR(acquire(keytab, &spnego, &keys->spnego)) &&
	       !GSS_ERROR(gss_set_neg_mechs(&minor, keys->spnego, &only_krb5));
}

static void tell_error(krb5_context context, krb5_error_code code, char error_out[KERBEROS_TEXT_SIZE])
{
	const char *text;

	if (code == KRB5_KT_END) {
		snprintf(error_out, KERBEROS_TEXT_SIZE, "there is no key in it");
		return;
	}
	text = krb5_get_error_message(context, code);
	snprintf(error_out, KERBEROS_TEXT_SIZE, "%s", text);
	krb5_free_error_message(context, text);
}

enum err kerberos_keys_read(
	const char *path, struct kerberos_keys **keys_out, char error_out[KERBEROS_TEXT_SIZE])
{
	struct kerberos_keys *keys = mem_zalloc(sizeof(*keys));
	char memory_name[64];
	krb5_error_code code = krb5_init_context(&keys->context);
	enum err err;

	*keys_out = NULL;
	keys->refs = 1;
	error_out[0] = '\0';
	snprintf(memory_name, sizeof(memory_name), "MEMORY:skein-%p", (void *)keys);
	if (!code)
		code = read_file(keys, path, memory_name);
	err = err_of(code);
	if (code) {
		tell_error(keys->context, code, error_out);
	} else if (!acquire_both(keys, memory_name)) {
		snprintf(error_out, KERBEROS_TEXT_SIZE, "GSSAPI makes no credentials of it");
		err = ERR_INVALID;
	}
	if (err)
		kerberos_keys_unref(&keys);
	*keys_out = keys;
	return err;
}

struct kerberos_keys *kerberos_keys_ref(struct kerberos_keys *keys)
{
	atomic_fetch_add(&keys->refs, 1);
	return keys;
}

void kerberos_keys_unref(struct kerberos_keys **keys_ptr)
{
	struct kerberos_keys *keys = *keys_ptr;
	OM_uint32 minor;

	*keys_ptr = NULL;
	if (!keys || atomic_fetch_sub(&keys->refs, 1) > 1)
		return;
	gss_release_cred(&minor, &keys->krb5);
	gss_release_cred(&minor, &keys->spnego);
	if (keys->memory)
		krb5_kt_close(keys->context, keys->memory);
	if (keys->context)
		krb5_free_context(keys->context);
	mem_free(keys);
}

size_t kerberos_keys_count(const struct kerberos_keys *keys)
{
	return keys->count;
}

gss_cred_id_t kerberos_keys_krb5(const struct kerberos_keys *keys)
{
	return keys->krb5;
}

gss_cred_id_t kerberos_keys_spnego(const struct kerberos_keys *keys)
{
	return keys->spnego;
}
