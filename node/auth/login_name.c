#include "auth/login_name.h"

enum { LOGIN_MAX = 512 };

void login_append_escaped(struct buf *out, struct span value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char byte = (unsigned char)value.ptr[i];

		if (byte < 0x20 || byte == 0x7f || strchr("*()\\", byte))
			buf_printf(out, "\\%02x", byte);
		else
			buf_append_byte(out, value.ptr[i]);
	}
}

static bool is_ours(struct span name, const struct login_domain *domain)
{
	return name.len && (span_eq_nocase(name, span_of_str(domain->netbios)) ||
				   span_eq_nocase(name, span_of_str(domain->realm)));
}

static void append_equals(struct buf *out, const char *attribute, struct span value)
{
	buf_printf(out, "(%s=", attribute);
	login_append_escaped(out, value);
	buf_append_byte(out, ')');
}

bool login_filter(struct span login, const struct login_domain *domain, struct buf *filter_out)
{
	size_t slash = span_find(login, '\\'), at = login.len;
	struct span account = login;

	if (!login.len || login.len > LOGIN_MAX)
		return false;
	if (slash < login.len) {
		account = span_drop(login, slash + 1);
		if (!account.len || !is_ours(span_take(login, slash), domain))
			return false;
		buf_append_str(filter_out, "(&(sAMAccountType=805306368)");
		append_equals(filter_out, "sAMAccountName", account);
		buf_append_byte(filter_out, ')');
		return true;
	}
	while (at && login.ptr[at - 1] != '@')
		at--;
	/* The implicit principal name is in no attribute. */
	if (at > 1 && span_eq_nocase(span_drop(login, at), span_of_str(domain->realm)))
		account = span_take(login, at - 1);
	buf_append_str(filter_out, "(&(sAMAccountType=805306368)(|");
	append_equals(filter_out, "userPrincipalName", login);
	append_equals(filter_out, "sAMAccountName", account);
	buf_append_str(filter_out, "))");
	return true;
}
