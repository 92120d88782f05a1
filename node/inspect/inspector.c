/*
 * The header section is read; forged fields go; the message is authenticated; what was found is put in front;
 * the filters see it; what was changed becomes edits.
 */
#include "inspect/inspector.h"

#include "inspect/header_reading.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/wire/auth_results.h"

struct inspector {
	struct inspector_desk *desk;
	struct inspector_request request; /* the message is counted */
	inspector_fn *fn;
	void *arg;
	struct header_reading *reading;
	struct header_list *list;
	size_t charged; /* of the budget */
	struct authentication *authentication;
	struct filters *filters;
};

static const struct smtp_reply too_much = { 554, "5.6.0",
	SPAN_LIT("The header section would have to be changed in too many places") };

static void destroy(struct inspector *inspector)
{
	header_reading_cancel(&inspector->reading);
	authentication_cancel(&inspector->authentication);
	filters_cancel(&inspector->filters);
	header_list_free(&inspector->list);
	budget_give(inspector->desk->budget, inspector->charged);
	message_unref(&inspector->request.message);
	mem_free(inspector);
}

static void answer(struct inspector *inspector, enum inspector_end end, const struct smtp_reply *refusal)
{
	inspector_fn *fn = inspector->fn;
	void *arg = inspector->arg;

	destroy(inspector);
	fn(arg, end, refusal);
}

static void take(struct inspector *inspector)
{
	struct message *message = inspector->request.message;
	struct header_edits edits;

	if (!header_list_edits(inspector->list, &message->arena, &edits)) {
		answer(inspector, INSPECTOR_REFUSED, &too_much);
		return;
	}
	message->envelope.edits = edits;
	message->envelope.has_8bit |= header_edits_have_8bit(&edits);
	message->is_inspected = true;
	answer(inspector, INSPECTOR_TAKEN, NULL);
}

/* --- filters ------------------------------------------------------------------------------------ */

static void on_filtered(void *arg, enum filters_end end, const struct smtp_reply *refusal)
{
	struct inspector *inspector = arg;

	inspector->filters = NULL;
	switch (end) {
	case FILTERS_PASSED:
		take(inspector);
		break;
	case FILTERS_REFUSED:
		answer(inspector, INSPECTOR_REFUSED, refusal);
		break;
	case FILTERS_DISCARDED:
		answer(inspector, INSPECTOR_DISCARDED, NULL);
		break;
	}
}

static void filter(struct inspector *inspector)
{
	const struct inspector_request *request = &inspector->request;
	const struct filters_request filters = { request->inspection, request->message, inspector->list,
		request->session };

	inspector->filters = filters_begin(&inspector->desk->filters, &filters, on_filtered, inspector);
	if (!inspector->filters)
		take(inspector);
}

/* --- authentication ----------------------------------------------------------------------------- */

/* `field` is whole. */
static bool put_in_front(struct header_list *list, struct span field)
{
	size_t colon = span_find(field, ':');

	return header_list_insert(list, 0, span_take(field, colon),
		span_take(span_drop(field, colon + 1), field.len - colon - 1 - strlen("\r\n")));
}

static void on_authenticated(void *arg, const struct authentication_report *report)
{
	struct inspector *inspector = arg;

	inspector->authentication = NULL;
	if (report->refusal)
		answer(inspector, INSPECTOR_REFUSED, report->refusal);
	else if (put_in_front(inspector->list, report->field))
		filter(inspector);
	else
		answer(inspector, INSPECTOR_REFUSED, &too_much);
}

static void authenticate(struct inspector *inspector)
{
	const struct authentication_request request = { inspector->request.inspection,
		inspector->request.message, inspector->request.own_size };

	inspector->authentication =
		authentication_begin(&inspector->desk->authentication, &request, on_authenticated, inspector);
}

/* --- the header section ------------------------------------------------------------------------- */

static bool has_checks(const struct inspection *inspection)
{
	for (size_t i = 0; i < INSPECTION_CHECKS; i++)
		if (inspection->actions[i] != INSPECTION_OFF)
			return true;
	return false;
}

/* RFC 8601 5: what claims to be of our own finding, and came from outside. */
static void remove_forged(struct header_list *list, struct span hostname)
{
	struct span name, value;

	for (size_t place = header_list_count(list); place > 0; place--)
		if (header_list_get(list, place - 1, &name, &value) &&
			auth_results_is_of(name, value, hostname))
			header_list_remove(list, place - 1);
}

/* The list, and what verifies signatures, have a copy each. */
static void charge(struct inspector *inspector)
{
	inspector->charged = 2 * header_list_size(inspector->list);
	budget_force(inspector->desk->budget, inspector->charged);
}

static void tell_unread(const struct inspector *inspector, enum err err)
{
	log_event(inspector->desk->authentication.log, LOG_WARN, "not-inspected",
		LOG_STR("id", msg_id_format(&inspector->request.message->holding.id).text), LOG_ERR(err),
		LOG_END);
}

static void on_header(void *arg, enum err err, struct header_list *list)
{
	struct inspector *inspector = arg;

	inspector->reading = NULL;
	inspector->list = list;
	if (err) {
		tell_unread(inspector, err);
		answer(inspector, INSPECTOR_REFUSED,
			smtp_reply_get(err == ERR_FULL ? SMTP_REPLY_BAD_HEADER : SMTP_REPLY_NO_CUSTODY));
		return;
	}
	charge(inspector);
	remove_forged(list, span_of_str(inspector->desk->authentication.settings->node.hostname));
	if (has_checks(inspector->request.inspection))
		authenticate(inspector);
	else
		filter(inspector);
}

/* --- from outside ------------------------------------------------------------------------------- */

bool inspector_is_due(const struct inspection *inspection)
{
	return inspection && (has_checks(inspection) || inspection->filter_count);
}

struct inspector *inspector_begin(
	struct inspector_desk *desk, const struct inspector_request *request, inspector_fn *fn, void *arg)
{
	struct inspector *inspector = mem_zalloc(sizeof(*inspector));
	const struct header_reading_request reading = { desk->authentication.loop, request->message->body,
		request->own_fields };

	inspector->desk = desk;
	inspector->request = *request;
	inspector->request.message = message_ref(request->message);
	inspector->fn = fn;
	inspector->arg = arg;
	inspector->reading = header_reading_start(&reading, on_header, inspector);
	return inspector;
}

void inspector_cancel(struct inspector **inspector)
{
	if (*inspector)
		destroy(*inspector);
	*inspector = NULL;
}
