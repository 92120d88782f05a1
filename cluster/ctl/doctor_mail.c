/* skeinctl doctor: mail that does not move, next hops that are down, and the DNS of domains that we send for.
 */
#include "doctor.h"
#include "human.h"
#include "queue_walk.h"
#include "skein/cluster/daily_store.h"
#include "skein/cluster/hop_store.h"

#include <jansson.h>
#include <string.h>

enum { WALK_MAX = 20000 };
#define OLD_MS     (24ull * 3600000)
#define DNS_OLD_MS (3 * 24ull * 3600000)

static void check_held(struct doctor *doctor)
{
	const struct tally *tally = doctor->tally;

	if (tally->states[QUEUE_QUARANTINED]) {
		struct buf text = { 0 };

		human_count(&text, tally->states[QUEUE_QUARANTINED], "message");
		doctor_tell(doctor, DOCTOR_FAIL, "%.*s in quarantine: nodes died over them",
			SPAN_ARGS(buf_span(&text)));
		doctor_cure(doctor,
			"skeinctl queue list --state quarantined; then queue release or queue cancel");
		buf_fini(&text);
	} else {
		doctor_tell(doctor, DOCTOR_OK, "none in quarantine, %llu held",
			(unsigned long long)tally->states[QUEUE_HELD]);
	}
	if (tally->shards_in_grace) {
		doctor_tell(doctor, DOCTOR_WARN,
			"nodes are telling a new Redis what they own: nothing is given out meanwhile");
		doctor_cure(doctor, "wait some seconds and look again");
	}
}

struct walk {
	uint64_t seen, old, oldest_ms;
};

static bool on_record(void *arg, const struct queue_view_record *record)
{
	struct walk *walk = arg;

	walk->seen++;
	walk->old += record->record.age_ms > OLD_MS;
	if (record->record.age_ms > walk->oldest_ms)
		walk->oldest_ms = record->record.age_ms;
	return walk->seen < WALK_MAX;
}

static void check_age(struct doctor *doctor)
{
	struct walk walk = { 0 };
	struct buf text = { 0 };

	if (queue_walk(doctor->session, NULL, on_record, &walk))
		return;
	human_duration(&text, walk.oldest_ms);
	if (walk.old) {
		doctor_tell(doctor, DOCTOR_WARN,
			"%llu of %llu messages have waited for more than a day, the oldest for %.*s",
			(unsigned long long)walk.old, (unsigned long long)walk.seen,
			SPAN_ARGS(buf_span(&text)));
		doctor_cure(
			doctor, "skeinctl queue list --sort age; queue show ID tells what the next hop said");
	} else {
		doctor_tell(doctor, DOCTOR_OK, "%llu%s messages wait, the oldest for %.*s",
			(unsigned long long)walk.seen, walk.seen == WALK_MAX ? " or more" : "",
			SPAN_ARGS(buf_span(&text)));
	}
	buf_fini(&text);
}

static void on_hops(void *arg, const struct outcome *outcome, const struct hop_changes *changes)
{
	struct doctor *doctor = arg;
	size_t down = 0;

	if (outcome->kind != OUTCOME_OK)
		return;
	for (size_t i = 0; i < changes->count; i++) {
		const struct hop_row *row = &changes->rows[i];

		if (row->state != HOP_DOWN)
			continue;
		down++;
		doctor_tell(doctor, DOCTOR_WARN, "%.*s is down, says %.*s: %.*s", SPAN_ARGS(row->label),
			SPAN_ARGS(row->by), SPAN_ARGS(row->why));
		doctor_cure(doctor,
			"that server, the network to it; when it is well again: skeinctl hops up %.*s",
			SPAN_ARGS(row->label));
	}
	if (!down)
		doctor_tell(doctor, DOCTOR_OK, "none is known to be down");
}

static void check_hops(struct doctor *doctor)
{
	(void)hop_store_board(doctor->session->link, 0, session_now_ms(), on_hops, doctor);
	if (session_finish(doctor->session))
		doctor->session = NULL;
}

/* What nodes wrote: node/daily/dns_record.c. */
static void tell_domain(struct doctor *doctor, const json_t *domain)
{
	const char *name = json_string_value(json_object_get(domain, "domain"));
	const char *worst = json_string_value(json_object_get(domain, "worst"));

	if (!name || !worst || strcmp(worst, "ok") == 0)
		return;
	doctor_tell(doctor, strcmp(worst, "fail") == 0 ? DOCTOR_FAIL : DOCTOR_WARN,
		strcmp(worst, "unknown") == 0 ? "%s: the DNS did not answer everything"
					      : "%s: its DNS is not as it should be",
		name);
	doctor_cure(doctor, "skeinctl dns status says what to publish");
}

static void on_note(void *arg, const struct outcome *outcome, const struct daily_note *note)
{
	struct doctor *doctor = arg;
	size_t before = doctor->row_count;
	const json_t *domain, *domains;
	json_t *json;
	size_t i;

	if (outcome->kind != OUTCOME_OK)
		return;
	if (!note->number) {
		doctor_tell(doctor, DOCTOR_SKIPPED, "the leader has not looked yet: see dns_watch");
		return;
	}
	json = json_loadb(note->text.ptr, note->text.len, 0, NULL);
	domains = json_object_get(json, "domains");
	json_array_foreach(domains, i, domain) tell_domain(doctor, domain);
	if (note->now_ms > note->at_ms && note->now_ms - note->at_ms > DNS_OLD_MS) {
		doctor_tell(doctor, DOCTOR_WARN, "the leader has not looked for days");
		doctor_cure(doctor, "the setting dns_watch.interval; the leader's log (dns-checked)");
	}
	if (doctor->row_count == before)
		doctor_tell(doctor, DOCTOR_OK, "%zu domains are as they should be", json_array_size(domains));
	json_decref(json);
}

static void check_dns(struct doctor *doctor)
{
	(void)daily_get(doctor->session->link, "dns", session_now_ms(), on_note, doctor);
	if (session_finish(doctor->session))
		doctor->session = NULL;
}

static const struct doctor_check checks[] = {
	{ "held", check_held },
	{ "age", check_age },
	{ "next hops", check_hops },
	{ "dns", check_dns },
};

const struct doctor_group doctor_mail = { "mail", DOCTOR_NEEDS_REDIS, checks, ARRAY_LEN(checks) };
