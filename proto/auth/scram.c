#include "skein/proto/auth/scram.h"

#include "auth/sasl_internal.h"
#include "auth/scram_internal.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/base64.h"

enum { FAKE_SALT_LEN = 16, FAKE_ITERATIONS = 4096, ITERATIONS_MAX = 10 * 1000 * 1000 };

/*
 * client: gs2-header n=user,r=nonce              -> ASK for the verifier
 * server: r=nonce+ours,s=salt,i=iterations
 * client: c=binding,r=nonce+ours,p=proof
 * server: v=signature                            a challenge, since SMTP's 235 can carry none
 * client: (empty)                                -> ACCEPTED
 *
 * Names are compared as they are, but for control characters, which are refused: SASLprep (RFC 4013) changes
 * nothing in printable ASCII, and other characters are taken to be in NFC already, as keyboards make them.
 */
void sasl_scram_start(struct sasl *sasl)
{
	struct buf nonce = { 0 };

	CHECK(sasl->settings->fake_salt_key.len >= 16);
	base64_encode(&nonce, span_of_bytes(sasl->random, sizeof(sasl->random)));
	CHECK(buf_len(&nonce) < sizeof(sasl->scram.nonce));
	memcpy(sasl->scram.nonce, nonce.base, buf_len(&nonce));
	buf_fini(&nonce);
}

void sasl_scram_end(struct sasl *sasl)
{
	sasl_wipe_buf(&sasl->scram.auth_message);
}

/* RFC 5802 5.1: "=2C" is a comma, "=3D" an equals sign. */
static bool decode_name(struct sasl *sasl, struct span text, struct span *name_out)
{
	char *name = arena_alloc(&sasl->arena, text.len);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		struct span rest = span_drop(text, i);
		bool is_comma = span_starts_with(rest, SPAN_LIT("=2C"));

		name[len++] = is_comma ? ',' : text.ptr[i];
		if (text.ptr[i] != '=')
			continue;
		if (!is_comma && !span_starts_with(rest, SPAN_LIT("=3D")))
			return false;
		i += 2;
	}
	*name_out = span_of(name, len);
	return sasl_is_text(*name_out, SASL_NAME_MAX);
}

/* What the client must have seen of the TLS connection; "": we have no data of that type. */
static struct span binding_of_type(const struct sasl *sasl, struct span type)
{
	if (span_eq(type, SPAN_LIT("tls-exporter")))
		return sasl->exporter;
	if (span_eq(type, SPAN_LIT("tls-server-end-point")))
		return sasl->server_end_point;
	return span_of("", 0);
}

/* NULL, or why the exchange is refused. */
static const char *check_binding(struct sasl *sasl, const struct scram_client_first *first)
{
	if (sasl->mechanism == SASL_SCRAM_SHA_256) {
		/* RFC 5802 6: the client can bind, and somebody has hidden from it that we can. */
		if (first->binding_flag == 'y' && sasl->offered & SASL_BIT(SASL_SCRAM_SHA_256_PLUS))
			return "SCRAM-SHA-256-PLUS was hidden from the client";
		if (sasl->settings->binding == SASL_BINDING_REQUIRE)
			return "no channel binding";
		return first->binding_flag == 'p' ? "a channel binding without PLUS" : NULL;
	}
	if (first->binding_flag != 'p')
		return "no channel binding";
	sasl->scram.binding = binding_of_type(sasl, first->binding_type);
	return sasl->scram.binding.len ? NULL : "a channel binding of another type";
}

static enum sasl_step on_client_first(struct sasl *sasl, struct span text, struct sasl_output *output)
{
	struct scram *scram = &sasl->scram;
	struct scram_client_first first;
	struct span authzid;
	const char *wrong;

