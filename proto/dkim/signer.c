#include "skein/proto/dkim/signer.h"

#include "dkim/hash_internal.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/base64.h"

#include <stdio.h>

enum {
	COLUMNS = 78,
	BASE64_ROOM_MIN = 8, /* less than that is left empty at the end of a line */
	CANON_COUNT = DKIM_RELAXED + 1,
};

const struct dkim_signed_name dkim_default_names[] = {
	{ "From", true },
	{ "To", true },
	{ "Cc", true },
	{ "Subject", true },
	{ "Date", true },
	{ "Message-ID", true },
	{ "Reply-To", true },
	{ "Sender", true },
	{ "In-Reply-To", true },
	{ "References", true },
	{ "MIME-Version", true },
	{ "Content-Type", true },
	{ "Content-Transfer-Encoding", true },
	{ "Content-Disposition", true },
	{ "Content-ID", false },
	{ "Content-Description", false },
	{ "Resent-Date", false },
	{ "Resent-From", false },
	{ "Resent-To", false },
	{ "Resent-Cc", false },
	{ "List-Id", false },
	{ "List-Help", false },
	{ "List-Unsubscribe", false },
	{ "List-Unsubscribe-Post", false },
	{ "List-Subscribe", false },
	{ "List-Post", false },
	{ "List-Owner", false },
	{ "List-Archive", false },
	{ "Autocrypt", false },
};
const size_t dkim_default_name_count = ARRAY_LEN(dkim_default_names);

struct dkim_signer {
	const struct dkim_rule *rules;
	size_t rule_count;
	struct dkim_header header;
	bool is_canon_used[CANON_COUNT];
	struct dkim_body_hash body_hashes[CANON_COUNT]; /* of the forms that are used */
};

static bool is_word_byte(char byte)
{
	return (byte >= '0' && byte <= '9') || (ascii_lower(byte) >= 'a' && ascii_lower(byte) <= 'z') ||
	       byte == '-' || byte == '_';
}

/* Labels of letters, digits, '-' and '_', with a dot between each two. */
static bool is_dns_name(struct span name)
{
	size_t label_len = 0;

	for (size_t i = 0; i < name.len; i++) {
		bool is_dot = name.ptr[i] == '.';

		if (is_dot ? label_len == 0 : !is_word_byte(name.ptr[i]) || label_len == 63)
			return false;
		label_len = is_dot ? 0 : label_len + 1;
	}
	return label_len > 0;
}

static bool is_field_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_word_byte(name.ptr[i]))
			return false;
	return name.len > 0 && name.len <= DKIM_FIELD_NAME_MAX;
}

static const char *names_fault(const struct dkim_rule *rule)
{
	bool has_from = false;

	if (!rule->names)
		return NULL;
	if (rule->name_count > DKIM_RULE_NAMES_MAX)
		return "more than 64 header fields are to be signed; name fewer";
	for (size_t i = 0; i < rule->name_count; i++) {
		struct span name = span_of_str(rule->names[i].name);

		if (!is_field_name(name))
			return "a header field to sign has a name of other than 1 to 64 letters, digits, '-' "
			       "and '_'";
		if (span_eq_nocase(name, SPAN_LIT("dkim-signature")) ||
			span_eq_nocase(name, SPAN_LIT("received")) ||
			span_eq_nocase(name, SPAN_LIT("return-path")))
			return "DKIM-Signature, Received and Return-Path change on their way; do not sign "
			       "them";
		for (size_t j = 0; j < i; j++)
			if (span_eq_nocase(name, span_of_str(rule->names[j].name)))
				return "a header field to sign is named twice; name it once";
		has_from |= span_eq_nocase(name, SPAN_LIT("from"));
	}
	/* RFC 6376 5.4 */
	return has_from ? NULL : "From is not among the header fields to sign; it must be";
}

/* RFC 6376 3.5: what is written in i= as it is: no white space, no ';', and no '=', which would begin a code.
 */
static bool is_identity(struct span identity, struct span domain)
{
	size_t at = identity.len;

	for (size_t i = 0; i < identity.len; i++)
		if (identity.ptr[i] <= ' ' || identity.ptr[i] > '~' || strchr(";=", identity.ptr[i]))
			return false;
	while (at > 0 && identity.ptr[at - 1] != '@')
		at--;
	if (!at || identity.len > DKIM_IDENTITY_MAX || identity.len - at < domain.len)
		return false;
	if (!span_eq_nocase(span_drop(identity, identity.len - domain.len), domain))
		return false;
	return identity.len - at == domain.len || identity.ptr[identity.len - domain.len - 1] == '.';
}

