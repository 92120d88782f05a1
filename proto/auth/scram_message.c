#include "auth/scram_internal.h"

/* Takes what stands before the next comma, and the comma. False: there is none. */
static bool take_field(struct span *rest, struct span *field_out)
{
	*field_out = span_take(*rest, span_find(*rest, ','));
	if (field_out->len == rest->len)
		return false;
	*rest = span_drop(*rest, field_out->len + 1);
	return true;
}

/* The value of "x=value". */
static bool take_value(struct span field, char letter, struct span *value_out)
{
	if (field.len < 2 || field.ptr[0] != letter || field.ptr[1] != '=')
		return false;
	*value_out = span_drop(field, 2);
	return true;
}

static bool parse_binding_flag(struct span field, struct scram_client_first *first)
{
	if (!field.len)
		return false;
	first->binding_flag = field.ptr[0];
	if (field.len == 1)
		return field.ptr[0] == 'n' || field.ptr[0] == 'y';
	return take_value(field, 'p', &first->binding_type) && first->binding_type.len;
}

static bool is_nonce(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '!' || text.ptr[i] > '~')
			return false;
	}
	return text.len && text.len <= SCRAM_NONCE_MAX;
}

/* The last of several fields ends with the text: extensions may follow it, and are read over. */
static struct span first_field(struct span text)
{
	return span_take(text, span_find(text, ','));
}

bool scram_parse_client_first(struct span text, struct scram_client_first *first_out)
{
	struct span rest = text, field;

	*first_out = (struct scram_client_first){ 0 };
	if (text.len > SCRAM_MESSAGE_MAX)
		return false;
	if (!take_field(&rest, &field) || !parse_binding_flag(field, first_out))
		return false;
	if (!take_field(&rest, &field) || (field.len && !take_value(field, 'a', &first_out->authzid)))
		return false;
	first_out->gs2_header = span_take(text, text.len - rest.len);
	first_out->bare = rest;
	/* "m=" would stand here: an extension that we must know, and do not. */
	if (!take_field(&rest, &field) || !take_value(field, 'n', &first_out->name))
		return false;
	return take_value(first_field(rest), 'r', &first_out->nonce) && is_nonce(first_out->nonce);
}

bool scram_parse_client_final(struct span text, struct scram_client_final *final_out)
{
	struct span rest = text, field;

	*final_out = (struct scram_client_final){ 0 };
	if (text.len > SCRAM_MESSAGE_MAX)
		return false;
	if (!take_field(&rest, &field) || !take_value(field, 'c', &final_out->binding))
		return false;
	if (!take_field(&rest, &field) || !take_value(field, 'r', &final_out->nonce))
		return false;
	/* Extensions, which are read over, up to the proof, which is last. */
	while (take_field(&rest, &field)) {
		if (field.len < 2 || field.ptr[1] != '=')
			return false;
	}
	final_out->without_proof = span_take(text, text.len - rest.len - 1);
	return take_value(rest, 'p', &final_out->proof);
}