	if (!scram_parse_client_first(text, &first))
		return sasl_malformed(output, "not a SCRAM client-first message");
	wrong = check_binding(sasl, &first);
	if (wrong)
		return sasl_refuse(output, wrong);
	if (!decode_name(sasl, first.name, &sasl->accepted.name) ||
		!decode_name(sasl, first.authzid, &authzid) || !sasl_keep_authzid(sasl, authzid))
		return sasl_malformed(output, "a name is not text");
	if (!sasl->accepted.name.len)
		return sasl_refuse(output, "no login name");
	sasl->accepted.proof = SASL_PROOF_SCRAM;
	scram->gs2_header = arena_dup(&sasl->arena, first.gs2_header);
	scram->client_nonce = arena_dup(&sasl->arena, first.nonce);
	buf_append(&scram->auth_message, first.bare);
	buf_append_byte(&scram->auth_message, ',');
	output->ask.scram.login = sasl->accepted.name;
	output->ask.scram.authzid = sasl->accepted.authzid;
	return sasl_ask(sasl, SASL_ASK_SCRAM, output);
}

/* A salt that is always the same for a name, and that nobody can tell from a true one. */
static struct sasl_scram_verifier make_fake(struct sasl *sasl, uint8_t digest[SHA256_LEN])
{
	uint32_t iterations = sasl->settings->fake_iterations;

	digest_hmac_sha256(sasl->settings->fake_salt_key, sasl->accepted.name, digest);
	return (struct sasl_scram_verifier){
		.iterations = iterations ? iterations : FAKE_ITERATIONS,
		.salt = span_of_bytes(digest, FAKE_SALT_LEN),
	};
}

enum sasl_step sasl_answer_scram(struct sasl *sasl, enum sasl_verdict verdict,
	const struct sasl_scram_verifier *verifier, struct sasl_output *output_out)
{
	struct scram *scram = &sasl->scram;
	struct buf *message = &scram->auth_message;
	size_t before = buf_len(message);
	uint8_t digest[SHA256_LEN];
	enum sasl_step step;

	/* That there is no such user is told to nobody. */
	if (!sasl_take_answer(
		    sasl, SASL_ASK_SCRAM, verdict == SASL_NO ? SASL_YES : verdict, output_out, &step))
		return step;
	scram->is_fake = verdict == SASL_NO;
	scram->verifier = scram->is_fake ? make_fake(sasl, digest) : *verifier;
	CHECK(scram->verifier.iterations && scram->verifier.iterations <= ITERATIONS_MAX);
	CHECK(scram->verifier.salt.len && scram->verifier.salt.len <= SASL_SCRAM_SALT_MAX);
	scram->stage = SCRAM_FINAL;
	buf_append_str(message, "r=");
	buf_append(message, scram->client_nonce);
	buf_append_str(message, scram->nonce);
	buf_append_str(message, ",s=");
	base64_encode(message, scram->verifier.salt);
	buf_append_str(message, ",i=");
	buf_append_u64(message, scram->verifier.iterations);
	scram->verifier.salt = span_of("", 0);
	return sasl_end_step(sasl, sasl_challenge(sasl, span_drop(buf_span(message), before), output_out));
}

static bool is_our_nonce(const struct scram *scram, struct span nonce)
{
	return span_starts_with(nonce, scram->client_nonce) &&
	       span_eq(span_drop(nonce, scram->client_nonce.len), span_of_str(scram->nonce));
}

/* RFC 5802 7: c= is the header of the first message, and what the client is bound to. */
static bool is_our_binding(const struct scram *scram, struct span text)
{
	struct buf wanted = { 0 }, encoded = { 0 };
	bool fits;

	buf_append(&wanted, scram->gs2_header);
	buf_append(&wanted, scram->binding);
	base64_encode(&encoded, buf_span(&wanted));
	fits = span_eq(buf_span(&encoded), text);
	buf_fini(&wanted);
	buf_fini(&encoded);
	return fits;
}

/* RFC 5802 3: whether SHA-256(proof XOR HMAC(StoredKey, AuthMessage)) is the StoredKey. */
static bool is_right_proof(const struct scram *scram, const uint8_t proof[SHA256_LEN])
{
	uint8_t client_key[SHA256_LEN], stored_key[SHA256_LEN];
	bool fits;

	digest_hmac_sha256(span_of_bytes(scram->verifier.stored_key, SHA256_LEN),
		buf_span(&scram->auth_message), client_key);
	for (size_t i = 0; i < SHA256_LEN; i++)
		client_key[i] ^= proof[i];
	digest_sha256(span_of_bytes(client_key, SHA256_LEN), stored_key);
	fits = digest_eq(stored_key, scram->verifier.stored_key, SHA256_LEN);
	mem_wipe(client_key, sizeof(client_key));
	return fits && !scram->is_fake;
}