const char *dkim_rule_fault(const struct dkim_rule *rule)
{
	if (!is_dns_name(rule->domain))
		return "the domain is no DNS name in ASCII; write it in its xn-- form";
	if (!is_dns_name(rule->selector))
		return "the selector is no DNS name: letters, digits, '-' and '_' are wanted, with dots "
		       "between";
	if (rule->selector.len + strlen("._domainkey.") + rule->domain.len > DKIM_DNS_NAME_MAX)
		return "SELECTOR._domainkey.DOMAIN is longer than 253 characters; take a shorter selector";
	if (rule->identity.len && !is_identity(rule->identity, rule->domain))
		return "the identity is no address of the domain or of one below it; write user@DOMAIN or "
		       "@DOMAIN";
	return names_fault(rule);
}

struct dkim_signer *dkim_signer_new(const struct dkim_signer_options *options)
{
	struct dkim_signer *signer = mem_zalloc(sizeof(*signer));

	CHECK(options->rule_count > 0 && options->rule_count <= DKIM_RULES_MAX);
	signer->rules = options->rules;
	signer->rule_count = options->rule_count;
	dkim_header_init(&signer->header, options->header_size_max, options->header_fields_max);
	for (size_t i = 0; i < signer->rule_count; i++) {
		CHECK(!dkim_rule_fault(&signer->rules[i]));
		signer->is_canon_used[signer->rules[i].body_canon] = true;
	}
	for (size_t i = 0; i < CANON_COUNT; i++)
		if (signer->is_canon_used[i])
			dkim_body_hash_init(&signer->body_hashes[i], (enum dkim_canon)i, DKIM_WHOLE_BODY);
	return signer;
}

void dkim_signer_free(struct dkim_signer **signer)
{
	if (*signer) {
		dkim_header_fini(&(*signer)->header);
		for (size_t i = 0; i < CANON_COUNT; i++)
			dkim_body_hash_fini(&(*signer)->body_hashes[i]);
	}
	mem_free(*signer);
	*signer = NULL;
}

void dkim_signer_feed(struct dkim_signer *signer, struct span piece)
{
	if (dkim_header_feed(&signer->header, &piece) != DKIM_HEADER_ENDED)
		return;
	for (size_t i = 0; i < CANON_COUNT; i++)
		if (signer->is_canon_used[i])
			dkim_body_hash_feed(&signer->body_hashes[i], piece);
}

/* Writes a folded field. */
struct folder {
	struct buf *out;
	size_t column;
};

static void fold(struct folder *folder)
{
	buf_append_str(folder->out, "\r\n ");
	folder->column = 1;
}

static void add(struct folder *folder, struct span text)
{
	buf_append(folder->out, text);
	folder->column += text.len;
}

/* Parts that must not be torn go onto the next line together. */
static void add_whole(struct folder *folder, struct span text, bool is_spaced)
{
	if (folder->column > 1 && folder->column + is_spaced + text.len > COLUMNS)
		fold(folder);
	else if (is_spaced)
		add(folder, SPAN_LIT(" "));
	add(folder, text);
}

static void add_tag(struct folder *folder, const char *name, struct span value)
{
	struct buf tag = { 0 };

	buf_printf(&tag, "%s=%.*s;", name, SPAN_ARGS(value));
	add_whole(folder, buf_span(&tag), true);
	buf_fini(&tag);
}

static void add_number(struct folder *folder, const char *name, int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)number);
	add_tag(folder, name, span_of_str(text));
}

/* base64 may be torn anywhere. */
static void add_base64(struct folder *folder, struct span bytes)
{
	struct buf text = { 0 };
	struct span rest;

	base64_encode(&text, bytes);
	for (rest = buf_span(&text); rest.len;) {
		size_t room = folder->column < COLUMNS ? COLUMNS - folder->column : 0;

		if (rest.len > room && room < BASE64_ROOM_MIN) {
			fold(folder);
			continue;
		}
		room = rest.len < room ? rest.len : room;
		add(folder, span_take(rest, room));
		rest = span_drop(rest, room);
	}
	buf_fini(&text);
}

static void add_names(struct folder *folder, struct span names)
{
	struct buf part = { 0 };

	buf_append_str(&part, "h=");
	for (bool is_first = true; names.len; is_first = false) {
		size_t end = span_find(names, ':');

		buf_append(&part, span_take(names, end));
		buf_append_byte(&part, end < names.len ? ':' : ';');
		add_whole(folder, buf_span(&part), is_first);
		buf_clear(&part);
		names = span_drop(names, end < names.len ? end + 1 : end);
	}
	buf_fini(&part);
}

