#include "io/tls_internal.h"

#include <openssl/bio.h>

static int wire_write(BIO *bio, const char *bytes, size_t len, size_t *written_out)
{
	struct tls_wire *wire = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	out_queue_append(wire->out, span_of(bytes, len));
	*written_out = len;
	return 1;
}

static int wire_read(BIO *bio, char *bytes_out, size_t len, size_t *read_out)
{
	struct tls_wire *wire = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*read_out = len < wire->in.len ? len : wire->in.len;
	if (*read_out == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(bytes_out, wire->in.ptr, *read_out);
	wire->in = span_drop(wire->in, *read_out);
	return 1;
}

static long wire_ctrl(BIO *bio, int command, long number, void *ptr)
{
	(void)bio;
	(void)number;
	(void)ptr;
	/* The stream flushes by itself; OpenSSL fails if it is told that flushing did not work. */
	return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_wire_method_new(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "skein wire");

	CHECK(method);
	CHECK(BIO_meth_set_write_ex(method, wire_write));
	CHECK(BIO_meth_set_read_ex(method, wire_read));
	CHECK(BIO_meth_set_ctrl(method, wire_ctrl));
	return method;
}

BIO *tls_wire_bio_new(const struct tls_context *context, struct tls_wire *wire)
{
	BIO *bio = BIO_new(context->wire_method);

	CHECK(bio);
	BIO_set_data(bio, wire);
	BIO_set_init(bio, 1);
	return bio;
}