static enum sasl_step sign(struct sasl *sasl, struct sasl_output *output)
{
	struct buf text = { 0 };
	uint8_t signature[SHA256_LEN];
	enum sasl_step step;

	digest_hmac_sha256(span_of_bytes(sasl->scram.verifier.server_key, SHA256_LEN),
		buf_span(&sasl->scram.auth_message), signature);
	buf_append_str(&text, "v=");
	base64_encode(&text, span_of_bytes(signature, sizeof(signature)));
	step = sasl_challenge(sasl, buf_span(&text), output);
	buf_fini(&text);
	return step;
}

static enum sasl_step on_client_final(struct sasl *sasl, struct span text, struct sasl_output *output)
{
	struct scram *scram = &sasl->scram;
	struct scram_client_final final;
	char proof[base64_decoded_len_max(44)];
	size_t proof_len;
	enum sasl_step step;

	if (!scram_parse_client_final(text, &final) || final.proof.len != base64_encoded_len(SHA256_LEN) ||
		!base64_decode(final.proof, proof, &proof_len) || proof_len != SHA256_LEN)
		return sasl_malformed(output, "not a SCRAM client-final message");
	if (!is_our_nonce(scram, final.nonce))
		return sasl_refuse(output, "another exchange's nonce");
	if (!is_our_binding(scram, final.binding))
		return sasl_refuse(output, "the channel binding is not ours");
	buf_append_byte(&scram->auth_message, ',');
	buf_append(&scram->auth_message, final.without_proof);
	step = is_right_proof(scram, (const uint8_t *)proof)
		       ? sign(sasl, output)
		       : sasl_refuse(output, scram->is_fake ? "no such user" : "wrong password");
	mem_wipe(&scram->verifier, sizeof(scram->verifier));
	scram->stage = SCRAM_LAST_EMPTY;
	sasl->accepted.channel_bound = scram->binding.len > 0;
	return step;
}

enum sasl_step sasl_scram_respond(struct sasl *sasl, struct span response, struct sasl_output *output)
{
	switch (sasl->scram.stage) {
	case SCRAM_FIRST:
		return on_client_first(sasl, response, output);
	case SCRAM_FINAL:
		return on_client_final(sasl, response, output);
	case SCRAM_LAST_EMPTY:
		break;
	}
	if (response.len)
		return sasl_malformed(output, "more after the SCRAM exchange");
	return sasl_accept(sasl, output);
}

static void derive(struct span password, struct sasl_scram_verifier *verifier)
{
	uint8_t salted[SHA256_LEN], client_key[SHA256_LEN];
	struct span salted_span = span_of_bytes(salted, sizeof(salted));

	digest_pbkdf2_sha256(password, verifier->salt, verifier->iterations, salted);
	digest_hmac_sha256(salted_span, SPAN_LIT("Client Key"), client_key);
	digest_sha256(span_of_bytes(client_key, sizeof(client_key)), verifier->stored_key);
	digest_hmac_sha256(salted_span, SPAN_LIT("Server Key"), verifier->server_key);
	mem_wipe(salted, sizeof(salted));
	mem_wipe(client_key, sizeof(client_key));
}

bool scram_derive(struct span password, struct sasl_scram_verifier *verifier)
{
	CHECK(verifier->iterations && verifier->iterations <= ITERATIONS_MAX);
	CHECK(verifier->salt.len && verifier->salt.len <= SASL_SCRAM_SALT_MAX);
	if (!password.len || !sasl_is_text(password, SASL_PASSWORD_MAX))
		return false;
	derive(password, verifier);
	return true;
}

bool scram_verifier_fits(const struct sasl_scram_verifier *verifier, struct span password)
{
	struct sasl_scram_verifier tried = { .iterations = verifier->iterations, .salt = verifier->salt };
	bool fits = scram_derive(password, &tried) &&
		    digest_eq(tried.stored_key, verifier->stored_key, SHA256_LEN);

	mem_wipe(&tried, sizeof(tried));
	return fits;
}
