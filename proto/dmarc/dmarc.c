#include "skein/proto/dmarc/dmarc.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/arena.h"
#include "skein/proto/dmarc/org_domain.h"

static const struct span prefix = { "_dmarc.", 7 };

enum step { STEP_OWN, STEP_ORGANIZATION, STEP_DONE };

struct dmarc_check {
	enum step step;
	struct arena arena;
	struct span spf_domain;
	struct span dkim_domains[DMARC_IDENTITIES_MAX];
	size_t dkim_count;
	struct span name; /* of the open question */
	struct dmarc_verdict verdict;
};

static struct span without_dot(struct span name)
{
	return name.len && name.ptr[name.len - 1] == '.' ? span_take(name, name.len - 1) : name;
}

bool dmarc_is_aligned(struct span identity, struct span from_domain, enum dmarc_alignment alignment)
{
	identity = without_dot(identity);
	from_domain = without_dot(from_domain);
	if (!identity.len || !from_domain.len)
		return false;
	return alignment == DMARC_STRICT ? span_eq_nocase(identity, from_domain)
					 : dmarc_is_same_org(identity, from_domain);
}

const char *dmarc_result_name(enum dmarc_result result)
{
	static const char *const names[] = {
		[DMARC_NONE] = "none",
		[DMARC_PASS] = "pass",
		[DMARC_FAIL] = "fail",
		[DMARC_TEMPERROR] = "temperror",
		[DMARC_PERMERROR] = "permerror",
	};

	return names[result];
}

enum dmarc_policy dmarc_disposition(const struct dmarc_verdict *verdict, uint32_t random)
{
	if (verdict->result != DMARC_FAIL || verdict->policy == DMARC_POLICY_NONE)
		return DMARC_POLICY_NONE;
	if (random % 100 < verdict->record.percent)
		return verdict->policy;
	return verdict->policy == DMARC_POLICY_REJECT ? DMARC_POLICY_QUARANTINE : DMARC_POLICY_NONE;
}

/* --- questions ----------------------------------------------------------------------------------- */

static void ask(struct dmarc_check *check, enum step step, struct span domain)
{
	char *name = arena_alloc(&check->arena, prefix.len + domain.len);

	memcpy(name, prefix.ptr, prefix.len);
	memcpy(name + prefix.len, domain.ptr, domain.len);
	check->name = span_of(name, prefix.len + domain.len);
	check->step = step;
}

static void end(struct dmarc_check *check, enum dmarc_result result, const char *problem)
{
	check->verdict.result = result;
	check->verdict.problem = problem;
	check->step = STEP_DONE;
}

/* Labels of letters, digits, hyphens and underscores, which a resolver can be asked for behind the prefix. */
static bool is_domain(struct span name)
{
	size_t label = 0;

	if (!name.len || name.len > DMARC_DOMAIN_LEN_MAX - prefix.len)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = ascii_lower(name.ptr[i]);

		if (c != '.' && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
		if (c == '.' && !label)
			return false;
		label = c == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return label > 0;
}

struct dmarc_check *dmarc_check_new(const struct dmarc_request *request)
{
	struct dmarc_check *check = mem_zalloc(sizeof(*check));
	struct dmarc_verdict *verdict = &check->verdict;

	verdict->from_domain = arena_dup(&check->arena, without_dot(request->from_domain));
	verdict->org_domain = dmarc_org_domain(verdict->from_domain);
	check->spf_domain = arena_dup(&check->arena, request->spf_domain);
	for (size_t i = 0; i < request->dkim_count && i < DMARC_IDENTITIES_MAX; i++)
		check->dkim_domains[check->dkim_count++] = arena_dup(&check->arena, request->dkim_domains[i]);
	if (is_domain(verdict->from_domain))
		ask(check, STEP_OWN, verdict->from_domain);
	else
		end(check, DMARC_PERMERROR, "the domain of From is no name that the DNS could have");
	return check;
}

void dmarc_check_free(struct dmarc_check **check)
{
	if (!*check)
		return;
	arena_fini(&(*check)->arena);
	mem_free(*check);
	*check = NULL;
}

bool dmarc_check_question(const struct dmarc_check *check, struct span *name_out)
{
	*name_out = check->name;
	return check->step != STEP_DONE;
}

const struct dmarc_verdict *dmarc_check_verdict(const struct dmarc_check *check)
{
	CHECK(check->step == STEP_DONE);
	return &check->verdict;
}

/* --- answers ------------------------------------------------------------------------------------- */

static void judge(struct dmarc_check *check)
{
	struct dmarc_verdict *verdict = &check->verdict;
	const struct dmarc_record *record = &verdict->record;

	verdict->spf_is_aligned =
		dmarc_is_aligned(check->spf_domain, verdict->from_domain, record->spf_alignment);
	for (size_t i = 0; i < check->dkim_count && !verdict->aligned_dkim.len; i++)
		if (dmarc_is_aligned(check->dkim_domains[i], verdict->from_domain, record->dkim_alignment))
			verdict->aligned_dkim = check->dkim_domains[i];
	end(check, verdict->spf_is_aligned || verdict->aligned_dkim.len ? DMARC_PASS : DMARC_FAIL, NULL);
}

static void take_record(struct dmarc_check *check, struct span text)
{
	struct dmarc_verdict *verdict = &check->verdict;

	text = arena_dup(&check->arena, text);
	verdict->is_subdomain = check->step == STEP_ORGANIZATION;
	verdict->policy_domain = verdict->is_subdomain ? verdict->org_domain : verdict->from_domain;
	if (!dmarc_record_parse(text, &verdict->record)) {
		end(check, DMARC_PERMERROR, verdict->record.problems[0].what);
		return;
	}
	verdict->policy = verdict->is_subdomain ? verdict->record.subdomain_policy : verdict->record.policy;
	judge(check);
}

/* RFC 7489 6.6.3: other TXT records are discarded; of two policies none counts. */
void dmarc_check_answer(struct dmarc_check *check, const struct dmarc_answer *answer)
{
	struct dmarc_verdict *verdict = &check->verdict;
	struct span found = { 0 };
	size_t count = 0;

	CHECK(check->step != STEP_DONE);
	for (size_t i = 0; answer->status == DMARC_ANSWER_RECORDS && i < answer->count; i++) {
		if (dmarc_record_is_one(answer->records[i])) {
			found = answer->records[i];
			count++;
		}
	}
	if (answer->status == DMARC_ANSWER_TEMPERROR)
		end(check, DMARC_TEMPERROR, "the DNS did not answer");
	else if (count == 1)
		take_record(check, found);
	else if (count > 1)
		end(check, DMARC_NONE, "there is more than one DMARC record, so that none counts");
	else if (check->step == STEP_OWN && !span_eq_nocase(verdict->from_domain, verdict->org_domain))
		ask(check, STEP_ORGANIZATION, verdict->org_domain);
	else
		end(check, DMARC_NONE, "there is no DMARC record");
}
