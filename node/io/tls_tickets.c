#include "io/tls_tickets.h"

#include "io/tls_internal.h"
#include "io/wall_clock.h"
#include "skein/proto/base/alloc.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>

struct tls_tickets {
	atomic_uint refs;
	pthread_mutex_t lock;
	struct ticket_set keys; /* by lock */
};

/* Sealed inside a ticket, beside OpenSSL's session. */
struct ticket_facts {
	uint64_t born_ms; /* of the full handshake; wall clock */
	unsigned char end_point_len;
	unsigned char end_point[EVP_MAX_MD_SIZE];
};

struct tls_tickets *tls_tickets_new(void)
{
	struct tls_tickets *tickets = mem_zalloc(sizeof(*tickets));
	unsigned char fresh[3 * TICKET_KEY_LEN];

	atomic_init(&tickets->refs, 1);
	CHECK(pthread_mutex_init(&tickets->lock, NULL) == 0);
	CHECK(RAND_priv_bytes(fresh, sizeof(fresh)) == 1);
	ticket_set_make(&tickets->keys, 1, fresh);
	mem_wipe(fresh, sizeof(fresh));
	return tickets;
}

struct tls_tickets *tls_tickets_ref(struct tls_tickets *tickets)
{
	atomic_fetch_add_explicit(&tickets->refs, 1, memory_order_relaxed);
	return tickets;
}

void tls_tickets_unref(struct tls_tickets **tickets)
{
	struct tls_tickets *gone = *tickets;

	*tickets = NULL;
	if (!gone || atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) > 1)
		return;
	pthread_mutex_destroy(&gone->lock);
	mem_wipe(&gone->keys, sizeof(gone->keys));
	mem_free(gone);
}

void tls_tickets_set_keys(struct tls_tickets *tickets, const struct ticket_set *keys)
{
	pthread_mutex_lock(&tickets->lock);
	tickets->keys = *keys;
	pthread_mutex_unlock(&tickets->lock);
}

void tls_tickets_turn(struct tls_tickets *tickets)
{
	unsigned char fresh[TICKET_KEY_LEN];

	CHECK(RAND_priv_bytes(fresh, sizeof(fresh)) == 1);
	pthread_mutex_lock(&tickets->lock);
	ticket_set_turn(&tickets->keys, fresh);
	pthread_mutex_unlock(&tickets->lock);
	mem_wipe(fresh, sizeof(fresh));
}

/* ---- keys ---- */

static const struct tls_context *context_of(const SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

enum key_age { KEY_UNKNOWN, KEY_OLD, KEY_GOOD };

/* By its name, or the one to seal with when `name` is NULL. */
static enum key_age find_key(
	struct tls_tickets *tickets, const unsigned char *name, struct ticket_key *key_out)
{
	const struct ticket_set *keys = &tickets->keys;
	/* Another node may have turned already: what it seals with is our next one. */
	const struct ticket_key *all[] = { &keys->current, &keys->next, &keys->previous };
	enum key_age age = KEY_UNKNOWN;

	pthread_mutex_lock(&tickets->lock);
	for (size_t i = 0; i < ARRAY_LEN(all) && !age; i++) {
		if (!name || memcmp(name, all[i]->name, sizeof(all[i]->name)) == 0) {
			*key_out = *all[i];
			age = all[i] == &keys->previous ? KEY_OLD : KEY_GOOD;
		}
	}
	pthread_mutex_unlock(&tickets->lock);
	return age;
}

static bool begin_ticket(
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, struct ticket_key *key, const unsigned char *iv, int is_new)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, is_new) == 1 &&
	       EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* 0: a full handshake; 1: taken; 2: taken, and a new one is given; -1: the handshake fails. */
static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int is_new)
{
	struct ticket_key key;
	enum key_age age = find_key(context_of(ssl)->tickets, is_new ? NULL : name, &key);
	bool is_done;

	if (age == KEY_UNKNOWN)
		return 0;
	if (is_new) {
		memcpy(name, key.name, sizeof(key.name));
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return -1;
	}
	is_done = begin_ticket(cipher, mac, &key, iv, is_new);
	mem_wipe(&key, sizeof(key));
	if (!is_done)
		return -1;
	/* RFC 8446 C.4: a TLS 1.3 ticket is for one use, so each use gives the next. */
	return !is_new && (age == KEY_OLD || SSL_version(ssl) >= TLS1_3_VERSION) ? 2 : 1;
}

/* ---- what a ticket says ---- */

static bool read_facts(SSL_SESSION *session, struct ticket_facts **facts_out)
{
	void *data = NULL;
	size_t len = 0;

	if (SSL_SESSION_get0_ticket_appdata(session, &data, &len) != 1 || len != sizeof(**facts_out))
		return false;
	*facts_out = data;
	return (*facts_out)->end_point_len <= sizeof((*facts_out)->end_point);
}

static int on_make_ticket(SSL *ssl, void *arg)
{
	struct ticket_facts facts = { .born_ms = wall_clock_ms() }, *older;
	SSL_SESSION *session = SSL_get_session(ssl);
	struct span end_point;

	(void)arg;
	if (SSL_session_reused(ssl) && read_facts(session, &older))
		return 1; /* the renewed ticket goes on saying it */
	end_point = certificate_end_point(SSL_get_certificate(ssl));
	CHECK(end_point.len <= sizeof(facts.end_point));
	facts.end_point_len = (unsigned char)end_point.len;
	if (end_point.len)
		memcpy(facts.end_point, end_point.ptr, end_point.len);
	return SSL_SESSION_set1_ticket_appdata(session, &facts, sizeof(facts));
}

static bool has_client_ended(const SSL_SESSION *session)
{
	const X509 *client = SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)session);

	return client && X509_cmp_current_time(X509_get0_notAfter(client)) < 0;
}

static SSL_TICKET_RETURN on_take_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
	size_t name_len, SSL_TICKET_STATUS status, void *arg)
{
	uint64_t lifetime_ms = context_of(ssl)->ticket_lifetime_ms, now_ms = wall_clock_ms();
	struct ticket_facts *facts;

	(void)name;
	(void)name_len;
	(void)arg;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (!read_facts(session, &facts) || now_ms >= facts->born_ms + lifetime_ms ||
		has_client_ended(session))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

struct span tls_ticket_end_point(const SSL *ssl)
{
	struct ticket_facts *facts;

	if (!read_facts(SSL_get_session(ssl), &facts))
		return span_of(NULL, 0);
	return span_of((const char *)facts->end_point, facts->end_point_len);
}

void tls_tickets_attach(SSL_CTX *ssl_ctx)
{
	const struct tls_context *context = SSL_CTX_get_app_data(ssl_ctx);

	/* One ticket is what a client uses; each costs a record after the handshake. */
	CHECK(SSL_CTX_set_num_tickets(ssl_ctx, 1));
	SSL_CTX_set_timeout(ssl_ctx, (long)(context->ticket_lifetime_ms / 1000));
	CHECK(SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl_ctx, on_ticket_key));
	CHECK(SSL_CTX_set_session_ticket_cb(ssl_ctx, on_make_ticket, on_take_ticket, NULL));
}