/* "From:From:To:To"; false: more than DKIM_SIGNED_MAX. */
static bool list_names(const struct dkim_header *header, const struct dkim_rule *rule, struct buf *names_out)
{
	const struct dkim_signed_name *names = rule->names ? rule->names : dkim_default_names;
	size_t name_count = rule->names ? rule->name_count : dkim_default_name_count, total = 0;

	for (size_t i = 0; i < name_count; i++) {
		size_t count = dkim_header_count(header, span_of_str(names[i].name)) + names[i].is_oversigned;

		total += count;
		if (total > DKIM_SIGNED_MAX)
			return false;
		for (; count; count--) {
			if (buf_len(names_out))
				buf_append_byte(names_out, ':');
			buf_append_str(names_out, names[i].name);
		}
	}
	return true;
}

/* All up to "b=". */
static void add_tags(struct folder *folder, const struct dkim_rule *rule, struct span names, int64_t now_s,
	const unsigned char body_hash[DKIM_HASH_LEN])
{
	char canon[16];

	snprintf(canon, sizeof(canon), "%s/%s", dkim_canon_name(rule->header_canon),
		dkim_canon_name(rule->body_canon));
	add(folder, SPAN_LIT("DKIM-Signature:"));
	add_tag(folder, "v", SPAN_LIT("1"));
	add_tag(folder, "a", span_of_str(dkim_algorithm_name(dkim_key_algorithm(rule->key))));
	add_tag(folder, "c", span_of_str(canon));
	add_tag(folder, "d", rule->domain);
	add_tag(folder, "s", rule->selector);
	if (rule->identity.len)
		add_tag(folder, "i", rule->identity);
	add_number(folder, "t", now_s);
	if (rule->lifetime_s)
		add_number(folder, "x", now_s + (int64_t)rule->lifetime_s);
	add_names(folder, names);
	/* "bh=", 44 characters and ";" fit into a line. */
	fold(folder);
	add(folder, SPAN_LIT("bh="));
	add_base64(folder, span_of((const char *)body_hash, DKIM_HASH_LEN));
	add(folder, SPAN_LIT("; b="));
}

static enum err sign(struct dkim_signer *signer, const struct dkim_rule *rule, int64_t now_s,
	const unsigned char body_hash[DKIM_HASH_LEN], struct buf *field_out)
{
	struct folder folder = { .out = field_out };
	struct buf names = { 0 }, signature = { 0 };
	unsigned char hash[DKIM_HASH_LEN];
	enum err err = ERR_FULL;

	if (list_names(&signer->header, rule, &names)) {
		add_tags(&folder, rule, buf_span(&names), now_s, body_hash);
		dkim_header_hash(&signer->header, rule->header_canon, buf_span(&names), DKIM_NO_FIELD,
			buf_span(field_out), hash);
		err = dkim_key_sign(rule->key, hash, &signature);
	}
	if (!err) {
		add_base64(&folder, buf_span(&signature));
		buf_append_str(field_out, "\r\n");
	}
	buf_fini(&names);
	buf_fini(&signature);
	return err;
}

static enum err sign_all(struct dkim_signer *signer, int64_t now_s, struct buf *fields_out)
{
	unsigned char body_hashes[CANON_COUNT][DKIM_HASH_LEN];

	for (size_t i = 0; i < CANON_COUNT; i++)
		if (signer->is_canon_used[i])
			dkim_body_hash_end(&signer->body_hashes[i], body_hashes[i]);
	for (size_t i = 0; i < signer->rule_count; i++) {
		const struct dkim_rule *rule = &signer->rules[i];
		struct buf field = { 0 };
		enum err err = sign(signer, rule, now_s, body_hashes[rule->body_canon], &field);

		if (!err)
			buf_append(fields_out, buf_span(&field));
		buf_fini(&field);
		if (err)
			return err;
	}
	return ERR_OK;
}

enum err dkim_signer_end(
	struct dkim_signer *signer, int64_t now_s, struct buf *fields_out, const char **why_out)
{
	size_t len = buf_len(fields_out);
	enum dkim_header_state state = dkim_header_end(&signer->header);
	enum err err;

	*why_out = dkim_header_fault(&signer->header);
	if (*why_out)
		return state == DKIM_HEADER_TOO_LONG ? ERR_FULL : ERR_INVALID;
	err = sign_all(signer, now_s, fields_out);
	if (err) {
		*why_out = err == ERR_FULL
				   ? "the header section has more fields to sign than a signature may name"
				   : "the key does not sign";
		buf_truncate(fields_out, len);
	}
	return err;
}
