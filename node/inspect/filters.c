#include "inspect/filters.h"

#include "skein/proto/base/alloc.h"

struct filters {
	struct milter_desk *desk;
	struct filters_request request; /* the message is counted */
	size_t next;                    /* of the inspection's filters */
	struct milter_visit *visit;
	filters_fn *fn;
	void *arg;
};

/* RFC 3463 3.4: other mail system status. 3.8: delivery not authorized, message refused. */
static const struct smtp_reply put_off = { 451, "4.3.0",
	SPAN_LIT("A filter cannot be asked now, try again later") };
static const struct smtp_reply turned_away = { 554, "5.3.0", SPAN_LIT("A filter cannot be asked") };
static const struct smtp_reply quarantined = { 550, "5.7.1",
	SPAN_LIT("The message was refused: a filter wants it in quarantine") };

static void destroy(struct filters *filters)
{
	milter_cancel(&filters->visit);
	message_unref(&filters->request.message);
	mem_free(filters);
}

static void answer(struct filters *filters, enum filters_end end, const struct smtp_reply *refusal)
{
	filters_fn *fn = filters->fn;
	void *arg = filters->arg;

	destroy(filters);
	fn(arg, end, refusal);
}

/* --- what one has changed ----------------------------------------------------------------------- */

static void change_recipients(struct message *message, const struct milter_result *result)
{
	struct envelope *envelope = &message->envelope;
	size_t room = envelope->recipient_count - result->removed_count + result->added_count, count = 0;
	struct envelope_recipient *recipients = arena_zalloc(&message->arena, room * sizeof(*recipients));

	for (size_t i = 0; i < envelope->recipient_count; i++) {
		if (!result->is_removed[i])
			recipients[count++] = envelope->recipients[i];
	}
	for (size_t i = 0; i < result->added_count; i++)
		recipients[count++].addr = arena_dup(&message->arena, result->added[i]);
	CHECK(count == room && count > 0);
	envelope->recipients = recipients;
	envelope->recipient_count = count;
}

static void apply(struct message *message, const struct milter_result *result)
{
	if (result->has_sender)
		message->envelope.sender = arena_dup(&message->arena, result->sender);
	if (result->added_count || result->removed_count)
		change_recipients(message, result);
}

/* --- one after the other ------------------------------------------------------------------------ */

static void visit_next(struct filters *filters);

static void pass(struct filters *filters)
{
	if (filters->next < filters->request.inspection->filter_count)
		visit_next(filters);
	else
		answer(filters, FILTERS_PASSED, NULL);
}

static void on_failure(struct filters *filters, const struct inspection_filter *filter)
{
	switch (filter->on_error) {
	case INSPECTION_TROUBLE_ACCEPT:
		pass(filters);
		break;
	case INSPECTION_TROUBLE_REJECT:
		answer(filters, FILTERS_REFUSED, &turned_away);
		break;
	case INSPECTION_TROUBLE_DEFER:
	case INSPECTION_TROUBLES:
		answer(filters, FILTERS_REFUSED, &put_off);
		break;
	}
}

static void on_visited(void *arg, const struct milter_result *result)
{
	struct filters *filters = arg;

	filters->visit = NULL;
	switch (result->outcome) {
	case MILTER_ACCEPTED:
		if (result->is_quarantined) {
			answer(filters, FILTERS_REFUSED, &quarantined);
			break;
		}
		apply(filters->request.message, result);
		pass(filters);
		break;
	case MILTER_REFUSED:
		answer(filters, FILTERS_REFUSED, &result->reply);
		break;
	case MILTER_DISCARDED:
		answer(filters, FILTERS_DISCARDED, NULL);
		break;
	case MILTER_FAILED:
		on_failure(filters, filters->request.inspection->filters[filters->next - 1]);
		break;
	}
}

static void visit_next(struct filters *filters)
{
	const struct filters_request *request = &filters->request;
	const struct milter_request visit = { request->inspection->filters[filters->next++], request->message,
		request->list, request->facts };

	filters->visit = milter_begin(filters->desk, &visit, on_visited, filters);
}

struct filters *filters_begin(
	struct milter_desk *desk, const struct filters_request *request, filters_fn *fn, void *arg)
{
	struct filters *filters;

	if (!request->inspection->filter_count)
		return NULL;
	filters = mem_zalloc(sizeof(*filters));
	filters->desk = desk;
	filters->request = *request;
	filters->request.message = message_ref(request->message);
	filters->fn = fn;
	filters->arg = arg;
	visit_next(filters);
	return filters;
}

void filters_cancel(struct filters **filters)
{
	if (*filters)
		destroy(*filters);
	*filters = NULL;
}
