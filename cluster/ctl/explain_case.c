#include "explain_case.h"

#include "skein/cluster/schema/suggest.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* --- a line of JSON ------------------------------------------------------------------------------ */

enum key_kind { KEY_TEXT, KEY_TEXTS, KEY_FLAG, KEY_SIZE };

struct key {
	const char *name;
	enum key_kind kind;
	size_t offset;
};

#define AT(field) offsetof(struct explain_case, field)

/* Named as the options are. */
static const struct key keys[] = {
	{ "client", KEY_TEXT, AT(client) },
	{ "listener", KEY_TEXT, AT(listener) },
	{ "user", KEY_TEXT, AT(user) },
	{ "group", KEY_TEXTS, AT(groups) },
	{ "own", KEY_TEXTS, AT(own) },
	{ "helo", KEY_TEXT, AT(helo) },
	{ "from", KEY_TEXT, AT(from) },
	{ "author", KEY_TEXT, AT(author) },
	{ "to", KEY_TEXTS, AT(to) },
	{ "size", KEY_SIZE, AT(size) },
	{ "tls", KEY_FLAG, AT(has_tls) },
	{ "tls-version", KEY_TEXT, AT(tls_version) },
	{ "certificate", KEY_TEXT, AT(cert_subject) },
	{ "sha256", KEY_TEXT, AT(cert_sha256) },
	{ "no-starttls", KEY_FLAG, AT(has_no_starttls) },
	{ "no-auth", KEY_FLAG, AT(has_no_auth) },
};

static bool read_text(json_t *value, const char **text_out)
{
	*text_out = json_string_value(value);
	return *text_out && strlen(*text_out) == json_string_length(value);
}

/* One, or a list of them. */
static bool read_texts(json_t *value, struct call_texts *texts)
{
	size_t count = json_is_array(value) ? json_array_size(value) : 1;

	if (count > CALL_TEXTS_MAX)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!read_text(json_is_array(value) ? json_array_get(value, i) : value, &texts->items[i]))
			return false;
	texts->count = count;
	return true;
}

static bool read_value(struct explain_case *asked, const struct key *key, json_t *value)
{
	void *field = (char *)asked + key->offset;

	switch (key->kind) {
	case KEY_TEXT:
		return read_text(value, field);
	case KEY_TEXTS:
		return read_texts(value, field);
	case KEY_FLAG:
		*(bool *)field = json_is_true(value);
		return json_is_boolean(value);
	case KEY_SIZE:
		*(uint64_t *)field = json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
		return json_is_integer(value) && json_integer_value(value) >= 0;
	}
	return false;
}

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static void explain_unknown(const char *name, struct buf *why)
{
	struct suggestion near = suggest_begin(span_of_str(name));

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		suggest_offer(&near, span_of_str(keys[i].name));
	buf_printf(why, "unknown key \"%s\"", name);
	if (near.best.len)
		buf_printf(why, ", did you mean \"%.*s\"?", SPAN_ARGS(near.best));
}

bool explain_case_read_json(struct explain_case *asked, json_t *object, struct buf *why_out)
{
	static const char *const wanted[] = { [KEY_TEXT] = "a text",
		[KEY_TEXTS] = "a text, or a list of at most 64",
		[KEY_FLAG] = "true or false",
		[KEY_SIZE] = "a number of bytes" };
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		const struct key *key = find_key(name);

		/* As good as not there: programs write what they do not know like this. */
		if (key && json_is_null(value))
			continue;
		if (key && read_value(asked, key, value))
			continue;
		if (key)
			buf_printf(why_out, "\"%s\" is %s", name, wanted[key->kind]);
		else
			explain_unknown(name, why_out);
		return false;
	}
	return true;
}

/* --- what the policy takes ----------------------------------------------------------------------- */

static bool read_address(struct explain_case *asked)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&asked->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&asked->address;

	if (!asked->client || !network_parse(span_of_str(asked->client), &asked->counted.client))
		return false;
	if (inet_pton(AF_INET, asked->client, &v4->sin_addr) == 1)
		asked->address.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, asked->client, &v6->sin6_addr) == 1)
		asked->address.ss_family = AF_INET6;
	else
		return false;
	return true;
}

static bool read_tls(struct explain_case *asked, struct buf *why)
{
	bool is_1_3 = asked->tls_version && strcmp(asked->tls_version, "1.3") == 0;

	if (asked->tls_version && !is_1_3 && strcmp(asked->tls_version, "1.2") != 0) {
		buf_append_str(why, "tls-version is 1.2 or 1.3");
		return false;
	}
	if (asked->tls_version || asked->has_tls || asked->cert_subject || asked->cert_sha256)
		asked->who.tls = is_1_3 || !asked->tls_version ? POLICY_TLS_1_3 : POLICY_TLS_1_2;
	return true;
}

/* What is not said may come yet, as in a session that has just begun. */
static unsigned may_come(const struct explain_case *asked)
{
	bool has_tls = asked->who.tls != POLICY_TLS_NONE;
	bool tls_may_come = !has_tls && !asked->has_no_starttls;
	bool auth_may_come = !asked->user && !asked->has_no_auth && (has_tls || tls_may_come);

	return (tls_may_come ? (unsigned)POLICY_LATER_TLS : 0) |
	       (auth_may_come ? (unsigned)POLICY_LATER_AUTH : 0) |
	       (asked->helo ? 0 : (unsigned)POLICY_LATER_HELO);
}

/* Without the brackets that SMTP has around it; "<>" is the null sender. */
static struct span mailbox_of(const char *text)
{
	struct span address = span_of_str(text);

	if (address.len >= 2 && address.ptr[0] == '<' && address.ptr[address.len - 1] == '>')
		address = span_of(address.ptr + 1, address.len - 2);
	return address;
}

static void make_spans(struct explain_case *asked)
{
	for (size_t i = 0; i < asked->groups.count; i++)
		asked->group_spans[i] = span_of_str(asked->groups.items[i]);
	for (size_t i = 0; i < asked->own.count; i++)
		asked->own_spans[i] = span_of_str(asked->own.items[i]);
	for (size_t i = 0; i < asked->to.count; i++)
		asked->recipients[i] = mailbox_of(asked->to.items[i]);
}

bool explain_case_finish(struct explain_case *asked, struct buf *why_out)
{
	struct policy_subject *who = &asked->who;

	if (!read_address(asked)) {
		buf_append_str(why_out, "which client? An address such as 10.1.2.3 is wanted");
		return false;
	}
	if (!read_tls(asked, why_out))
		return false;
	make_spans(asked);
	who->address = (const struct sockaddr *)(const void *)&asked->address;
	who->listener = span_of_str(asked->listener);
	who->cert_subject = span_of_str(asked->cert_subject);
	who->cert_sha256 = span_of_str(asked->cert_sha256);
	who->user = span_of_str(asked->user);
	who->groups = asked->group_spans;
	who->group_count = asked->groups.count;
	who->addresses = asked->own_spans;
	who->address_count = asked->own.count;
	who->helo = span_of_str(asked->helo);
	who->later = may_come(asked);
	asked->counted.user = who->user;
	asked->counted.sender = mailbox_of(asked->from);
	asked->counted.recipients = asked->recipients;
	asked->counted.recipient_count = asked->to.count;
	asked->counted.bytes = asked->size;
	return true;
}
